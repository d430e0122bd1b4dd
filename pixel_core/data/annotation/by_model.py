"""Annotations by a model: train seeds are asked about, results put back in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pixel_core.data.annotation.batch.driver import fetch_left
from pixel_core.data.annotation.by_source import annotation_by_source
from pixel_core.data.annotation.in_order import InOrder
from pixel_core.data.annotation.outcome import AnnotationFault, AnnotationOutcome
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.prompt_files import check_versions
from pixel_core.data.annotation.requests import Procedure
from pixel_core.data.annotation.summary import OutcomeCounts
from pixel_core.data.annotation.till import BudgetAccount, open_till
from pixel_core.data.annotation.train_seeds import SeedCounts, numbered_train
from pixel_core.errors import EndpointError
from pixel_core.records import Annotation, SecondLook
from pixel_core.workflow.stage import StageContext

#: The share of seeds that may be dropped for want of a usable answer, and how many of them
#: say nothing of an endpoint, where no setting says so.
_DROPPED_SHARE, _FEW = 0.5, 10

Made = tuple[Iterator[Annotation], dict[str, Any]]


@contextmanager
def annotated(seeds: Path, found: SeedCounts, context: StageContext) -> Iterator[Made]:
    """The annotations in the seeds' order, readable in the block, and the run's counts.

    Held-out seeds keep their source's cue, unpaid for. What is raised on the way (Ctrl-C,
    a spent budget, an endpoint that fails) loses nothing: every answer is on record before
    it is used, and the next run goes on from there.
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
    """Ask about the train seeds; keep their annotations by their number among them."""
    summary = OutcomeCounts()
    if not found.train:
        return summary
    drive = _driver(context.config.annotate.openai.mode)
    with open_till(context) as till:
        try:
            if context.config.annotate.openai.mode == "live":
                fetch_left(context, till)  # or what is in a batch would be paid for twice
            with closing(drive(_procedures(seeds, context), context, till)) as outcomes:
                for number, outcome in outcomes:
                    summary.add(outcome)
                    if outcome.annotation is not None:
                        results.put(number, outcome.annotation.model_dump_json().encode())
                    till.dropped_seeds = summary.unanswered.total()
                    _show(summary, found, till, context)
                    _check_share(summary, found, context)
        except EndpointError:
            context.progress.note(
                f"{summary.done} of {found.train} seeds are annotated, and every answer is "
                "kept: the next run goes on from there"
            )
            raise
        if warning := summary.warning():
            context.progress.note(f"warning: {warning}")
        if remembered := till.counters.remembered:
            context.progress.note(
                f"{remembered} answers were on record and cost nothing (${till.saved_usd:.2f})"
            )
    return summary


def _check_share(summary: OutcomeCounts, found: SeedCounts, context: StageContext) -> None:
    """Stop as soon as more seeds are lost than may be, whatever the rest will say."""
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
    summary: OutcomeCounts, found: SeedCounts, till: BudgetAccount, context: StageContext
) -> None:
    metrics: dict[str, float] = {"dropped": summary.dropped.total(), "usd": till.spent_usd}
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
