"""What operations do in a step of RL: they hit, their crop is read, using them pays.

Of the sampled rollouts to questions whose cue is a known box in a picture, as the annotate
stage found it. The model sees nothing of it, and no reward depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pixel_core.records import Annotation, Cue
from pixel_core.rollout.episode import Episode
from pixel_core.statistics.hits import Evidence, hit
from pixel_core.training.loop import Row

#: Accuracies of those rollouts; ``operation_pays`` is their difference.
WITH, WITHOUT = "cue_accuracy_with_operation", "cue_accuracy_without_operation"


def known_places(annotations: Iterable[Annotation]) -> dict[str, Evidence]:
    """By the question's id, where its evidence is, of those with a box in a picture."""
    return {
        annotation.seed.id: Evidence(annotation.cue, len(annotation.seed.pictures))
        for annotation in annotations
        if isinstance(annotation.cue, Cue)
    }


def use_counts(episodes: Sequence[Episode], places: Mapping[str, Evidence]) -> Row:
    """Sums over rollouts, in the loop's form (``x/n`` is what ``x`` is divided by):

    ``cue_rapr``, the share with a zoom; ``operation_hits``, of those the share whose last crop
    shows the evidence; ``crop_read``, of these the share that is right; and the accuracies
    with a zoom and without.
    """
    located = [episode for episode in episodes if episode.query.id in places]
    hits = [hit(episode.steps, places[episode.query.id]) for episode in located]
    judged = [(found, episode.correct) for found, episode in zip(hits, located, strict=True)]
    with_zoom = [right for found, right in judged if found is not None]
    without = [right for found, right in judged if found is None]
    read = [right for found, right in judged if found]
    sums: Row = {}
    for name, total, count in (
        ("cue_rapr", len(with_zoom), len(judged)),
        ("operation_hits", len(read), len(with_zoom)),
        ("crop_read", sum(read), len(read)),
        (WITH, sum(with_zoom), len(with_zoom)),
        (WITHOUT, sum(without), len(without)),
    ):
        sums |= {name: float(total), f"{name}/n": float(count)}
    return sums


def pays(row: Row) -> Row:
    """``operation_pays`` of a step's means: accuracy with an operation less that without, in
    [-1, 1]; nothing where the step had rollouts of one sort only."""
    if WITH in row and WITHOUT in row:
        return {"operation_pays": row[WITH] - row[WITHOUT]}
    return {}
