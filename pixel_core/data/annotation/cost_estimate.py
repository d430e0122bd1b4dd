"""The likely cost of what is not on record.

Each train seed's procedure is played with the answers on record. Where those end, the rest
is what it is expected to ask, priced by the means of like requests on record, or where
there are too few by the pictures' and texts' sizes. Of many seeds a sample is played.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation.expected import expected_requests
from pixel_core.data.annotation.ledger.ledger_index import LedgerIndex
from pixel_core.data.annotation.pricing import dollars, expected_tokens, picodollars, price
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.request_digest import request_digest
from pixel_core.data.annotation.requests import AnnotationRequest
from pixel_core.models.endpoint.completion import is_answer, read_reply
from pixel_core.records import Seed, Split
from pixel_core.workflow.stage import Prediction

#: Train seeds that are looked at; of more, every so-manieth.
SAMPLE = 1000
#: Answers to a task from which their mean stands for the next.
_ENOUGH = 20
#: The part of the tokens allowed that an answer takes, when none was measured yet.
_PART = 0.25


def likely_cost(path: Path, config: OpenAIConfig, index: LedgerIndex | None) -> Prediction:
    """Of the train seeds in ``seeds.jsonl``; ``index`` None: nothing is on record."""
    train = sum(1 for _ in _train_lines(path))
    step = max(1, math.ceil(train / SAMPLE))
    likely = _Likely(config, index)
    total = requests = recorded = played = 0
    for line in islice(_train_lines(path), 0, None, step):
        missing, known = _played(Seed.model_validate_json(line), config, index)
        played += 1
        recorded += known
        requests += len(missing)
        total += sum(likely.price(request) for request in missing)
    scale = train / played if played else 0.0
    usd = dollars(round(total * scale))
    words = (
        f"about ${usd:.2f} for {round(requests * scale):,} requests of {config.model}"
        if requests
        else "costs nothing: every answer is on record"
    )
    if requests and recorded:
        words += f"; {round(recorded * scale):,} are on record"
    budget = config.budget_usd
    if budget is not None and total * scale > picodollars(budget):
        words += f"; budget_usd ends it at ${budget:g}"
    return Prediction(usd, words)


def _played(
    seed: Seed, config: OpenAIConfig, index: LedgerIndex | None
) -> tuple[list[AnnotationRequest], int]:
    """The requests of a seed that are not on record, about; and how many are."""
    expected = list(expected_requests(seed, config))
    if index is None:
        return expected, 0
    procedure = annotate_seed(seed, config)
    known = 0
    try:
        request = next(procedure)
        while (
            found := index.find(request_digest(config.model, request))
        ) is not None and is_answer(found.body):
            known += 1
            request = procedure.send(read_reply(found.body))
    except StopIteration:
        return [], known
    finally:
        procedure.close()
    return [request, *expected[known + 1 :]], known


@dataclass
class _Means:
    prompt: float
    cached: float
    completion: float


class _Likely:
    """What a request is likely to cost."""

    def __init__(self, config: OpenAIConfig, index: LedgerIndex | None) -> None:
        self._config = config
        self._index = index
        self._means: dict[str, _Means | None] = {}

    def price(self, request: AnnotationRequest) -> int:
        """In picodollars."""
        means = self._measured(request.task.value)
        if means is None:
            prompt = float(expected_tokens(self._config.model, request))
            means = _Means(prompt, 0.0, request.max_tokens * _PART)
        return price(
            self._config.prices,
            prompt=round(means.prompt),
            cached=round(means.cached),
            completion=round(means.completion),
            batch=self._config.mode == "batch",
        )

    def _measured(self, task: str) -> _Means | None:
        if self._index is None:
            return None
        if task not in self._means:
            sums = self._index.totals(model=self._config.model, task=task)
            self._means[task] = None
            if sums.requests >= _ENOUGH and sums.prompt_tokens:
                self._means[task] = _Means(
                    sums.prompt_tokens / sums.requests,
                    sums.cached_tokens / sums.requests,
                    sums.completion_tokens / sums.requests,
                )
        return self._means[task]


def _train_lines(path: Path) -> Iterator[str]:
    """The lines of seeds that a model is asked about, found without reading them whole."""
    mark = f'"split":"{Split.TRAIN.value}"'
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if mark in line:
                yield line
