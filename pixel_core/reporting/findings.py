"""The result in plain words and tables. Every number comes from the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixel_core.reporting.charts import Bar, Chart, bar_chart
from pixel_core.reporting.material import DECODINGS, MODELS, Material
from pixel_core.reporting.wording import MODEL_NAMES, p_value, percent, plain, points, span

#: A difference is called one when its p value is below this.
SIGNIFICANT = 0.05
#: More kinds than this make bars too thin to read; the table has them all.
_MAX_KINDS = 10


@dataclass(frozen=True)
class Tile:
    """One model's accuracy, large; the last line is about questions that need a zoom."""

    model: str
    name: str
    accuracy: str
    interval: str
    low: float
    value: float
    high: float
    hidden: str


@dataclass(frozen=True)
class Finding:
    """A sentence, and whether it is good news, bad news, or no news."""

    tone: str
    text: str


def tiles(material: Material) -> list[Tile]:
    """Greedy accuracies, base to policy."""
    rows = []
    for model in MODELS:
        score = material.score(model, "greedy")
        hidden = _hidden(material, score["by"])
        rows.append(
            Tile(
                model=model,
                name=MODEL_NAMES[model],
                accuracy=percent(score["accuracy"]),
                interval=span(score["low"], score["high"]),
                low=score["low"],
                value=score["accuracy"],
                high=score["high"],
                hidden=percent(hidden["accuracy"]) if hidden else "",
            )
        )
    return rows


def findings(material: Material) -> list[Finding]:
    """What was found, in the order a reader asks: did it get better, where, and how sure."""
    confidence = _confidence(material)
    rows = [
        _difference(
            material.comparison("warm_start", "policy", "greedy"), "over RL", confidence
        ),
        _difference(
            material.comparison("base", "warm_start", "greedy"),
            "over the warm start's training",
            confidence,
        ),
    ]
    rows += _hidden_findings(material, confidence)
    policy, start = (material.score(model, "sampled") for model in ("policy", "warm_start"))
    rows.append(
        Finding(
            "none",
            f"When sampled, the policy uses an operation in {percent(policy['rapr'])} of its "
            f"answers (warm start: {percent(start['rapr'])}), and "
            f"{percent(policy['op_error_rate'])} of its calls fail (warm start: "
            f"{percent(start['op_error_rate'])}).",
        )
    )
    return rows


def _hidden_findings(material: Material, confidence: str) -> list[Finding]:
    kinds = material.hidden_kinds()
    if not kinds:
        return []
    scores = {m: _hidden(material, material.score(m, "greedy")["by"]) for m in MODELS}
    numbers = ", ".join(
        f"{MODEL_NAMES[m].lower()} {percent(row['accuracy'])}"
        for m, row in scores.items()
        if row
    )
    n = sum(int(material.score("policy", "greedy")["by"][kind]["n"]) for kind in kinds)
    rows = [
        Finding(
            "none",
            f"On the {n} questions whose answer can't be read without zooming "
            f"({', '.join(map(plain, kinds))}): {numbers}.",
        )
    ]
    if len(kinds) == 1:
        pair = material.comparison("warm_start", "policy", "greedy")
        part = pair["by"][kinds[0]] | {"a": pair["a"], "b": pair["b"]}
        rows.append(_difference(part, "over RL, on these questions", confidence))
    return rows


def _difference(row: Mapping[str, Any], when: str, confidence: str) -> Finding:
    names = MODEL_NAMES[row["b"]].lower(), MODEL_NAMES[row["a"]].lower()
    size = f"{abs(100 * row['difference']):.1f} points"
    sure = row["p_value"] < SIGNIFICANT
    if not sure:
        verdict = f"no clear difference between the {names[1]} and the {names[0]}"
    elif row["difference"] > 0:
        verdict = f"the {names[0]} gained {size} on the {names[1]}"
    else:
        verdict = f"the {names[0]} lost {size} against the {names[1]}"
    tone = "none" if not sure else "good" if row["difference"] > 0 else "bad"
    return Finding(
        tone,
        f"{when[0].upper()}{when[1:]}, {verdict}: {points(row['difference'])} points on "
        f"the same {row['n']} questions ({confidence} interval {100 * row['low']:+.1f} to "
        f"{100 * row['high']:+.1f}; {row['won']} questions won, {row['lost']} lost; "
        f"{row['test']}, {p_value(row['p_value'])}).",
    )


def score_rows(material: Material) -> list[dict[str, Any]]:
    """The score table: one row a model and decoding, as text."""
    episodes = material.scores.get("episodes", {})
    return [
        {
            "model": model,
            "name": MODEL_NAMES[model],
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
            "pair": f"{MODEL_NAMES[row['a']]} → {MODEL_NAMES[row['b']].lower()}",
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
    """Greedy accuracy by question kind, the three models beside one another."""
    kinds = _largest(material.score("policy", "greedy")["by"])
    if not kinds:
        return None
    series = []
    for model in MODELS:
        by = material.score(model, "greedy")["by"]
        bars = [Bar(by[k]["accuracy"], by[k]["low"], by[k]["high"]) for k in kinds]
        series.append((MODEL_NAMES[model], bars))
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
            "name": MODEL_NAMES[model],
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
