"""MVBench's two published forms: which video, which part of it, and which frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mvbench_copy import items, opened, row, write_cut, write_main, write_rows
from real_videos import number_on, write_video

from pixel_core.data.faults import Problems
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.mvbench import MVBenchReader
from pixel_core.evaluation.benchmarks.mvbench_tasks import KINDS, TASKS
from pixel_core.evaluation.benchmarks.reading import Item
from pixel_core.media.loading import load_picture
from pixel_core.media.picture_zip import PictureFault


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_main(tmp_path_factory.mktemp("main"))


def shown(reader: MVBenchReader, item: Item) -> list[int]:
    files = [reader.media.find(path) for path in item.paths]
    return [number_on(load_picture(file.read())) for file in reader.pictures(item, files)]


def test_twenty_tasks_of_two_hundred() -> None:
    assert len(TASKS) == 20
    assert sum(KINDS.values()) == 4_000
    bounded = {task.name for task in TASKS.values() if task.bounded}
    assert bounded == {
        "action_sequence",
        "action_prediction",
        "action_localization",
        "object_interaction",
        "episodic_reasoning",
    }


def test_a_question_as_it_is_written(main: Path) -> None:
    item = items(opened(main))["mvbench-action_sequence-1"]
    assert item.question == "What happened after the person took the food?"
    assert item.choices == ("Ate the medicine.", "Tidied up the blanket.", "Took the box.")
    assert item.accepted == ("Took the box.",)
    assert (item.kind, item.is_video) == ("action_sequence", True)
    assert item.place == "action_sequence.json, entry 1"


def test_frames_in_the_middle_of_equal_parts(main: Path) -> None:
    """Frames 0 to 49 in four parts of 12.25 frames, as the authors' notebook counts."""
    reader = opened(main)
    for id in ("action_antonym-1", "object_existence-1", "egocentric_navigation-1"):
        assert shown(reader, items(reader)[f"mvbench-{id}"]) == [6, 18, 30, 43]


def test_only_the_part_that_is_asked_about(main: Path) -> None:
    """0.4 s to 1.2 s are the frames 10 to 30; the video is in a zip."""
    reader = opened(main)
    assert shown(reader, items(reader)["mvbench-action_sequence-1"]) == [12, 17, 22, 27]


def test_a_folder_of_frames_in_a_zip(main: Path) -> None:
    """2 s to 8 s at three frames a second are the files 6 to 24."""
    reader = opened(main)
    item = items(reader)["mvbench-episodic_reasoning-1"]
    assert [Path(path).name for path in item.paths] == [
        "00008.jpg",
        "00012.jpg",
        "00017.jpg",
        "00022.jpg",
    ]
    assert shown(reader, item) == [8, 12, 17, 22]


