"""The files for Kubernetes and the site's profile agree with each other and with the pins."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from pixel_core.config.profile import load_profile
from pixel_core.workflow.cluster.versions import gpu_plane_pins

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
SECRET = re.compile("KEY|TOKEN|PASSWORD|SECRET")


def documents(name: str) -> dict[str, dict[str, Any]]:
    """By kind."""
    loaded = yaml.safe_load_all((DEPLOYMENTS / name).read_text())
    return {document["kind"]: document for document in loaded}


def pods() -> list[dict[str, Any]]:
    spec = documents("raycluster.yaml")["RayCluster"]["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_sites_profile_names_the_service_of_the_ray_clusters_head() -> None:
    meta = documents("raycluster.yaml")["RayCluster"]["metadata"]
    service = f"{meta['name']}-head-svc.{meta['namespace']}.svc.cluster.local"
    assert load_profile(str(DEPLOYMENTS / "site.toml")).cluster.address == (
        f"http://{service}:8265"
    )


def test_the_ray_cluster_is_of_the_planes_version_and_does_not_scale_by_itself() -> None:
    spec = documents("raycluster.yaml")["RayCluster"]["spec"]
    assert spec["rayVersion"] == gpu_plane_pins()["ray"]
    assert spec["enableInTreeAutoscaling"] is False
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"]


def test_the_gpu_group_has_the_gpus_that_one_node_of_the_profile_asks_for() -> None:
    [group] = documents("raycluster.yaml")["RayCluster"]["spec"]["workerGroupSpecs"]
    [container] = group["template"]["spec"]["containers"]
    layout = load_profile(str(DEPLOYMENTS / "site.toml")).rl.openrlhf
    assert group["replicas"] == layout.nodes
    assert container["resources"]["limits"]["nvidia.com/gpu"] == str(layout.gpus_per_node)
    assert group["rayStartParams"]["num-gpus"] == str(layout.gpus_per_node)


def test_every_pod_reads_settings_and_secrets_by_the_names_of_the_example() -> None:
    example = documents("settings.example.yaml")
    names = {example[kind]["metadata"]["name"] for kind in ("ConfigMap", "Secret")}
    template = json.loads((DEPLOYMENTS / "kubernetes-pool.json").read_text())
    job = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    for pod in (*pods(), job):
        [container] = pod["containers"]
        references = [next(iter(each.values()))["name"] for each in container["envFrom"]]
        assert set(references) == names
        assert pod["securityContext"]["runAsNonRoot"] is True


def test_no_file_holds_a_secrets_value() -> None:
    assert not any(documents("settings.example.yaml")["Secret"]["stringData"].values())
    for name in ("settings.example.yaml", "raycluster.yaml"):
        for document in documents(name).values():
            assert not [key for key in document.get("data", {}) if SECRET.search(key)]
