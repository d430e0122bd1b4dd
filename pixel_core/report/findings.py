"""The result in plain words and tables. Every number comes from the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixel_core.report.html.charts import Bar, Chart, bar_chart
from pixel_core.report.html.wording import MODEL_NAMES, p_value, percent, plain, points, span
from pixel_core.report.material import DECODINGS, Material
from pixel_core.workflow.table import MODELS

#: A difference counts as real when its p value is below this.
SIGNIFICANT = 0.05
#: With more kinds, bars are too thin to read; the table has them all.
_MAX_KINDS = 10


@dataclass(frozen=True)
class Tile:
    """One model's accuracy, in large type; the last line covers questions that need a zoom."""

    model: str
    name: str
    accuracy: str
    interval: str
    low: float
    value: float
    high: float
    hidden: str


@dataclass(frozen=True)
class ReportFinding:
    """A sentence, and whether it is good, bad or neutral news."""

    tone: str
    text: str


def tiles(material: Material) -> list[Tile]:
    """Greedy accuracies, base to policy."""
    rows = []
    confidence = _confidence(material)
    for model in MODELS:
        score = material.score(model, "greedy")
        hidden = _hidden(material, score["by"])
        rows.append(
            Tile(
                model=model,
                name=material.name(model),
                accuracy=percent(score["accuracy"]),
                interval=f"{confidence} interval {span(score['low'], score['high'])}",
                low=score["low"],
                value=score["accuracy"],
                high=score["high"],
                hidden=percent(hidden["accuracy"]) if hidden else "",
            )
        )
    return rows


def findings(material: Material) -> list[ReportFinding]:
    """The findings, in a reader's order: did it get better, where, and how certain."""
    rows = [_overall(material, "warm_start", "policy"), *_hidden_findings(material)]
    if material.missed_rule:
        rows.insert(
            0,
            ReportFinding(
                "bad",
                "The rule that was to pick the warm start never held: it has the last weights "
                "of its training, and RL went on from there. See Training for what the rule "
                "asked and what its checks saw.",
            ),
        )
    rows.append(_overall(material, "base", "warm_start"))
    policy, start = (material.score(model, "sampled") for model in ("policy", "warm_start"))
    rows.append(
        ReportFinding(
            "none",
            f"When sampled, the policy uses an operation in {percent(policy['rapr'])} of its "
            f"answers (warm start: {percent(start['rapr'])}), and "
            f"{percent(policy['op_error_rate'])} of its calls fail (warm start: "
            f"{percent(start['op_error_rate'])}).",
        )
    )
    return rows


def _overall(material: Material, a: str, b: str) -> ReportFinding:
    row = material.comparison(a, b, "greedy")
    shares = tuple(material.score(model, "greedy")["accuracy"] for model in (a, b))
    where = f"On all {row['n']} questions"
    return _difference(row, shares, where, _confidence(material))


def _hidden_findings(material: Material) -> list[ReportFinding]:
    """The questions that need a zoom, kind by kind: where the gain should come from."""
    rows = []
    for kind in material.hidden_kinds():
        pair = material.comparison("warm_start", "policy", "greedy")
        part = pair["by"][kind] | {"a": pair["a"], "b": pair["b"]}
        base, start, policy = (
            material.score(model, "greedy")["by"][kind]["accuracy"] for model in MODELS
        )
        where = (
            f"On the {part['n']} questions that can't be answered without zooming "
            f"({plain(kind)}; base model {percent(base)})"
        )
        rows.append(_difference(part, (start, policy), where, _confidence(material)))
    return rows


def _difference(
    row: Mapping[str, Any], shares: tuple[float, float], where: str, confidence: str
) -> ReportFinding:
    """``shares``: accuracy of the comparison's ``a`` and ``b`` on the same questions."""
    a, b = MODEL_NAMES[row["a"]].lower(), MODEL_NAMES[row["b"]].lower()
    size = f"{abs(100 * row['difference']):.1f} points"
    if row["difference"] > 0:
        relation = f"{size} more than the {a}'s {percent(shares[0])}"
    elif row["difference"] < 0:
        relation = f"{size} less than the {a}'s {percent(shares[0])}"
    else:
        relation = f"as many as the {a}"
    sure = row["p_value"] < SIGNIFICANT
    tone = "none" if not sure else "good" if row["difference"] > 0 else "bad"
    doubt = "" if sure or not row["difference"] else ", which may be chance"
    return ReportFinding(
        tone,
        f"{where}, the {b} answers {percent(shares[1])} right, {relation}{doubt} "
        f"({confidence} interval of the difference {points(row['low'])} to "
        f"{points(row['high'])} points; better on {row['won']} questions, worse on "
        f"{row['lost']}; {row['test']}, {p_value(row['p_value'])}).",
    )


