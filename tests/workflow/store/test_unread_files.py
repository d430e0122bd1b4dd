"""A stage on S3 is not sent the files of its inputs that it never opens."""

from __future__ import annotations

from pathlib import Path

from tiny_stages import NUMBERS, small

from pixel_core.workflow.runner import run_stage
from pixel_core.workflow.store import Artifact, Store
from pixel_core.workflow.store.cache import cache_root
from pixel_core.workflow.store.local_storage import remove_tree
from pixel_core.workflow.table import BY_NAME, MODELS


def made(store: Store) -> Artifact:
    artifact = run_stage(NUMBERS, small(), {}, store).artifact
    remove_tree(cache_root())  # as on another machine
    return artifact


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_part_is_fetched_and_later_the_rest(s3_uri: str) -> None:
    artifact = made(Store.open(s3_uri))
    part = artifact.local(("parts/o*.json",))
    assert files(part) == {"even.json"}
    assert artifact.local(("parts/o*.json",)) == part
    whole = artifact.local()
    assert files(whole) == {"even.json", "odd.json"}
    # Once all is here, that serves every reader.
    assert artifact.local(("parts/o*.json",)) == whole


def test_a_damaged_part_is_fetched_again(s3_uri: str) -> None:
    artifact = made(Store.open(s3_uri))
    damaged = artifact.local(("parts/o*.json",)) / "parts" / "even.json"
    damaged.write_text("[]")
    assert (artifact.local(("parts/o*.json",)) / "parts" / "even.json").read_text() != "[]"


def test_a_folder_store_has_its_files_where_they_are(tmp_path: Path) -> None:
    artifact = run_stage(NUMBERS, small(), {}, Store.open(str(tmp_path))).artifact
    assert artifact.local(("parts/*",)) == artifact.local()


def test_the_report_takes_no_weights() -> None:
    assert set(MODELS.values()) < set(BY_NAME["report"].needs)
    assert "model/*.safetensors" in BY_NAME["report"].unread
