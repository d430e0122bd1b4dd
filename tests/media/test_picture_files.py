"""What records name, as a file of this machine, and what a folder holds: packed or not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pixel_core.media.picture_files import MediaFiles
from pixel_core.media.picture_zip import PictureFault

CLIP = b"clip" * 1_000_000


@pytest.fixture(params=["folder", "zip", "zip of the folder's content"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """``tvqa/a/1.jpg``, ``tvqa/a/2.jpg`` and ``tvqa/b.mp4``, in one of the forms they have."""
    files = {"tvqa/a/2.jpg": b"two", "tvqa/a/1.jpg": b"one", "tvqa/b.mp4": CLIP}
    root = tmp_path / "root"
    root.mkdir()
    if request.param == "folder":
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return root
    cut = "tvqa/" if request.param != "zip" else ""
    with zipfile.ZipFile(root / "tvqa.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name.removeprefix(cut), data)
    return root


def test_names_in_a_folder(root: Path) -> None:
    media = MediaFiles(root, setting="local")
    assert media.names_in("tvqa/a") == ["1.jpg", "2.jpg"]
    assert media.names_in("tvqa") == ["b.mp4"]
    assert media.names_in("tvqa/b.mp4") == []
    assert media.names_in("elsewhere") == []
    assert media.find("tvqa/a/2.jpg").read() == b"two"


def test_a_member_is_a_file_for_as_long_as_it_is_needed(root: Path) -> None:
    media = MediaFiles(root, setting="local")
    with media.local(media.find("tvqa/b.mp4")) as path:
        assert path.read_bytes() == CLIP
        assert path.suffix == ".mp4"
    assert path.exists() == (path == root / "tvqa" / "b.mp4")


@pytest.mark.parametrize("written", ["../root", "/etc", "a\0b"])
def test_names_of_no_other_folder(root: Path, written: str) -> None:
    with pytest.raises(PictureFault, match="not a relative path"):
        MediaFiles(root, setting="local").names_in(written)


def test_a_link_to_another_folder(tmp_path: Path) -> None:
    for name in ("root", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret" / "key.jpg").touch()
    (tmp_path / "root" / "frames").symlink_to(tmp_path / "secret")
    with pytest.raises(PictureFault, match="leads out"):
        MediaFiles(tmp_path / "root", setting="local").names_in("frames")


def damaged(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as packed:
        packed.writestr("b.mp4", CLIP)
    data = bytearray((tmp_path / "clips.zip").read_bytes())
    data[2_000_000] ^= 1
    (tmp_path / "clips.zip").write_bytes(data)
    return tmp_path


def test_a_damaged_member_is_a_fault_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, scratch = damaged(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    media = MediaFiles(root, setting="local")
    found = media.find("clips/b.mp4")
    with pytest.raises(PictureFault, match=r"is damaged in clips\.zip"), media.local(found):
        pass
    assert list(scratch.iterdir()) == []
