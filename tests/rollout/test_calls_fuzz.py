"""Calls mutated at random: each is read, or refused with its kind, in bounded time."""

import json
import random
import re

import pytest
from call_texts import (
    BOTH,
    NORMALIZED,
    OF_FRAMES,
    OF_PICTURES,
    PIXEL,
    PIXELS_ONLY,
    UNREAD,
    K,
    tagged,
    validator,
)

from pixel_core.rollout.tool_calls import (
    CallError,
    CallErrorKind,
    ZoomCall,
    format_call,
    parse_turn,
)

TOKENS = [
    *'{}[]",:\\-.0159eE \n<>/\x00\u2028é',
    *("<tool_call>", "</tool_call>", "NaN", "-Infinity", "true", "null", "1e999", "1.0", "0.5"),
    *('"name"', '"arguments"', '"bbox_2d"', '"target_image"', '"zoom_in"', "\\ud800"),
    *("9" * 30, "[" * 50, "-1", '"1"', "[]", "{}", '"id": 1, ', '"id": '),
]


#: Parts of a call that mean something: an entry, a list, a key, a text, a number.
PARTS = re.compile(r', "\w+": \d|\[[^\]]*\]|"\w+": |"\w+"|[\d.]+')


def mutate(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(text) + 1)
        to = min(len(text), at + dice.randint(0, 6))
        part = dice.choice(list(PARTS.finditer(text)) or [None])
        start, stop = part.span() if part and dice.random() < 0.6 else (at, to)
        token = dice.choice(TOKENS)
        text = dice.choice(
            [
                text[:start] + text[stop:],
                text[:start] + token + text[stop:],
                text[:start] + token + text[start:],
                text[:start] + text[start:stop] * 2 + text[stop:],
                text[:start] + text[start:stop] + "1, " + text[start:],
            ]
        )
    return text


def garbage(dice: random.Random) -> str:
    return tagged("".join(dice.choices(TOKENS, k=dice.randint(0, 30))))


@pytest.mark.ci
@BOTH
def test_fuzz_fifty_thousand_calls(zoom):
    dice = random.Random(f"calls {zoom.coordinates}")
    schema = validator(zoom)
    box = (10, 20, 110, 120) if zoom is PIXEL else (0.1, 0.25, 0.5, 1.0)
    canonical = "Look.\n" + format_call(ZoomCall(box, 1), zoom)
    accepted, met, readable = 0, set(), True
    for number in range(50_000):
        text = garbage(dice) if number % 5 == 0 else mutate(canonical, dice)
        try:
            call = parse_turn(text, zoom)
        except CallError as error:
            met.add(error.kind)
            readable = readable and len(error.message) < 250 and error.message.isascii()
            continue
        if call is None:
            assert "<tool_call>" not in text
            continue
        accepted += 1
        body = re.fullmatch(r".*<tool_call>(.*)</tool_call>.*", text, re.DOTALL)[1]
        schema.validate(json.loads(body))
        x1, y1, x2, y2 = call.box
        assert x1 < x2
        assert y1 < y2
        assert parse_turn(format_call(call, zoom), zoom) == call
    # The fuzz is worth something only if it reaches both sides and most rules.
    assert readable
    assert accepted > 500
    reachable = set(CallErrorKind) - OF_PICTURES - OF_FRAMES - UNREAD - {K.TOO_LONG}
    if zoom is NORMALIZED:
        reachable -= PIXELS_ONLY
    assert reachable - met == set()
