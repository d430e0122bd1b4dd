"""Trajectories in the original's published form: no key of ours, and its own names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from exchanged import seeds_of
from PIL import Image

from pixel_core.config import DialogueConfig, PixelBudget, ZoomConfig
from pixel_core.data.exchange.importing import ImportJob
from pixel_core.errors import DataError
from pixel_core.records import Cue, FrameCue, Trajectory, TrajectoryKind, read_jsonl
from pixel_core.rollout.tool_calls import ZoomCall, parse_turn
from pixel_core.workflow.stage import SilentProgress

#: Shown at its own size; boxes in parts of it.
PARTS = DialogueConfig(zoom=ZoomConfig(padding=0.0))
#: Shown at half of it; boxes in whole pixels as shown.
HALF = PixelBudget(min_pixels=280 * 224, max_pixels=280 * 224)
PIXELS = DialogueConfig(picture=HALF, zoom=ZoomConfig(coordinates="pixel", padding=0.0))
QUESTION = "What is on the sign?"
GUIDELINES = "\n\nGuidelines: Understand the picture. Put your answer in \\boxed{}."
SIZE = (560, 448)


def call(name: str, **arguments: Any) -> str:
    body = json.dumps({"name": name, "arguments": arguments})
    return f"Let me look.\n<tool_call>\n{body}\n</tool_call>"


def zoom(box: Sequence[float], name: str = "crop_image_normalized", target: int = 1) -> str:
    return call(name, bbox_2d=list(box), target_image=target)


def picture_record(said: Sequence[str], image: Any = "images/a.png") -> dict[str, Any]:
    """As published: what the user shows is a crop, or the text of an error."""
    messages = [
        {"role": "system", "content": [{"text": "You are a helpful assistant."}]},
        {"role": "user", "content": [{"image": image}, {"text": QUESTION + GUIDELINES}]},
    ]
    for text in said:
        messages.append({"role": "assistant", "content": [{"text": text}]})
        messages.append({"role": "user", "content": [{"text": "the crop"}, {"image": image}]})
    return {"message_list": messages[:-1]}


def video_record(said: Sequence[str]) -> dict[str, Any]:
    record = picture_record(said)
    frames = [f"frames/{number}.png" for number in range(6)]
    record["message_list"][1]["content"][0] = {"video": frames}
    return record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "frames").mkdir()
    Image.linear_gradient("L").resize(SIZE).save(tmp_path / "images" / "a.png")
    for number in range(6):
        Image.new("RGB", (224, 168), (40 * number,) * 3).save(
            tmp_path / "frames" / f"{number}.png"
        )
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG no more")
    return tmp_path


def imported(
    folder: Path, records: Sequence[Any], dialogue: DialogueConfig = PARTS
) -> tuple[list[Trajectory], dict[str, int]]:
    path = folder / "data.json"
    path.write_text(json.dumps(list(records)))
    job = ImportJob(path, "original", folder, dialogue)
    counts = job.run(folder / "in", SilentProgress())
    made = list(read_jsonl(folder / "in" / "trajectories.jsonl", Trajectory))
    return made, counts["rejected"]


WRONG, LARGE, RIGHT = (0.6, 0.6, 0.9, 0.9), (0.05, 0.05, 0.8, 0.8), (0.1, 0.1, 0.3, 0.3)
ANSWER = "It says \\boxed{stop}"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ([ANSWER], TrajectoryKind.TEXT_ONLY),
        ([zoom(RIGHT), ANSWER], TrajectoryKind.SINGLE_PASS),
        ([zoom(WRONG), zoom(RIGHT), ANSWER], TrajectoryKind.RECROP_ONCE),
        (
            [zoom(WRONG), zoom((0.6, 0.1, 0.9, 0.3)), zoom(RIGHT), ANSWER],
            TrajectoryKind.RECROP_TWICE,
        ),
        ([zoom(LARGE), zoom(RIGHT), ANSWER], TrajectoryKind.FURTHER_ZOOM),
    ],
)
def test_kind_masks_and_cue_follow_from_the_operations(
    folder: Path, said: list[str], kind: TrajectoryKind
) -> None:
    (made,), rejected = imported(folder, [picture_record(said)])
    assert rejected == {}
    assert made.kind is kind
    masked = [[turn.text[start:stop] for start, stop in turn.untrained] for turn in made.turns]
    for call_spans in masked[:-2]:  # every call but the last was a mistake
        (span,) = call_spans
        assert span.startswith("<tool_call>")
        assert span.endswith("</tool_call>")
    assert masked[-2:] == [[]] * len(masked[-2:])
    (seed,) = seeds_of(folder / "in")
    assert (seed.id, seed.question, seed.answers) == (made.seed_id, QUESTION, ("stop",))
    assert (seed.pictures[0].width, seed.pictures[0].height) == SIZE
    if len(said) > 1:
        assert isinstance(seed.cue, Cue)
        # A tenth to three tenths of 560 x 448 pixels, rounded outwards.
        assert seed.cue.box.as_tuple() == (56, 44, 168, 135)
    else:
        assert seed.cue is None


@pytest.mark.parametrize("name", ["crop_image_normalized", "crop_image", "zoom_in"])
@pytest.mark.parametrize(
    ("dialogue", "box"),
    [(PARTS, (0.1, 0.125, 0.3, 0.375)), (PIXELS, (28, 28, 84, 84))],
)
@pytest.mark.parametrize("given", [(0.1, 0.125, 0.3, 0.375), (56, 56, 168, 168)])
def test_names_and_boxes_become_ours(
    folder: Path,
    name: str,
    dialogue: DialogueConfig,
    box: tuple[float, ...],
    given: tuple[float, ...],
) -> None:
    if name == "crop_image_normalized" and max(given) > 1:
        with pytest.raises(DataError, match="call_refused"):
            imported(folder, [picture_record([zoom(given, name), ANSWER])], dialogue)
        return
    (made,), _ = imported(folder, [picture_record([zoom(given, name), ANSWER])], dialogue)
    found = parse_turn(made.turns[0].text, dialogue.zoom)
    assert found == ZoomCall(box=box, target=1)  # type: ignore[arg-type]
    assert made.turns[0].text.startswith("Let me look.\n<tool_call>{")


def test_a_crop_is_zoomed_into_in_its_own_pixels(folder: Path) -> None:
    """The half of the picture's right half, named in pixels of that half."""
    said = [
        zoom((280, 0, 560, 448), "crop_image"),
        zoom((0, 0, 140, 224), "crop_image", target=2),
        ANSWER,
    ]
    (made,), _ = imported(folder, [picture_record(said)])
    second = parse_turn(made.turns[1].text, PARTS.zoom)
    assert second == ZoomCall(box=(0.0, 0.0, 0.5, 0.5), target=2)
    (seed,) = seeds_of(folder / "in")
    assert isinstance(seed.cue, Cue)
    assert seed.cue.box.as_tuple() == (280, 0, 420, 224)


