"""The likely cost of the answers that are not on record.

Each train seed's procedure is replayed with the recorded answers. Where those end, the
requests it is expected to make are priced by the means of like requests on record or, where
there are too few, by the sizes of pictures and texts. A large set is sampled.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixel_core.config import OpenAIConfig, PipelineConfig
from pixel_core.data.annotation import requests as views
from pixel_core.data.annotation.answers import SMALL
from pixel_core.data.annotation.ledger.ledger_index import LedgerIndex
from pixel_core.data.annotation.locate import locate_request
from pixel_core.data.annotation.pricing import dollars, expected_tokens, picodollars, price
from pixel_core.data.annotation.procedure import annotate_seed
from pixel_core.data.annotation.propose import propose_request
from pixel_core.data.annotation.requests import AnnotationRequest, request_digest
from pixel_core.data.annotation.verify import look_request
from pixel_core.models.endpoint.completion import is_answer, read_reply
from pixel_core.records import Box, Cue, FrameCue, Seed, Split
from pixel_core.workflow.stage import Prediction, SharedNotes
from pixel_core.workflow.store import Artifact

# Predicts what a run of ``annotate`` would cost, for ``pixel plan``.


#: Bytes of segments that a plan reads at most to bring the index up to date.
_MOST_READ = 32 << 20


def predict(
    config: PipelineConfig,
    inputs: Mapping[str, Artifact] | None,
    notes: SharedNotes,
    cache: Path,
) -> Prediction | None:
    """The cost of the answers that are not on record; None where the stage costs nothing.

    ``inputs`` None: they do not exist yet. Reads no picture and writes only to the cache.
    Raises ``StorageError``, and ``DataError`` for seeds that can't be read.
    """
    if config.annotate.by != "openai":
        return None
    # Imported here: a plan without paid stages stays quick.
    from pixel_core.data.annotation.ledger.index import INDEX, peek, segment_sizes

    if inputs is None:
        return Prediction(None, "cost unknown until ingest has run")
    index = None
    if segment_sizes(notes):
        index = peek(notes, cache / INDEX, _MOST_READ)
        if index is None:
            return Prediction(
                None, "cost unknown: the index of answers on record is not on this machine yet"
            )
    try:
        with _seeds_file(inputs["ingest"]) as path:
            return likely_cost(path, config.annotate.openai, index)
    finally:
        if index is not None:
            index.close()


@contextmanager
def _seeds_file(artifact: Artifact) -> Iterator[Path]:
    """``seeds.jsonl``, without downloading the pictures of a remote artifact."""
    place = artifact.storage.local_path(artifact.folder)
    if place is not None:
        yield place / "seeds.jsonl"
        return
    with tempfile.TemporaryDirectory(prefix="pixel-plan-") as folder:
        path = Path(folder) / "seeds.jsonl"
        artifact.storage.download(f"{artifact.folder}/seeds.jsonl", path)
        yield path


# The requests that a seed's annotation makes if all goes well, to predict the price.


#: Frames that hold a video's evidence, as long as that is unknown.
_FRAMES = 4


def expected_requests(seed: Seed, config: OpenAIConfig) -> tuple[AnnotationRequest, ...]:
    """The first request exactly; the second looks as they are if nothing is retried.

    Where the cue is still unknown, the looks are placeholders of the right size: their
    digests differ from those that will be sent. Votes that a majority may spare are counted.
    """
    first = locate_request(seed, config) if seed.asks else propose_request(seed, config)
    if not config.verify.votes:
        return (first,)
    cue = seed.cue or _some_cue(seed)
    return (
        first,
        *(
            look_request(seed, shown, config, vote)
            for shown in (
                views.cue_alone(seed, cue, config.max_picture_pixels),
                views.whole(seed, config.verify.whole_pixels),
            )
            for vote in range(config.verify.votes)
        ),
    )


def _some_cue(seed: Seed) -> Cue | FrameCue:
    if seed.is_video:
        return FrameCue(frames=tuple(range(min(_FRAMES, len(seed.pictures)))))
    picture = seed.pictures[0]
    side = math.sqrt(SMALL)
    return Cue(
        box=Box(
            x1=0,
            y1=0,
            x2=max(1, round(picture.width * side)),
            y2=max(1, round(picture.height * side)),
        )
    )


#: Train seeds that are replayed; larger sets are sampled evenly.
SAMPLE = 1000
#: Answers to a task from which their mean predicts the next.
_ENOUGH = 20
#: Share of the token limit that an answer is assumed to take before any was measured.
_PART = 0.25


def likely_cost(path: Path, config: OpenAIConfig, index: LedgerIndex | None) -> Prediction:
    """The cost for the train seeds in ``seeds.jsonl``; ``index`` None: nothing is recorded."""
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
    """A seed's requests that are not on record, about; and how many are."""
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
    """The lines of the seeds that a model will be asked about, without parsing them fully."""
    mark = f'"split":"{Split.TRAIN.value}"'
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if mark in line:
                yield line
