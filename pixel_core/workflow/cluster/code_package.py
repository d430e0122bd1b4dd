"""This checkout's code as a package that a cluster's nodes unpack before they run a job."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pixel_core.workflow.cluster.jobs_api import JobsApi

#: What jobs import. Flows and tasks stay here: the nodes have no Prefect.
PACKAGES = ("pixel_core", "profiles")
#: What the packages are made of; nothing else is shipped, whatever else lies there.
_KINDS = frozenset({".py", ".jinja", ".toml", ".html", ".css", ".js"})
#: A fixed time, so that the same code is the same package.
_TIME = (2000, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class CodePackage:
    """A zip file, named for its content."""

    name: str
    data: bytes

    @property
    def uri(self) -> str:
        return f"gcs://{self.name}"


def code_package() -> CodePackage:
    """The code as it is on disk now."""
    digest, packed = hashlib.sha256(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _files():
            data = path.read_bytes()
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
            archive.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)
    return CodePackage(f"_ray_pkg_{digest.hexdigest()[:32]}.zip", packed.getvalue())


def upload(package: CodePackage, api: JobsApi) -> None:
    """Make sure that the cluster holds it; sent only when it does not."""
    if not api.has_package(package.name):
        api.put_package(package.name, package.data)


def _files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None  # both are part of this distribution
        assert spec.submodule_search_locations
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            if path.suffix in _KINDS and path.is_file():
                yield f"{package}/{path.relative_to(root).as_posix()}", path
