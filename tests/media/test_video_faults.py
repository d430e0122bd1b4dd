"""Bad video files are told, hostile ones do no harm; odd ones are read as players do."""

from __future__ import annotations

import random
import struct
import wave
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from real_videos import KINDS, SIZE, number_on, numbered, write_video

from pixel_core.errors import MediaError
from pixel_core.media.video import VideoFile, VideoLimits


def all_frames(path: Path, **limits: float) -> list[tuple[int, Image.Image]]:
    video = VideoFile(path, limits=VideoLimits(**limits))  # type: ignore[arg-type]
    return list(video.frames(range(video.frame_count)))


def refusal(path: Path, **limits: float) -> str:
    with pytest.raises(MediaError) as caught:
        all_frames(path, **limits)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_limits_are_checked_before_anything_is_decoded(videos: Path) -> None:
    path = videos / "reordered.mp4"
    assert "160 x 96" in refusal(path, pixels=160 * 96 - 1)
    assert "2 s, allowed are 1" in refusal(path, seconds=1)
    assert "bytes, allowed are 100" in refusal(path, bytes=100)
    assert "49 frames: cut it" in refusal(path, frames=49)


def test_what_is_no_video(tmp_path: Path, videos: Path) -> None:
    assert "check its path" in refusal(tmp_path / "missing.mp4")
    (tmp_path / "empty.mp4").touch()
    assert "empty" in refusal(tmp_path / "empty.mp4")
    numbered(3).save(tmp_path / "picture.png")
    assert "must be MP4" in refusal(tmp_path / "picture.png")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    refusal(tmp_path / "sound.wav")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {target}\n",
    ],
)
def test_playlists_lead_nowhere(tmp_path: Path, videos: Path, text: str) -> None:
    """A file that names others would read any file of the machine, or fetch an address."""
    path = tmp_path / "clip.mp4"
    path.write_text(text.format(target=videos / "broadcast.ts"))
    assert "can't be read" in refusal(path)


#: Their files say how long they are, or can't be opened without their end. Fragments may end
#: between two of them: see test_video_ends.py.
COMPLETE = [
    *("reordered.mp4", "open_gop.mp4", "lossless.mov"),
    *("ten_bit.mkv", "hidden_frames.webm", "part_four.avi", "motion.avi"),
]


