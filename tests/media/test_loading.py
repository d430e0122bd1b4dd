"""Loading: every picture people have comes out right; every bad file is named and refused."""

import io
import pickle
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageChops, features

from pixel_core.errors import MediaError
from pixel_core.media.loading import FORMATS, load_picture


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def scene(width: int = 40, height: int = 30) -> Image.Image:
    """Red on the left, blue on the right, a green corner at the top left."""
    image = Image.new("RGB", (width, height), (200, 0, 0))
    image.paste((0, 0, 200), (width // 2, 0, width, height))
    image.paste((0, 200, 0), (0, 0, width // 4, height // 4))
    return image


def near(one: Image.Image, other: Image.Image, slack: int = 0) -> bool:
    difference = np.asarray(ImageChops.difference(one, other))
    return one.size == other.size and int(difference.max()) <= slack


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    """A PNG written by hand: what Pillow can read but not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# --- good pictures --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000"])
def test_lossless_formats_keep_every_pixel(kind, tmp_path):
    data = encode(scene(), kind, **({"lossless": True} if kind == "WEBP" else {}))
    image = load_picture(data)
    assert image.mode == "RGB"
    assert near(image, scene())
    path = tmp_path / "picture"  # the content decides, not the suffix
    path.write_bytes(data)
    assert near(load_picture(path), scene())
    loaded = load_picture(path)
    path.unlink()
    # Nothing of the file is needed any more, here or in another process.
    assert near(loaded.copy(), scene())
    assert near(pickle.loads(pickle.dumps(loaded)), scene())


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "AVIF"])
def test_lossy_formats_come_close(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = encode(scene(), kind, quality=95, subsampling="4:4:4")
    assert near(load_picture(data), scene(), slack=16)


def test_every_listed_format_is_one_of_pillows():
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_camera_held_any_way_gives_an_upright_picture(orientation, kind):
    """What is saved is turned so that a viewer that follows EXIF sees ``scene()``."""
    T = Image.Transpose
    turns = {
        2: T.FLIP_LEFT_RIGHT,
        3: T.ROTATE_180,
        4: T.FLIP_TOP_BOTTOM,
        5: T.TRANSPOSE,
        6: T.ROTATE_90,
        7: T.TRANSVERSE,
        8: T.ROTATE_270,
    }
    image = scene()
    if orientation in turns:
        image = image.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossy = {"quality": 95, "subsampling": "4:4:4"}
    lossless = {"JPEG": lossy, "AVIF": lossy, "WEBP": {"lossless": True}}
    data = encode(image, kind, exif=exif, **lossless.get(kind, {}))
    loaded = load_picture(data)
    assert loaded.size == (40, 30)
    assert near(loaded, scene(), slack=16)


def test_broken_exif_does_not_cost_the_picture():
    data = encode(
        scene(), "JPEG", quality=95, subsampling=0, exif=b"Exif\x00\x00MM\x00*\xff\xff"
    )
    assert near(load_picture(data), scene(), slack=16)


def test_transparent_parts_are_white_and_half_transparent_ones_pale():
    image = scene().convert("RGBA")
    image.paste((200, 0, 0, 0), (0, 10, 10, 30))
    image.paste((0, 0, 0, 127), (30, 10, 40, 30))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        loaded = load_picture(encode(image, kind, **options))
        assert loaded.getpixel((5, 20)) == (255, 255, 255)
        assert loaded.getpixel((35, 20)) == (128, 128, 128)
        assert loaded.getpixel((2, 2)) == (0, 200, 0)


def test_transparency_of_grey_and_palette_pictures_is_white():
    grey = Image.new("LA", (8, 8), (10, 0))
    grey.paste((10, 255), (0, 0, 4, 8))
    loaded = load_picture(encode(grey))
    assert [loaded.getpixel((x, 0)) for x in (0, 7)] == [(10, 10, 10), (255, 255, 255)]

    palette = scene().quantize(8)
    clear = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        loaded = load_picture(encode(palette, kind, transparency=clear))
        assert loaded.getpixel((0, 0)) == (255, 255, 255)
        assert near(loaded.crop((10, 0, 40, 30)), scene().crop((10, 0, 40, 30)))


def test_a_transparent_colour_of_an_opaque_picture_is_white():
    for image, clear in ((scene(), (0, 0, 200)), (scene().convert("L"), None)):
        key = clear or image.getpixel((39, 29))
        loaded = load_picture(encode(image, transparency=key))
        assert loaded.getpixel((39, 29)) == (255, 255, 255)
        assert loaded.getpixel((0, 29)) == image.convert("RGB").getpixel((0, 29))


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_few_colours(mode):
    image = scene().convert(mode)
    assert near(load_picture(encode(image)), image.convert("RGB"))


def test_print_colours():
    image = scene().convert("CMYK")
    assert near(load_picture(encode(image, "TIFF")), scene(), slack=2)
    assert near(
        load_picture(encode(image, "JPEG", quality=95, subsampling=0)), scene(), slack=24
    )


def test_sixteen_bit_grey_is_scaled_and_not_clipped():
    """A cut-off at 255 would turn all but the darkest 0.4 % white."""
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    expected = np.round(ramp / 257).astype(np.uint8)
    deep = Image.fromarray(ramp)
    for data in (encode(deep), encode(deep, "TIFF"), encode(deep, "PPM")):
        loaded = np.asarray(load_picture(data))
        assert np.array_equal(loaded, expected[:, :, None].repeat(3, 2))


def test_sixteen_bit_colour_keeps_its_high_byte():
    row = b"\x00" + struct.pack(">6H", 65535, 0, 32896, 0, 65535, 257)
    data = png(2, 1, 16, 2, chunk(b"IDAT", zlib.compress(row)))
    loaded = load_picture(data)
    assert [loaded.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 128), (0, 255, 1)]


def test_sixteen_bit_grey_with_a_transparent_level():
    row = b"\x00" + struct.pack(">2H", 1000, 65535 // 2)
    clear = chunk(b"tRNS", struct.pack(">H", 1000))
    data = png(2, 1, 16, 0, clear, chunk(b"IDAT", zlib.compress(row)))
    loaded = load_picture(data)
    assert loaded.getpixel((0, 0)) == (255, 255, 255)
    assert loaded.getpixel((1, 0)) == (127, 127, 127)


def test_sixteen_bit_grey_with_alpha():
    row = b"\x00" + struct.pack(">4H", 0, 0, 0, 65535)
    data = png(2, 1, 16, 4, chunk(b"IDAT", zlib.compress(row)))
    loaded = load_picture(data)
    assert [loaded.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_its_first_frame(kind):
    frames = [
        scene(),
        Image.new("RGB", (40, 30), "yellow"),
        Image.new("RGB", (40, 30), "black"),
    ]
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert near(load_picture(data), scene())


# --- bad pictures ---------------------------------------------------------------------


def refusal(data, **options) -> str:
    with pytest.raises(MediaError) as caught:
        load_picture(data, **options)
    return str(caught.value)


def test_an_error_names_the_file_and_the_remedy(tmp_path):
    for name, content, remedy in (
        ("empty.png", b"", "fetch or export it again"),
        ("page.png", b"<html>Not found</html>", "must be one of"),
        ("cut.jpg", encode(scene(400, 300), "JPEG")[:900], "fetch or export it again"),
        ("cut.png", encode(scene(400, 300))[:60], "fetch or export it again"),
        ("header.png", encode(scene())[:20], "complete"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        message = refusal(path)
        assert str(path) in message
        assert remedy in message
    assert "check its path" in refusal(tmp_path / "missing.png")
    assert "readable file" in refusal(tmp_path)
    assert "cards/7.png" in refusal(b"", name="cards/7.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_half_a_file_is_refused(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    data = encode(noise, kind)
    refusal(data[: len(data) // 2])


def test_a_bomb_is_refused_before_it_is_decoded():
    """A header that promises gigapixels, with no pixel behind it: decoding would say so."""
    for side in (11_000, 50_000, 2**31 - 1):
        message = refusal(png(side, side, 8, 2, chunk(b"IDAT", b"")))
        assert "damaged" not in message
        assert "smaller" in message


def test_the_limit_is_exact_and_can_be_set_either_way():
    data = encode(scene())
    assert load_picture(data, max_pixels=1200).size == (40, 30)
    message = refusal(data, max_pixels=1199)
    assert "40 x 30" in message
    assert "1,199" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        big = encode(Image.new("1", (10_000, 9_990)))  # over Pillow's own warning level
        assert load_picture(big).size == (10_000, 9_990)


def test_formats_that_start_programs_are_refused():
    out = io.BytesIO()
    scene().save(out, "EPS")
    assert "must be one of" in refusal(out.getvalue())


def test_samples_without_a_known_range_are_refused():
    floats = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    assert "floating point" in refusal(encode(floats, "TIFF"))
    wide = Image.fromarray(np.full((8, 8), 2**20, np.int32))
    assert "16 bits" in refusal(encode(wide, "TIFF"))


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on the damage we made
def test_damage_anywhere_is_a_media_error_or_a_picture(kind):
    """Bytes changed, cut and repeated at random: never another exception, never a hang."""
    dice = random.Random(kind)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = scene().quantize(8) if kind == "GIF" else scene()
    options = {"exif": exif} if kind in {"PNG", "JPEG", "WEBP", "TIFF"} else {}
    data = encode(image, kind, **options)
    refusals = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(min(len(damaged), 200))] = dice.choice((0, 1, 127, 255))
        if dice.random() < 0.3:
            del damaged[dice.randrange(len(damaged)) :]
        try:
            assert load_picture(bytes(damaged), max_pixels=10**6).mode == "RGB"
        except MediaError:
            refusals += 1
    assert refusals > 20
