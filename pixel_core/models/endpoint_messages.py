"""A transcript as the messages of a chat completion.

Turns are split at the special tokens themselves: untrusted text is tokenised so that the name
of one in it is only letters. The endpoint's server will tokenise anew, and may read such
letters as the token; so they are sent with an invisible space in them.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pixel_core.rollout.transcript import Transcript, Visual
from pixel_core.rollout.vocabulary import TURN_START, VISION_END, VISION_START, Vocabulary

#: Zero width: seen by nobody, and no part of any special token's name.
_GAP = "\u200b"
#: Of zlib: twice the speed of the default, a tenth more bytes.
_COMPRESSION = 3


class Speaker:
    """Writes transcripts of one vocabulary as messages. Safe to use from several threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        (self._turn_start,) = vocabulary.encode(TURN_START)
        (self._vision_start,) = vocabulary.encode(VISION_START)
        (self._vision_end,) = vocabulary.encode(VISION_END)
        names = sorted(vocabulary.tokenizer.all_special_tokens, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, names)))

    def messages(
        self, transcript: Transcript, url_of: Callable[[Visual], str]
    ) -> list[dict[str, Any]]:
        """All turns before the one to be said; ``url_of`` gives a picture's data URL.

        Raises ``ValueError`` for tokens that are no chat which waits for the assistant.
        """
        visuals = iter(transcript.visuals)
        turns = list(self._turns(transcript.tokens))
        if not turns or self._decoded(turns.pop()) != "assistant\n":
            raise ValueError("the transcript does not end where the assistant speaks")
        messages = [self._message(turn, visuals, url_of) for turn in turns]
        if next(visuals, None) is not None:
            raise ValueError("the transcript holds a picture that none of its tokens show")
        return messages

    def _turns(self, tokens: list[int]) -> Iterator[list[int]]:
        """What follows each turn's start."""
        starts = [at for at, token in enumerate(tokens) if token == self._turn_start]
        if starts[:1] != [0]:
            raise ValueError("the transcript does not begin with a turn")
        for start, stop in zip(starts, [*starts[1:], len(tokens)], strict=True):
            yield tokens[start + 1 : stop]

    def _message(
        self, turn: list[int], visuals: Iterator[Visual], url_of: Callable[[Visual], str]
    ) -> dict[str, Any]:
        end = turn.index(self._vocabulary.turn_end)
        if self._decoded(turn[end + 1 :]) != "\n":
            raise ValueError(f"text between two turns: {self._decoded(turn[end + 1 :])!r}")
        parts = list(self._parts(turn[:end], visuals, url_of))
        head = parts[0]["text"] if parts and parts[0]["type"] == "text" else ""
        role, line, text = head.partition("\n")
        if not line or role not in ("system", "user", "assistant"):
            raise ValueError(f"a turn begins with {head[:40]!r} and not with a role")
        parts[0] = {"type": "text", "text": text}
        if len(parts) == 1:
            return {"role": role, "content": text}
        return {"role": role, "content": parts if text else parts[1:]}

    def _parts(
        self, tokens: list[int], visuals: Iterator[Visual], url_of: Callable[[Visual], str]
    ) -> Iterator[dict[str, Any]]:
        at = 0
        while at < len(tokens):
            if tokens[at] != self._vision_start:
                stop = at
                while stop < len(tokens) and tokens[stop] != self._vision_start:
                    stop += 1
                text = self._names.sub(_apart, self._decoded(tokens[at:stop]))
                yield {"type": "text", "text": text}
                at = stop
                continue
            visual = next(visuals, None)
            run = visual.tokens if visual else 0
            shown = [self._vision_start, *[self._vocabulary.image] * run, self._vision_end]
            if visual is None or tokens[at : at + len(shown)] != shown:
                raise ValueError(f"token {at} of a turn begins a picture it does not hold")
            # The detail is stated: some endpoints shrink pictures otherwise.
            url = {"url": url_of(visual), "detail": "high"}
            yield {"type": "image_url", "image_url": url}
            at += len(shown)

    def _decoded(self, tokens: list[int]) -> str:
        return self._vocabulary.decode(tokens)


class PictureUrls:
    """The data URLs of pictures, each encoded once until they are forgotten."""

    def __init__(self) -> None:
        # The picture is held too, so that its id stays its own.
        self._known: dict[int, tuple[Visual, str]] = {}

    def of(self, visual: Visual) -> str:
        """A PNG of the picture as it is shown: the pixels that the transcript counted."""
        known = self._known.get(id(visual))
        if known is None:
            out = io.BytesIO()
            visual.image.save(out, "PNG", compress_level=_COMPRESSION)
            url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
            known = self._known[id(visual)] = (visual, url)
        return known[1]

    def keep(self, visuals: Iterable[Visual]) -> None:
        """Forget all but these."""
        ids = {id(visual) for visual in visuals}
        self._known = {key: known for key, known in self._known.items() if key in ids}

    def forget(self) -> None:
        self._known = {}


def _apart(name: re.Match[str]) -> str:
    return f"{name[0][:1]}{_GAP}{name[0][1:]}"
