"""``benchmark.json``: a prepared benchmark, and how it differs from the published one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from pixel_core.errors import DataError
from pixel_core.records import Record, Seed

NAME = "benchmark.json"

#: Shown wherever ``complete`` is None.
UNCOUNTED = (
    "no number of questions is published for this layout, so that nobody can tell whether this "
    "copy has all"
)


class KindCount(Record):
    """Questions of one kind. ``published``: None where only a total is published; ``found``:
    rows of the copy; ``used``: questions asked, after limit and faults."""

    published: int | None
    found: int
    used: int


class KeyPositions(Record):
    """How often the right option is in each place, "A" first, over all questions with
    options; ``put``: as shown to models."""

    published: dict[str, int]
    put: dict[str, int]


class BenchmarkFacts(Record):
    name: str
    title: str
    measures: str
    #: Where the benchmark is defined.
    source: str
    layout: str
    #: The hub's dataset and commit; "": a local copy, or this run's own questions.
    dataset: str
    revision: str
    #: SHA-256 of the files read; "": this run's own questions.
    content: str
    licence: str
    grader: str
    metric: str
    mean_of_kinds: bool
    kinds: dict[str, KindCount]
    #: Published total; None: nothing is published.
    published: int | None
    found: int
    used: int
    #: Distinct pictures.
    pictures: int
    #: Whether every count is as published and nothing was left out (apart from a limit); None:
    #: nothing was left out, but no count is published for this layout.
    complete: bool | None
    #: Why it is not complete, in words.
    missing: tuple[str, ...]
    #: Faults of omitted rows and files, by the field at fault.
    faults: dict[str, int]
    #: 0: all.
    limit: int
    #: None: options stand as published.
    shuffle_seed: int | None
    #: Questions whose options could not be shuffled.
    unshuffled: int
    #: None if no question has options.
    keys: KeyPositions | None


def read_facts(questions: Path) -> BenchmarkFacts:
    """Read from a folder of the artifact ``benchmark_<name>``. Raises ``DataError``."""
    path = questions / NAME
    try:
        return BenchmarkFacts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(
            f"{path} can't be read ({error}); prepare the benchmark again"
        ) from error


@dataclass(frozen=True)
class Origin:
    """Where a benchmark's questions come from, and how they compare with the published."""

    layout: str = ""
    dataset: str = ""
    revision: str = ""
    content: str = ""
    licence: str = ""
    #: By kind, and the total; None: nothing is published.
    published_kinds: Mapping[str, int] | None = None
    published: int | None = None
    #: Rows by kind; None: the same as were used.
    rows: Mapping[str, int] | None = None
    missing: tuple[str, ...] = ()
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass
class SeedTally:
    """Counts of the seeds as they are written."""

    used: Counter[str] = field(default_factory=Counter)
    unshuffled: int = 0
    published_keys: Counter[int] = field(default_factory=Counter)
    put_keys: Counter[int] = field(default_factory=Counter)
    most: int = 0

    def add(self, published: Seed, put: Seed, *, shuffled: bool) -> None:
        """``put`` is ``published`` with its options in the order shown to models."""
        self.used[put.kind] += 1
        self.most = max(self.most, len(put.choices))
        self.unshuffled += bool(put.choices) and not shuffled
        for keys, seed in ((self.published_keys, published), (self.put_keys, put)):
            places = (i for i, choice in enumerate(seed.choices) if choice in seed.answers)
            # The first: a question counts once, though its own data may accept two options.
            keys.update(islice(places, 1))

    def counts(self, origin: Origin) -> dict[str, KindCount]:
        """All kinds published or found."""
        rows = self.used if origin.rows is None else origin.rows
        published = origin.published_kinds
        return {
            kind: KindCount(
                published=None if published is None else published.get(kind, 0),
                found=rows.get(kind, 0),
                used=self.used[kind],
            )
            for kind in dict.fromkeys([*(published or ()), *sorted(rows)])
        }

    def keys(self) -> KeyPositions | None:
        if not self.most:
            return None
        return KeyPositions(
            published=self._by_letter(self.published_keys), put=self._by_letter(self.put_keys)
        )

    def _by_letter(self, places: Mapping[int, int]) -> dict[str, int]:
        return {chr(ord("A") + place): places.get(place, 0) for place in range(self.most)}
