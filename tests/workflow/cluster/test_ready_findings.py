"""What speaks against nodes whose answers are these."""

from __future__ import annotations

import pytest

from pixel_core.config import ClusterConfig, PipelineConfig
from pixel_core.errors import ClusterError
from pixel_core.workflow.cluster.findings import findings
from pixel_core.workflow.cluster.survey import ClusterSurvey, NodeAnswer, StoreAnswer, read_node
from pixel_core.workflow.cluster.versions import wanted_versions

SHARED = StoreAnswer(seen=True, answered=True)


def _node(number: int, **values: object) -> NodeAnswer:
    wanted = wanted_versions(ClusterConfig())
    sound = {
        "node": f"{number:08x}",
        "address": "10.0.0.1",
        "host": "gpu",
        "cpus": 8,
        "gpus": 0,
        "memory_gib": 64,
        "python": f"{wanted.pop('python')}.9",
        "packages": wanted,
        "store": SHARED,
    }
    return NodeAnswer.model_validate({**sound, **values})


def _told(*nodes: NodeAnswer) -> list[tuple[str, str, str]]:
    survey = ClusterSurvey(address="http://head:8265", ray="2.55.0", nodes=nodes)
    found = findings(survey, PipelineConfig(), (), "/store")
    return [(one.level, one.where, one.what) for one in found]


def test_nothing_speaks_against_sound_nodes():
    assert _told(_node(1), _node(2)) == []


H100 = [("NVIDIA H100", 79.6)]


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        ({"gpus": 8, "devices": H100 * 4}, "error", "Ray offers 8 GPUs, there are 4"),
        ({"gpus": 0, "devices": H100 * 8}, "warning", "Ray offers 0 of 8 GPUs"),
        (
            {"gpus": 8, "devices": H100 * 8, "devices_error": "driver too old"},
            "error",
            "torch can't use its 8 GPUs: driver too old",
        ),
        ({"failed": "it gave no answer"}, "error", "it gave no answer"),
        ({"store": StoreAnswer()}, "error", "does not see what was just written"),
        ({"store": StoreAnswer(seen=True)}, "error", "does not arrive in /store"),
    ],
)
def test_each_fault_is_told_of_its_node(values, level, words):
    ((found_level, where, what),) = _told(_node(1), _node(2, **values))
    assert found_level == level
    assert where == "gpu/00000002"
    assert words in what


def test_a_head_that_takes_no_work_may_lack_what_work_needs():
    packages = {"ray": wanted_versions(ClusterConfig())["ray"]}
    head = _node(1, cpus=0, packages=packages, store=StoreAnswer(error="no route"))
    ((level, _, what),) = _told(head, _node(2))
    assert level == "warning"
    assert "no route" in what


def test_a_fault_of_many_nodes_is_told_once():
    broken = [_node(number, store=StoreAnswer()) for number in range(1, 7)]
    ((_, where, _),) = _told(_node(0), *broken)
    assert where == "gpu/00000001, gpu/00000002, gpu/00000003, gpu/00000004 and 2 more"


def test_an_answer_cannot_move_the_cursor():
    node = _node(1, host="gpu\x1b[2J\r\n", packages={"ray": "2.55\x07"})
    assert node.host == "gpu [2J"
    assert node.packages == {"ray": "2.55"}


@pytest.mark.parametrize("text", ["{}", "[1]", '{"node": "../../etc"}', "not JSON"])
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(ClusterError, match="form"):
        read_node(text)
