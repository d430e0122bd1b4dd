"""A song with its cover is sound alone; a film with a cover is its film."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from pixel_core.errors import MediaError
from pixel_core.media.video import VideoFile
from pixel_core.media.video_stream import begins_as_sound

COVER = (120, 120)


def write(
    path: Path, *, sound: str = "aac", film: bool, cover: bool, container: str | None = None
) -> Path:
    """Half a second of silence, with a film of 12 frames, a cover, or both."""
    jpeg = io.BytesIO()
    Image.new("RGB", COVER, "teal").save(jpeg, "JPEG")
    with av.open(str(path), "w", format=container) as out:
        audio = out.add_stream(sound, rate=48000)
        if cover:
            picture = out.add_stream("mjpeg", rate=25)
            picture.width, picture.height = COVER
            picture.pix_fmt = "yuvj420p"
            picture.time_base = Fraction(1, 90000)
            picture.disposition = Disposition.attached_pic
        if film:
            video = out.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        if cover:
            out.start_encoding()
            packet = av.Packet(jpeg.getvalue())
            packet.stream = picture
            packet.time_base = picture.time_base
            packet.pts = packet.dts = 0
            packet.is_keyframe = True
            out.mux(packet)
        for number in range(24):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, number * 1024
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
        if film:
            for number in range(12):
                image = Image.new("RGB", (160, 96), (20 * number,) * 3)
                out.mux(video.encode(av.VideoFrame.from_image(image)))
            out.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "container", "sound", "cover"),
    [
        ("a.m4a", "mp4", "aac", False),
        ("a.m4a", "mp4", "aac", True),
        ("a.mp3", "mp3", "mp3", False),
        ("a.mp3", "mp3", "mp3", True),
        # Matroska would make a track of the cover, a video of one frame.
        ("a.mka", "matroska", "aac", False),
    ],
)
def test_sound_with_or_without_a_cover_is_no_video(
    tmp_path: Path, name: str, container: str, sound: str, cover: bool
) -> None:
    path = write(tmp_path / name, sound=sound, film=False, cover=cover, container=container)
    with pytest.raises(MediaError, match="sound alone"):
        VideoFile(path)


def test_a_films_cover_is_not_its_film(tmp_path: Path) -> None:
    video = VideoFile(write(tmp_path / "a.mp4", film=True, cover=True))
    assert (video.width, video.height, video.frame_count) == (160, 96, 12)


@pytest.mark.parametrize(
    "head", [b"ID3\x04", b"fLaC", b"RIFF\0\0\0\0WAVE", b"\xff\xfb\x90", b"\xff\xf3", b"#!AMR\n"]
)
def test_files_of_sound_are_known_by_their_beginning(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(head + bytes(64))
    with pytest.raises(MediaError, match=r"a.mp4 has no video.*sound alone.*moving pictures"):
        VideoFile(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "head", [b"", b"\xff", b"\xff\xd8\xff", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x18ftypmp42", b"GIF8"]
)
def test_what_may_hold_a_video_is_opened(head: bytes) -> None:
    assert not begins_as_sound(head)
