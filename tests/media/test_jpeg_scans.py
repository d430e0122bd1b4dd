"""JPEGs whose scans repeat for ever are refused; those that only look so are read."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.jpeg_scans import MAX_SCANS, has_more_scans, most_scans
from pixel_core.media.loading import load_picture

SCAN = b"\xff\xda"
END = b"\xff\xd9"


def jpeg(progressive: bool = True) -> bytes:
    out = io.BytesIO()
    picture = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    picture.save(out, "JPEG", progressive=progressive)
    return out.getvalue()


def with_scans(times: int, between: bytes = b"") -> bytes:
    """The last scan, which refines what is there, so many times over."""
    data = jpeg()
    last = data[data.rfind(SCAN) : -2]
    return data[:-2] + (between + last) * times + END


def segment(content: bytes) -> bytes:
    """An application's own data, which decoders pass over."""
    return b"\xff\xee" + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize("between", [b"", b"\xff\xff\xff", segment(b"\x00\x01"), b"\xff\xd3"])
def test_a_scan_repeated_for_ever(between: bytes, tmp_path: Path) -> None:
    data = with_scans(MAX_SCANS + 20, between)
    with pytest.raises(MediaError, match=r"over 100 scans.* save it again"):
        load_picture(data)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(MediaError, match="over 100 scans"):
        load_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("pixels", "most"), [(1, 100), (20_000_000, 100), (50_000_000, 40), (100_000_000, 20)]
)
def test_a_large_picture_may_have_fewer(pixels: int, most: int) -> None:
    assert most_scans(pixels) == most
    assert most_scans(10**9) == 20  # twice what progressive files have
    assert has_more_scans(with_scans(most), most)
    assert not has_more_scans(with_scans(most - 15), most)


def test_counting_is_linear() -> None:
    head = b"\xff\xd8" + SCAN * 60
    for filling in (b"\xff", b"\xff\x00", b"\xff\xd0", segment(b"")):
        data = head + filling * (2_000_000 // len(filling)) + b"\x00" + SCAN * 60
        began = time.process_time()
        has_more_scans(data, MAX_SCANS)
        assert time.process_time() - began < 2


def test_no_more_scans_than_are_honest() -> None:
    assert load_picture(with_scans(MAX_SCANS - 20)).size == (64, 48)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_only_looks_like_scans(progressive: bool) -> None:
    plain = jpeg(progressive)
    many = SCAN * 500
    profile = plain[:2] + segment(many) + plain[2:]
    film = plain + many
    for data in (profile, film):
        assert load_picture(data).tobytes() == load_picture(plain).tobytes()
