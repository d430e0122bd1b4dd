"""Names that read alike are one: composed or not, in a zip of any machine."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel_core.data.exchange.media_folder import read_inside
from pixel_core.data.sources.folder import Folder
from pixel_core.errors import DataError
from pixel_core.media.file_names import ENCODINGS, Names, stated_name, tidied
from pixel_core.media.picture_files import MediaFiles
from pixel_core.media.picture_zip import PictureFault

NFC = unicodedata.normalize("NFC", "Bäume/Größe é.png")
NFD = unicodedata.normalize("NFD", NFC)


def put(root: Path, name: str, data: bytes = b"x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def packed(
    path: Path, members: dict[bytes, bytes], extra: dict[bytes, bytes] | None = None
) -> None:
    """A zip whose names are these bytes, without the UTF-8 flag."""
    with zipfile.ZipFile(path, "w") as archive:
        for raw, data in members.items():
            info = _Unflagged(raw)
            info.extra = (extra or {}).get(raw, b"")
            archive.writestr(info, data)


class _Unflagged(zipfile.ZipInfo):
    def __init__(self, raw: bytes) -> None:
        super().__init__(raw.decode("cp437"))
        self._raw = raw

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self._raw, self.flag_bits & ~0x800


def media(root: Path) -> MediaFiles:
    return MediaFiles(root, setting="the setting")


@pytest.mark.parametrize(("written", "stored"), [(NFC, NFD), (NFD, NFC), (NFC, NFC)])
def test_a_file_is_found_in_either_form(tmp_path: Path, written: str, stored: str) -> None:
    put(tmp_path, stored)
    assert media(tmp_path).find(written).read() == b"x"
    assert media(tmp_path).names_in(written.rpartition("/")[0]) == [stored.rpartition("/")[2]]
    assert Folder(str(tmp_path)).read(written) == b"x"
    listed = Folder(str(tmp_path)).find(written)
    assert listed is not None
    assert listed.name == stored
    assert read_inside(tmp_path, written)[0] == b"x"


def test_the_written_form_goes_before_one_that_reads_alike(tmp_path: Path) -> None:
    put(tmp_path, NFC, b"composed")
    put(tmp_path, NFD, b"apart")
    assert media(tmp_path).find(NFC).read() == b"composed"
    assert media(tmp_path).find(NFD).read() == b"apart"
    mixed = NFC.partition("/")[0] + "/" + NFD.partition("/")[2]
    with pytest.raises(PictureFault, match="reads like 2 files") as caught:
        media(tmp_path).find(mixed)
    assert "rename" in caught.value.remedy
    with pytest.raises(DataError, match="reads like 2 files"):
        Folder(str(tmp_path)).read(mixed)


def test_a_name_that_reads_otherwise_is_missing(tmp_path: Path) -> None:
    put(tmp_path, NFD)
    with pytest.raises(PictureFault, match="is missing"):
        media(tmp_path).find("Baume/Grosse e.png")
    with pytest.raises(PictureFault, match="is missing"):
        media(tmp_path).find("Bäume/Größe è.png")


def test_a_link_that_reads_alike_leads_nowhere_either(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    put(tmp_path, "secret.png")
    (tmp_path / "in" / unicodedata.normalize("NFD", "é.png")).symlink_to(
        tmp_path / "secret.png"
    )
    with pytest.raises(PictureFault, match="leads out"):
        media(tmp_path / "in").find("é.png")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("图片/猫.png", "gbk"),
        ("图片/猫.png", "utf-8"),
        ("写真/猫.png", "cp932"),
        ("圖片/貓.png", "big5"),
        ("사진/고양이.png", "cp949"),
        ("Bäume/é.png", "cp437"),
        ("Bäume/é.png", "cp1252"),
        ("фото/кот.png", "cp866"),
        ("фото/кот.png", "cp1251"),
    ],
)
def test_a_member_is_found_by_what_the_record_writes(
    tmp_path: Path, name: str, encoding: str
) -> None:
    packed(tmp_path / "a.zip", {name.encode(encoding): b"this", b"other.png": b"that"})
    for form in ("NFC", "NFD"):
        found = media(tmp_path).find(unicodedata.normalize(form, name))
        assert found.read() == b"this"
        assert found.suffix == ".png"
    assert len(media(tmp_path).names_in(name.partition("/")[0])) == 1
    assert media(tmp_path).find("other.png").read() == b"that"


def test_a_mac_packs_decomposed_names_with_or_without_saying_utf8(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", {NFD.encode(): b"unsaid"})
    assert media(tmp_path).find(NFC).read() == b"unsaid"
    (tmp_path / "a.zip").unlink()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(NFD, b"said")
    assert media(tmp_path).find(NFC).read() == b"said"


def test_two_members_that_could_be_meant_are_told(tmp_path: Path) -> None:
    members = {"é.png".encode("cp850"): b"1", "é.png".encode("cp1252"): b"2"}
    packed(tmp_path / "a.zip", members)
    name = unicodedata.normalize("NFD", "é.png")  # as it stands, no reading has it
    with pytest.raises(PictureFault, match=r"could be any of 2 members of a.zip") as caught:
        media(tmp_path).find(name)
    assert "UTF-8" in caught.value.remedy


def test_a_name_that_no_reading_gives_has_a_remedy_that_helps(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", {b"\xff\xfe\x81.png": b"1"})
    with pytest.raises(PictureFault, match="is missing") as caught:
        media(tmp_path).find("猫.png")
    assert "a.zip" in caught.value.remedy
    assert "UTF-8" in caught.value.remedy
    with pytest.raises(PictureFault) as caught:
        media(tmp_path).find("cat.png")
    assert "UTF-8" not in caught.value.remedy


def test_a_stated_unicode_path_decides(tmp_path: Path) -> None:
    raw, body = b"?\x81.png", "猫.png".encode()
    field = struct.pack("<HHBL", 0x7075, 5 + len(body), 1, zlib.crc32(raw)) + body
    packed(tmp_path / "a.zip", {raw: b"cat"}, {raw: field})
    assert media(tmp_path).find("猫.png").read() == b"cat"


@given(st.binary(max_size=40))
def test_any_extra_field_is_read_without_an_error(extra: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(_Unflagged(b"\x81.png"), b"1")
    (info,) = zipfile.ZipFile(out).infolist()
    info.extra = extra
    assert isinstance(stated_name(info), str)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_every_name_reads_as_itself(name: str) -> None:
    for form in ("NFC", "NFD"):
        asked = unicodedata.normalize(form, name)
        assert Names([(name, None)]).find(asked) == [name]
        for encoding in ENCODINGS:
            try:
                raw = asked.encode(encoding)
            except UnicodeEncodeError:
                continue
            assert Names([("key", raw)]).find(asked) == ["key"]


OTHERS = {
    "cp852": "żółw.png",
    "cp1250": "žluť.png",
    "cp737": "φως.png",
    "cp1254": "ışık.png",
    "cp862": "שלט.png",
    "cp874": "รูป.png",
    "koi8-r": "фото.png",
    "mac-roman": "été.png",
    "euc-jp": "写真.png",
}


@pytest.mark.parametrize("encoding", OTHERS)
def test_a_zip_of_any_language_is_read(tmp_path: Path, encoding: str) -> None:
    packed(tmp_path / "a.zip", {OTHERS[encoding].encode(encoding): b"x", b"b.png": b"y"})
    assert media(tmp_path).find(OTHERS[encoding]).read() == b"x"


def test_a_name_that_fits_two_members_is_none_even_by_the_specification(tmp_path: Path) -> None:
    both = {"é.png".encode("cp437"): b"dos", "é.png".encode("cp1252"): b"windows"}
    packed(tmp_path / "a.zip", both)
    with pytest.raises(PictureFault, match="could be any of 2 members"):
        media(tmp_path).find("é.png")


@pytest.mark.parametrize("written", ["sub/b.png", "a/sub/b.png"])
@pytest.mark.parametrize(
    "stored",
    [
        b"./sub/b.png",
        b"/sub/b.png",
        b"sub//b.png",
        b"sub/./b.png",
        b"sub\\b.png",
        b"a\\sub\\b.png",
    ],
)
def test_a_path_is_found_however_a_packer_wrote_it(
    tmp_path: Path, stored: bytes, written: str
) -> None:
    packed(tmp_path / "a.zip", {stored: b"x", b"other.png": b"y"})
    found = media(tmp_path)
    assert found.find(written).read() == b"x"
    assert found.names_in(written.rpartition("/")[0]) == ["b.png"]


def test_backslashes_and_an_unsaid_encoding_go_together(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", {"图片\\红.png".encode("gbk"): b"x"})
    assert media(tmp_path).find("图片/红.png").read() == b"x"
    # The second byte of this letter is that of a backslash.
    packed(tmp_path / "b.zip", {"表/能.png".encode("cp932"): b"y"})
    assert media(tmp_path).find("表/能.png").read() == b"y"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_zip_named_as_its_folder_is_known_in_either_form(tmp_path: Path, form: str) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    stem = unicodedata.normalize(form, "Bäume")  # type: ignore[arg-type]
    packed(tmp_path / f"{stem}.zip", {b"a.png": b"x"})
    written = unicodedata.normalize(other, "Bäume")  # type: ignore[arg-type]
    assert media(tmp_path).find(f"{written}/a.png").read() == b"x"


@given(st.lists(st.sampled_from(["a", "b", ".", "", ".."]), min_size=1, max_size=8))
def test_tidied_leads_where_the_path_led(parts: list[str]) -> None:
    path = "/".join([*parts, "x"])
    kept = [part for part in path.split("/") if part not in ("", ".")]
    assert tidied(path) == "/".join(kept)
