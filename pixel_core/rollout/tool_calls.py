"""The tokens that open a call, for episodes in which none can be made."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pixel_core.rollout.calls import OPEN
from pixel_core.rollout.vocabulary import Vocabulary


def opening_tokens(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Every token whose text has the opening tag in it, ascending.

    In Qwen2.5's vocabulary that is one added token; the tiny model's has the tag and the
    operation's name in one. Letter by letter the tag can still be written, in either: such a
    call is refused when the turn is read.
    """
    return _opening(vocabulary.tokenizer)


@lru_cache(maxsize=8)
def _opening(tokenizer: Any) -> tuple[int, ...]:
    # Byte-level vocabularies spell ASCII as itself, so the tag can be looked for as it is.
    tokens = tokenizer.get_vocab().items()
    return tuple(sorted(int(index) for token, index in tokens if OPEN in token))