def test_the_same_folder_unpacked(main: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(main, copy)
    for name in ("tvqa", "star"):
        shutil.unpack_archive(copy / "video" / f"{name}.zip", copy / "video")
        (copy / "video" / f"{name}.zip").unlink()
    reader = opened(copy)
    assert shown(reader, items(reader)["mvbench-episodic_reasoning-1"]) == [8, 12, 17, 22]
    assert shown(reader, items(reader)["mvbench-action_sequence-1"]) == [12, 17, 22, 27]


def test_files_linked_to_as_in_the_hubs_cache(main: Path, tmp_path: Path) -> None:
    """Each file is a link to where its content lies, apart from the dataset's folder."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "a776e55"
    blobs.mkdir()
    for number, path in enumerate(path for path in main.rglob("*") if path.is_file()):
        shutil.copy(path, blobs / str(number))
        link = snapshot / path.relative_to(main)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blobs / str(number))
    reader = opened(snapshot, links=tmp_path)
    assert shown(reader, items(reader)["mvbench-action_sequence-1"]) == [12, 17, 22, 27]
    assert shown(reader, items(reader)["mvbench-object_existence-1"]) == [6, 18, 30, 43]
    with pytest.raises(PictureFault, match="leads out of the pictures folder"):
        opened(snapshot).media.find("clevrer/video_validation/video_10009.mp4")


def test_a_video_that_replaced_a_doubled_one_lies_apart(main: Path) -> None:
    reader = opened(main)
    item = items(reader)["mvbench-object_existence-2"]
    assert item.paths == ("data0613/clevrer/video_validation/video_12000.mp4",)
    assert len(shown(reader, item)) == 4


def test_videos_that_are_cut_already_are_shown_whole(tmp_path: Path) -> None:
    """The seconds in the row are those of the whole video, which is not there."""
    reader = opened(write_cut(tmp_path))
    assert shown(reader, items(reader)["mvbench-action_localization-1"]) == [6, 18, 30, 43]


def test_where_parts_are_cut_out_a_row_may_lack_their_seconds(tmp_path: Path) -> None:
    root = write_cut(tmp_path)
    write_rows(root, {"action_localization": [row("EK5K1_19.5_36.4.mp4")]})
    assert items(opened(root))["mvbench-action_localization-1"].detail.bounds is None
    (root / "video").mkdir()
    assert "is no time in seconds" in told(root)


def test_fewer_frames_than_asked_for_are_each_shown_once(tmp_path: Path) -> None:
    root = write_cut(tmp_path)
    write_video(root / TASKS["action_localization"].cut / "EK5K1_19.5_36.4.mp4", frames=3)
    reader = opened(root, frames=16)
    assert shown(reader, items(reader)["mvbench-action_localization-1"]) == [0, 1, 2]


def test_videos_that_a_licence_keeps_out_say_how_they_are_had(main: Path) -> None:
    reader = opened(main)
    [path] = items(reader)["mvbench-fine_grained_pose-1"].paths
    with pytest.raises(PictureFault) as caught:
        reader.media.find(path)
    assert caught.value.fault == "is missing"
    for word in ("NTU RGB+D", "rose1.ntu.edu.sg", "MVBench_videos_ntu.txt", "incomplete"):
        assert word in caught.value.remedy


# --- faults ---------------------------------------------------------------------------


def told(root: Path) -> str:
    """What is wrong with its rows."""
    problems = Problems("MVBench")
    list(opened(root).items(problems))
    with pytest.raises(DataError) as caught:
        problems.raise_if_any()
    return str(caught.value)


def test_every_fault_of_every_row_is_told_at_once(tmp_path: Path) -> None:
    part = {"start": 1, "end": 2.5}
    faulty = {
        "video": row("", **part),
        "question": row("a.mp4", question="  ", **part),
        "candidates": row("a.mp4", candidates=["one"], **part),
        "answer": row("a.mp4", answer="Something else.", **part),
        "start": row("a.mp4", start="soon", end=2),
        "end": row("a.mp4", start=3, end=2),
    }
    (tmp_path / "video").mkdir()
    write_rows(tmp_path, {"action_sequence": [*faulty.values(), "no object"]})
    text = told(tmp_path)
    assert "7 problems" in text
    for number, name in enumerate(faulty, 1):
        assert f"action_sequence.json, entry {number}, field {name!r}" in text
    assert 'entry 7: "no object" is not a JSON object' in text


def test_one_that_is_listed_twice_has_no_key(tmp_path: Path) -> None:
    twice = row("a.mp4", candidates=["red", "red", "blue"], answer="red")
    write_rows(tmp_path, {"state_change": [twice]})
    assert "is not exactly one of the candidates" in told(tmp_path)


def test_counts_may_be_numbers(tmp_path: Path) -> None:
    write_rows(tmp_path, {"moving_count": [row("a.mp4", candidates=[0, 1, 2], answer=2)]})
    assert items(opened(tmp_path))["mvbench-moving_count-1"].accepted == ("2",)


@pytest.mark.parametrize("text", ["", "{", '{"video": 1}', "[" * 100_000])
def test_a_file_that_holds_no_questions(tmp_path: Path, text: str) -> None:
    write_rows(tmp_path, {"state_change": []})
    (tmp_path / "json" / "state_change.json").write_text(text)
    with pytest.raises(DataError, match=r"state_change\.json"):
        items(opened(tmp_path))


def test_a_folder_without_any_questions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"benchmarks\.mvbench\.local"):
        opened(tmp_path)


@pytest.mark.parametrize("video", ["../../secret.mp4", "a\\b.mp4", "a\0.mp4", "a\ud800.mp4"])
def test_a_path_that_leads_elsewhere_is_told(tmp_path: Path, video: str) -> None:
    (tmp_path / "video").mkdir()
    write_rows(tmp_path, {"state_change": [row(video)]})
    assert "state_change.json, entry 1, field 'video'" in told(tmp_path)


def test_a_path_from_the_root_is_one_below_the_task(tmp_path: Path) -> None:
    write_rows(tmp_path, {"state_change": [row("/etc/passwd")]})
    reader = opened(tmp_path)
    [path] = items(reader)["mvbench-state_change-1"].paths
    with pytest.raises(PictureFault, match="is missing"):
        reader.media.find(path)


def test_seconds_after_the_end_of_the_video(main: Path, tmp_path: Path) -> None:
    root = write_main(tmp_path)
    write_rows(root, {"action_sequence": [row("ZS9XR.mp4", start=60, end=70)]})
    reader = opened(root)
    item = items(reader)["mvbench-action_sequence-1"]
    with pytest.raises(PictureFault, match="60 s to 70 s has none of its frames"):
        shown(reader, item)


def test_a_folder_that_lacks_a_frame(tmp_path: Path) -> None:
    clip = {"start": 0, "end": 4}
    write_rows(tmp_path, {"episodic_reasoning": [row("clip", **clip)]})
    folder = tmp_path / "video" / TASKS["episodic_reasoning"].whole / "clip"
    folder.mkdir(parents=True)
    for number in (1, 2, 9, 10, 11, 12):
        (folder / f"{number:05d}.jpg").touch()
    assert "lacks the frames [5, 8] of 12" in told(tmp_path)


def test_a_damaged_video_is_a_fault_of_its_question(tmp_path: Path) -> None:
    root = write_cut(tmp_path)
    path = root / TASKS["action_localization"].cut / "EK5K1_19.5_36.4.mp4"
    path.write_bytes(path.read_bytes()[:1000])
    reader = opened(root)
    with pytest.raises(PictureFault, match="is not usable"):
        shown(reader, items(reader)["mvbench-action_localization-1"])


def test_tables_are_the_tasks_that_are_there(main: Path) -> None:
    names = [path.stem for path in opened(main).tables()]
    assert names == [task for task in TASKS if (main / "json" / f"{task}.json").exists()]
    assert len(names) == 6
