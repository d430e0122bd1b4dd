"""What the nodes of a cluster said of themselves, as the control plane keeps it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from pixel_core.errors import ClusterError
from pixel_core.records import Record

#: Characters of a text that are kept.
_LONGEST = 2000


def _printable(text: str) -> str:
    """Without control characters: these texts end up on a terminal."""
    kept = (letter if letter.isprintable() else " " for letter in text[:_LONGEST])
    return "".join(kept).strip()


Text = Annotated[str, AfterValidator(_printable)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StoreAnswer(Record):
    """Whether the node read the control plane's challenge and answered it in the store."""

    #: It read the very bytes that were written from here.
    seen: bool = False
    #: What the storage said instead; "" where it said nothing wrong.
    error: Text = ""
    #: Of reading and writing together.
    milliseconds: Amount = 0.0
    #: The node's own answer was read here; settled by the control plane.
    answered: bool = False

    @property
    def shared(self) -> bool:
        return self.seen and self.answered


class NodeAnswer(Record):
    """One node. ``failed`` says why it told no more than Ray itself knows of it."""

    node: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    address: Text
    cpus: Amount
    gpus: Amount
    memory_gib: Amount
    failed: Text = ""
    host: Text = ""
    python: Text = ""
    #: "" for a package that is missing.
    packages: dict[Text, Text] = Field(default_factory=dict)
    #: Name and GiB of each GPU.
    devices: tuple[tuple[Text, Amount], ...] = ()
    #: Why the framework can't use the GPUs that Ray offers.
    devices_error: Text = ""
    disk_free_gib: Amount = 0.0
    #: Variables that are set: those whose value may be told, and names of the others.
    plain: dict[Text, Text] = Field(default_factory=dict)
    hidden: tuple[Text, ...] = ()
    store: StoreAnswer = StoreAnswer()

    @property
    def name(self) -> str:
        """For people: several nodes may share a machine, and machines a name."""
        return f"{self.host or self.address}/{self.node[:8]}"

    @property
    def works(self) -> bool:
        """Whether Ray puts work on it."""
        return self.cpus > 0 or self.gpus > 0

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(self.plain) | frozenset(self.hidden)


class ClusterSurvey(Record):
    """All nodes that were up, those with GPUs first."""

    address: str
    ray: Text
    nodes: tuple[NodeAnswer, ...]


def read_node(text: str) -> NodeAnswer:
    """Raises ``ClusterError`` for what is no node's answer."""
    try:
        return NodeAnswer.model_validate_json(text)
    except ValidationError as error:
        raise ClusterError(
            f"a node answered in a form that this version does not know: {error}\nDo the nodes "
            'have other code? cluster.code = "upload" brings this checkout\'s'
        ) from error
