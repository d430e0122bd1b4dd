"""A benchmark's result as text tables, for the terminal and for pages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixel_core.evaluation.results import BenchmarkResult, Estimate, RowScore
from pixel_core.report.html.wording import MODEL_NAMES, p_value, percent, plain, points, span
from pixel_core.rewards.graders.grader import FREE_TEXT, ReadingRule

#: An empty cell.
NOTHING = "–"
_WITHOUT = "_notool"
#: Most characters of a column's title.
_TITLE = 12


@dataclass(frozen=True)
class Column:
    title: str
    #: Whether it holds numbers, set flush right.
    number: bool = False


@dataclass(frozen=True)
class PageTable:
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[str, ...]]


def row_name(row: str) -> str:
    """A row's display name: "Policy, no operations"."""
    model = row.removesuffix(_WITHOUT)
    name = MODEL_NAMES.get(model, model)
    return f"{name}, no operations" if row.endswith(_WITHOUT) else name


def questions(n: int, asked: int) -> str:
    """The number of questions, and how often each was put: "200 x 4"."""
    if asked == n:
        return str(n)
    return f"{n} x {asked // n}" if asked % n == 0 else f"{n} (asked {asked})"


def tables_of(
    result: BenchmarkResult, confidence: float, seconds: Mapping[str, float]
) -> list[PageTable]:
    """All numbers of a benchmark; omits tables without rows.

    ``confidence``: of the intervals, a share. ``seconds``: answering time by row.
    """
    tables = [
        score_table(result, confidence, seconds),
        tool_table(result, confidence),
        pair_table(result, confidence),
        probe_table(result, confidence),
        read_table(result),
    ]
    return [table for table in tables if table.rows]


def score_table(
    result: BenchmarkResult, confidence: float, seconds: Mapping[str, float]
) -> PageTable:
    columns = (
        Column("model"),
        Column(_score(result), number=True),
        Column(_interval(confidence)),
        Column("questions", number=True),
        Column("RaPR", number=True),
        Column("failed calls", number=True),
        Column("operations", number=True),
        Column("cut off", number=True),
        Column("no box", number=True),
        Column("tokens", number=True),
        Column("seconds", number=True),
    )
    rows = [
        (
            row_name(row.row),
            percent(row.score.value),
            span(row.score.low, row.score.high),
            questions(row.n, row.asked),
            *_operations(row),
            percent(row.truncated),
            percent(row.unanswered),
            f"{row.tokens:.0f}",
            f"{seconds[row.row]:.0f}" if row.row in seconds else NOTHING,
        )
        for row in result.rows
    ]
    return PageTable("Scores", columns, rows)


def kind_table(result: BenchmarkResult, confidence: float) -> PageTable:
    """One row a kind and model."""
    columns = (
        Column("kind"),
        Column("model"),
        Column(_score(result), number=True),
        Column(_interval(confidence)),
        Column("questions", number=True),
        Column("RaPR", number=True),
        Column("failed calls", number=True),
    )
    rows = [
        (
            plain(kind),
            row_name(row.row),
            percent(part.score.value),
            span(part.score.low, part.score.high),
            questions(part.n, part.asked),
            percent(part.rapr) if row.operations_offered else NOTHING,
            percent(part.op_error_rate) if row.operations_offered else NOTHING,
        )
        for kind in kinds_of(result)
        for row in result.rows
        if (part := row.by.get(kind)) is not None
    ]
    return PageTable("Scores by kind of question", columns, rows)


def tool_table(result: BenchmarkResult, confidence: float) -> PageTable:
    interval = _interval(confidence)
    columns = (
        Column("model"),
        Column("tool gain", number=True),
        Column(interval),
        Column("tool harm", number=True),
        Column(interval),
        Column("difference", number=True),
        Column(interval),
        Column("p value"),
        Column("questions", number=True),
    )
    rows = [
        (
            row_name(effect.model),
            percent(effect.gain.value),
            span(effect.gain.low, effect.gain.high),
            percent(effect.harm.value),
            span(effect.harm.low, effect.harm.high),
            points(effect.difference.value),
            _points_span(effect.difference),
            p_value(effect.p_value),
            str(effect.n),
        )
        for effect in result.tools
    ]
    return PageTable("What operations gain and harm", columns, rows)


def pair_table(result: BenchmarkResult, confidence: float) -> PageTable:
    columns = (
        Column("from → to"),
        Column("points", number=True),
        Column(_interval(confidence)),
        Column("won", number=True),
        Column("lost", number=True),
        Column("p value"),
        Column("test"),
    )
    rows = [
        (
            f"{row_name(pair.a)} → {row_name(pair.b)}",
            points(pair.difference.value),
            _points_span(pair.difference),
            str(len(pair.won)),
            str(len(pair.lost)),
            p_value(pair.p_value),
            pair.test,
        )
        for pair in result.pairs
    ]
    return PageTable("Models compared, question by question", columns, rows)


def probe_table(result: BenchmarkResult, confidence: float) -> PageTable:
    columns = (
        Column("model"),
        Column("episodes", number=True),
        Column("before", number=True),
        Column("after", number=True),
        Column("gain", number=True),
        Column(_interval(confidence)),
    )
    rows = [
        (
            row_name(row.row),
            str(row.probe.n),
            percent(row.probe.before),
            percent(row.probe.after),
            points(row.probe.gain.value),
            _points_span(row.probe.gain),
        )
        for row in result.rows
        if row.probe is not None
    ]
    return PageTable("Answers before the first operation's return, and after", columns, rows)


def read_table(result: BenchmarkResult) -> PageTable:
    """By row, the share of answers that each rule of the grader read, and the part of their
    mean score that comes from free text."""
    rules = [rule for rule in ReadingRule if any(rule in row.read for row in result.rows)]
    columns = (
        Column("model"),
        *(Column(rule.value, number=True) for rule in rules),
        Column("all free text", number=True),
        Column("score from it", number=True),
    )
    rows = []
    for row in result.rows:
        shares = [row.read[rule].share if rule in row.read else 0.0 for rule in rules]
        free = [row.read[rule] for rule in FREE_TEXT if rule in row.read]
        rows.append(
            (
                row_name(row.row),
                *map(percent, shares),
                percent(sum(part.share for part in free)),
                percent(sum(part.share * part.score for part in free)),
            )
        )
    return PageTable("Where the answers were read", columns, rows)


def kinds_of(result: BenchmarkResult) -> Sequence[str]:
    """The kinds of questions in any row, in the first row's order."""
    return tuple(dict.fromkeys(kind for row in result.rows for kind in row.by))


def _score(result: BenchmarkResult) -> str:
    """A column's title; a rule that needs a sentence is stated above the table."""
    return result.metric if len(result.metric) <= _TITLE else "score"


def _operations(row: RowScore) -> tuple[str, str, str]:
    if not row.operations_offered:
        return NOTHING, NOTHING, NOTHING
    return percent(row.rapr), percent(row.op_error_rate), f"{row.operations:.2f}"


def _points_span(estimate: Estimate) -> str:
    return f"{points(estimate.low)} to {points(estimate.high)}"


def _interval(confidence: float) -> str:
    return f"{100 * confidence:g} % interval"
