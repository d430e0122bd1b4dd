r"""What LaTeX, Markdown and HTML wrap around an answer, taken off: ``\text{5~km}``, ``**B**``.

| written | read |
|---|---|
| ``\text{red}``, ``\mathbf{B}``, ``\boxed{7}``, ``{\bf B}`` | what is inside, however deep |
| ``\(7\)``, ``\[7\]``, ``$7$``, ``$$7$$`` | 7; a lone ``$``, ``\$`` or "$5-$10" is money |
| ``\frac{3}{4}``, ``\dfrac34`` | 3/4; after a whole number with a blank: 1 3/4 |
| ``1{,}200``, ``1\,200`` | 1,200 and 1200 |
| ``5~\text{km}``, ``\quad``, ``\;`` | a blank; "~5" is a guess and stays |
| ``\%``, ``\$``, ``\#``, ``\&``, ``\_`` | the sign |
| ``10^\circ``, ``\times``, ``\pi``, ``^{2}`` | 10°, ×, π, ^2 |
| ``**B**``, ``_B_``, ```B```, ``# B``, ``<b>B</b>``, ``&amp;`` | B, B, B, B, B, & |

Letters keep their case, and punctuation stays: ``normal_form`` says what of it counts. A
command that is not known stays as it is.
"""

from __future__ import annotations

import html
import re

_GROUP = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf"
    r"|mathtt|mathbb|mathcal|boldsymbol|bm|mbox|hbox|fbox|boxed|operatorname|underline|overline"
    r"|emph|ensuremath|color\s*\{[a-z]*\})\*?\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)(?!\d)")
_MIXED = re.compile(r"(?<=\d)\s*(?=\\[dtc]?frac)")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_POWER = re.compile(r"([\^_])\{([^{}]*)\}")
#: ``\\boxed {7}``: the blank is TeX's.
_COMMAND_BLANK = re.compile(r"(\\[A-Za-z]+)\s+(?=\{)")
_BARE_GROUP = re.compile(r"(?<![A-Za-z}\]])(\s*)\{([^{}]*)\}")
_SWITCH = re.compile(
    r"\\(?:displaystyle|textstyle|bf|rm|it|sf|tt|bfseries|itshape|normalfont|large|Large|huge"
    r"|mathrm|mathbf|text|left|right|[bB]ig{1,2}[lr]?)(?![A-Za-z])\s*"
)
_SPACE = re.compile(r"\\[ ,;:!\\]|\\q?quad(?![a-z])|~(?=\\)|(?<=\})~|(?<=\w)~(?=[A-Za-z])")
_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,;:! ]|[\u2009\u202f\u00a0])(?=\d{3}(?!\d))")
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-z]))|\\(?:text)?degree(?![a-z])")
_MATHS = re.compile(r"\\[()\[\]]")
#: As Pandoc tells maths from money: no blank inside the signs, no digit behind them.
_DISPLAY = re.compile(r"\$\$([^$]+)\$\$")
_DOLLARS = re.compile(r"\$(?=\S)([^$]*[^$\s])\$(?!\d)")
_ESCAPED = {r"\$": "\ue000", r"\{": "\ue001", r"\}": "\ue002", r"\_": "\ue003"}
_RESTORED = str.maketrans({"\ue000": "$", "\ue001": "{", "\ue002": "}", "\ue003": "_"})
_SIGN = re.compile(r"\\([%#&])")
_SYMBOLS = {
    "times": "×",
    "cdot": "·",
    "pm": "±",
    "approx": "≈",
    "sim": "≈",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "div": "÷",
    "pi": "π",
    "circ": "°",
    "infty": "∞",
    "in": "∈",
    "cup": "∪",
    "cap": "∩",
    "angle": "∠",
    "triangle": "△",
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "theta": "θ",
    "lambda": "λ",
    "mu": "μ",
    "to": "→",
    "rightarrow": "→",
    "euro": "€",
    "pounds": "£",
    "ldots": "...",
    "dots": "...",
}
_SYMBOL = re.compile(rf"\\({'|'.join(sorted(_SYMBOLS, key=len, reverse=True))})(?![A-Za-z])")
_HTML = re.compile(
    r"</?(?:b|i|u|em|strong|span|code|p|mark|font|div|center|br)\b[^<>]{0,80}>", re.IGNORECASE
)
_EMPHASIS = re.compile(r"(\*{1,3}|`{1,3}|~~)(?=\S)([^*`]+?)(?<=\S)\1(?!\w)")
_UNDERSCORES = re.compile(r"(_{1,2})([^_]+)\1")
_HEADING = re.compile(r"\s{0,3}(?:#{1,6}|>)\s+(?=\S)")
#: Groups within groups; what nests deeper is no answer.
_DEPTH = 12
#: Characters; a longer text is no answer, and is left as it is.
_MAX_TEXT = 8192
_MARKS = frozenset("\\${}*`_<&#>~\u2009\u202f\u00a0")


