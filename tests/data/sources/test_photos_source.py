"""A folder of photos: what becomes a seed, what is left out, and what is a fault."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from PIL import Image

from pixel_core.config import PhotosConfig
from pixel_core.data.sources import folder
from pixel_core.data.sources import photos as photos_facts
from pixel_core.data.sources.photos import PhotosSource, SeenDigests, is_picture
from pixel_core.errors import DataError
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Seed, Split


def photo(
    number: int, size: tuple[int, int] = (80, 60), kind: str = "JPEG", **how: Any
) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, kind, **how)
    return out.getvalue()


def turned(number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: rows are columns
    return photo(number, exif=exif)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three usable photos, and beside them what SA-1B and a file manager leave."""
    root = tmp_path / "photos"
    (root / "more").mkdir(parents=True)
    (root / "one.jpg").write_bytes(photo(1))
    (root / "one.json").write_text('{"annotations": []}')
    (root / "more" / "two.JPG").write_bytes(photo(2, (100, 60), "PNG"))  # named wrongly
    (root / "three.jpeg").write_bytes(turned(3))
    (root / ".hidden.jpg").write_bytes(b"not ours")
    (root / "small.png").write_bytes(photo(4, (20, 20), "PNG"))
    (root / "again.jpg").write_bytes(photo(1))
    return root


def config(path: object, **fields: Any) -> PhotosConfig:
    return PhotosConfig(path=str(path), **{"min_pixels": 4000, **fields})


def ingest(source: PhotosSource, archive: Path) -> list[Seed]:
    with PictureArchiveWriter(archive) as writer:
        found = list(source.seeds(writer))
    assert all(one.fixed for one in found)
    return [one.seed for one in found]


def test_photos_become_seeds_that_ask_nothing(root: Path, tmp_path: Path) -> None:
    source = PhotosSource(config(root, licence="SA-1B research", revision="v1.0"))
    seeds = ingest(source, tmp_path / "pictures.zip")
    assert len(seeds) == 3
    archive = PictureArchive(tmp_path / "pictures.zip")
    sizes = []
    for seed in seeds:
        assert not seed.asks
        assert seed.split is Split.TRAIN
        assert seed.cue is None
        (picture,) = seed.pictures
        sizes.append(archive.load(picture).size)
        assert seed.id.removeprefix("photos-") == picture.sha256[:24]
        assert seed.provenance.model_dump() == {
            "source": "photos",
            "revision": "v1.0",
            "licence": "SA-1B research",
            "digest": picture.sha256,
        }
    assert sizes == [(80, 60), (100, 60), (60, 80)]
    assert [Path(seed.pictures[0].member).suffix for seed in seeds] == [".jpg", ".png", ".jpg"]
    assert source.total() == 5
    assert source.counts() == {"other_files": 2, "same_again": 1, "too_small": 1}


def test_the_same_content_elsewhere_makes_the_same_bytes(
    root: Path, tmp_path: Path, s3_uri: str
) -> None:
    bucket, _, prefix = s3_uri.removeprefix("s3://").partition("/")
    for path in root.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(root).as_posix()}"
            boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    copy = tmp_path / "elsewhere"
    shutil.copytree(root, copy)
    places = [root, copy, s3_uri]
    sources = [PhotosSource(config(place)) for place in places]
    assert len({str(source.fingerprint()) for source in sources}) == 1
    written = set()
    for number, source in enumerate(sources):
        archive = tmp_path / f"{number}.zip"
        seeds = ingest(source, archive)
        written.add((tuple(seed.model_dump_json() for seed in seeds), archive.read_bytes()))
    assert len(written) == 1


def test_the_fingerprint_follows_the_pictures_alone(root: Path) -> None:
    first = PhotosSource(config(root)).fingerprint()
    (root / "notes.txt").write_text("not a picture")
    (root / "one.jpg").rename(root / "one.jpeg")
    assert PhotosSource(config(root)).fingerprint() == first
    (root / "one.jpeg").write_bytes(photo(9))
    assert PhotosSource(config(root)).fingerprint() != first


def test_all_faults_are_told_at_once(root: Path, tmp_path: Path) -> None:
    (root / "cut.jpg").write_bytes(photo(5)[:900])
    (root / "empty.png").write_bytes(b"")
    (root / "page.webp").write_text("<html>404</html>")
    (root / "huge.png").write_bytes(photo(6, (200, 100), "PNG"))
    (tmp_path / "outside.jpg").write_bytes(photo(7))
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    source = PhotosSource(config(root, max_picture_pixels=10_000))
    with pytest.raises(DataError, match="5 problems") as caught:
        source.fingerprint()
    lines = str(caught.value).splitlines()[1:]
    told = ["cut.jpg", "empty.png", "huge.png", "link.jpg", "page.webp"]
    assert [line.split('"')[1] for line in lines] == told
    assert "200 x 100 = 20,000 pixels" in lines[2]
    assert "leads out of the folder" in lines[3]
    assert all("replace the file" in line for line in lines)


def test_a_photo_that_broke_after_the_check_stops_ingest(root: Path, tmp_path: Path) -> None:
    source = PhotosSource(config(root))
    source.fingerprint()
    (root / "three.jpeg").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"three\.jpeg"):
        ingest(source, tmp_path / "pictures.zip")
    assert not (tmp_path / "pictures.zip").exists()


def test_a_folder_without_usable_photos_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all 5 photos .* lower ingest\.photos\.min_pixels"):
        PhotosSource(config(root, min_pixels=1_000_000)).fingerprint()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no picture"):
        PhotosSource(config(tmp_path / "empty")).fingerprint()
    with pytest.raises(DataError, match=r"ingest\.photos\.path is empty"):
        PhotosSource(config(""))


def test_a_photo_is_decoded_once_while_it_stays_as_it_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folder, "SETTLED_S", 0.0)
    first = PhotosSource(config(root)).fingerprint()
    decoded: list[str] = []
    whole = photos_facts.load_picture

    def counted(data: bytes, *, max_pixels: int, name: str) -> Image.Image:
        decoded.append(name)
        return whole(data, max_pixels=max_pixels, name=name)

    monkeypatch.setattr(photos_facts, "load_picture", counted)
    again = PhotosSource(config(root))
    assert again.fingerprint() == first
    assert len(ingest(again, tmp_path / "pictures.zip")) == 3
    assert decoded == []
    (root / "one.jpg").write_bytes(photo(8))
    again.fingerprint()
    assert decoded == ["one.jpg"]
    # Another limit is another question.
    with pytest.raises(DataError, match="5 problems"):
        PhotosSource(config(root, max_picture_pixels=300)).fingerprint()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.jpg", True),
        ("a/b/C.TIFF", True),
        ("a.jpg.json", False),
        ("jpg", False),
        ("._a.jpg", False),
        (".cache/a.jpg", False),
    ],
)
def test_what_is_taken_for_a_picture(name: str, is_one: bool) -> None:
    assert is_picture(name) is is_one


def test_seen_digests_tells_new_from_old() -> None:
    with SeenDigests() as seen:
        assert [seen.add(digest) for digest in ("00ff", "00fe", "00ff")] == [True, True, False]
