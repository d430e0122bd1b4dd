r"""Signs and brackets that change what a formula says, in a text where punctuation is dropped.

| counts | example: not one another |
|---|---|
| a minus glued to a lone letter or a bracket | -x, x; -(x+1), -x+1 |
| between lone letters, or behind a number's letter | x-y, xy; 2x-1, 2x1 |
| behind one or two letters alone, or a number | A-, A; AB-, AB; 1990-, 1990 |
| of an exponent | 1e-3, 1e3 |
| brackets around a sum, next to what they multiply | 2(x+1), 2x+1; (a+b)/c, a+b/c |
| an interval that is open on one side | [0, 1), [0, 1] |
| anything between two digits | 2(3), 23; 3·4, 34 |

A hyphen in a word or a name does not ("F-16", "3-D", "T-shirt"), nor do brackets around words
or around all ("the dog (left)", "(3, 4)", "[3, 4]": lists are written with both).
"""

from __future__ import annotations

import re

#: Stand-ins of the private area; "sign" is that of ``normal_form``.
SIGN, OPENS, CLOSES, SHUT_OPENS, SHUT_CLOSES = "\ue013", "\ue020", "\ue021", "\ue022", "\ue023"

_MINUS = re.compile(
    r"(?<![\w.)\]])-(?=[^\W\d_](?![^\W\d_])|[(√|∞])"
    r"|(?<![^\W_][^\W_])(?<=[^\W\d_])\s?-\s?(?=[^\W\d_](?![^\W_]))"
    r"|(?<=\d[^\W\d_])\s?-\s?(?=\d)|(?<=\))\s?-\s?(?=[^\W\d_](?![^\W_]))"
    r"|(?<=\d)e-(?=\d)|(?<=\d)-(?=\s*$)"
)
_CHARGE = re.compile(r"(?<![^\W_])([^\W\d_]{1,2})-(?=\s|$)")
_PAIR = re.compile(r"\(([^()]{1,80})\)")
_SUM = re.compile(r"[-+*/^=×·÷√<>]")
_WORD = re.compile(r"[^\W\d_]{2}")
_MIXED = re.compile(r"(?=.*\d).*[^\W\d_]")
_HALF_OPEN = re.compile(
    r"(\[[^()\[\]]{1,80},[^()\[\]]{1,80}\)|\([^()\[\]]{1,80},[^()\[\]]{1,80}\])"
)
_MARKS = str.maketrans({"(": OPENS, ")": CLOSES, "[": SHUT_OPENS, "]": SHUT_CLOSES})
#: Brackets in brackets; what nests deeper is no answer.
_DEPTH = 8


def formula_signs(text: str) -> str:
    """A folded text with stand-ins for the signs and brackets that count."""
    if "-" in text:
        text = _CHARGE.sub(rf"\1{SIGN}", _MINUS.sub(_minus, text))
    if "(" in text:
        text = _brackets(text)
    return text


def half_open(text: str) -> str:
    """Half-open intervals with stand-ins for their brackets."""
    if "," not in text or not (("(" in text and "]" in text) or ("[" in text and ")" in text)):
        return text
    return _HALF_OPEN.sub(lambda found: found[0].translate(_MARKS), text)


def _minus(found: re.Match[str]) -> str:
    return found[0].strip().replace("-", SIGN)


def _brackets(text: str) -> str:
    for _ in range(_DEPTH):
        before = text
        text = _PAIR.sub(_bracket, text)
        if text == before:
            break
    return text


def _bracket(found: re.Match[str]) -> str:
    inside, text, start, end = found[1], found.string, found.start(), found.end()
    # Those that do not count are taken off, so that the pair around them is the innermost.
    if _counts(inside, text[max(0, start - 5) : start], text[end : end + 2]):
        return OPENS + inside + CLOSES
    return f" {inside} "


def _counts(inside: str, before: str, after: str) -> bool:
    if _WORD.search(inside.replace("sqrt", "√")):
        return False
    over = before.rstrip()[-1:] in ("/", "^", "√", "÷") or before.endswith("sqrt")
    if over and _MIXED.match(inside):
        return True
    if not _SUM.search(inside) and SIGN not in inside:
        return False
    if over or before[-1:].isalnum() or after[:1].isalnum():
        return True
    if before[-1:] in (SIGN, CLOSES, ")", "*", "×", "·", "-"):
        return True
    if after.lstrip()[:1] in ("/", "^", "*", "×", "·", "÷", "(", OPENS):
        return True
    # "2 (x+1)" multiplies, "3 (2+1)" says how it came about.
    return before.rstrip()[-1:].isdigit() and any(char.isalpha() for char in inside)