def unwrapped(text: str) -> str:
    """The text without its wrapping, stripped. Total."""
    text = text.strip()
    if _MARKS.isdisjoint(text) or len(text) > _MAX_TEXT:
        return text
    if "\\" in text and ("*" in text or "`" in text):
        text = _EMPHASIS.sub(r"\2", text)  # "**\(7\)**": what is inside begins with a blank
    if "\\" in text or "{" in text or "$" in text or "~" in text or not text.isascii():
        text = _without_latex(text)
    if "<" in text or "&" in text:
        text = html.unescape(_HTML.sub(" ", text)).strip()
    return _without_markdown(text)


def _without_markdown(text: str) -> str:
    if "*" in text or "`" in text or "~" in text:
        for _ in range(2):
            text = _EMPHASIS.sub(r"\2", text)
    if (whole := _UNDERSCORES.fullmatch(text)) is not None:
        text = whole[2]
    if text[:1] in "#>" and (heading := _HEADING.match(text)) is not None:
        text = text[heading.end() :]
    return text.strip()


def _without_latex(text: str) -> str:
    text = _THOUSANDS.sub("", text)
    if "\\" in text:
        for written, kept in _ESCAPED.items():
            text = text.replace(written, kept)
        text = _SIGN.sub(r"\1", _MATHS.sub(" ", text))
        text = _SPACE.sub(" ", _DEGREE.sub("°", text))
        text = _SYMBOL.sub(lambda found: _SYMBOLS[found[1]], text)
        text = _SHORT_FRACTION.sub(r"\1/\2", _MIXED.sub(" ", text))
    elif "~" in text:
        text = _SPACE.sub(" ", text)
    if "$" in text:
        text = _DOLLARS.sub(r"\1", _DISPLAY.sub(r"\1", text))
    if "{" in text:
        text = _without_groups(text.replace("{,}", ","))
    if "\\" in text:
        text = _SWITCH.sub("", text)
    return text.translate(_RESTORED).strip()


def _without_groups(text: str) -> str:
    """The innermost first."""
    text = _COMMAND_BLANK.sub(r"\1", text)
    for _ in range(_DEPTH):
        before = text
        text = _SWITCH.sub("", _GROUP.sub(r"\1", text)) if "\\" in text else text
        text = _FRACTION.sub(lambda found: f"{_part(found[1])}/{_part(found[2])}", text)
        text = _ROOT.sub(lambda found: f"sqrt({found[1].strip()})", text)
        text = _POWER.sub(_power, text)
        text = _BARE_GROUP.sub(r"\1\2", text)
        if text == before:
            break
    return text


def _power(found: re.Match[str]) -> str:
    """ "1^{st}" is "1st"; what follows an exponent is not its digit: ``2^{1}0``."""
    raised = _part(found[2])
    if raised in ("st", "nd", "rd", "th"):
        return raised
    apart = raised[-1:].isdigit() and found.string[found.end() : found.end() + 1].isdigit()
    return f"{found[1]}{raised} " if apart else found[1] + raised


def _part(text: str) -> str:
    """A fraction's part or an exponent; in brackets where it is more than a word."""
    text = text.strip()
    plain = text.lstrip("-").replace(".", "")
    mixed = not (plain.isdigit() or plain.isalpha())
    return f"({text})" if mixed and (len(plain) > 1 or not plain.isalnum()) else text
