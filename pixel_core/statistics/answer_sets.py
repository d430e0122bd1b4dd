"""Answers of several models to the same questions, read back and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixel_core.errors import DataError
from pixel_core.records import Query, Rollout, read_jsonl
from pixel_core.statistics.metrics import by_question


@dataclass(frozen=True)
class AnswerSet:
    """One model's answers: by decoding, then by question."""

    queries: list[Query]
    answers: dict[str, dict[str, list[Rollout]]]
    settings: dict[str, Any]


def read_answers(folder: Path) -> AnswerSet:
    """Read and check an answers artifact; ``DataError`` when it is empty or incomplete."""
    queries = list(read_jsonl(folder / "queries.jsonl", Query))
    if not queries:
        raise DataError(
            f"{folder / 'queries.jsonl'}: an empty benchmark can't be scored; give ingest "
            "test questions"
        )
    if len({query.id for query in queries}) < len(queries):
        raise DataError(f"{folder / 'queries.jsonl'}: a question id is there twice")
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    samples = {"greedy": 1, "sampled": int(settings["samples"])}
    answers = {}
    for decoding, count in samples.items():
        path = folder / f"{decoding}.jsonl"
        rollouts = list(read_jsonl(path, Rollout))
        answers[decoding] = by_question(queries, rollouts, count, str(path))
    return AnswerSet(queries, answers, settings)


def same_questions(sets: Mapping[str, AnswerSet]) -> list[Query]:
    """The questions that all sets answered, in the first one's order; ``DataError`` if they
    differ, or if the number of sampled answers does."""
    first, *others = sets
    asked = {query.id: query for query in sets[first].queries}
    for model in others:
        theirs = {query.id: query for query in sets[model].queries}
        if theirs != asked:
            odd = sorted(
                name
                for name in asked.keys() | theirs.keys()
                if asked.get(name) != theirs.get(name)
            )
            raise DataError(
                f"{first} and {model} answered different questions ({len(odd)} differ, "
                f"first {odd[0]!r}); answer the same benchmark with both"
            )
        if sets[model].settings["samples"] != sets[first].settings["samples"]:
            raise DataError(
                f"{first} gave {sets[first].settings['samples']} sampled answers a question, "
                f"{model} {sets[model].settings['samples']}; use one setting for all models"
            )
    return sets[first].queries
