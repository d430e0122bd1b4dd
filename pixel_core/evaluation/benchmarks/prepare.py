"""Stages ``benchmark_<name>``: a benchmark's questions, checked against what was published.

Writes ``seeds.jsonl`` (records.Seed, all of split test) and ``pictures.zip``, like ingest, and
``benchmark.json`` (facts.BenchmarkFacts). Pictures are stored as published, one at a time;
only the questions' texts are held in memory. A hub copy is identified by its commit; a local
copy's files are read before any work starts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pixel_core.config import BenchmarkDataConfig, BenchmarkName, PipelineConfig
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.facts import NAME, BenchmarkFacts, Origin, SeedTally
from pixel_core.evaluation.benchmarks.published import (
    BenchmarkFiles,
    BenchmarkQuestions,
    opened,
)
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS, Benchmark
from pixel_core.media.archive import PictureArchive, PictureArchiveWriter
from pixel_core.records import Picture, Seed, Split, read_jsonl
from pixel_core.workflow.stage import Progress, StageContext

# The benchmark ``drawn``: the test split of the run's own questions.


class OwnQuestions:
    """The ingest artifact's test questions, their pictures copied."""

    def __init__(self, ingest: Path, settings: BenchmarkDataConfig) -> None:
        self._seeds = ingest / "seeds.jsonl"
        self._pictures = PictureArchive(ingest / "pictures.zip")
        self._limit = settings.limit or None

    def seeds(self, archive: PictureArchiveWriter, progress: Progress) -> Iterator[Seed]:
        """Raises ``DataError`` when there are none."""
        total = sum(1 for _ in self._asked())
        if not total:
            raise DataError(
                "the stage ingest has no test questions to make the benchmark drawn of: raise "
                "the test count or share of a source in ingest.sources, or leave drawn out of "
                "benchmarks.names"
            )
        try:
            for done, seed in enumerate(self._asked(), 1):
                for picture in seed.pictures:
                    self._copy(picture, archive)
                yield seed
                progress.update(done, total)
        finally:
            self._pictures.close()

    def origin(self) -> Origin:
        return Origin()

    def _asked(self) -> Iterator[Seed]:
        seeds = read_jsonl(self._seeds, Seed)
        test = (seed for seed in seeds if seed.split is Split.TEST and seed.asks)
        return islice(test, self._limit)

    def _copy(self, picture: Picture, archive: PictureArchiveWriter) -> None:
        if picture.member not in archive:
            data = self._pictures.read(picture)
            archive.add(picture.member, data, picture.width, picture.height)


# The order of a question's options.
#
# If the right option always came first, a model that answers "A" would always be right. The
# order is drawn for each question from the seed and its id alone, so it does not depend on how
# many are asked. Two kinds of options keep their places, since they refer to places: one that
# speaks of those "above" keeps its own, and if one names others by letter ("both A and B") the
# whole question does.


