"""A part of a video file is refused wherever its own boxes tell; a whole one never is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_videos import SIZE, numbered, write_video

from pixel_core.errors import MediaError
from pixel_core.media import video_boxes
from pixel_core.media.deadline import NEVER, Deadline
from pixel_core.media.video import VideoFile
from pixel_core.media.video_end import VideoEnd

FRAMES = 12
FRAGMENTS = {"g": "4"}

#: Of a muxer that writes fragments whose places count from their own heads, and no trailer.
BARE = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"


def encode(path: Path, flags: str = "", codec: str = "mpeg4", **options: str) -> bytes:
    container = {"movflags": flags} if flags else {}
    made = write_video(
        path, codec, frames=FRAMES, options=FRAGMENTS | options, container=container
    )
    return made.read_bytes()


#: Of a frame every half a second, about; four of them are a fragment.
SLOW_S = ((FRAMES - 1) * 12 + 1) / 25


def slow(path: Path) -> bytes:
    made = write_video(
        path, times=range(0, FRAMES * 12, 12), options=FRAGMENTS, container={"movflags": BARE}
    )
    return made.read_bytes()


def boxes(data: bytes) -> list[tuple[str, int, int]]:
    """Kind, beginning and end of the boxes on the highest level."""
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        size = size or len(data) - at
        found.append((kind.decode(), at, at + size))
        at += size
    return found


def box(kind: str, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def starts(data: bytes, kind: str) -> list[int]:
    return [start for name, start, _ in boxes(data) if name == kind]


def inserted(data: bytes, at: int, more: bytes, *around: str) -> bytes:
    """``more`` at a place inside the boxes of these kinds, which grow by it."""
    grown = bytearray(data)
    for kind in around:
        place = data.index(kind.encode()) - 4
        size = int.from_bytes(data[place : place + 4], "big")
        struct.pack_into(">I", grown, place, size + len(more))
    return bytes(grown[:at] + more + grown[at:])


def with_duration(data: bytes, seconds: float, long: bool = False) -> bytes:
    """With a ``mehd`` box, in the milliseconds of FFmpeg's ``mvhd``."""
    form = ">B3xQ" if long else ">B3xI"
    more = box("mehd", struct.pack(form, long, round(seconds * 1000)))
    return inserted(data, data.index(b"mvex") + 4, more, "moov", "mvex")


def nested_index(data: bytes) -> bytes:
    """With an index in front of all, of the indexes in front of each fragment."""
    places = starts(data, "sidx")
    ends = [*places[1:], len(data)]
    entries = b"".join(
        struct.pack(">III", 1 << 31 | end - start, 2048, 0)
        for start, end in zip(places, ends, strict=True)
    )
    head = struct.pack(">B3xIIIIHH", 0, 1, 12_800, 0, 0, 0, len(places))
    return data[: places[0]] + box("sidx", head + entries) + data[places[0] :]


def file_with_sound(path: Path, sound_s: float, flags: str = "") -> bytes:
    """Twelve frames, and sound for so long."""
    with av.open(
        str(path), "w", container_options={"movflags": flags} if flags else {}
    ) as file:
        picture, sound = file.add_stream("mpeg4", rate=25), file.add_stream("aac", rate=48_000)
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        picture.codec_context.gop_size = 4
        for number in range(round(sound_s * 48_000 / 1024)):
            if number < FRAMES:
                file.mux(picture.encode(av.VideoFrame.from_image(numbered(number))))
            noise = np.sin(np.arange(1024, dtype=np.float32) * number)[None]
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, number * 1024
            file.mux(sound.encode(frame))
        for stream in (picture, sound):
            file.mux(stream.encode())
    return path.read_bytes()


def last_to_the_end(data: bytes) -> bytes:
    """The last box, of size 0: it goes on to the end of the file."""
    _, start, _ = boxes(data)[-1]
    return data[:start] + bytes(4) + data[start + 4 :]


def long_size(data: bytes) -> bytes:
    """The last box with a size of 64 bits."""
    _, start, end = boxes(data)[-1]
    size = struct.pack(">I4sQ", 1, data[start + 4 : start + 8], end - start + 8)
    return data[:start] + size + data[start + 8 :]


DASH = "dash+frag_keyframe"

