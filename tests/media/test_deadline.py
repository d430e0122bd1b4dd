"""Reading ends with its time, between two packets of a video and between two pictures."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from real_videos import write_video

from pixel_core.errors import TimedOut
from pixel_core.media.deadline import Deadline
from pixel_core.media.video import VideoFile
from pixel_core.serving.media import MediaLimits, read_media


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40)).save(out, "PNG")
    return out.getvalue()


def test_decoding_a_video_ends_in_the_middle(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=30)
    video = VideoFile(path, deadline=Deadline.within(0.2))
    again_and_again = (list(video.frames(range(video.frame_count))) for _ in range(100_000))
    with pytest.raises(TimedOut, match="allow more time"):
        list(again_and_again)


def test_nothing_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=3)
    for media in (png(), [png(), png()], path, path.read_bytes()):
        read_media(media, limits=MediaLimits(), deadline=Deadline.within(60))
        with pytest.raises(TimedOut):
            read_media(media, limits=MediaLimits(), deadline=Deadline.within(0))
    with pytest.raises(TimedOut):
        VideoFile(path, deadline=Deadline.within(0))
