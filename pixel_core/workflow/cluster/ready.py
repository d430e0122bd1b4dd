"""Whether a cluster can run what is to run on it: asked before anything is submitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from pixel_core.config import ClusterConfig, PipelineConfig
from pixel_core.errors import ClusterError, ConfigError
from pixel_core.workflow.cluster.cluster_state import ClusterState
from pixel_core.workflow.cluster.findings import ClusterFinding, findings, needed_variables
from pixel_core.workflow.cluster.layout import check_layout
from pixel_core.workflow.cluster.probe import ask_nodes
from pixel_core.workflow.cluster.room import no_room
from pixel_core.workflow.cluster.survey import ClusterSurvey
from pixel_core.workflow.cluster.versions import SHARED, gpu_plane_pins, installed
from pixel_core.workflow.stage import Stage
from pixel_core.workflow.store import Store

#: The questions whose answers spoke against nothing in this process.
_sound: set[str] = set()


@dataclass(frozen=True)
class Examination:
    """What the nodes said, and what speaks against running on them."""

    survey: ClusterSurvey
    findings: tuple[ClusterFinding, ...]

    @property
    def errors(self) -> tuple[ClusterFinding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")


def check(
    config: PipelineConfig,
    store: Store,
    stages: Sequence[Stage],
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Raise what would stop the stages on the cluster, all of it together.

    ``ConfigError``: no address, or a layout that contradicts itself. ``ClusterError``:
    nothing of Ray's kind answers, too little room, other versions, a store that the nodes
    don't share, a missing variable. Nodes that this process found sound are not asked again.
    """
    check_layout(stages, config)
    with closing(reach(config.cluster)) as state:
        short = _short(state, config, stages)
        if short:
            raise ClusterError(_refusal(state, short))
        if _question(config, store, stages) not in _sound:
            found = _asked(state, config, store, stages, say)
            if found.errors:
                raise ClusterError(_refusal(state, found.errors))


def examine(
    config: PipelineConfig,
    store: Store,
    stages: Sequence[Stage],
    say: Callable[[str], None] = lambda sentence: None,
) -> Examination:
    """As ``check``, but everything the nodes said is returned, with what speaks against it;
    raises only where there is no cluster to ask. The nodes are asked anew."""
    check_layout(stages, config)
    with closing(reach(config.cluster)) as state:
        short = _short(state, config, stages)
        found = _asked(state, config, store, stages, say)
        return replace(found, findings=(*short, *found.findings))


def reach(cluster: ClusterConfig) -> ClusterState:
    """The cluster's API, with a Ray that understands ours."""
    if not cluster.address:
        raise ConfigError(
            "no cluster is named. Write into the profile\n"
            '  [cluster]\n  address = "http://HEAD:8265"\n'
            "or give --set cluster.address=http://HEAD:8265 (the address of Ray's dashboard)"
        )
    state = ClusterState(cluster.address, cluster.timeout_s)
    there, here = state.ray_version(), installed("ray")
    if there.split(".")[:2] != here.split(".")[:2]:
        state.close()
        raise ClusterError(
            f"{state.address} runs Ray {there}, and this is made for {here}: the two must "
            f"agree in their first two numbers; give the cluster's nodes ray=={here}, or "
            "install here what the cluster has"
        )
    return state


def _short(
    state: ClusterState, config: PipelineConfig, stages: Sequence[Stage]
) -> tuple[ClusterFinding, ...]:
    rooms = tuple(state.rooms().values())
    lines = dict.fromkeys(line for stage in stages for line in no_room(stage, config, rooms))
    return tuple(
        ClusterFinding("error", "too little room", *line.rsplit(": ", 1)) for line in lines
    )


def _asked(
    state: ClusterState,
    config: PipelineConfig,
    store: Store,
    stages: Sequence[Stage],
    say: Callable[[str], None],
) -> Examination:
    packages = sorted({*SHARED, *gpu_plane_pins()})
    variables = sorted(needed_variables(stages, config))
    survey = ask_nodes(state, config.cluster, store, packages, variables, say)
    found = Examination(survey, findings(survey, config, stages, store.uri))
    if not found.errors:
        _sound.add(_question(config, store, stages))
    return found


def _question(config: PipelineConfig, store: Store, stages: Sequence[Stage]) -> str:
    variables = sorted(needed_variables(stages, config))
    return f"{config.cluster.model_dump_json()} {store.uri} {variables}"


def _refusal(state: ClusterState, found: Sequence[ClusterFinding]) -> str:
    return f"the cluster at {state.address} can't run this:" + "".join(
        f"\n  {finding}" for finding in found
    )
