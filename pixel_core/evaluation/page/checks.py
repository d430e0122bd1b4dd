"""Compares the questions asked with those published: counts, options, omissions."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.facts import UNCOUNTED, BenchmarkFacts, KeyPositions
from pixel_core.evaluation.benchmarks.registry import BENCHMARKS
from pixel_core.evaluation.page.tables import NOTHING, Column, PageTable, questions
from pixel_core.evaluation.results import BenchmarkResult
from pixel_core.report.html.wording import plain


@dataclass(frozen=True)
class PositionBar:
    """How many right options are in one place: as asked, and as published."""

    label: str
    count: int
    published: int
    #: Per cent of the fullest place.
    width: float


@dataclass(frozen=True)
class ChecksSection:
    measures: str
    #: Published by others, so that a copy can be compared with it.
    published: bool
    facts: list[str]
    counts: PageTable
    positions: list[PositionBar]
    #: Whether the options are in another order than published.
    shuffled: bool


def facts_of(result: BenchmarkResult) -> BenchmarkFacts:
    """The facts from the benchmark's stage. ``DataError`` if another version wrote them."""
    try:
        return BenchmarkFacts.model_validate(result.data)
    except ValidationError as error:
        raise DataError(
            f"the scores of {result.benchmark} carry other facts than this version reads "
            f"({error}); score again: pixel run --from scores_{result.benchmark}"
        ) from error


def notices(result: BenchmarkResult) -> list[str]:
    """Caveats for comparing the scores with published ones."""
    facts, found = facts_of(result), []
    if facts.complete is None:
        found.append(f"{UNCOUNTED[0].upper()}{UNCOUNTED[1:]}.")
    elif not facts.complete:
        found.append(f"Not the whole benchmark: {'; '.join(facts.missing)}.")
    if facts.limit and facts.used < facts.found:
        found.append(
            f"Only {facts.used:,} of its {facts.found:,} {_unit(facts)} were asked, the first "
            "of each kind."
        )
    elif facts.limit == facts.used and not _is_published(facts):
        found.append(f"Only the first {facts.used:,} {_unit(facts)} were asked.")
    if result.grader != facts.grader:
        found.append(
            f"Scored by the grader {result.grader}, not by the benchmark's own definition "
            f"({facts.grader})."
        )
    if result.undecided:
        found.append(
            f"{sum(result.undecided.values()):,} comparisons of expressions came to no end "
            f"({', '.join(result.undecided)}) and count as wrong; another "
            "machine may decide them."
        )
    if facts.used == facts.published:
        found += _turned_otherwise(result)
    return found


def counted(result: BenchmarkResult) -> str:
    """What counts as a question if questions were put several times; "" otherwise."""
    first = result.rows[0]
    if first.asked == first.n:
        return ""
    return (
        f"{questions(first.n, first.asked)}: {first.n:,} questions, put {first.asked:,} times "
        "with their options turned. A question's answers are averaged; intervals, tests, won "
        "and lost count questions."
    )


def data_check(result: BenchmarkResult) -> ChecksSection:
    facts = facts_of(result)
    return ChecksSection(
        facts.measures,
        _is_published(facts),
        [*_told(facts), *filter(None, [counted(result)])],
        _counts(facts),
        _positions(facts.keys) if facts.keys else [],
        facts.shuffle_seed is not None,
    )


def _told(facts: BenchmarkFacts) -> list[str]:
    told = [
        f"Defined in {facts.source}." if _is_published(facts) else f"Asked: {facts.source}."
    ]
    if facts.dataset:
        told.append(f"Files: {facts.dataset} at {facts.revision}, layout {facts.layout}.")
    elif facts.content:
        told.append(
            f"Files: a local copy, layout {facts.layout}, SHA-256 {facts.content[:16]}…."
        )
    if facts.licence:
        told.append(f"Licence as its publisher states it: {facts.licence}.")
    told.append(f"{facts.used:,} {_unit(facts)} asked, {facts.pictures:,} distinct pictures.")
    if facts.faults:
        told.append(
            "Left out as faulty: "
            + ", ".join(f"{count:,} by {field}" for field, count in facts.faults.items())
            + "."
        )
    if facts.shuffle_seed is not None:
        kept = f"; {facts.unshuffled:,} questions keep their order" if facts.unshuffled else ""
        told.append(f"Options are shuffled with seed {facts.shuffle_seed}{kept}.")
    return told


def _counts(facts: BenchmarkFacts) -> PageTable:
    rows = [
        (
            plain(kind or "other"),
            _number(count.published),
            f"{count.found:,}",
            f"{count.used:,}",
        )
        for kind, count in facts.kinds.items()
    ]
    if len(rows) != 1 or facts.published is not None:
        rows.append(("all", _number(facts.published), f"{facts.found:,}", f"{facts.used:,}"))
    columns = (
        Column("kind"),
        Column("published", number=True),
        Column("in this copy", number=True),
        Column("asked", number=True),
    )
    if _is_published(facts):
        return PageTable(_unit(facts).capitalize(), columns, rows)
    # The run's own questions have nothing to be compared with.
    own = [(kind, asked) for kind, _, _, asked in rows]
    return PageTable("Questions", (columns[0], columns[-1]), own)


def _turned_otherwise(result: BenchmarkResult) -> list[str]:
    turns, first = _turns(result.benchmark), result.rows[0]
    if turns == 1 or first.asked == turns * first.n:
        return []
    return [
        f"Its {first.asked:,} rows are not {turns} turns of each question, as published: "
        f"{first.n:,} questions were found in them, and intervals count these."
    ]


def _unit(facts: BenchmarkFacts) -> str:
    """The unit of the published counts: for HR-Bench rows, four to a question."""
    return "rows" if _turns(facts.name) > 1 else "questions"


def _turns(benchmark: str) -> int:
    return next((one.turns for one in BENCHMARKS.values() if one.name == benchmark), 1)


def _is_published(facts: BenchmarkFacts) -> bool:
    return bool(facts.content) or facts.published is not None


def _positions(keys: KeyPositions) -> list[PositionBar]:
    fullest = max(keys.put.values(), default=0) or 1
    return [
        PositionBar(label, count, keys.published.get(label, 0), 100 * count / fullest)
        for label, count in keys.put.items()
    ]


def _number(count: int | None) -> str:
    return NOTHING if count is None else f"{count:,}"
