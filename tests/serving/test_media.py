"""What people hand in: pictures and videos are taken, all else is refused with a reason."""

from __future__ import annotations

import io
import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from real_videos import RATE, number_on, numbered, write_video

from pixel_core.errors import MediaError
from pixel_core.media.video import VideoLimits
from pixel_core.serving.media import MediaLimits, is_video, read_media

LIMITS = MediaLimits()


def read(media, **how):
    return read_media(media, limits=how.pop("limits", LIMITS), **how)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


RED = Image.new("RGB", (40, 30), (200, 0, 0))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", frames=64)


def test_a_picture_is_one_whatever_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "red.txt"  # the content decides
    file.write_bytes(encoded(RED))
    for media in (file, str(file), encoded(RED), RED, np.asarray(RED), bytearray(encoded(RED))):
        seen = read(media)
        assert not seen.is_video
        (image,) = seen.images
        assert (image.mode, image.size) == ("RGB", (40, 30))
        assert image.getpixel((1, 1)) == (200, 0, 0)


@pytest.mark.parametrize(
    ("given", "pixel"),
    [
        (Image.new("CMYK", (9, 9), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("RGBA", (9, 9), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.fromarray(np.full((9, 9), 65535, np.uint16)), (255, 255, 255)),
        (Image.new("L", (9, 9), 7), (7, 7, 7)),
        (np.full((9, 9, 4), (9, 9, 9, 255), np.uint8), (9, 9, 9)),
        (np.full((9, 9, 1), 7, np.uint8), (7, 7, 7)),
    ],
    ids=["cmyk", "transparent", "16 bits", "grey", "array of 4", "array of 1"],
)
def test_every_kind_of_pixel_becomes_rgb(given, pixel) -> None:
    assert read(given).images[0].getpixel((4, 4)) == pixel


def test_a_camera_held_sideways_and_an_animation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read(encoded(RED, "JPEG", exif=exif)).images[0].size == (30, 40)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    seen = read(gif)
    assert (len(seen.images), seen.is_video) == (1, False)
    assert seen.images[0].getpixel((3, 3)) == (255, 0, 0)
    assert len(read(gif, video=True).images) == 2


def test_what_is_handed_in_may_be_changed_afterwards() -> None:
    given = RED.copy()
    (image,) = read(given).images
    given.paste((0, 0, 0), (0, 0, 40, 30))
    assert image.getpixel((1, 1)) == (200, 0, 0)


def test_a_video_is_shown_evenly(video: Path) -> None:
    for media in (video, video.read_bytes()):
        seen = read(media)
        assert seen.is_video
        assert [number_on(image) for image in seen.images] == list(range(2, 64, 4))
    assert [number_on(image) for image in read(str(video), frames=2).images] == [16, 48]


@pytest.mark.parametrize(("count", "wanted"), [(1, [0]), (5, [0, 1, 2, 3, 4])])
def test_a_short_video_is_shown_whole(count: int, wanted: list[int], tmp_path: Path) -> None:
    seen = read(write_video(tmp_path / "short.mkv", frames=count))
    assert [number_on(image) for image in seen.images] == wanted


def test_frames_at_hand_are_a_video_when_said_so() -> None:
    frames = [numbered(n) for n in range(3)]
    assert not read(frames).is_video
    assert read(frames, video=True).is_video
    stacked = read(np.stack([np.asarray(frame) for frame in frames]))
    assert stacked.is_video
    assert [number_on(image) for image in stacked.images] == [0, 1, 2]


def _cut(video: Path, tmp_path: Path) -> Path:
    data = video.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    return tmp_path / "cut.mp4"


def _no_frames(video: Path, tmp_path: Path) -> Path:
    with av.open(str(tmp_path / "none.mkv"), "w") as file:
        stream = file.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        file.start_encoding()
    return tmp_path / "none.mkv"


@pytest.mark.parametrize("harm", [_cut, _no_frames])
def test_broken_videos_are_refused(harm, video: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"video .*(fetch or export it again|complete)"):
        read(harm(video, tmp_path))


BOMB = encoded(Image.new("1", (12_000, 12_000)))


@pytest.mark.parametrize(
    ("media", "told"),
    [
        (b"", "is empty"),
        (b"no picture at all", "not a picture that can be read"),
        (encoded(RED)[:60], "damaged|not a picture"),
        (BOMB, r"144,000,000 pixels, allowed are 100,000,000"),
        (Image.new("1", (12_000, 12_000)), r"144,000,000 pixels"),
        ("nowhere.png", r"nowhere.png does not exist"),
        ("a\0b", r"can't be opened"),
        ("x" * 5000, r"can't be opened"),
        ("/dev/zero", r"is no file"),
        (".", r"is no file"),
        (7, r"a int is no picture"),
        ([], r"0 pictures can't be shown: give 1 to 16"),
        ([RED] * 17, r"17 pictures can't be shown"),
        ([RED, b""], r"is empty"),
        (Image.new("RGB", (0, 5)), r"0 x 5 pixels shows nothing"),
        (np.zeros((5, 5), np.float32), r"array of float32 \(5, 5\) is no picture"),
        (np.zeros((5, 0, 3), np.uint8), r"is no picture"),
        (np.zeros((5,), np.uint8), r"is no picture"),
        (np.zeros((0, 5, 5, 3), np.uint8), r"0 frames can't be shown"),
        (b"\x00\x00\x00\x18ftypisom" + b"x" * 40, r"video of 52 bytes"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(media, told: str) -> None:
    with pytest.raises(MediaError, match=told):
        read(media)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="is no file"):
        read(tmp_path / "pipe")


def test_limits_are_the_callers(video: Path, tmp_path: Path) -> None:
    small = MediaLimits(bytes=50, pixels=100, pictures=1, video=VideoLimits(seconds=1))
    for media, told in (
        (encoded(RED), r"of \d+ bytes is over the 50 bytes"),
        (RED, "1,200 pixels, allowed are 100"),
        ([RED, RED], "give 1 to 1"),
        (video, rf"lasts {64 // RATE + 1} s, allowed are 1"),
    ):
        with pytest.raises(MediaError, match=told):
            read(media, limits=small)
    with pytest.raises(MediaError, match="65 frames can't be shown"):
        read(video, frames=65)


@pytest.mark.parametrize(
    "name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.flv", "a.ts"]
)
def test_videos_are_known_by_how_they_begin(name: str, tmp_path: Path) -> None:
    codec = "libvpx" if name.endswith("webm") else "flv" if name.endswith("flv") else "mpeg4"
    path = write_video(tmp_path / name, codec, frames=3)
    assert is_video(path.read_bytes()[:512])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_pictures_are_not_taken_for_videos(kind: str) -> None:
    assert not is_video(encoded(RED, kind)[:512])
