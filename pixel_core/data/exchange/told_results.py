"""Compares what a record says that an operation showed with what it shows when executed.

A record's next turn often states the size: the original writes ``(Image Size: 560x448)``, and
``(Frame Size: 224x168, Numbered 1 to 3)`` for frames; we write ``560 x 448 pixels as shown``.
Without a stated size, nothing is checked. A size that is neither the crop's own nor the crop's
under any known budget means that the box, its target or the picture was a different one.

Source: Pixel Reasoner's published code (``execute_tool``, ``resize_cropped``): its paddings,
and its budgets for training and evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from pixel_core.config import DialogueConfig, PixelBudget
from pixel_core.data.exchange.portable import ImportRefusal, Rejected
from pixel_core.errors import MediaError
from pixel_core.media.budget import FACTOR, fit
from pixel_core.rollout.operations import ShownPicture

Size = tuple[int, int]

_SIZE = re.compile(r"(?<!\d)(\d{1,6})\s*[x×]\s*(\d{1,6})(?!\d)", re.IGNORECASE)
_NUMBERED = re.compile(r"numbered\s+(\d{1,6})\s+to\s+(\d{1,6})", re.IGNORECASE)
_FAILED = re.compile(r"\s*(?:execution\s+)?error\b", re.IGNORECASE)

_TOKEN = FACTOR * FACTOR
#: The original's budgets in visual tokens: of training for pictures, crops, selected and
#: plain frames, and of evaluation.
_THEIRS = tuple(
    PixelBudget(min_pixels=least * _TOKEN, max_pixels=most * _TOKEN)
    for least, most in ((4, 2000), (4, 1000), (4, 400), (4, 512), (256, 5120), (512, 5120))
)
#: By how much the original widens a box, in fractions of the picture; its unused ``zoom_in``
#: at most by this many pixels.
_PADDING = Fraction(1, 10)
_PADDING_PIXELS = 600
_NONE, _ALL = Fraction(0), Fraction(1)
#: By how many pixels rounding may change a side.
_ROUNDING = 1


def sizes_told(text: str) -> list[Size]:
    """The (width, height) pairs in the text, in order."""
    return [(int(width), int(height)) for width, height in _SIZE.findall(text)]


def check_zoom(
    told: str, parts: Sequence[Fraction], target: ShownPicture, dialogue: DialogueConfig
) -> None:
    """Raise ``Rejected`` if the text says that the zoom failed, or names only sizes that the
    box, in fractions of its target, does not show."""
    _check_done(told)
    sizes = sizes_told(told)
    cuts = list(_cuts(parts, target, dialogue))
    if sizes and not _has_view_of(sizes, cuts, dialogue):
        raise Rejected(
            ImportRefusal.REPLAY_DIFFERS,
            f"the crop is said to be {_named(sizes)}, it is {cuts[0]}",
        )


def check_frames(told: str, shots: Sequence[ShownPicture], dialogue: DialogueConfig) -> None:
    """As ``check_zoom`` for selected frames: their number, and their sizes or a common one."""
    _check_done(told)
    if numbered := _NUMBERED.search(told):
        count = int(numbered[2]) - int(numbered[1]) + 1
        if count != len(shots):
            raise Rejected(
                ImportRefusal.REPLAY_DIFFERS,
                f"{count} frames are said to be shown, of {len(shots)}",
            )
    sizes = sizes_told(told)
    each = sizes if len(sizes) == len(shots) else [sizes[0]] * len(shots) if sizes else []
    for size, shot in zip(each, shots, strict=False):
        if not _has_view_of([size], [shot.image.size], dialogue):
            raise Rejected(
                ImportRefusal.REPLAY_DIFFERS,
                f"a frame is said to be {_named([size])}, it is {shot.image.size}",
            )


def check_ours(told: Sequence[str], shown: Sequence[str]) -> None:
    """``told``: the record's texts after each turn; ``shown``: ours, from executing the same
    trajectory. Raise ``Rejected`` if the record names other sizes."""
    for text, ours in zip(told, shown, strict=False):
        sizes = sizes_told(text)
        if sizes and sizes != sizes_told(ours):
            raise Rejected(
                ImportRefusal.REPLAY_DIFFERS,
                f"what is shown is said to be {_named(sizes)}, it is "
                f"{_named(sizes_told(ours)) or 'nothing'}",
            )


def _check_done(told: str) -> None:
    if _FAILED.match(told):
        raise Rejected(
            ImportRefusal.REPLAY_DIFFERS, f"it is said to fail: {told.strip()[:80]!r}"
        )


def _cuts(
    parts: Sequence[Fraction], target: ShownPicture, dialogue: DialogueConfig
) -> Iterator[Size]:
    """The crop's size by our padding and by theirs, of the target itself and as it may have
    been shown before cropping."""
    x1, y1, x2, y2 = parts
    own = target.image.size
    ours = Fraction(repr(dialogue.zoom.padding))
    for width, height in dict.fromkeys([own, target.size, *_views(own, _THEIRS)]):
        least = (
            min(_PADDING, Fraction(_PADDING_PIXELS, width)),
            min(_PADDING, Fraction(_PADDING_PIXELS, height)),
        )
        for across, down in dict.fromkeys(
            [(ours, ours), (_PADDING, _PADDING), least, (_NONE, _NONE)]
        ):
            wide = min(_ALL, x2 + across) - max(_NONE, x1 - across)
            high = min(_ALL, y2 + down) - max(_NONE, y1 - down)
            yield round(wide * width), round(high * height)


def _has_view_of(told: Sequence[Size], cuts: Sequence[Size], dialogue: DialogueConfig) -> bool:
    """Whether a size is a crop's own, or the crop's under some budget. Each shown size is
    computed once, however many sizes a text names."""
    near = {
        (width + wide, height + high)
        for width, height in cuts
        for wide in range(-_ROUNDING, _ROUNDING + 1)
        for high in range(-_ROUNDING, _ROUNDING + 1)
    }
    if not near.isdisjoint(told):
        return True
    resized = {size for size in told if not (size[0] % FACTOR or size[1] % FACTOR)}
    if not resized:
        return False
    budgets = [*_THEIRS, dialogue.crop, dialogue.frames.selected, dialogue.frames.frame]
    return any(not resized.isdisjoint(_views(size, budgets)) for size in near)


def _views(size: Size, budgets: Sequence[PixelBudget]) -> list[Size]:
    """The size under each budget; none where no budget can show it."""
    try:
        return [fit(*size, budget) for budget in budgets]
    except MediaError:
        return []


def _named(sizes: Sequence[Size]) -> str:
    return ", ".join(f"{width}x{height}" for width, height in sizes)
