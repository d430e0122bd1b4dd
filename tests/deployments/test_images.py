"""The images' files say what the locks and the packaged pins say, and hold no secret."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pixel_core.workflow.cluster.versions import gpu_plane_pins

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
#: Compiled or installed by the Dockerfile itself, after the list.
AFTERWARDS = {"flash-attn", "openrlhf"}


def pins(path: Path) -> dict[str, str]:
    """Package to version, of a file of pins; "" where it names none."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    found = [Requirement(line) for line in lines if line]
    names = [canonicalize_name(requirement.name) for requirement in found]
    assert len(names) == len(set(names)), "a package is named twice"
    exact = (str(r.specifier).removeprefix("==") for r in found)
    return {
        name: "" if set(pin) & set("<>!~") else pin
        for name, pin in zip(names, exact, strict=True)
    }


def instructions(name: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions with their arguments, continuation lines joined."""
    text = (DOCKER / name / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    words = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(instruction, rest.strip()) for instruction, _, rest in words]


def installed_by_name(name: str) -> dict[str, str]:
    """Exact pins that a Dockerfile's own pip commands name."""
    text = " ".join(rest for instruction, rest in instructions(name) if instruction == "RUN")
    return {
        canonicalize_name(package): pin
        for package, pin in re.findall(r"([A-Za-z0-9_-]+)==([0-9][\w.]*)", text)
    }


def test_the_gpu_planes_pins_are_those_that_nodes_are_checked_for() -> None:
    listed = pins(DOCKER / "gpu-plane" / "requirements.txt")
    image = listed | installed_by_name("gpu-plane")
    wanted = {canonicalize_name(name): pin for name, pin in gpu_plane_pins().items()}
    assert {name: image.get(name) for name in wanted} == wanted
    assert not AFTERWARDS & set(listed)


def test_the_gpu_planes_lock_has_every_listed_package_in_its_version() -> None:
    listed = pins(DOCKER / "gpu-plane" / "requirements.txt")
    locked = pins(DOCKER / "gpu-plane" / "requirements.lock")
    assert all(locked.values()), "not every line of the lock is an exact pin"
    assert set(listed) <= set(locked)
    differing = {name for name, pin in listed.items() if pin and locked[name] != pin}
    assert not differing


def test_what_both_planes_import_is_of_one_version_where_the_engines_leave_it_open() -> None:
    here = pins(ROOT / "requirements.lock")
    there = pins(DOCKER / "gpu-plane" / "requirements.lock")
    both = "ray av boto3 fsspec httpx jinja2 openai pyarrow pydantic s3fs scipy datasets"
    for name in both.split():
        assert there[name] == here[name], name


@pytest.mark.parametrize("name", ["control-plane", "gpu-plane"])
def test_an_image_is_pinned_runs_unprivileged_and_tells_its_health(name: str) -> None:
    found = instructions(name)
    bases = [rest for instruction, rest in found if instruction == "FROM"]
    assert bases
    assert all(re.search(r":[\w.-]*\d+\.\d+\.\d+", base) for base in bases)
    users = [rest for instruction, rest in found if instruction == "USER"]
    assert users == ["10001"]
    assert [instruction for instruction, _ in found].count("HEALTHCHECK") == 1


@pytest.mark.parametrize("name", ["control-plane", "gpu-plane"])
def test_what_an_image_copies_is_there_and_not_ignored(name: str) -> None:
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        source
        for instruction, rest in instructions(name)
        if instruction == "COPY" and "--from=" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed, source


def compose() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_compose_waits_for_what_tells_its_health() -> None:
    services = compose()["services"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                own = services[needed].get("healthcheck", {}).get("test")
                inherited = "control-plane" in services[needed]["image"]
                assert own or inherited, needed
            else:
                assert services[needed]["restart"] == "no", needed


def test_compose_takes_secrets_from_variables_that_the_example_names_without_values() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    example = dict(
        line.split("=", 1)
        for line in (DOCKER / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used <= set(example)
    assert ".env" in (DOCKER / ".gitignore").read_text().split()
    assert "**/.env" in (ROOT / ".dockerignore").read_text().split()
    secret = {name for name in example if re.search("KEY|TOKEN|PASSWORD|SECRET", name)}
    assert {name: example[name] for name in secret} == dict.fromkeys(secret, "")
    written = re.findall(r"^\s+(\w*(?:KEY|TOKEN|PASSWORD|SECRET)\w*): (.+)$", text, re.M)
    assert written
    assert all(value.startswith("${") for _, value in written)


def test_compose_opens_no_port_to_the_network_unless_asked() -> None:
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("${BIND:-127.0.0.1}:"), port


def test_volumes_are_declared() -> None:
    whole = compose()
    named = {
        volume.partition(":")[0]
        for service in whole["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(whole["volumes"])
