"""Explains files in unsupported picture formats, with a remedy, instead of "damaged".

HEIC is left to its users: the libraries that read it come with decoders under the GPL, or
without decoders, and none of them is a dependency of this project.
"""

from __future__ import annotations

from pixel_core.media.video_stream import begins_as_sound

HEIC = (
    "HEIC, which is not read here; convert it to JPEG: sips -s format jpeg a.heic --out a.jpg "
    "on a Mac, heif-convert a.heic a.jpg or magick a.heic a.jpg elsewhere"
)
_EXPORT = "export it as JPEG or PNG"

#: Brands of ISO files that hold HEVC pictures, or any (AVIF is handled before).
HEIC_BRANDS = frozenset(
    [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"heif", b"mif1", b"msf1"]
)
_STARTS = (
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", f"JPEG XL, which is not read here; {_EXPORT}"),
    (b"\xff\x0a", f"JPEG XL, which is not read here; {_EXPORT}"),
    (b"8BPS", f"a Photoshop file; {_EXPORT}"),
    (b"%PDF", f"a PDF; {_EXPORT}, page by page"),
    (b"%!PS", f"PostScript; {_EXPORT}"),
    (b"PK\x03\x04", "a zip; unpack it"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file; run git lfs pull"),
    (b"<svg", f"SVG; {_EXPORT}"),
    (b"<!doctype html", "a web page, perhaps an error's; fetch the picture again"),
    (b"<html", "a web page, perhaps an error's; fetch the picture again"),
)
#: Bytes of a file's beginning that identify it.
HEAD = 512


def told_of(head: bytes) -> str:
    """ "HEIC, which ...; convert it ...": the format of this beginning; "" if unknown."""
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return HEIC
    if begins_as_sound(head):
        return "sound; give a picture, or a file with moving ones"
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if plain.startswith(b"<?xml") and b"<svg" in plain:
        return f"SVG; {_EXPORT}"
    for start, told in _STARTS:
        if head.startswith(start) or plain[: len(start)].lower() == start:
            return told
    return ""
