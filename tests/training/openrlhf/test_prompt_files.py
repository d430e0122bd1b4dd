"""Our queries as OpenRLHF reads them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from rollout_folder import make_queries
from tiny_world import dialogue, tiny

from pixel_core.errors import ConfigError
from pixel_core.records import Query
from pixel_core.rollout.queries import QueryReader
from pixel_core.rollout.renderer import Renderer
from pixel_core.training.openrlhf.dataset import (
    Fitting,
    most_pictures,
    prompt_length,
    steps_of,
    write_prompts,
)


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Query]]:
    folder = tmp_path_factory.mktemp("queries")
    return folder, make_queries(folder, 4)


def test_a_line_brings_the_query_back_whole(queries, tmp_path: Path) -> None:
    assert write_prompts(tmp_path / "train.jsonl", queries[1]) == 4
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [Query.model_validate_json(line["label"]) for line in lines] == queries[1]
    assert all(isinstance(value, str) for line in lines for value in line.values())


def test_each_step_has_its_queries_and_each_pass_all_of_them(queries) -> None:
    rows = list(steps_of(queries[1], steps=6, batch=2, seed=5))
    assert len(rows) == 12
    for epoch in range(3):
        assert len({query.id for query in rows[4 * epoch : 4 * epoch + 4]}) == 4
    other = list(steps_of(queries[1], steps=6, batch=2, seed=6))
    assert Counter(q.id for q in other) == Counter(q.id for q in rows)
    assert other != rows


def test_prompt_lengths_follow_from_the_records_alone(queries) -> None:
    folder, found = queries
    prompts = tiny().prompts
    questions = QueryReader(folder, prompts)
    for query in found:
        opened = prompts.open(query, questions.open(query).visuals)
        assert prompt_length(query, prompts) == len(opened)


def test_what_leaves_no_room_is_left_out_and_nothing_left_is_refused(queries) -> None:
    vocabulary = tiny().vocabulary
    lengths = {query.id: prompt_length(query, tiny().prompts) for query in queries[1]}
    longest = max(lengths.values())
    tight = Renderer(dialogue(max_tokens=longest + 31), vocabulary)
    fitting = Fitting.of(queries[1], tight)
    left_out = [query for query in queries[1] if lengths[query.id] == longest]
    assert fitting.left_out == len(left_out) > 0
    assert fitting.queries == [query for query in queries[1] if query not in left_out]
    with pytest.raises(ConfigError, match=r"dialogue\.max_tokens"):
        Fitting.of(left_out, tight)


def test_a_videos_frames_count_where_engines_count_pictures(queries) -> None:
    settings = dialogue(max_pictures=5)
    images = [query for query in queries[1] if not query.is_video]
    assert most_pictures(images, settings) == 5
    assert most_pictures(queries[1], settings) == 7  # three frames and four more pictures
