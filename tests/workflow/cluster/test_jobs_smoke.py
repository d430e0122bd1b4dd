"""The real stages of ``smoke`` as jobs: what they make is what a run at home makes.

Slow: a cold run of ``smoke`` and five jobs.
"""

from __future__ import annotations

import signal
from typing import Any

import httpx
import pytest
from real_ray import RealRay, real_ray
from real_runs import RealPixel, SmokeRun, ended, statuses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TRAINED = ("sft", "rl")
ANSWERED = ("answers_base", "answers_warm_start", "answers_policy")


def on(ray: RealRay, *sections: str) -> list[str]:
    """Arguments that place these sections' stages on the cluster."""
    settings = [f"{section}.place.on=ray" for section in sections]
    settings.append(f"cluster.address={ray.address}")
    return [part for setting in settings for part in ("--set", setting)]


def found(ray: RealRay, store: str) -> list[dict[str, Any]]:
    """The jobs that made stages in this store."""
    listed = httpx.get(f"{ray.address}/api/jobs/", timeout=30).json()
    return [
        job
        for job in listed
        if "workflow.cluster.job " in job["entrypoint"] and store in job["entrypoint"]
    ]


def jobs(ray: RealRay, store: str) -> list[str]:
    return [job["status"] for job in found(ray, store)]


def test_training_and_answers_through_jobs_equal_those_of_a_local_run(
    smoke: SmokeRun, copy_of_smoke: RealPixel, ray_cluster: RealRay
) -> None:
    stages = (*TRAINED, *ANSWERED)
    copy_of_smoke.forget(*stages)
    output = copy_of_smoke.run(*on(ray_cluster, "sft", "rl", "answers"))
    made = statuses(output)
    assert {made[stage] for stage in stages} == {"built"}
    assert made["evaluate"] == "reused"
    for stage in stages:
        assert copy_of_smoke.artifact(stage).digest == smoke.pixel.artifact(stage).digest
    assert jobs(ray_cluster, copy_of_smoke.store) == ["SUCCEEDED"] * len(stages)


def test_a_killed_run_of_sft_meets_its_job(
    smoke: SmokeRun, copy_of_smoke: RealPixel, ray_cluster: RealRay
) -> None:
    copy_of_smoke.forget("sft", *ANSWERED[1:], "rl")
    arguments = ("run", "--profile", "smoke", "--until", "sft", *on(ray_cluster, "sft"))
    first = copy_of_smoke.start(*arguments)
    copy_of_smoke.wait_for_checkpoint("sft", first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = ended(copy_of_smoke.start(*arguments))
    assert second.returncode == 0, second.stderr
    # On a busy machine the job may have ended before the second run met it: no harm either.
    assert copy_of_smoke.weights("sft") == smoke.pixel.weights("sft")
    assert jobs(ray_cluster, copy_of_smoke.store) == ["SUCCEEDED"]


def test_a_stopped_job_saves_its_step_and_the_next_goes_on_from_it(
    smoke: SmokeRun, copy_of_smoke: RealPixel, ray_cluster: RealRay
) -> None:
    copy_of_smoke.forget("sft", *ANSWERED[1:], "rl")
    arguments = ("run", "--profile", "smoke", "--until", "sft", *on(ray_cluster, "sft"))
    first = copy_of_smoke.start(*arguments)
    copy_of_smoke.wait_for_checkpoint("sft", first)
    [id] = [job["submission_id"] for job in found(ray_cluster, copy_of_smoke.store)]
    httpx.post(f"{ray_cluster.address}/api/jobs/{id}/stop", timeout=30)
    stopped = ended(first)
    assert stopped.returncode == 1
    assert "the last step is being saved" in stopped.stdout
    assert f"the job {id} was stopped on the cluster" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    again = ended(copy_of_smoke.start(*arguments))
    assert again.returncode == 0, again.stderr
    assert copy_of_smoke.weights("sft") == smoke.pixel.weights("sft")
    assert sorted(jobs(ray_cluster, copy_of_smoke.store)) == ["STOPPED", "SUCCEEDED"]


def test_a_stage_through_an_s3_store(
    smoke: SmokeRun, s3_uri: str, s3_endpoint: str, real_pixel: type[RealPixel]
) -> None:
    credentials = {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with real_ray(nodes=1, environment=credentials) as ray:
        pixel = real_pixel(s3_uri)
        pixel.run("--until", "answers_base", *on(ray, "answers"))
        assert jobs(ray, s3_uri) == ["SUCCEEDED"]
        for job in httpx.get(f"{ray.address}/api/jobs/", timeout=30).json():
            assert "testing" not in str(job), "a credential is on the cluster's page"
    assert pixel.artifact("answers_base").digest == smoke.pixel.artifact("answers_base").digest
