"""The section ``cluster``, and where each stage runs. It never changes what a stage makes."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pixel_core.config.section import Placement, Positive, Section

#: Names of variables that hold secrets: Ray's dashboard shows a job's environment.
_SECRET = re.compile(r"KEY|SECRET|TOKEN(?!IZER)|PASSWORD|CREDENTIAL", re.IGNORECASE)
#: ``user:password@`` in an address (a proxy's, for example).
_USERINFO = re.compile(r"://[^/@\s]+@")

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PlaceConfig(Section):
    """Where a stage runs: in this process, or as a job on the Ray cluster."""

    on: Annotated[Literal["local", "ray"], Placement()] = "local"
    # What Ray reserves for the job's own process; workers it starts reserve their own.
    cpus: Annotated[Amount, Placement()] = 1.0
    gpus: Annotated[Amount, Placement()] = 0.0
    memory_gib: Annotated[Amount, Placement()] = 0.0


class ClusterConfig(Section):
    """The Ray cluster that stages with ``place.on = "ray"`` run on."""

    #: Address of Ray's Jobs API, i.e. the dashboard: ``http://host:8265``.
    address: Annotated[str, Placement()] = ""
    #: The store's address on the cluster's nodes; "": the same as here.
    store: Annotated[str, Placement()] = ""
    #: ``upload``: jobs run this checkout's code; ``installed``: the code in the nodes' image.
    code: Annotated[Literal["upload", "installed"], Placement()] = "upload"
    #: Required versions on the nodes: this environment's, or the GPU plane's pins.
    versions: Annotated[Literal["same", "gpu_plane"], Placement()] = "same"
    #: Plain settings for every process of a job. Secrets belong in the nodes' own environment.
    environment: Annotated[dict[str, str], Placement()] = Field(default_factory=dict)
    #: Attempts at one computation before its failure is final.
    attempts: Annotated[Positive, Placement()] = 3
    #: Seconds within which the cluster must answer a request.
    timeout_s: Annotated[Positive, Placement()] = 30
    #: Seconds without an answer after which we stop following a job; the job continues.
    outage_s: Annotated[Positive, Placement()] = 3600

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        for name, value in self.environment.items():
            if _SECRET.search(name) or _USERINFO.search(value):
                raise ValueError(
                    f"environment must not hold {name}: Ray shows a job's environment on its "
                    "page; set it in the environment of the cluster's nodes"
                )
        return self
