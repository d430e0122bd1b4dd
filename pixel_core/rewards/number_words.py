"""Numbers in words: English up to the trillions, Chinese up to 9,999."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_UNITS.split())}
_TENS_OF = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}

#: Words that multiply what stands before them.
SCALES = MappingProxyType(
    {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
)
#: One word each: "two", "twenty", "twenty-one", "twentyone".
WORDS = MappingProxyType(
    {
        **_SMALL,
        **_TENS_OF,
        **{
            tens + dash + unit: _TENS_OF[tens] + _SMALL[unit]
            for tens in _TENS_OF
            for unit in _UNITS.split()[1:10]
            for dash in ("-", "")
        },
    }
)
_CHINESE = MappingProxyType(
    {**{char: value for value, char in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2}
)
_CHINESE_SCALES = MappingProxyType({"十": 10, "百": 100, "千": 1000})
CHINESE_DIGITS = "".join([*_CHINESE, *_CHINESE_SCALES])


def leading_number(words: Sequence[str]) -> tuple[int, int] | None:
    """The number that lower-case words begin with, and how many of them say it.

    "one hundred and five dogs" is 105 in four words; "a hundred" is 100. None where the first
    word is no number. Two numbers side by side ("two two") are not joined.
    """
    total = current = used = 0
    last = 0  # the unit that was said last; a smaller one may follow it
    for place, word in enumerate(words):
        value = WORDS.get(word)
        scale = SCALES.get(word)
        article = place == 0 and word in ("a", "an") and len(words) > 1 and words[1] in SCALES
        if article:
            current, last = 1, 1
        elif value is not None and (used == 0 or (last >= 100 > value) or _fits(last, value)):
            current += value
            last = 20 if value >= 20 and value % 10 == 0 else 1
        elif scale is not None and used:
            if scale == 100:
                current *= scale
            else:
                total, current = total + current * scale, 0
            last = scale
        elif word == "and" and last >= 100 and place + 1 < len(words):
            if words[place + 1] not in WORDS:
                break
            continue
        else:
            break
        used = place + 1
    return (total + current, used) if used else None


def _fits(last: int, value: int) -> bool:
    """Whether a unit may follow: "twenty" and "one", not "two" and "one"."""
    return last == 20 and 1 <= value <= 9


def chinese_number(text: str) -> int | None:
    """The value of a Chinese number alone ("两", "十二", "一百零五"), else None."""
    total, digit = 0, None
    for char in text:
        if char in _CHINESE:
            if digit:
                return None
            digit = _CHINESE[char]
        elif char in _CHINESE_SCALES:
            total += (1 if digit is None else digit) * _CHINESE_SCALES[char]
            digit = None
        else:
            return None
    return total + (digit or 0) if text else None
