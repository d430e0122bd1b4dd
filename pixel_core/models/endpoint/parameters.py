"""Parameters that an endpoint refuses: left out, or under their other name.

Newer models take no ``max_tokens`` but ``max_completion_tokens``, and no ``temperature`` but
the default; older servers know only ``max_tokens``; some take ``temperature`` or ``top_p``.
What the settings don't say is learned from the first refusal, which costs nothing.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openai

#: The two names of the most tokens an answer may have. It is never left out unasked: an
#: answer without a bound has no price either.
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
#: What may be left out.
_OPTIONAL = ("top_p", "temperature")
#: How servers say that they don't take a parameter at all, or no value but their own.
_REFUSES = re.compile(
    r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra (?:inputs|fields)"
    r"|extra_forbidden|not permitted|not allowed|does(?: not|n't) support|deprecated"
    r"|only the default|cannot both|can(?:no|')t be used|no longer|not available"
    r"|only [\w.]+ is (?:allowed|supported)|may only be|or unset"
    r"|must be (?:set to |equal to )?1(?:\.0+)?(?!\.?\w| *(?:or|to|and|-))",
    re.IGNORECASE,
)
#: How they say that the value is at fault, which leaving it out would hide.
_VALUE = re.compile(r"too (?:large|high|long|small|low)|at most|at least|exceed", re.IGNORECASE)


@dataclass(frozen=True)
class Parameters:
    """``omitted`` are left out, ``renamed`` go under their other name."""

    omitted: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()

    @property
    def changes(self) -> tuple[str, ...]:
        """What is told and kept with the answers: "-temperature", "max_tokens>..."."""
        gone = (f"-{name}" for name in sorted(self.omitted))
        return (*gone, *(f"{name}>{_LIMITS[name]}" for name in sorted(self.renamed)))

    def applied(self, body: bytes) -> bytes:
        """A request's JSON with only what the endpoint takes."""
        if not self.omitted and not self.renamed:
            return body
        value = json.loads(body)
        kept = {
            _LIMITS[name] if name in self.renamed else name: inner
            for name, inner in value.items()
            if name not in self.omitted
        }
        return json.dumps(kept).encode()


class Learned:
    """The parameters an endpoint takes, as far as is known. Safe from several threads."""

    def __init__(self, omit: Iterable[str] = (), max_completion_tokens: bool = False) -> None:
        renamed = frozenset({"max_tokens"} if max_completion_tokens else ())
        self._lock = threading.Lock()
        self._configured = self.now = Parameters(frozenset(omit), renamed)
        self._refused: set[str] = set()

    @property
    def unasked(self) -> tuple[str, ...]:
        """What was changed though no setting says so."""
        known = self._configured.changes
        return tuple(one for one in self.now.changes if one not in known)

    def learn(self, error: openai.APIError, sent: Parameters, body: bytes) -> bool:
        """Whether the request, sent as ``sent`` and turned down with this error, can be sent
        again without what was refused."""
        name = refused(error)
        if not name:
            return False
        with self._lock:
            if self.now != sent:
                return True  # another request met it first
            fields = json.loads(sent.applied(body))
            if name not in fields or name in self._refused:
                return False
            self._refused.add(name)
            if name in _OPTIONAL:
                self.now = replace(self.now, omitted=self.now.omitted | {name})
                return True
            other = _LIMITS[name]
            if other in self._refused:
                return False  # it takes neither
            if other in self.now.renamed:
                self.now = replace(self.now, renamed=self.now.renamed - {other})
            else:
                self.now = replace(self.now, renamed=self.now.renamed | {name})
            return True


def refused(error: openai.APIError) -> str:
    """The parameter that an endpoint says it does not take; "" for any other failure."""
    if getattr(error, "status_code", None) not in (400, 422):
        return ""
    said = f"{error.code or ''} {_text(error.body) or error.message}"
    if not _REFUSES.search(said) or _VALUE.search(said):
        return ""
    names = (*_OPTIONAL, *_LIMITS)
    if error.param in names:
        return error.param
    found = {name: match.start() for name in names if (match := _named(name, said))}
    # Of two that don't go together, the one that matters less.
    if "both" in said and set(_OPTIONAL) <= set(found):
        return _OPTIONAL[0]
    # "'max_tokens' is not supported, use 'max_completion_tokens'": the first is meant.
    return min(found, key=found.__getitem__) if found else ""


def _named(name: str, text: str) -> re.Match[str] | None:
    return re.search(rf"(?<![\w-]){name}(?![\w-])", text)


def _text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body, default=str) if body else ""