def test_videos_keep_their_frames_and_what_was_selected(folder: Path) -> None:
    right, wrong = ({"target_frames": frames} for frames in ([3, 4], [1]))
    records = [
        video_record([call("select_frames", **right), ANSWER]),
        video_record([call("select_frames", **wrong), call("select_frames", **right), ANSWER]),
    ]
    made, rejected = imported(folder, records)
    assert rejected == {}
    assert [one.kind for one in made] == [
        TrajectoryKind.SINGLE_PASS,
        TrajectoryKind.RESELECT,
    ]
    (seed,) = seeds_of(folder / "in")
    assert seed.is_video
    assert len(seed.pictures) == 6
    assert seed.cue == FrameCue(frames=(2, 3))
    assert made[1].turns[0].untrained
    assert not made[1].turns[1].untrained


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"conversations": []}, "not_a_record"),
        (picture_record([]), "no_conversation"),
        (picture_record(["no box"]), "no_answer"),
        (picture_record([ANSWER + zoom(RIGHT)]), "no_answer"),
        (picture_record(["I just talk.", ANSWER]), "bad_call"),
        (picture_record([zoom(RIGHT) + zoom(WRONG), ANSWER]), "several_calls"),
        (picture_record([zoom(RIGHT).replace("}", ""), ANSWER]), "bad_call"),
        (picture_record([zoom(RIGHT).replace("</tool_call>", ""), ANSWER]), "bad_call"),
        (picture_record([zoom(RIGHT, "rotate"), ANSWER]), "bad_call"),
        (picture_record([zoom(["a", 0, 1, 1]), ANSWER]), "bad_call"),  # type: ignore[list-item]
        (picture_record([call("select_frames", target_frames=[1]), ANSWER]), "bad_call"),
        (picture_record([zoom((0, 0, 900, 100)), ANSWER]), "call_refused"),
        (picture_record([zoom((0.3, 0.3, 0.1, 0.1)), ANSWER]), "call_refused"),
        (picture_record([zoom(RIGHT, target=3), ANSWER]), "call_refused"),
        (picture_record([zoom((0.1, 0.1, 0.101, 0.101)), ANSWER]), "call_refused"),
        (video_record([call("select_frames", target_frames=[9]), ANSWER]), "call_refused"),
        (picture_record([ANSWER], image="images/gone.png"), "picture_path"),
        (picture_record([ANSWER], image="images/broken.png"), "picture_damaged"),
        (picture_record([ANSWER], image={"bytes": "x"}), "not_a_record"),
    ],
)
def test_what_cannot_be_used_is_counted_by_reason(
    folder: Path, record: dict[str, Any], reason: str
) -> None:
    good = picture_record([zoom(RIGHT), ANSWER])
    made, rejected = imported(folder, [record, good])
    assert rejected == {reason: 1}
    assert len(made) == 1


def test_two_trajectories_of_a_question_share_its_seed(folder: Path) -> None:
    """Even when they do not look at the same place."""
    records = [picture_record([zoom(box), ANSWER]) for box in (RIGHT, (0.1, 0.1, 0.3, 0.31))]
    made, rejected = imported(folder, [*records, records[0]])
    assert rejected == {"repeated": 1}
    assert len({one.id for one in made}) == 2
    (seed,) = seeds_of(folder / "in")
    assert {one.seed_id for one in made} == {seed.id}


def test_a_file_of_nothing_but_rejects_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no record of .*\{'no_answer': 1\}"):
        imported(folder, [picture_record(["no box"])])
