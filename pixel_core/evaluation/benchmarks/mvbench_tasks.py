"""MVBench's twenty tasks: where their videos lie, and which ask about a part of them.

Source: for the branch ``main`` of huggingface.co/datasets/OpenGVLab/MVBench, whose videos are
whole, the authors' notebook (github.com/OpenGVLab/Ask-Anything, video_chat2/mvbench.ipynb,
``data_list``); for its branch ``video``, where the parts are already cut out, lmms-eval 0.7.3
(tasks/mvbench/utils.py, ``DATA_LIST``). A task has 200 questions, all together 4,000 (arXiv
2311.17005, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Questions per task.
QUESTIONS = 200

#: Frame rate of the folders of frames, whose files count from 00001.jpg.
FRAMES_RATE = 3

#: The task whose NTU RGB+D videos their licence keeps out of the branch ``main``.
POSE = "fine_grained_pose"


@dataclass(frozen=True)
class MVBenchTask:
    """``name``: of its file ``json/<name>.json``, and the kind of its questions."""

    name: str
    #: Folder of the whole videos, below ``video/``.
    whole: str
    #: Folder of the videos cut to the part asked about; the same if that is the whole video.
    cut: str
    #: Whether each question gives the seconds it is about.
    bounded: bool = False


def _task(name: str, whole: str, cut: str = "", *, bounded: bool = False) -> MVBenchTask:
    return MVBenchTask(name, whole, cut or whole, bounded)


_STAR = ("star/Charades_v1_480", "star/Charades_segment")
_CLEVRER = "clevrer/video_validation"
_PERCEPTION = "perception/videos"

#: In the notebook's order.
TASKS: Mapping[str, MVBenchTask] = {
    task.name: task
    for task in (
        _task("action_sequence", *_STAR, bounded=True),
        _task("action_prediction", *_STAR, bounded=True),
        _task("action_antonym", "ssv2_video", "ssv2_video_mp4"),
        _task("fine_grained_action", "Moments_in_Time_Raw/videos"),
        _task("unexpected_action", "FunQA_test/test"),
        _task("object_existence", _CLEVRER),
        _task("object_interaction", *_STAR, bounded=True),
        _task("object_shuffle", _PERCEPTION),
        _task("moving_direction", _CLEVRER),
        _task("action_localization", "sta/sta_video", "sta/sta_video_segment", bounded=True),
        _task("scene_transition", "scene_qa/video"),
        _task("action_count", _PERCEPTION),
        _task("moving_count", _CLEVRER),
        _task("moving_attribute", _CLEVRER),
        _task("state_change", _PERCEPTION),
        _task(POSE, "nturgbd", "nturgbd_convert"),
        _task("character_order", _PERCEPTION),
        _task("egocentric_navigation", "vlnqa"),
        _task(
            "episodic_reasoning",
            "tvqa/frames_fps3_hq",
            "tvqa/video_fps3_hq_segment",
            bounded=True,
        ),
        _task("counterfactual_inference", _CLEVRER),
    )
}

#: Published questions of each kind.
KINDS: Mapping[str, int] = dict.fromkeys(TASKS, QUESTIONS)

#: Files to fetch from the hub, for either branch.
FILES = (
    "json/*.json",
    *sorted({f"{task.cut}/*" for task in TASKS.values()}),
    "data0613/*",
    "video/*",
)
