"""What a picture counts as a part of the prompt, by the model family's documented rule.

Source: OpenAI, "Images and vision", section "Calculating costs": at high detail a picture is
scaled to fit 2048 x 2048, then its shorter side down to 768, and counts a base plus an
amount for each tile of 512 x 512. 1024 x 1024 is 765 tokens of gpt-4o, 2048 x 4096 is 1105.
"""

from __future__ import annotations

import math

from pixel_core.data.annotation.requests import PictureView

_FIT = 2048
_SHORT = 768
_TILE = 512

#: Base and a tile's tokens by the model's name, the longest prefix first.
_TILED = (
    ("gpt-4o-mini", 2833, 5667),
    ("gpt-4o", 85, 170),
    ("gpt-4.5", 85, 170),
    ("gpt-4-turbo", 85, 170),
    ("gpt-5-chat", 70, 140),
    ("o1", 75, 150),
    ("o3", 75, 150),
)
#: Side in pixels of a visual token of the models that count patches; 28 is Qwen2.5-VL's.
_PATCH = 28


def picture_tokens(model: str, width: int, height: int) -> int:
    """Tokens of a picture of ``width`` x ``height`` pixels, as sent.

    For a model whose rule is not known, the larger of gpt-4o's and one token for each 28 x
    28 pixels, so that it is rather too many.
    """
    for prefix, base, tile in _TILED:
        if model.startswith(prefix):
            return base + tile * _tiles(width, height)
    patches = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    return max(85 + 170 * _tiles(width, height), patches)


def view_size(view: PictureView) -> tuple[int, int]:
    """Width and height in pixels of a view as it is sent."""
    region = view.region
    width = view.picture.width if region is None else region.x2 - region.x1
    height = view.picture.height if region is None else region.y2 - region.y1
    scale = math.sqrt(view.max_pixels / (width * height))
    if scale >= 1:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))


def _tiles(width: int, height: int) -> int:
    scale = min(1.0, _FIT / max(width, height))
    scale *= min(1.0, _SHORT / (scale * min(width, height)))
    # A side that comes out at exactly a tile's multiple must not count one more.
    across, down = (math.ceil(round(scale * side, 6) / _TILE) for side in (width, height))
    return max(1, across) * max(1, down)