#: Files that tell where they end.
TELLING: dict[str, Callable[[Path], bytes]] = {
    "in_one_piece.mp4": lambda path: encode(path),
    "faststart.mp4": lambda path: encode(path, "faststart"),
    "faststart.mov": lambda path: encode(path, "faststart"),
    "reordered.mp4": lambda path: encode(path, "faststart", "libx264", bf="2"),
    "to_the_end.mp4": lambda path: last_to_the_end(encode(path, "faststart")),
    "long_size.mp4": lambda path: long_size(encode(path, "faststart")),
    "one_index.mp4": lambda path: encode(path, "frag_keyframe+delay_moov+global_sidx"),
    "reordered_index.mp4": lambda path: encode(
        path, "frag_keyframe+delay_moov+global_sidx", "libx264", bf="2"
    ),
    "duration.mp4": lambda path: with_duration(slow(path), SLOW_S),
    "long_duration.mp4": lambda path: with_duration(slow(path), SLOW_S, long=True),
    "sound.mp4": lambda path: file_with_sound(path, 1.0, "faststart"),
    "sound_index.mp4": lambda path: file_with_sound(
        path, 1.0, "frag_keyframe+delay_moov+global_sidx"
    ),
}

#: Fragments of which only each one tells how long it is.
SILENT: dict[str, Callable[[Path], bytes]] = {
    "plain.mp4": lambda path: encode(path, "frag_keyframe"),
    "bare.mp4": lambda path: encode(path, BARE),
    "reordered.mp4": lambda path: encode(path, BARE, "libx264", bf="2"),
    "delayed.mp4": lambda path: encode(path, "frag_keyframe+delay_moov+skip_trailer"),
    "cmaf.mp4": lambda path: encode(path, "cmaf+frag_keyframe+skip_trailer"),
    "index_each.mp4": lambda path: encode(path, DASH),
    "every_frame.mp4": lambda path: encode(path, "frag_every_frame+empty_moov"),
    "sound.mp4": lambda path: file_with_sound(path, 1.0, "frag_keyframe+empty_moov"),
    "apart.mp4": lambda path: file_with_sound(
        path, 1.0, "frag_keyframe+empty_moov+separate_moof+skip_trailer"
    ),
}

