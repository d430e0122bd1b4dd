"""Proposes a small detail of a photo that has no question, and a four-choice question."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.config import OpenAIConfig
from pixel_core.data.annotation import requests as views
from pixel_core.data.annotation.answers import (
    Proposal,
    ask,
    read_answer,
    response_format,
    small_cue_in,
)
from pixel_core.data.annotation.outcome import AnnotationFault, GaveUp, ReplyTally, Unusable
from pixel_core.data.annotation.prompt_files import prompts_of
from pixel_core.data.annotation.requests import AnnotationRequest, Procedure, RequestTask
from pixel_core.data.annotation.texts import (
    MAX_FEW_WORDS,
    Texts,
    checked_question,
    checked_texts,
    plain,
)
from pixel_core.data.leaks import leaks
from pixel_core.models.endpoint.completion import Reply
from pixel_core.records import Cue, Query, Seed
from pixel_core.rewards.grading import extract_boxed, grade

# The order in which a proposed question's options are shown.
#
# Annotators put the right option first far more often than chance, and a model trained on that
# would learn the letter. The order is drawn from the seed's id, so it is reproducible.


def shuffled(options: Sequence[str], seed: int, name: str) -> tuple[str, ...]:
    """The options in an order drawn from ``seed`` (a setting) and the seed's id."""
    order = list(options)
    random.Random(f"{seed}/{name}").shuffle(order)
    return tuple(order)


MAX_TOKENS = 1000
#: Options of a proposed question, the right one among them.
OPTIONS = 4


@dataclass(frozen=True)
class Proposed:
    """The seed with its new question; options are in display order."""

    seed: Seed
    cue: Cue
    texts: Texts


def propose(seed: Seed, config: OpenAIConfig, tally: ReplyTally) -> Procedure[Proposed]:
    """Ask for a detail and a question. ``GaveUp`` when none exists, or none is ever usable."""
    request = propose_request(seed, config)
    prompts = prompts_of(RequestTask.PROPOSE, config.prompts.propose)

    def read(reply: Reply) -> Proposed | None:
        return _read(reply, seed, config.seed, tally)

    proposed = yield from ask(request, read, prompts, tally)
    if proposed is None:
        raise GaveUp(AnnotationFault.NOT_VALID)
    return proposed


def propose_request(seed: Seed, config: OpenAIConfig) -> AnnotationRequest:
    """The first request of ``propose``; only the seed's first picture is shown."""
    prompts = prompts_of(RequestTask.PROPOSE, config.prompts.propose)
    shown = views.whole(seed, config.max_picture_pixels)[:1]
    return AnnotationRequest(
        task=RequestTask.PROPOSE,
        messages=(
            {"role": "system", "content": prompts.write("system")},
            {
                "role": "user",
                "content": views.content(shown, prompts.write("user"), frames=False),
            },
        ),
        views=shown,
        response_format=response_format("propose", Proposal),
        max_tokens=MAX_TOKENS,
    )


def _read(reply: Reply, seed: Seed, order: int, tally: ReplyTally) -> Proposed | None:
    """None when the model says *not valid*. Raises ``Unusable``."""
    answer = read_answer(reply, Proposal)
    if not answer.valid:
        return None
    cue, repaired = small_cue_in(seed.pictures[0], answer.box)
    question = checked_question(answer.question)
    right, *wrong = _options(seed, [answer.right_option, *answer.wrong_options])
    if leaks(question, [right]) and not all(leaks(question, [option]) for option in wrong):
        raise Unusable(
            AnnotationFault.LEAK, "question holds the right option and not the others"
        )
    texts = checked_texts(
        answer.subject, answer.whole_view, answer.local_view, [right], cued=True
    )
    tally.repaired += repaired
    asked = {
        "question": question,
        "answers": (right,),
        "choices": shuffled((right, *wrong), order, seed.id),
    }
    return Proposed(seed.model_copy(update=asked), cue, texts)


def _options(seed: Seed, options: list[str]) -> list[str]:
    """The options, plain; ``Unusable`` unless they are four that grading distinguishes."""
    options = [plain("an option", option, MAX_FEW_WORDS) for option in options]
    if len(options) != OPTIONS:
        raise Unusable(
            AnnotationFault.OPTIONS,
            f"there are {len(options) - 1} wrong options, {OPTIONS - 1} are needed",
        )
    for place, option in enumerate(options):
        if extract_boxed(f"\\boxed{{{option}}}") != option:
            raise Unusable(AnnotationFault.OPTIONS, f"option {option!r} has unmatched braces")
        for other in options[:place]:
            if _accepts(seed, option, other) or _accepts(seed, other, option):
                raise Unusable(
                    AnnotationFault.OPTIONS,
                    f"options {other!r} and {option!r} are the same answer; give four "
                    "different ones",
                )
    return options


def _accepts(seed: Seed, right: str, answer: str) -> bool:
    asked = seed.model_copy(update={"question": "?", "answers": (right,), "choices": ()})
    return grade(answer, Query.from_seed(asked))