@pytest.mark.parametrize("share", [0.3, 0.5])
@pytest.mark.parametrize("name", COMPLETE)
def test_a_part_of_a_file_is_refused(
    videos: Path, tmp_path: Path, name: str, share: float
) -> None:
    """Otherwise frames spread evenly would silently be those of another, shorter video."""
    data = (videos / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    refusal(path)


def test_sound_that_goes_on_after_the_video(tmp_path: Path) -> None:
    """The file is as long as its sound; its video is whole."""
    path = tmp_path / "talk.mkv"
    with av.open(str(path), "w") as file:
        picture, sound = file.add_stream("mpeg4", rate=25), file.add_stream("aac", rate=48_000)
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        for number in range(25):
            file.mux(picture.encode(av.VideoFrame.from_image(numbered(number))))
        for number in range(300):
            silence = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, number * 1024
            file.mux(sound.encode(frame))
        for stream in (picture, sound):
            file.mux(stream.encode())
    assert VideoFile(path).duration_s == pytest.approx(1.0)


def test_a_video_that_begins_late(tmp_path: Path) -> None:
    times = range(10_000, 12_000, 40)
    path = write_video(tmp_path / "late.mkv", times=times, unit=Fraction(1, 1000))
    assert VideoFile(path).duration_s == pytest.approx(2.0)


def test_damage_anywhere_is_a_media_error_or_a_video(videos: Path, tmp_path: Path) -> None:
    """Bytes changed and cut at random: never another exception, never a hang."""
    dice = random.Random(0)
    refusals = 0
    for name in KINDS:
        data = (videos / name).read_bytes()
        path = tmp_path / name
        for _ in range(10):
            damaged = bytearray(data)
            for _ in range(dice.randint(1, 30)):
                place = dice.randrange(len(damaged) if dice.random() < 0.5 else 600)
                damaged[place] = dice.choice((0, 1, 127, 255))
            if dice.random() < 0.3:
                del damaged[dice.randrange(len(damaged)) :]
            path.write_bytes(damaged)
            try:
                video = VideoFile(path, limits=VideoLimits(pixels=10**6))
                for _, image in video.frames([0, video.frame_count - 1]):
                    assert image.mode == "RGB"
            except MediaError:
                refusals += 1
    assert 10 < refusals < 10 * len(KINDS)


def write_sound(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=48_000)
        for number in range(10):
            silence = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, number * 1024
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize(("name", "codec"), [("talk.mp4", "aac"), ("talk.webm", "libopus")])
def test_sound_alone_is_no_video(tmp_path: Path, name: str, codec: str) -> None:
    assert "no video that can be decoded" in refusal(write_sound(tmp_path / name, codec))


@pytest.mark.parametrize("name", ["none.mp4", "none.mkv", "none.avi"])
def test_a_video_without_a_frame(tmp_path: Path, name: str) -> None:
    """A recording that was stopped at once: all of a header, and nothing after it."""
    refusal(write_video(tmp_path / name, frames=0))


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("one.webm", "libvpx", "yuv420p"),
        ("one.gif", "gif", "rgb8"),
        ("one.avi", "mjpeg", "yuvj420p"),
    ],
)
def test_one_frame_that_states_no_duration(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    video = VideoFile(write_video(tmp_path / name, codec, pixels=pixels, frames=1))
    assert video.frame_count == 1
    assert 0 < video.duration_s < 1
    assert [number_on(image) for image in video.frames_at([0, 5])] == [0, 0]


def test_a_header_that_lies_about_the_length(tmp_path: Path) -> None:
    """The packets' own times count: 50 days claimed for two seconds change nothing."""
    data = bytearray(write_video(tmp_path / "long.mp4").read_bytes())
    struct.pack_into(">I", data, data.index(b"mvhd") + 4 + 16, 0xFFFF_FFF0)
    path = tmp_path / "lies.mp4"
    path.write_bytes(data)
    video = VideoFile(path)
    assert (video.frame_count, video.duration_s) == (50, pytest.approx(2.0))


def test_a_frame_that_appears_after_hours(tmp_path: Path) -> None:
    times = [0, 40, 5 * 3600 * 1000]
    path = write_video(tmp_path / "still.mkv", times=times, unit=Fraction(1, 1000))
    assert "lasts 18,000 s" in refusal(path)


def test_one_damaged_frame_is_refused_and_its_neighbours_are_not(
    videos: Path, tmp_path: Path
) -> None:
    data = bytearray((videos / "motion.avi").read_bytes())
    begun = data.index(b"movi")
    starts = [at for at in range(begun, len(data)) if data[at : at + 4] == b"00dc"]
    # After the chunk's name and length, so that there is a frame, and nothing in it.
    data[starts[20] + 8 : starts[21]] = bytes(starts[21] - starts[20] - 8)
    path = tmp_path / "motion.avi"
    path.write_bytes(data)
    video = VideoFile(path)
    for index in (19, 21):
        [(_, image)] = video.frames([index])
        assert number_on(image) == index
    with pytest.raises(MediaError, match=r"motion\.avi can't be read"):
        list(video.frames([20]))


def resized(folder: Path) -> Path:
    """A broadcast whose pictures become sixteen times as large amid it."""
    parts = []
    for name, size in (("small", SIZE), ("large", (4 * SIZE[0], 4 * SIZE[1]))):
        start = 0 if name == "small" else 10
        part = write_video(
            folder / f"{name}.ts",
            "mpeg2video",
            times=range(start, start + 10),
            draw=partial(numbered, size=size),
            options={"b": "2M"},
        )
        parts.append(part.read_bytes())
    path = folder / "both.ts"
    path.write_bytes(b"".join(parts))
    return path


def test_a_frame_larger_than_the_first_says(tmp_path: Path) -> None:
    path = resized(tmp_path)
    video = VideoFile(path)
    found = dict(video.frames([0, video.frame_count - 1]))
    assert found[0].size == SIZE
    assert found[video.frame_count - 1].size == (4 * SIZE[0], 4 * SIZE[1])
    limits = VideoLimits(pixels=2 * SIZE[0] * SIZE[1])
    with pytest.raises(MediaError):
        list(VideoFile(path, limits=limits).frames([video.frame_count - 1]))
