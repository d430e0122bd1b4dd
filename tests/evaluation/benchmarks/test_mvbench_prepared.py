"""MVBench as a stage: videos become pictures of seeds, and what is missing is told by task."""

from __future__ import annotations

from pathlib import Path

import pytest
from mvbench_copy import row, write_main, write_rows
from preparing import prepared
from real_videos import number_on

from pixel_core.errors import DataError
from pixel_core.records import Query


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_main(tmp_path_factory.mktemp("main"))


def test_what_is_missing_is_told_by_task(main: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / "out", "mvbench", local=str(main))
    text = str(caught.value)
    assert "action_count: 0 questions, published are 200" in text
    assert "object_existence: 2 questions, published are 200" in text
    assert "fine_grained_pose: 1 of 1 questions lack files" in text
    assert "rose1.ntu.edu.sg" in text
    assert "benchmarks.mvbench.incomplete = true" in text


def test_frames_in_their_order_for_each_question(main: Path, tmp_path: Path) -> None:
    done = prepared(tmp_path / "out", "mvbench", local=str(main), incomplete=True, frames=4)
    found = {}
    with_pictures = done.pictures()
    for seed in done.seeds:
        assert seed.is_video
        images = [with_pictures.load(picture) for picture in seed.pictures]
        found[Query.from_seed(seed).id.removeprefix("mvbench-")] = [
            number_on(image) for image in images
        ]
    assert found == {
        "action_sequence-1": [12, 17, 22, 27],
        "action_antonym-1": [6, 18, 30, 43],
        "object_existence-1": [6, 18, 30, 43],
        "object_existence-2": [6, 18, 30, 43],
        "egocentric_navigation-1": [6, 18, 30, 43],
        "episodic_reasoning-1": [8, 12, 17, 22],
    }
    assert not done.facts.complete
    assert done.facts.mean_of_kinds
    assert done.facts.kinds["fine_grained_pose"].used == 0


def test_the_same_copy_makes_the_same_bytes(main: Path, tmp_path: Path) -> None:
    settings = {"local": str(main), "incomplete": True, "frames": 2, "shuffle_seed": 3}
    one = prepared(tmp_path / "one", "mvbench", **settings)  # type: ignore[arg-type]
    other = prepared(tmp_path / "other", "mvbench", **settings)  # type: ignore[arg-type]
    assert one.files() == other.files()
    assert {seed.answers for seed in one.seeds} == {("Took the box.",)}


def test_a_damaged_video_costs_its_question_alone(tmp_path: Path) -> None:
    root = write_main(tmp_path / "copy")
    path = root / "video" / "ssv2_video" / "166583.webm"
    path.write_bytes(path.read_bytes()[:500])
    done = prepared(tmp_path / "out", "mvbench", local=str(root), incomplete=True)
    assert "mvbench-action_antonym-1" not in {seed.id for seed in done.seeds}
    assert len(done.seeds) == 5
    assert any("166583.webm" in note for note in done.notes)


def test_no_question_can_be_put(tmp_path: Path) -> None:
    write_rows(tmp_path / "copy", {"state_change": [row("gone.mp4")]})
    with pytest.raises(DataError, match=r"gone\.mp4"):
        prepared(tmp_path / "out", "mvbench", local=str(tmp_path / "copy"), incomplete=True)
