"""Finds a file's video stream, as opposed to the cover of a song."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: First bytes of sound files that we do not open: MP3, FLAC, WAV, AIFF, AMR, MIDI.
_SOUND = (b"ID3", b"fLaC", b"FORM", b"#!AMR", b"MThd")


def video_of(container: InputContainer) -> VideoStream | None:
    """The best moving stream by FFmpeg's judgement; None if there is none, or only a picture
    attached to sound."""
    from av.stream import Disposition
    from av.video.stream import VideoStream

    moving = [
        stream
        for stream in container.streams.video
        if not Disposition(stream.disposition) & Disposition.attached_pic
    ]
    best = container.streams.best("video")
    if isinstance(best, VideoStream) and any(best.index == one.index for one in moving):
        return best
    return moving[0] if moving else None


def is_sound_alone(container: InputContainer) -> bool:
    """For a file without a video: whether it is sound."""
    return bool(container.streams.audio)


def begins_as_sound(head: bytes) -> bool:
    """Whether a file with this beginning is sound in a container that can't hold video."""
    mpeg_audio = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)
    wave = head[:4] == b"RIFF" and head[8:12] == b"WAVE"
    return head.startswith(_SOUND) or mpeg_audio or wave
