"""Formats numbers for readers. Rates are shares from 0 to 1, shown in percent."""

from __future__ import annotations

MODEL_NAMES = {"base": "Base model", "warm_start": "Warm start", "policy": "Policy"}

STOPS = {
    "answered": "gave an answer",
    "no_answer": "stopped without an answer",
    "truncated": "cut off by the length limit",
    "too_many_operations": "used up its operations",
    "context_full": "ran out of context",
}


#: Keeps a number and its sign on one line.
_SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}{_SPACE}%"


def span(low: float, high: float) -> str:
    """An interval in percent: "78.8 to 85.5 %"."""
    return f"{100 * low:.1f} to {100 * high:.1f}{_SPACE}%"


def points(difference: float) -> str:
    """A difference of shares in percentage points, signed."""
    value = round(100 * difference, 1)
    return f"{value:+.1f}" if value else "0.0"


def p_value(p: float) -> str:
    """Never "p = 0": a small p is shown as a bound."""
    if p < 1e-4:
        return "p < 0.0001"
    return f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"


def plain(name: str) -> str:
    """A field or kind name as words."""
    return name.replace("_", " ")


def clipped(text: str, limit: int = 4000) -> str:
    """A long text cut at ``limit`` characters, and marked as cut."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit} more characters)"