def score_rows(material: Material) -> list[dict[str, Any]]:
    """The score table: one row a model and decoding, as text."""
    episodes = material.scores.get("episodes", {})
    return [
        {
            "model": model,
            "name": material.name(model),
            "decoding": decoding,
            "n": score["n"],
            "accuracy": percent(score["accuracy"]),
            "interval": span(score["low"], score["high"]),
            "rapr": percent(score["rapr"]),
            "errors": percent(score["op_error_rate"]),
            "episodes": _episode_text(episodes.get(model, {}).get(decoding)),
        }
        for model in MODELS
        for decoding in DECODINGS
        for score in [material.score(model, decoding)]
    ]


def comparison_rows(material: Material) -> list[dict[str, Any]]:
    """The table of paired comparisons, overall and by kind, as text."""
    return [
        {
            "pair": f"{material.name(row['a'])} → {_lower(material.name(row['b']))}",
            "decoding": row["decoding"],
            "kind": kind,
            "n": part["n"],
            "difference": points(part["difference"]),
            "interval": f"{points(part['low'])} to {points(part['high'])}",
            "p": p_value(part["p_value"]),
            "test": part["test"],
            "won": part["won"],
            "lost": part["lost"],
        }
        for row in material.scores["comparisons"]
        for kind, part in [("all", row), *((plain(k), p) for k, p in row["by"].items())]
    ]


def kind_chart(material: Material) -> Chart | None:
    """Greedy accuracy by question kind, the three models side by side."""
    kinds = _largest(material.score("policy", "greedy")["by"])
    if not kinds:
        return None
    series = []
    for model in MODELS:
        by = material.score(model, "greedy")["by"]
        bars = [Bar(by[k]["accuracy"], by[k]["low"], by[k]["high"]) for k in kinds]
        series.append((material.name(model), bars))
    hidden = set(material.hidden_kinds())
    labels = [
        f"{plain(kind)}\n({'illegible' if kind in hidden else 'legible'})"
        if hidden
        else plain(kind)
        for kind in kinds
    ]
    return bar_chart("kinds", labels, series)


def kind_rows(material: Material) -> list[dict[str, Any]]:
    """Accuracy with its interval and RaPR by kind, one row a kind and model, as text."""
    return [
        {
            "kind": plain(kind),
            "name": material.name(model),
            "decoding": decoding,
            "n": int(row["n"]),
            "accuracy": percent(row["accuracy"]),
            "interval": span(row["low"], row["high"]),
            "rapr": percent(row["rapr"]),
            "errors": percent(row["op_error_rate"]),
        }
        for kind in material.score("policy", "greedy")["by"]
        for model in MODELS
        for decoding in DECODINGS
        for row in [material.score(model, decoding)["by"][kind]]
    ]


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _hidden(
    material: Material, by: Mapping[str, Mapping[str, float]]
) -> dict[str, float] | None:
    """Accuracy over the kinds that can't be read without zooming."""
    parts = [by[kind] for kind in material.hidden_kinds() if kind in by]
    n = sum(part["n"] for part in parts)
    if not n:
        return None
    return {"n": n, "accuracy": sum(part["n"] * part["accuracy"] for part in parts) / n}


def _largest(by: Mapping[str, Mapping[str, float]]) -> Sequence[str]:
    kept = sorted(by, key=lambda kind: (-by[kind]["n"], kind))[:_MAX_KINDS]
    return sorted(kept)


def _episode_text(summary: Mapping[str, Any] | None) -> dict[str, str] | None:
    if summary is None:
        return None
    return {
        "operations": f"{summary['operations']:.2f}",
        "tokens": f"{summary['tokens']:.0f}",
        "stops": ", ".join(f"{plain(k)} {n}" for k, n in summary["stops"].items()),
    }


def _confidence(material: Material) -> str:
    level = material.scores.get("settings", {}).get("confidence", 0.95)
    return f"{100 * level:g} %"
