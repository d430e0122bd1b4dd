"""Real nodes are asked, and answer: versions, the store, variables, GPUs."""

from __future__ import annotations

import json
from io import StringIO

import boto3
import pytest
from real_ray import OBJECT_STORE
from real_storage import free_port
from rich.console import Console
from typer.testing import CliRunner

from flows.cli.cluster import show, values
from flows.cli.main import app
from flows.request import RunRequest
from pixel_core.config import PipelineConfig
from pixel_core.errors import ClusterError
from pixel_core.workflow.cluster.cluster_state import ClusterState
from pixel_core.workflow.cluster.ready import Examination, check, examine
from pixel_core.workflow.store import Store
from pixel_core.workflow.table import BY_NAME

ANSWERS = BY_NAME["answers_base"]
SECRET = "wJalrXUtnFEMI-never-to-be-shown"


def _config(cluster: dict[str, object], **sections: object) -> PipelineConfig:
    return PipelineConfig.model_validate({"cluster": cluster, **sections})


@pytest.mark.slow
def test_sound_nodes_are_told_so_and_asked_once(ray_cluster, tmp_path):
    place, asked = str(tmp_path / "store"), f"cluster.address={ray_cluster.address}"
    overrides = (asked, "answers.place.on=ray")
    options = [part for override in overrides for part in ("--set", override)]
    command = ["cluster", "check", "--json", "--profile", "smoke", "--store", place, *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["ready"]
    assert told["findings"] == []
    assert len(told["nodes"]) == 3
    assert "answers_policy" in told["stages"]

    request, said = RunRequest("smoke", overrides, place), []
    config = request.config()
    store = request.open_store(config)
    check(config, store, [ANSWERS], said.append)
    assert said == []
    # Nothing of the question stays, neither here nor there.
    assert store.storage.entries("") == []
    assert all(job.ours is False for job in ClusterState(ray_cluster.address, 10).jobs())


@pytest.mark.slow
def test_too_little_room_is_told_without_a_job(ray_cluster, tmp_path):
    layout = {"train_batch": 128, "gpus_per_node": 8, "engines": 8}
    rl = {"backend": "openrlhf", "openrlhf": layout, "place": {"on": "ray", "cpus": 4}}
    config = _config({"address": ray_cluster.address}, rl=rl)
    said = []
    with pytest.raises(ClusterError) as refused:
        check(config, Store.open(str(tmp_path)), [BY_NAME["rl"]], said.append)
    assert "rl asks for 8 GPUs" in str(refused.value)
    assert "the cluster has 0 (none on any node)" in str(refused.value)
    assert "12 CPUs" in str(refused.value)
    assert "the cluster has 6 (2 + 2 + 2)" in str(refused.value)
    assert said == []


@pytest.fixture(scope="module")
def mixed(ray_cluster, s3_endpoint, tmp_path_factory) -> Examination:
    """What is found when the store is on S3 and only one node, the one with three CPUs, was
    given the way to it. That node and these variables are gone before another test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", f"http://user:{SECRET}@hub.example:8080/{SECRET}")
        patch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("ANNOTATOR_KEY", SECRET)
        node = ray_cluster.cluster.add_node(
            num_cpus=3,
            object_store_memory=OBJECT_STORE,
            dashboard_agent_listen_port=free_port(),
        )
        patch.delenv("ANNOTATOR_KEY")
        patch.delenv("HF_ENDPOINT")
        patch.setenv("PIXEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        boto3.client("s3").create_bucket(Bucket="asked")
        endpoint = {"base_url": "http://llm/v1", "model": "m", "api_key_env": "ANNOTATOR_KEY"}
        config = _config(
            {
                "address": ray_cluster.address,
                "versions": "gpu_plane",
                "environment": {"AWS_EC2_METADATA_DISABLED": "true", "NCCL_DEBUG": "WARN"},
            },
            answers={
                "engine": {"kind": "endpoint", "endpoint": endpoint},
                "place": {"on": "ray"},
            },
        )
        try:
            return examine(config, Store.open("s3://asked/here"), [ANSWERS])
        finally:
            ray_cluster.cluster.remove_node(node)
            ray_cluster.cluster.wait_for_nodes()


def _found(examination: Examination, part: str) -> tuple[str, str]:
    """Level and place of the one finding that says this."""
    (finding,) = (one for one in examination.findings if part in str(one))
    return finding.level, finding.where


@pytest.mark.slow
def test_a_store_that_some_nodes_do_not_reach_is_an_error_of_theirs(mixed):
    reached = [node for node in mixed.survey.nodes if node.store.shared]
    assert [node.cpus for node in reached] == [3.0]
    level, where = _found(mixed, "can't use the store s3://asked/here")
    assert level == "error"
    assert where.count("/") == 3
    assert reached[0].name not in where


@pytest.mark.slow
def test_a_variable_that_a_stage_needs_is_missed_where_it_is_not_set(mixed):
    level, where = _found(mixed, "ANNOTATOR_KEY is not set, which answers.engine.endpoint")
    assert level == "error"
    assert mixed.survey.nodes[0].name not in where


@pytest.mark.slow
def test_other_versions_are_told_of_all_nodes_at_once(mixed):
    (versions,) = (one for one in mixed.findings if "vllm" in one.what)
    assert (versions.level, versions.where) == ("error", "all 4 nodes")
    assert "vllm is missing (wanted 0.29.0)" in versions.what
    assert "ray is" not in versions.what


@pytest.mark.slow
def test_plain_variables_are_told_and_compared(mixed):
    first = mixed.survey.nodes[0]
    assert first.plain["NCCL_DEBUG"] == "WARN"  # of the profile, so on all nodes
    assert first.plain["HF_ENDPOINT"] == "hub.example:8080"
    assert {"AWS_SECRET_ACCESS_KEY", "ANNOTATOR_KEY"} <= set(first.hidden)
    assert _found(mixed, "us-east-1 on")[0] == "warning"


@pytest.mark.slow
def test_no_form_of_the_answer_shows_a_secret(mixed):
    page = StringIO()
    config = _config({"versions": "gpu_plane"})
    show(Console(file=page, width=150), mixed, config, [ANSWERS])
    told = json.dumps(values(mixed, config, [ANSWERS]))
    for node in mixed.survey.nodes:
        assert node.name in page.getvalue()
    assert "not ready: 3 errors" in page.getvalue()
    assert SECRET not in page.getvalue() + told