_ABOVE = re.compile(
    r"\b(?:all|none|any|both|neither|either) (?:of )?(?:the |these )?(?:above|below)\b"
    r"|\b(?:above|preceding|previous) (?:options?|choices|answers)\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"(?<!\w)\(?[A-H]\)?\s*(?:,|\b(?:and|or|nor)\b)\s*\(?[A-H]\)?(?!\w)")


def order_of(choices: tuple[str, ...], seed: int, id: str) -> tuple[tuple[int, ...], bool]:
    """Indices into ``choices`` in the order shown, and whether another order was possible."""
    if any(_LETTERS.search(choice) for choice in choices):
        return tuple(range(len(choices))), False
    free = [place for place, choice in enumerate(choices) if not _ABOVE.search(choice)]
    drawn = dict(zip(free, sorted(free, key=lambda place: _draw(seed, id, place)), strict=True))
    return tuple(drawn.get(place, place) for place in range(len(choices))), len(free) > 1


def _draw(seed: int, id: str, place: int) -> bytes:
    # Sorting by a digest is stable across Python versions; ``shuffle`` need not be.
    return hashlib.sha256(f"{seed}/{id}/{place}".encode()).digest()


SEEDS = "seeds.jsonl"
PICTURES = "pictures.zip"


def fingerprint(config: PipelineConfig, benchmark: BenchmarkName) -> dict[str, Any]:
    """Identifies the content, wherever it lies; checks a local copy except its pixels.

    Raises ``DataError`` with all faults, ``ConfigError`` for an unknown layout.
    """
    row, settings = BENCHMARKS[benchmark], getattr(config.benchmarks, benchmark)
    if not row.layouts:
        return {}
    source = BenchmarkFiles.of(row, settings)
    if not settings.local:
        return {"dataset": source.dataset.name, "commit": source.dataset.revision}
    _, _, content = opened(source, settings)
    return {"content": content}


def run(context: StageContext, benchmark: BenchmarkName) -> dict[str, Any]:
    """Write the questions; return counts by kind, and of the right options' places."""
    row = BENCHMARKS[benchmark]
    settings: BenchmarkDataConfig = getattr(context.config.benchmarks, benchmark)
    questions: OwnQuestions | BenchmarkQuestions
    if row.layouts:
        questions = BenchmarkQuestions(BenchmarkFiles.of(row, settings), settings)
    else:
        questions = OwnQuestions(context.inputs["ingest"], settings)
    tally = SeedTally()
    with (
        (context.out / SEEDS).open("w", encoding="utf-8") as lines,
        PictureArchiveWriter(context.out / PICTURES) as archive,
    ):
        members: set[str] = set()
        for published in questions.seeds(archive, context.progress):
            seed, shuffled = put(published, settings.shuffle_seed)
            tally.add(published, seed, shuffled=shuffled)
            members.update(picture.member for picture in seed.pictures)
            lines.write(seed.model_dump_json() + "\n")
    facts = _facts(row, settings, questions.origin(), tally, len(members))
    (context.out / NAME).write_text(facts.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return _metrics(facts)


def put(seed: Seed, shuffle_seed: int | None) -> tuple[Seed, bool]:
    """The seed as shown to models, and whether its options may be reordered."""
    if shuffle_seed is None or not seed.choices:
        return seed, False
    order, free = order_of(seed.choices, shuffle_seed, seed.id)
    choices = tuple(seed.choices[place] for place in order)
    return seed.model_copy(update={"choices": choices}), free


def _facts(
    row: Benchmark,
    settings: BenchmarkDataConfig,
    origin: Origin,
    tally: SeedTally,
    pictures: int,
) -> BenchmarkFacts:
    kinds = tally.counts(origin)
    return BenchmarkFacts(
        name=row.name,
        title=row.title,
        measures=row.measures,
        source=row.source,
        layout=origin.layout,
        dataset=origin.dataset,
        revision=origin.revision,
        content=origin.content,
        licence=origin.licence,
        grader=row.grader,
        metric=row.metric,
        mean_of_kinds=row.mean_of_kinds,
        kinds=kinds,
        published=origin.published,
        found=sum(count.found for count in kinds.values()),
        used=sum(count.used for count in kinds.values()),
        pictures=pictures,
        complete=_complete(row, origin),
        missing=origin.missing,
        faults=dict(sorted(origin.faults.items())),
        limit=settings.limit,
        shuffle_seed=settings.shuffle_seed,
        unshuffled=0 if settings.shuffle_seed is None else tally.unshuffled,
        keys=tally.keys(),
    )


def _complete(row: Benchmark, origin: Origin) -> bool | None:
    """See ``BenchmarkFacts``. A run's own questions are always complete."""
    if origin.missing:
        return False
    return True if origin.published or not row.layouts else None


def _metrics(facts: BenchmarkFacts) -> dict[str, Any]:
    return {
        "questions": facts.used,
        "pictures": facts.pictures,
        "complete": facts.complete,
        "by_kind": {kind: count.used for kind, count in facts.kinds.items()},
        "right_option": facts.keys.put if facts.keys else {},
    }