WHOLE = {f"telling-{name}": make for name, make in TELLING.items()} | {
    f"silent-{name}": make for name, make in SILENT.items()
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    return {kind: make(folder / kind) for kind, make in WHOLE.items()}


def fault(path: Path, data: bytes) -> str:
    """Why a file of these bytes is refused; empty where it is read."""
    path.write_bytes(data)
    try:
        VideoFile(path)
    except MediaError as error:
        text = str(error)
    else:
        return ""
    assert path.name in text
    assert any(remedy in text for remedy in ("again", "convert", "must be"))
    return text


def near(data: bytes) -> Iterator[int]:
    """Lengths of parts: to and around every border of boxes, heads and all."""
    borders = {place for _, start, end in boxes(data) for place in (start, end)}
    around = {place + by for place in borders for by in (-1, 0, 1, 7, 8, 9)}
    return iter(sorted(length for length in around if 0 < length < len(data)))


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_files_are_read(made: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    assert not fault(path, made[kind])
    assert VideoFile(path).frame_count == FRAMES


@pytest.mark.parametrize("name", TELLING)
def test_every_part_is_refused_where_the_file_tells(
    made: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    data = made[f"telling-{name}"]
    # Without what FFmpeg writes behind the fragments, an index in front must be enough.
    ends = [start for kind, start, _ in boxes(data) if kind == "mfra"]
    for length in near(data[: ends[0]] if ends else data):
        assert fault(tmp_path / name, data[:length]), f"{length} bytes of {len(data)}"


@pytest.mark.parametrize("name", SILENT)
def test_a_part_of_fragments_is_read_only_when_it_ends_with_one(
    made: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    """It is what a live recording is: nothing tells that it should go on."""
    data = made[f"silent-{name}"]
    ends = {end for kind, _, end in boxes(data) if kind == "mdat"}
    read = {n for n in near(data) if not fault(tmp_path / name, data[:n])}
    assert read <= ends
    assert read, "a stopped recording is refused"


@given(st.data())
def test_any_part_of_any_file(
    made: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    kind = draw.draw(st.sampled_from(sorted(WHOLE)))
    data = made[kind]
    length = draw.draw(st.integers(1, len(data) - 1))
    path = tmp_path_factory.getbasetemp() / f"part-{kind}"
    if not fault(path, data[:length]):
        places = boxes(data)
        assert length in {end for name, _, end in places if name == "mdat"} | {
            start for name, start, _ in places if name == "mfra"
        }


def test_a_download_whose_rest_is_zeros(made: dict[str, bytes], tmp_path: Path) -> None:
    """Programs that fetch a file in parts make room for all of it first."""
    data = made["silent-plain.mp4"]
    cut = starts(data, "moof")[1]
    assert "no box" in fault(tmp_path / "part.mp4", data[:cut] + bytes(len(data) - cut))


def test_a_fragment_that_is_missing_amid_others(made: dict[str, bytes], tmp_path: Path) -> None:
    data = made["silent-every_frame.mp4"]
    first, second = starts(data, "moof")[3:5]
    assert "names a fragment" in fault(tmp_path / "hole.mp4", data[:first] + data[second:])


def test_an_index_of_indexes(tmp_path: Path) -> None:
    """FFmpeg does not read it, yet says so of no part; the check does."""
    path = tmp_path / "nested.mp4"
    data = nested_index(encode(path, DASH + "+skip_trailer"))
    path.write_bytes(data)
    assert VideoEnd.told_by(path, "nested", NEVER).size == len(data)
    for length in near(data):
        if length > starts(data, "sidx")[0]:
            path.write_bytes(data[:length])
            with pytest.raises(MediaError, match="nested is cut short"):
                VideoEnd.told_by(path, "nested", NEVER)


def test_fragments_whose_head_is_stale(made: dict[str, bytes], tmp_path: Path) -> None:
    """Its durations count for less than an index which shows that all is there."""
    data = encode(tmp_path / "index.mp4", BARE + "+delay_moov+global_sidx")
    data = with_duration(data, 60)
    assert not fault(tmp_path / "video_of_a_long_talk.mp4", data)
    data = with_duration(made["silent-bare.mp4"], 60)
    assert "states 60.00 s" in fault(tmp_path / "bare.mp4", data)


@pytest.mark.parametrize("unknown", [0, 2**32 - 1])
def test_a_duration_that_is_not_known(
    made: dict[str, bytes], tmp_path: Path, unknown: int
) -> None:
    data = bytearray(made["silent-bare.mp4"])
    struct.pack_into(">I", data, data.index(b"mvhd") + 4 + 16, unknown)
    assert not fault(tmp_path / "live.mp4", bytes(data))


def test_what_stands_behind_a_whole_file(made: dict[str, bytes], tmp_path: Path) -> None:
    """As cameras append it: bytes that are no box, or a box that says nonsense."""
    for more in (b"8db42d694ccc418790edff439fe026bf", b"\xff" * 40, bytes(40), b"\0\0\0"):
        for kind in ("telling-in_one_piece.mp4", "telling-faststart.mp4", "silent-plain.mp4"):
            assert not fault(tmp_path / "camera.mp4", made[kind] + more), (kind, more)


def test_fragmented_files_one_after_the_other(made: dict[str, bytes], tmp_path: Path) -> None:
    data = made["silent-bare.mp4"]
    assert not fault(tmp_path / "two.mp4", data + data)
    segments = data + data[starts(data, "moof")[0] :]
    assert not fault(tmp_path / "joined.mp4", segments)
    both = with_duration(slow(tmp_path / "slow.mp4"), SLOW_S)
    assert not fault(tmp_path / "two.mp4", both + both)


@pytest.mark.parametrize("name", ["whole.mkv", "whole.webm", "whole.avi"])
def test_other_containers_that_state_their_size(tmp_path: Path, name: str) -> None:
    codec = "libvpx" if name.endswith("webm") else "mpeg4"
    data = encode(tmp_path / name, codec=codec)
    assert not fault(tmp_path / name, data)
    for length in (len(data) - 17, *range(100, len(data) - 17, 211)):
        assert fault(tmp_path / name, data[:length]), f"{length} bytes of {len(data)}"


def test_a_live_recording_that_was_stopped(tmp_path: Path) -> None:
    """Its segment's size is unknown."""
    path = tmp_path / "live.mkv"
    write_video(path, frames=FRAMES, container={"live": "1"})
    assert not fault(path, path.read_bytes())


def test_how_many_boxes_are_visited_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.mp4"
    path.write_bytes(box("ftyp", b"isom") + box("free", b"") * 2000)
    monkeypatch.setattr(video_boxes, "MAX_READS", 1000)
    with pytest.raises(MediaError, match="boxes and entries"):
        VideoEnd.told_by(path, "many", NEVER)
    entries = 5000
    head = struct.pack(">B3xIIIIHH", 0, 1, 1000, 0, 0, 0, entries)
    path.write_bytes(box("ftyp", b"isom") + box("sidx", head + bytes(12 * entries)))
    with pytest.raises(MediaError, match="boxes and entries"):
        VideoEnd.told_by(path, "many", NEVER)


@given(st.binary(max_size=400), st.sampled_from(["sidx", "mfra", "moov", "moof", "mdat"]))
def test_boxes_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, kind: str
) -> None:
    """Never another exception, whatever an index or a head says."""
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    inner = {"mfra": "tfra", "moov": "mvex"}.get(kind)
    head = body if inner is None else box(inner, body) + box("mvhd", body)
    path.write_bytes(box("ftyp", b"isom") + box(kind, head) + body)
    with suppress(MediaError):
        VideoEnd.told_by(path, "any", NEVER)


def test_time_that_is_over(made: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    path.write_bytes(made["silent-plain.mp4"])
    with pytest.raises(Exception, match="the time was over"):
        VideoEnd.told_by(path, "late", Deadline.within(0))
