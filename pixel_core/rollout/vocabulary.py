"""The tokens a conversation is built of, whichever tokenizer they come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pixel_core.errors import ConfigError

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE, VIDEO = "<|image_pad|>", "<|video_pad|>"


#: Characters of a text whose tokens are remembered: a server is sent long ones for ever.
_REMEMBERED = 1000


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and the ids of the special tokens (Qwen2.5-VL's names).

    ``banned`` are never sampled, and their logits are left out wherever a log-probability
    is computed: a sampled placeholder would ask for a picture that is not there.
    """

    tokenizer: Any
    pad: int
    turn_end: int
    image: int
    banned: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any, rows: int = 0) -> Vocabulary:
        """``rows``: of the model's head; released models have more than there are tokens."""

        def id_of(token: str) -> int:
            index = tokenizer.convert_tokens_to_ids(token)
            if index is None or index == tokenizer.unk_token_id:
                raise ConfigError(
                    f"the tokenizer has no {token!r}: a Qwen2.5-VL tokenizer is needed"
                )
            return int(index)

        turn_end = id_of(TURN_END)
        special = {id_of(t) for t in (TURN_START, VISION_START, VISION_END, IMAGE, VIDEO)}
        special |= {int(i) for i in tokenizer.all_special_ids}
        return cls(
            tokenizer=tokenizer,
            pad=int(tokenizer.pad_token_id),
            turn_end=turn_end,
            image=id_of(IMAGE),
            banned=tuple(sorted(special - {turn_end} | set(range(len(tokenizer), rows)))),
        )

    def encode(self, text: str) -> list[int]:
        """Our own text, in which special tokens are meant."""
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def encode_plain(self, text: str) -> list[int]:
        """Untrusted text: a special token's name in it is only its letters."""
        if len(text) > _REMEMBERED:
            return list(_encode_plain.__wrapped__(self.tokenizer, text))
        return list(_encode_plain(self.tokenizer, text))

    def decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(
            tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )


@lru_cache(maxsize=65536)
def _encode_plain(tokenizer: Any, text: str) -> tuple[int, ...]:
    # Words and questions come again and again; a call of the tokenizer takes 50 us.
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    return tuple(ids)
