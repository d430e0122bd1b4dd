"""Answers, field by field of the schema that a request asks for.

Fields are recognised by name; an unknown field gets an empty value of its type.
"""

from __future__ import annotations

from typing import Any

from pixel_core.dev.annotator.cards import SeenCard
from pixel_core.dev.annotator.chat_request import AnnotatorRequest, SeenPicture
from pixel_core.dev.annotator.questions import Kind, UnderstoodQuestion, understand
from pixel_core.dev.annotator.script import number_of

_WHOLE = [0.0, 0.0, 1.0, 1.0]


def answer(request: AnnotatorRequest, *, wrong: bool = False) -> dict[str, Any]:
    """The fields of the answer; ``wrong``: well-formed but false.

    Raises ``BadRequest`` for an invalid picture.
    """
    sights = request.sights()
    schema = request.schema_name.lower()
    if schema.startswith("propose"):
        fields = _propose(sights, request.digest, wrong)
    elif schema.startswith("look"):
        fields = _look(request, sights, wrong)
    else:
        fields = _locate(request, sights, wrong)
    return {
        name: fields.get(name, _empty(shape if isinstance(shape, dict) else {}))
        for name, shape in request.properties
    }


def _locate(
    request: AnnotatorRequest, sights: list[SeenPicture], wrong: bool
) -> dict[str, Any]:
    question = understand(request.asked)
    found = None if question is None else _place(question, sights)
    if question is None or found is None:
        return {"valid": False}
    number, box = found
    cards = sights[number].cards
    card = question.card(cards)
    said = question.answer(cards)
    claimed = _claimed(request.asked)
    if said is not None and claimed and claimed != said and not wrong:
        return {"valid": False}
    if wrong:
        box = _elsewhere(box, request.digest)
    return {
        "valid": True,
        "picture": number + 1,
        "box": box,
        "frames": _frames(question, sights),
        "subject": f"the {card.colour} card" if card else "all the cards",
        "whole_view": _whole_view(card),
        "local_view": _local_view(question, card, claimed or said or ""),
    }


def _propose(sights: list[SeenPicture], digest: str, wrong: bool) -> dict[str, Any]:
    """A question about a card with a readable digit, chosen by the request's digest."""
    places = [
        (sight, number, card)
        for number, sight in enumerate(sights, 1)
        for card in sight.cards
        if card.digit is not None
    ]
    if not places:
        return {"valid": False}
    sight, number, card = places[int(number_of(digest) * len(places))]
    box = _parts(card.box, sight)
    assert card.digit is not None  # by the choice above
    others = _other_digits(card.digit, digest)
    right, rest = (others[0], [card.digit, *others[1:]]) if wrong else (card.digit, others)
    question = UnderstoodQuestion(Kind.DIGIT, card.colour)
    return {
        "valid": True,
        "picture": number,
        "box": box,
        "question": f"Which digit is on the {card.colour} card?",
        "right_option": right,
        "wrong_options": rest,
        "subject": f"the {card.colour} card",
        "whole_view": _whole_view(card),
        "local_view": _local_view(question, card, right),
    }


def _look(request: AnnotatorRequest, sights: list[SeenPicture], wrong: bool) -> dict[str, Any]:
    question = understand(request.asked)
    said = None
    if question is not None:
        if question.kind is Kind.EXISTS:
            seen = any(question.card(sight.cards) for sight in sights)
            said = "yes" if seen else "no"
        else:
            answers = (question.answer(sight.cards) for sight in sights)
            said = next((one for one in answers if one is not None), None)
    if wrong:
        said = _untrue(said, request.digest)
    return {"readable": said is not None, "answer": said or ""}


def _place(
    question: UnderstoodQuestion, sights: list[SeenPicture]
) -> tuple[int, list[float]] | None:
    """The picture with the evidence, from 0, and its box; None if there is none."""
    for number, sight in enumerate(sights):
        if card := question.card(sight.cards):
            return number, _parts(card.box, sight)
    if question.kind is Kind.DIGIT or not any(sight.cards for sight in sights):
        return None
    return next(number for number, sight in enumerate(sights) if sight.cards), _WHOLE


def _frames(question: UnderstoodQuestion, sights: list[SeenPicture]) -> list[int]:
    """The pictures, from 1, with the evidence; all of them for a question about all."""
    found = [n for n, sight in enumerate(sights, 1) if question.card(sight.cards)]
    return found or list(range(1, len(sights) + 1))


def _parts(box: tuple[int, int, int, int], sight: SeenPicture) -> list[float]:
    """A box in pixels as fractions of its picture's sides."""
    sides = (sight.width, sight.height, sight.width, sight.height)
    return [round(value / side, 5) for value, side in zip(box, sides, strict=True)]


def _elsewhere(box: list[float], digest: str) -> list[float]:
    """A box of the same size in another part of the picture."""
    width, height = (min(side, 0.3) for side in (box[2] - box[0], box[3] - box[1]))
    left = 0.0 if box[0] + box[2] > 1 else 1 - width
    top = number_of(f"{digest}/top") * (1 - height)
    return [round(value, 5) for value in (left, top, left + width, top + height)]


def _claimed(asked: str) -> str:
    """The answer that a prompt states, on a line of its own."""
    for line in asked.splitlines():
        if line.lower().startswith(("answer:", "right answer:")):
            return line.partition(":")[2].strip().lower()
    return ""


def _other_digits(digit: str, digest: str) -> list[str]:
    others = [other for other in "0123456789" if other != digit]
    return sorted(others, key=lambda other: number_of(f"{digest}/{other}"))[:3]


def _untrue(said: str | None, digest: str) -> str:
    if said in ("yes", "no"):
        return "no" if said == "yes" else "yes"
    return _other_digits(said or "", digest)[0]


def _whole_view(card: SeenCard | None) -> str:
    view = "I see coloured cards lying on a plain ground."
    return f"{view} One of them is {card.colour}." if card else view


def _local_view(question: UnderstoodQuestion, card: SeenCard | None, said: str) -> str:
    if question.kind is Kind.COUNT:
        return f"I count the cards: {said}."
    if card is None:
        return f"No card here is {question.colour}."
    if question.kind is Kind.EXISTS:
        return f"Here is a card, and it is {card.colour}."
    return f"The {card.colour} card bears the digit {said}."


def _empty(shape: dict[str, Any]) -> Any:
    if shape.get("enum"):
        return shape["enum"][0]
    empty: dict[str, Any] = {
        "boolean": False,
        "integer": 0,
        "number": 0.0,
        "array": [],
        "object": {},
    }
    return empty.get(str(shape.get("type")), "")
