"""Annotations by a model: asks about the train seeds and puts results back in order."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from pixel_core.data.annotation.account import BudgetAccount, open_account
from pixel_core.data.annotation.batch.driver import fetch_left
from pixel_core.data.annotation.outcome import (
    REJECTED,
    AnnotationFault,
    AnnotationOutcome,
    ReplyTally,
)
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.prompt_files import check_versions
from pixel_core.data.annotation.requests import Procedure
from pixel_core.data.annotation.train_seeds import (
    SeedCounts,
    annotation_by_source,
    numbered_train,
)
from pixel_core.errors import EndpointError
from pixel_core.records import Annotation, SecondLook
from pixel_core.workflow.stage import StageContext

# Results that arrive in any order, kept on disk until they are read in order.


_NONE = -1


class InOrder:
    """Byte strings by number. Memory: 8 bytes per number; the rest is in a temporary file."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in __exit__
        self._places = array("q")
        self._end = 0

    def __enter__(self) -> InOrder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, number: int, data: bytes) -> None:
        """Store ``data`` under a number from 0; ``ValueError`` if it is taken."""
        missing = number + 1 - len(self._places)
        if missing > 0:
            self._places.extend([_NONE] * missing)
        if self._places[number] != _NONE:
            raise ValueError(f"number {number} was put before")
        self._places[number] = self._end
        self._file.seek(self._end)
        self._end += self._file.write(len(data).to_bytes(8, "big") + data)

    def get(self, number: int) -> bytes | None:
        """The bytes stored under the number; None if there are none."""
        if number >= len(self._places) or self._places[number] == _NONE:
            return None
        self._file.seek(self._places[number])
        return self._file.read(int.from_bytes(self._file.read(8), "big"))


# The counts of an annotation run: what became of the seeds, and what the replies took.


#: Kinds of question listed one by one; rarer ones are summed up.
MAX_KINDS = 40
OTHERS = "(others)"

#: Possible results of the second look at a seed.
_LOOKS = (SecondLook.NEEDS_ZOOM.value, SecondLook.EASY.value, AnnotationFault.LOOK_FAILED.value)


class OutcomeCounts:
    """Counts outcomes, in any order."""

    def __init__(self) -> None:
        self.done = 0
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()
        self._kinds: dict[str, Counter[str]] = {}
        self._tally = ReplyTally()

    def add(self, outcome: AnnotationOutcome) -> None:
        self.done += 1
        self._tally.add(outcome.tally)
        fates = ["asked"]
        if outcome.annotation is None:
            reason = str(outcome.dropped)
            self.dropped[reason] += 1
            fates += ["dropped", reason]
        else:
            self.kept += 1
            fates.append("kept")
            if outcome.annotation.look is not None:
                fates.append(outcome.annotation.look.value)
        self.looks.update(fate for fate in fates if fate in _LOOKS)
        self._kinds.setdefault(outcome.kind, Counter()).update(fates)

    @property
    def unanswered(self) -> Counter[str]:
        """Seeds that were dropped because no answer could be used, by reason."""
        rejected = {reason.value for reason in REJECTED}
        return Counter({why: n for why, n in self.dropped.items() if why not in rejected})

    def warning(self) -> str:
        """What a person should know before using the result; "" for nothing."""
        unanswered = self.unanswered
        if not unanswered:
            return ""
        reasons = ", ".join(f"{n} {why}" for why, n in sorted(unanswered.items()))
        return (
            f"{unanswered.total()} of {self.done} train seeds were dropped because no answer "
            f"to them could be used ({reasons})"
        )

    def metrics(self) -> dict[str, Any]:
        """JSON values that depend on the seeds and the replies alone.

        ``looks``: of the seeds that had a second look, each result's count and share with
        its 95 % Wilson interval.
        """
        tally = self._tally
        warning = self.warning()
        return {
            **({"warning": warning} if warning else {}),
            "asked": self.done,
            "dropped": self.dropped.total(),
            "dropped_by": dict(sorted(self.dropped.items())),
            "looks": self._shares(),
            "by_kind": self._by_kind(),
            "requests": {str(task): n for task, n in sorted(tally.asks.items())},
            "asked_again": tally.asked_again.total(),
            "asked_again_by": {str(r): n for r, n in sorted(tally.asked_again.items())},
            "repaired": tally.repaired,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
        }

    def _shares(self) -> dict[str, Any]:
        from pixel_core.statistics.intervals import wilson

        n = self.looks.total()
        if not n:
            return {}
        shares: dict[str, Any] = {"n": n}
        for fate in _LOOKS:
            count = self.looks[fate]
            interval = wilson(count, n)
            shares[fate] = {
                "count": count,
                "share": round(count / n, 4),
                "low": round(interval.low, 4),
                "high": round(interval.high, 4),
            }
        return shares

    def _by_kind(self) -> dict[str, dict[str, int]]:
        ranked = sorted(self._kinds.items(), key=lambda item: (-item[1]["asked"], item[0]))
        shown = {kind or "(none)": counts for kind, counts in ranked[:MAX_KINDS]}
        for _, counts in ranked[MAX_KINDS:]:
            shown.setdefault(OTHERS, Counter()).update(counts)
        return {kind: dict(sorted(counts.items())) for kind, counts in sorted(shown.items())}


