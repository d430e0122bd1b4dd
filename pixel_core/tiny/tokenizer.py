"""A small byte-level tokenizer with Qwen2.5-VL's special tokens.

The fixed parts of a tool call, every coordinate and every subject of the drawn world
(" the red card") are single tokens, so that a call costs a tiny model a dozen decisions
instead of fifty, and after a subject one look at the picture gives the next token.
"""

from __future__ import annotations

import re

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pixel_core.config import DialogueConfig
from pixel_core.rollout.tool_calls import SelectCall, ZoomCall, format_call
from pixel_core.rollout.vocabulary import (
    IMAGE,
    TURN_END,
    TURN_START,
    VIDEO,
    VISION_END,
    VISION_START,
)
from pixel_core.tiny.questions import subject_of
from pixel_core.tiny.scene import NAMES

PAD = "<|endoftext|>"
SPECIAL = [PAD, TURN_START, TURN_END, VISION_START, VISION_END, IMAGE, VIDEO]
#: Room for the words below; byte-level, so that any other text has tokens too.
_VOCABULARY = 800
#: Numbers from 0 up to this are one token each.
_NUMBERS = 128


def build_tokenizer(dialogue: DialogueConfig) -> PreTrainedTokenizerFast:
    """The tiny model's tokenizer; the same vocabulary for the same settings."""
    subjects = "|".join(map(subject_of, NAMES))
    words = [
        f" ?(?:{subjects})",
        r" ?\d+",
        r"\\boxed\{",
        r" ?[A-Za-z_]+",
        r"\s",
        r"[^\sA-Za-z_\d]",
    ]
    pattern = "|".join(
        [*map(re.escape, [*_call_frame(dialogue), *_select_frame(dialogue)]), *words]
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=1,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(dialogue), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=TURN_END,
        additional_special_tokens=SPECIAL[1:],
    )


def _call_frame(dialogue: DialogueConfig) -> tuple[str, ...]:
    """The fixed parts of a call, in order: up to the arguments, up to the box (a grounding
    answer begins the same way), after the box, before the index, and the end."""
    text = format_call(ZoomCall(box=(11, 22, 33, 44), target=5), dialogue.zoom)
    head, rest = text.split("11", 1)
    middle, last = rest.split("44", 1)[1].split("5", 1)
    start = head.rindex("{")
    return head[:start], head[start:], middle[0], middle[1:], last


def _select_frame(dialogue: DialogueConfig) -> tuple[str, ...]:
    """The same for a selection: up to the arguments, up to the frames, and the end."""
    if not dialogue.frames.enabled:
        return ()
    text = format_call(SelectCall((11,)), dialogue.zoom, dialogue.frames)
    head, last = text.split("11", 1)
    start = head.rindex("{")
    return head[:start], head[start:], last


def _corpus(dialogue: DialogueConfig) -> list[str]:
    """Every word of the drawn world. Repeated, so that BPE merges all of them."""
    lines = [
        *_call_frame(dialogue),
        *_select_frame(dialogue),
        "user\n",
        "assistant\n",
        "system\n",
        "\\boxed{}",
        "Execution error: ",
    ]
    lines += [form for number in range(_NUMBERS) for form in (f"{number}", f" {number}")]
    lines += [f" {subject_of(colour)}" for colour in NAMES]
    lines += [
        "which digit is on",
        "can you see",
        "where is",
        "how many cards are there?",
        "list the cards",
        "unclear",
        "focus on the picture \\boxed{yes}",
        "the crop shows \\boxed{no}",
        "zoom in on",
        "wrong place zoom in on",
        "too far zoom in on",
    ]
    if dialogue.frames.enabled:
        lines += ["select frames on", "wrong frames select frames on", "the frames show"]
    return lines * 3
