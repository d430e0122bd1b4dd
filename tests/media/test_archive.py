"""The picture archive: the same bytes each time, and nothing unverified out of it."""

import hashlib
import io
import multiprocessing
import os
import pickle
import zipfile
from contextlib import closing

import pytest
from forked import Forked
from PIL import Image, ImageChops

from pixel_core.errors import DataError, MediaError
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Picture


def picture_file(colour: str, size=(40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def write(path, colours=("red", "green", "blue")) -> list[Picture]:
    with PictureArchiveWriter(path) as writer:
        return [writer.add(f"cards/{c}.png", picture_file(c), 40, 30) for c in colours]


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "pictures.zip"
    pictures = write(path)
    archive = PictureArchive(path)
    yield archive, pictures
    archive.close()


def test_what_goes_in_comes_out(stored):
    archive, pictures = stored
    for picture, colour in zip(pictures, ("red", "green", "blue"), strict=True):
        expected = Image.new("RGB", (40, 30), colour)
        assert ImageChops.difference(archive.load(picture), expected).getbbox() is None
        assert archive.read(picture) == picture_file(colour)
        assert picture.sha256 == hashlib.sha256(picture_file(colour)).hexdigest()


def test_the_same_pictures_make_the_same_bytes(tmp_path, monkeypatch):
    write(tmp_path / "one.zip")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    mask = os.umask(0o077)
    try:
        write(tmp_path / "two.zip")
    finally:
        os.umask(mask)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as ordinary:
        assert ordinary.testzip() is None
        assert {info.compress_type for info in ordinary.infolist()} == {zipfile.ZIP_STORED}


def test_pictures_upright_size_is_what_counts(tmp_path):
    """A portrait saved lying, with an EXIF mark: the record has the upright size."""
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG", exif=exif)
    with PictureArchiveWriter(tmp_path / "p.zip") as writer:
        picture = writer.add("portrait.jpg", out.getvalue(), 30, 40)
    assert PictureArchive(tmp_path / "p.zip").load(picture).size == (30, 40)


@pytest.mark.parametrize("change", [{"width": 41}, {"height": 29}, {"width": 39}])
def test_a_size_that_differs_from_the_record_is_refused(stored, change):
    archive, pictures = stored
    with pytest.raises(MediaError, match=r"red\.png.*40 x 30"):
        archive.load(pictures[0].model_copy(update=change))


def test_another_file_than_the_recorded_one_is_refused(stored):
    archive, pictures = stored
    swapped = pictures[0].model_copy(update={"member": pictures[1].member})
    with pytest.raises(MediaError, match=r"green\.png.*SHA-256"):
        archive.load(swapped)


def test_a_picture_that_is_not_there_is_named(stored):
    archive, pictures = stored
    lost = pictures[0].model_copy(update={"member": "cards/7.png"})
    with pytest.raises(MediaError, match=r"cards/7\.png.*rebuild"):
        archive.load(lost)


@pytest.mark.parametrize("content", [None, b"", b"not a zip", "half"])
def test_a_damaged_archive_is_a_media_error(tmp_path, content):
    path = tmp_path / "pictures.zip"
    picture = write(path)[0]
    data = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(data[: len(data) // 2] if content == "half" else content)
    with pytest.raises(MediaError, match="rebuild the artifact"):
        PictureArchive(path).read(picture)


def test_every_flipped_byte_of_an_archive_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "pictures.zip"
    picture = write(path, ("red",))[0]
    data = path.read_bytes()
    noticed = 0
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        archive = PictureArchive(path)
        try:
            assert archive.read(picture) == picture_file("red")
        except MediaError:
            noticed += 1
        archive.close()
    assert noticed > len(picture_file("red"))


def _read_often(archive: PictureArchive, pictures: list[Picture]) -> None:
    for _ in range(1000):
        for picture in pictures:
            archive.read(picture)


@pytest.fixture
def large(tmp_path):
    """An open archive whose reads take long enough to meet one another."""
    with PictureArchiveWriter(tmp_path / "p.zip") as writer:
        pictures = [writer.add(f"{n}.bin", os.urandom(50_000), 1, 1) for n in range(3)]
    with closing(PictureArchive(tmp_path / "p.zip")) as archive:
        archive.read(pictures[0])
        yield archive, pictures


def test_forked_processes_share_an_archive(large):
    """Forked readers of one open file would move one another's position."""
    _share(Forked, large)


def test_spawned_processes_share_an_archive(large):
    _share(multiprocessing.get_context("spawn").Process, large)


def _share(process, large) -> None:
    workers = [process(target=_read_often, args=large) for _ in range(2)]
    for worker in workers:
        worker.start()
    _read_often(*large)
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]


def test_an_archive_reopens_after_close_and_pickling(stored):
    archive, pictures = stored
    archive.load(pictures[0])
    archive.close()
    archive.close()
    assert archive.load(pictures[0]).size == (40, 30)
    copy = pickle.loads(pickle.dumps(archive))
    assert copy.load(pictures[1]).size == (40, 30)
    copy.close()


def test_an_archive_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "pictures.zip"
    with PictureArchiveWriter(path) as writer:
        writer.add("one.png", picture_file("red"), 40, 30)
        assert not path.exists()
    assert path.exists()


def test_an_archive_that_was_interrupted_leaves_nothing(tmp_path):
    def interrupted():
        with PictureArchiveWriter(tmp_path / "pictures.zip") as writer:
            writer.add("one.png", picture_file("red"), 40, 30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "member", ["", "/etc/x", "../x", "a/../x", "./x", "a//b", "a/", "a\\b", "a\x00b", "a\nb"]
)
def test_names_that_no_folder_should_hold_are_refused(tmp_path, member):
    with (
        PictureArchiveWriter(tmp_path / "p.zip") as writer,
        pytest.raises(DataError, match="can't be stored"),
    ):
        writer.add(member, picture_file("red"), 40, 30)


def test_a_name_is_used_once(tmp_path):
    with PictureArchiveWriter(tmp_path / "p.zip") as writer:
        writer.add("bild-ä.png", picture_file("red"), 40, 30)
        with pytest.raises(DataError, match="taken"):
            writer.add("bild-ä.png", picture_file("blue"), 40, 30)
