"""One amount or a range of two, in a folded text: its number and its unit as written.

Numbers are in digits or in words (``number_words``), scaled by words, letters and Chinese
characters ("1.5 million", "$2m", "5M", "10k", "500万"), negative by a sign or a word; of a
range either end may have the unit ("5-10%", "$5 to $10").
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from pixel_core.rewards.number_words import (
    CHINESE_DIGITS,
    SCALES,
    chinese_number,
    leading_number,
)
from pixel_core.rewards.units import CURRENCIES, same_unit, unit_of

#: A number and its unit: one name of a known one, else the words; "" for none.
Amount = tuple[Decimal, str]

#: Whole digits that begin with a needless zero.
CODE = re.compile(r"[+-]?0\d+")
_AMOUNT = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>us\$|usd|eur|gbp|cny|rmb|jpy|inr|krw|[$€£¥₹₩])?\s*"
    r"(?P<sign2>[+-]?)\s*(?P<digits>\d+\.?\d*|\.\d+)(?P<rest>.*)",
    re.DOTALL,
)
_LETTERS = {"k": 10**3, "mn": 10**6, "mln": 10**6, "bn": 10**9, "tn": 10**12}
_LETTERS |= {"百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_SCALED = re.compile(
    rf"\s*[- ]?(?:({'|'.join([*SCALES, 'k', 'mn', 'mln', 'bn', 'tn'])})\b"
    r"|(百|千(?![米克瓦卡])|[万萬亿億]))"
)
#: Of money any case, "$5m"; else capitals: "5M" is five million, "5 m" metres.
_MONEY_SCALED = re.compile(r"\s?([mb])\b")
_CAPITAL = re.compile(r"\d[MB]\W*\Z")
_MILLIONS = {"m": Decimal(10**6), "b": Decimal(10**9)}
_NEGATIVE = re.compile(r"(?:(?:minus|negative)\s+|负|負|零下)(?=\S)")
_PERCENT_BEFORE = re.compile(r"百分之(.+)")
#: The two ends of a range, of which either may have the unit.
_RANGE = re.compile(r"(.*?[\d%°'\"\w])\s*(?:-+|\bto\b|~|到|至)\s*(-?[\d.$€£¥].*)")
#: No answer has more digits; the default context would round.
_EXACT = Context(prec=1000)


def one_amount(text: str) -> Amount | None:
    """The number and its unit as written, of a folded text that is one amount."""
    if negative := _NEGATIVE.match(text):
        amount = _amount(text[negative.end() :])
        return None if amount is None or amount[0] < 0 else (amount[0].copy_negate(), amount[1])
    if percent := _PERCENT_BEFORE.fullmatch(text):
        amount = _amount(percent[1])
        return None if amount is None or amount[1] else (amount[0], "%")
    return _amount(text)


def _amount(text: str) -> Amount | None:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return _amount_in_words(text)
    if found["sign"] and found["sign2"]:
        return None
    value = Decimal(found["digits"])
    if "-" in (found["sign"], found["sign2"]):
        value = value.copy_negate()
    rest = found["rest"]
    while scaled := _SCALED.match(rest):
        word = scaled[1] or scaled[2]
        value = _EXACT.multiply(value, Decimal(SCALES.get(word) or _LETTERS[word]))
        rest = rest[scaled.end() :]
    if found["before"] and (scaled := _MONEY_SCALED.match(rest)):
        value = _EXACT.multiply(value, _MILLIONS[scaled[1]])
        rest = rest[scaled.end() :]
    return _with_unit(value, found["before"], rest)


def _amount_in_words(text: str) -> Amount | None:
    words = text.split()
    if found := leading_number(words):
        value, used = found
        return _with_unit(Decimal(value), None, " ".join(words[used:]))
    if words[0][0] in CHINESE_DIGITS:
        digits = re.match(f"[{CHINESE_DIGITS}]+", words[0])
        number = chinese_number(digits[0]) if digits else None
        if digits and number is not None:
            rest = text[digits.end() :]
            # "一样" is a word, "三个" a number: only a known unit may follow.
            if not rest or unit_of(rest) is not None:
                return _with_unit(Decimal(number), None, rest)
    return None


def amount_range(text: str) -> tuple[Decimal, Decimal, str] | None:
    """The ends of a range of two amounts, and their unit. None where one is a code ("05-06")
    or they have different units."""
    found = _RANGE.fullmatch(text) if any(map(str.isdigit, text)) else None
    if found is None or any(CODE.fullmatch(end) for end in found.groups()):
        return None
    low, high = one_amount(found[1]), one_amount(found[2])
    if low is None or high is None or (low[1] and high[1] and low[1] != high[1]):
        return None
    return low[0], high[0], high[1] or low[1]


def with_capital(written: str, amount: Amount) -> Amount:
    """ "5M" is five million; the folded text has lost the capital."""
    value, unit = amount
    if unit in _MILLIONS and _CAPITAL.search(written):
        return _EXACT.multiply(value, _MILLIONS[unit]), ""
    return amount


def _with_unit(value: Decimal, currency: str | None, rest: str) -> Amount | None:
    """None where other digits follow: a date, a range, "5 ft 10 in"."""
    glued = rest[:1]
    rest = rest.strip().removeprefix("- ").strip()
    if glued == "-" and rest[:1] == "-" and len(rest) > 1:
        rest = rest[1:]
    unit = unit_of(rest) if rest else ""
    if unit is None:
        if glued == "." or any(char.isdigit() for char in rest) or rest[0] in "+-/:^=<>~±":
            return None
        unit = rest
    if currency:
        sign = CURRENCIES[currency]
        if unit and not same_unit(unit, sign):
            return None
        unit = sign
    return value, unit
