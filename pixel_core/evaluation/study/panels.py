"""Which of the study's curves are shown together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixel_core.evaluation.study.bands import ARM_COLOURS, Scale, band_chart, band_of
from pixel_core.evaluation.study.claims import FULL, NO_CURIOSITY, NO_WARM_START, PENALTY_ONLY
from pixel_core.evaluation.study.summary import ArmSummary, Study
from pixel_core.report.html.charts import Bar, Chart, bar_chart
from pixel_core.report.html.svg import css_colour
from pixel_core.report.html.wording import plain

#: The claims' arms share the first charts; the others are shown beside ``full``.
_CLAIMED = (FULL, NO_CURIOSITY, PENALTY_ONLY, NO_WARM_START)


@dataclass(frozen=True)
class StudyPanel:
    title: str
    note: str
    chart: Chart


def arm_colours(study: Study) -> dict[str, str]:
    """Each arm's CSS colour, the same on every chart."""
    return {
        name: css_colour(ARM_COLOURS[n % len(ARM_COLOURS)]) for n, name in enumerate(study.arms)
    }


def curve_panels(study: Study) -> list[tuple[str, list[StudyPanel]]]:
    """Groups of panels: the claims' arms by base model, or by warm start if there is only one
    base model; the gap; the other arms."""
    claimed = [name for name in study.arms if name in _CLAIMED]
    others = [name for name in study.arms if name not in _CLAIMED]
    places = {place for arm in study.arms.values() for place in arm.places}
    several = len({base for base, _ in places}) > 1
    level, word = (0, "Base model") if several else (1, "Warm start")
    groups: list[tuple[str, list[StudyPanel]]] = []
    for seed in sorted({place[level] for place in places}) if claimed else []:
        panels = _pair(study, claimed, f"claimed-{seed}", (level, seed))
        groups.append((f"{word} {seed}", panels))
    if others:
        beside = [FULL, *others] if FULL in study.arms else others
        groups.append(("Other arms, all runs", _pair(study, beside, "others", None)))
    gap = [panel for name in claimed if (panel := _gap(study, name)) is not None]
    if gap:
        groups.append(("What zooming pays: rollouts with an operation, and without", gap))
    errors = _panel(
        study, list(study.arms), "errors", "op_error_rate", "Share of failed calls", None
    )
    if errors is not None:
        groups.append(("Operation errors", [errors]))
    return groups


def use_panels(study: Study) -> list[tuple[str, list[StudyPanel]]]:
    """Use of operations during training: a group of panels a base model, a curve an arm."""
    names = [name for name in study.arms if name in _CLAIMED] or list(study.arms)
    wanted: tuple[tuple[str, str, Scale], ...] = (
        ("operation_hits", "The operation hits", "share"),
        ("crop_read", "The crop is read", "share"),
        ("operation_pays", "Using it pays, in points", "points"),
        ("entropy", "Entropy, nats a token", "number"),
    )
    groups = []
    for seed in study.base_models:
        panels = [
            _panel(study, names, f"use-{seed}-{key}", key, title, (0, seed), scale)
            for key, title, scale in wanted
        ]
        # Entropy alone says nothing about operations; older curves have only that.
        if any(panels[:-1]):
            groups.append((f"Base model {seed}", [panel for panel in panels if panel]))
    return groups


def kind_chart(study: Study) -> Chart | None:
    """Final accuracy by question kind, sampled, of the claims' arms."""
    names = [name for name in study.arms if name in _CLAIMED] or list(study.arms)
    series = []
    for name in names:
        bars = []
        for kind in study.kinds:
            mean = study.arms[name].accuracy[kind]
            bars.append(Bar(mean.value, mean.interval.low, mean.interval.high))
        series.append((plain(name), bars))
    colours = [_colour(study, name) for name in names]
    return bar_chart("kinds", [plain(kind) for kind in study.kinds], series, colours)


def _pair(
    study: Study, names: Sequence[str], chart: str, group: tuple[int, int] | None
) -> list[StudyPanel]:
    """``group``: only runs with that seed at that level of their places."""
    wanted = (("rapr", "RaPR"), ("accuracy", "Accuracy"))
    found = (_panel(study, names, f"{chart}-{key}", key, title, group) for key, title in wanted)
    return [panel for panel in found if panel is not None]


def _panel(
    study: Study,
    names: Sequence[str],
    chart: str,
    key: str,
    title: str,
    group: tuple[int, int] | None,
    scale: Scale = "share",
) -> StudyPanel | None:
    bands = []
    for name in names:
        arm = study.arms[name]
        runs = [
            run
            for run, place in zip(arm.runs, arm.places, strict=True)
            if group is None or place[group[0]] == group[1]
        ]
        band = band_of(plain(name), _place(study, name), runs, key)
        if band is not None:
            bands.append(band)
    if not bands:
        return None
    return StudyPanel(title, "", band_chart(chart, bands, scale))


def _gap(study: Study, name: str) -> StudyPanel | None:
    arm: ArmSummary = study.arms[name]
    # Not the first arms' colours: these lines are all of one arm.
    bands = [
        band
        for key, label, colour, dashed in (
            ("accuracy_with_operation", "with an operation", 6, False),
            ("accuracy_without_operation", "without", 3, True),
        )
        if (band := band_of(label, colour, arm.runs, key, dashed=dashed)) is not None
    ]
    if not bands:
        return None
    return StudyPanel(plain(name), "", band_chart(f"gap-{name}", bands))


def _colour(study: Study, name: str) -> str:
    return ARM_COLOURS[_place(study, name) % len(ARM_COLOURS)]


def _place(study: Study, name: str) -> int:
    return list(study.arms).index(name)
