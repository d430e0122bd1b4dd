"""Video files: the very frame that is shown, in every container; bad files are told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw
from real_videos import KINDS, RATE, SIZE, number_on, write_video

from pixel_core.media.video import VideoFile
from pixel_core.media.video_playback import Playback


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_is_the_one_asked_for(videos: Path, name: str) -> None:
    video = VideoFile(videos / name)
    assert video.frame_count == 50
    assert video.duration_s == pytest.approx(2.0, abs=0.001)
    dice = random.Random(name)
    for count in (1, 2, 6):
        asked = dice.sample(range(50), count)
        found = [(index, number_on(image)) for index, image in video.frames(asked)]
        assert found == [(index, index) for index in sorted(asked)]
    times = [0.0, 0.039, 0.041, 1.0, 0.5, 1.999, 7.0]
    shown = [number_on(image) for image in video.frames_at(times)]
    assert shown == [0, 0, 1, 25, 12, 49, 49]


def test_all_frames_in_one_go(videos: Path) -> None:
    video = VideoFile(videos / "open_gop.mp4")
    assert [number_on(image) for _, image in video.frames(range(50))] == list(range(50))


def test_where_skipping_ahead_goes_too_far_all_is_decoded(videos: Path) -> None:
    """A broadcast stream's search lands behind a key frame, unless an earlier one is known."""

    @contextmanager
    def opened() -> Iterator[tuple[Any, Any]]:
        with av.open(str(videos / "broadcast.ts")) as container:
            yield container, container.streams.video[0]

    with opened() as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size]
    times = sorted(packet.pts for packet in packets)
    key = sorted(packet.pts for packet in packets if packet.is_keyframe)[2]
    playback = Playback(opened, [key - 1, key], "broadcast.ts")
    wanted = times.index(key) + 1
    frame, time = playback.frame_at(times[wanted])
    playback.close()
    assert time == times[wanted]
    assert number_on(frame.to_image()) == wanted


@pytest.mark.parametrize("name", ["uneven.mkv", "uneven.mp4"])
def test_a_variable_frame_rate(tmp_path: Path, name: str) -> None:
    """A frame stays until the next appears, for however long that is."""
    times = [0, 40, 50, 700, 710, 2_000, 2_033, 5_000]
    path = write_video(
        tmp_path / name, "libx264", times=times, unit=Fraction(1, 1000), options={"bf": "2"}
    )
    video = VideoFile(path)
    assert [video.time_of(index) for index in range(8)] == [time / 1000 for time in times]
    assert video.duration_s >= 5.0
    dice = random.Random(0)
    for _ in range(200):
        time = dice.randrange(6_000)
        shown = max(index for index, start in enumerate(times) if start <= time)
        assert video.index_at(time / 1000) == shown
    assert [number_on(image) for image in video.frames_at([0.699, 0.7, 1.99, 4.9])] == [
        2,
        3,
        4,
        6,
    ]


def test_a_window_cut_out_of_a_stream_begins_at_its_first_frame(
    videos: Path, tmp_path: Path
) -> None:
    """Broadcast streams begin at any time; seconds count from the first frame."""
    path = tmp_path / "late.ts"
    times = range(5_000, 5_050)
    write_video(path, "mpeg2video", times=times, options={"b": "1M"})
    video = VideoFile(path)
    assert video.time_of(0) == 0
    assert [number_on(image) for image in video.frames_at([0, 1.0])] == [0, 25]


def test_a_recording_cut_without_encoding_it_anew(videos: Path, tmp_path: Path) -> None:
    """What was cut away is still in the file, because later frames refer to it."""
    path = tmp_path / "cut.mp4"
    options = {"avoid_negative_ts": "disabled"}
    with (
        av.open(str(videos / "reordered.mp4")) as source,
        av.open(str(path), "w", container_options=options) as target,
    ):
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        away = int(17 / RATE / stream.time_base)
        for packet in source.demux(stream):
            if packet.size:
                packet.pts -= away
                packet.dts -= away
                packet.stream = copied
                target.mux(packet)
    video = VideoFile(path)
    assert video.frame_count == 50 - 17
    assert [number_on(image) for image in video.frames_at([0, 0.5, 9])] == [17, 29, 49]


def corners() -> Image.Image:
    """Red, green, blue and white corners: every turn and mirroring looks different."""
    image = Image.new("RGB", SIZE, "black")
    draw = ImageDraw.Draw(image)
    width, height = SIZE
    for column, row, colour in ((0, 0, "red"), (1, 0, "lime"), (0, 1, "blue"), (1, 1, "white")):
        left, top = column * width // 2, row * height // 2
        draw.rectangle((left, top, left + width // 2 - 1, top + height // 2 - 1), colour)
    return image


def likeness(one: Image.Image, other: Image.Image) -> bool:
    if one.size != other.size:
        return False
    small = (32, 32)
    worst = ImageChops.difference(one.resize(small), other.resize(small)).getextrema()
    return max(high for _, high in worst) < 60


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_phone_held_any_way_gives_upright_frames(
    tmp_path: Path, degrees: int, flip: bool
) -> None:
    path = write_video(
        tmp_path / "phone.mp4",
        frames=2,
        draw=lambda number: corners(),
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=flip),
    )
    # A player turns the stored frame counter-clockwise, then mirrors it.
    expected = corners().rotate(degrees, expand=True)
    if flip:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    [shown] = VideoFile(path).frames_at([0])
    assert likeness(shown, expected)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    def half_clear() -> Image.Image:
        image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
        image.paste((200, 0, 0, 255), (0, 0, 80, 96))
        return image

    path = tmp_path / "clear.mov"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("qtrle", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "argb"
        frame = av.VideoFrame.from_ndarray(np.asarray(half_clear()), "rgba")
        file.mux(stream.encode(frame.reformat(format="argb")))
        file.mux(stream.encode())
    [shown] = VideoFile(path).frames_at([0])
    assert shown.getpixel((20, 50)) == (200, 0, 0)
    assert shown.getpixel((120, 50)) == (255, 255, 255)


def test_wide_pixels_are_shown_wide(tmp_path: Path) -> None:
    def anamorphic(stream: object) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)  # type: ignore[attr-defined]

    path = write_video(tmp_path / "wide.mp4", frames=2, prepare=anamorphic)
    [shown] = VideoFile(path).frames_at([0])
    assert shown.size == (round(SIZE[0] * 4 / 3), SIZE[1])


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    video = VideoFile(write_video(tmp_path / "still.mp4", frames=1))
    assert video.frame_count == 1
    assert video.duration_s > 0
    assert number_on(video.frames_at([9.0])[0]) == 0


def test_a_frame_that_is_not_there(videos: Path) -> None:
    video = VideoFile(videos / "motion.avi")
    for index in (-1, 50):
        with pytest.raises(IndexError, match="0 to 49"):
            list(video.frames([index]))