#: Defaults: the share of seeds that may be dropped for lack of a usable answer, and the
#: number of drops up to which that share says nothing of an endpoint.
_DROPPED_SHARE, _FEW = 0.5, 10

Made = tuple[Iterator[Annotation], dict[str, Any]]


@contextmanager
def annotated(seeds: Path, found: SeedCounts, context: StageContext) -> Iterator[Made]:
    """The annotations in the seeds' order, readable in the block, and the run's counts.

    Held-out seeds keep their source's cue at no cost. An exception on the way (Ctrl-C, a
    spent budget, a failing endpoint) loses nothing: every answer is recorded before it is
    used, and the next run continues from there.
    """
    config = context.config.annotate.openai
    check_versions(config.prompts)
    with InOrder(context.out) as results:
        summary = _asked(seeds, found, context, results)
        if found.train and not summary.kept:
            raise EndpointError(
                f"none of {found.train} train seeds could be annotated "
                f"({dict(summary.dropped)}); check that the model {config.model!r} sees "
                "pictures and follows a JSON schema"
            )
        yield _in_order(seeds, results), summary.metrics()


def _asked(
    seeds: Path, found: SeedCounts, context: StageContext, results: InOrder
) -> OutcomeCounts:
    """Ask about the train seeds; store the annotations by their number among these."""
    summary = OutcomeCounts()
    if not found.train:
        return summary
    drive = _driver(context.config.annotate.openai.mode)
    with open_account(context) as account:
        try:
            if context.config.annotate.openai.mode == "live":
                fetch_left(context, account)  # or pending batches would be paid for twice
            with closing(drive(_procedures(seeds, context), context, account)) as outcomes:
                for number, outcome in outcomes:
                    summary.add(outcome)
                    if outcome.annotation is not None:
                        results.put(number, outcome.annotation.model_dump_json().encode())
                    account.dropped_seeds = summary.unanswered.total()
                    _show(summary, found, account, context)
                    _check_share(summary, found, context)
        except EndpointError:
            context.progress.note(
                f"{summary.done} of {found.train} seeds are annotated, and every answer is "
                "kept: the next run goes on from there"
            )
            raise
        if warning := summary.warning():
            context.progress.note(f"warning: {warning}")
        if remembered := account.counters.remembered:
            context.progress.note(
                f"{remembered} answers were on record and cost nothing "
                f"(${account.saved_usd:.2f})"
            )
    return summary


def _check_share(summary: OutcomeCounts, found: SeedCounts, context: StageContext) -> None:
    """Stop as soon as more seeds are lost than allowed, whatever is still to come."""
    config = context.config.annotate.openai
    share, least = config.max_dropped_share, 0
    if share is None:
        share, least = _DROPPED_SHARE, _FEW
    if summary.unanswered.total() > max(least, share * found.train):
        raise EndpointError(
            f"{summary.warning()}, more than max_dropped_share ({share:g}) "
            f"of all {found.train} allows; check that the model {config.model!r} sees pictures "
            "and follows a JSON schema, or raise annotate.openai.max_dropped_share and run "
            "again: what is on record costs nothing"
        )


def _driver(mode: str) -> Callable[..., Generator[tuple[int, AnnotationOutcome], None, None]]:
    if mode == "batch":
        from pixel_core.data.annotation.batch.driver import drive
    else:
        from pixel_core.data.annotation.live import drive
    return drive


def _procedures(
    seeds: Path, context: StageContext
) -> Iterator[Callable[[], Procedure[AnnotationOutcome]]]:
    config = context.config.annotate.openai
    for number, seed in numbered_train(seeds):
        if number is not None:
            yield partial(annotate_seed, seed, config)


def _show(
    summary: OutcomeCounts, found: SeedCounts, account: BudgetAccount, context: StageContext
) -> None:
    metrics: dict[str, float] = {"dropped": summary.dropped.total(), "usd": account.spent_usd}
    if context.config.annotate.openai.verify.votes:
        for look in SecondLook:
            metrics[look.value] = summary.looks[look.value]
        metrics[AnnotationFault.LOOK_FAILED.value] = summary.looks[
            AnnotationFault.LOOK_FAILED.value
        ]
    context.progress.update(summary.done, found.train, **metrics)


def _in_order(seeds: Path, results: InOrder) -> Iterator[Annotation]:
    for number, seed in numbered_train(seeds):
        if number is None:
            yield annotation_by_source(seed)
            continue
        line = results.get(number)
        if line is not None:
            yield Annotation.model_validate_json(line)
