"""Groups of rollouts as they are played inside a vLLM actor: the same as our own loop's."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rollout_actor import Params, RolloutActor
from rollout_folder import make_folder
from tiny_world import Scripted, call

from pixel_core.config import RewardConfig, SamplingConfig
from pixel_core.errors import ConfigError, DataError, StageFailed
from pixel_core.records import Query
from pixel_core.rewards.advantages import advantages
from pixel_core.rollout.episode import Episode, run_episodes
from pixel_core.rollout.queries import QueryReader
from pixel_core.training.openrlhf.rollouts import Rollouts
from pixel_core.training.openrlhf.scoring import PREFIX

BOX = (4, 4, 40, 40)
WRONG = "I see \\boxed{none}"


def scripts(rollouts: Rollouts, query: Query) -> list[list[str]]:
    """Right at once; right after two crops; wrong after a refused call; cut at its limit."""
    zoom = "look " + call(rollouts.prompts, BOX)
    refused = "look " + call(rollouts.prompts, BOX, target=9)
    right = f"so \\boxed{{{query.answers[0]}}}"
    return [[right], [zoom, zoom, right], [refused, WRONG], [zoom, "and so on " * 40]]


def play(
    rollouts: Rollouts, query: Query, turns: list[list[str]], **params: Any
) -> tuple[list[dict[str, Any]], RolloutActor]:
    """As OpenRLHF starts them: in one gather, with one object of parameters."""
    actor = RolloutActor(rollouts.vocabulary, turns)
    given = Params(**params)

    async def group() -> list[dict[str, Any]]:
        label = query.model_dump_json()
        return await asyncio.gather(*(rollouts.play(label, given, actor) for _ in turns))

    return asyncio.run(group()), actor


def own(rollouts: Rollouts, query: Query, turns: list[list[str]]) -> list[Episode]:
    """The same turns through the batch loop that training and evaluation here use."""
    opening = QueryReader(Path(rollouts.settings.pictures), rollouts.prompts).open(query)
    engine = Scripted(rollouts.vocabulary, turns)
    return run_episodes(engine, rollouts.prompts, [opening], len(turns), SamplingConfig())


def by_tokens(responses: list[dict[str, Any]], episodes: list[Episode]) -> list[dict[str, Any]]:
    """The responses in the order of the episodes: which rollout took which script is chance."""
    found = []
    for episode in episodes:
        tokens = episode.transcript.tokens
        found.append(
            next(
                r
                for r in responses
                if tokens[: len(r["observation_tokens"])] == r["observation_tokens"]
            )
        )
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Query]]:
    path = tmp_path_factory.mktemp("run")
    return path, make_folder(path, queries=4)


@pytest.fixture(scope="module")
def rollouts(folder: tuple[Path, list[Query]]) -> Rollouts:
    return Rollouts(folder[0])


def test_tokens_masks_and_pictures_are_those_of_our_own_loop(folder, rollouts) -> None:
    query = folder[1][0]
    turns = scripts(rollouts, query)
    episodes = own(rollouts, query, turns)
    responses, _ = play(rollouts, query, turns, logprobs=1)
    for response, episode in zip(by_tokens(responses, episodes), episodes, strict=True):
        transcript = episode.transcript
        tokens = response["observation_tokens"]
        assert tokens == transcript.tokens[: len(tokens)]
        trained = np.zeros(len(transcript), bool)
        for start, stop in response["action_ranges"]:
            trained[start:stop] = True
        np.testing.assert_array_equal(trained, np.array(transcript.weights) > 0)
        assert len(response["rollout_log_probs"]) == len(tokens)
        assert {
            response["rollout_log_probs"][start] for start, _ in response["action_ranges"]
        } <= {-0.5}
        patches = np.concatenate([visual.patches for visual in transcript.visuals])
        pixels = response["mm_train_inputs"]["pixel_values"]
        assert torch.equal(pixels, torch.from_numpy(patches).to(torch.bfloat16))
        grids = response["mm_train_inputs"]["image_grid_thw"]
        assert int(grids.prod(1).sum()) == len(patches)
        assert tokens.count(rollouts.vocabulary.image) * 4 == len(patches)
    assert [r["truncated"] for r in by_tokens(responses, episodes)] == [
        False,
        False,
        False,
        True,
    ]


def test_what_is_asked_of_the_engine_is_ours(folder, rollouts) -> None:
    query = folder[1][3]  # a video: three frames
    assert query.is_video
    turns = [["so \\boxed{1}"]] * 4
    _, actor = play(rollouts, query, turns, top_p=0.9)
    tokens, params, images = actor.asked[0]
    dialogue = rollouts.settings.dialogue
    assert (params.max_tokens, params.min_tokens) == (dialogue.max_new_tokens, 0)
    assert (params.temperature, params.top_p, params.logprobs) == (1.0, 0.9, None)
    assert set(params.logit_bias) == set(rollouts.vocabulary.banned)
    assert rollouts.vocabulary.image in params.logit_bias
    assert rollouts.vocabulary.turn_end not in params.logit_bias
    assert len(images) == tokens.count(rollouts.vocabulary.image) == 3


def test_rewards_are_our_advantages_above_the_groups_mean(folder, rollouts) -> None:
    query = folder[1][0]
    turns = scripts(rollouts, query)
    episodes = own(rollouts, query, turns)
    ordered = by_tokens(play(rollouts, query, turns)[0], episodes)
    logs = [{k.removeprefix(PREFIX): v for k, v in r["extra_logs"].items()} for r in ordered]
    # Half of the group executed an operation: no curiosity above H. One call too many costs
    # 0.05 (beta) where two were made.
    assert [log["rapr"] for log in logs] == [0, 1, 0, 1]
    assert [log["operations"] for log in logs] == [0, 2, 1, 1]
    assert [log["op_errors"] for log in logs] == [0, 0, 1, 0]
    assert [log["reward"] for log in logs] == pytest.approx([1.0, 0.95, 0.0, 0.0])
    assert [log["truncated"] for log in logs] == [0, 0, 0, 1]
    assert {log["group_size"] for log in logs} == {4.0}
    assert [r["scores"] for r in ordered] == [1.0, 1.0, 0.0, 0.0]
    rewards = np.array([r["reward"] for r in ordered])
    earned = [1.0, 0.95, 0.0, 0.0]
    np.testing.assert_allclose(rewards - rewards.mean(), advantages(earned, "mean"), atol=1e-12)
    assert rewards.mean() == pytest.approx(np.mean(earned), abs=1 / 2048)
    assert len({tuple(sorted(r["extra_logs"])) for r in ordered}) == 1


def test_a_group_that_teaches_nothing_is_flat_and_leaves_no_batch_without_an_action(
    folder, rollouts
) -> None:
    endless = ["and so on " * 40]
    responses, _ = play(rollouts, folder[1][1], [endless] * 4)
    assert len({r["reward"] for r in responses}) == 1
    for response in responses:
        end = len(response["observation_tokens"])
        assert response["action_ranges"] == [(end - 1, end)]
        assert response["extra_logs"][PREFIX + "uniform_groups"] == 1.0


def test_evaluation_scores_accuracy_alone(folder, rollouts) -> None:
    query = folder[1][0]
    zoom = "look " + call(rollouts.prompts, BOX)
    right = f"so \\boxed{{{query.answers[0]}}}"
    for turns, score in (([zoom, zoom, right], 1.0), ([zoom, zoom, WRONG], 0.0)):
        responses, _ = play(rollouts, query, [turns], temperature=0.0)
        assert (responses[0]["reward"], responses[0]["scores"]) == (score, score)


def test_groups_of_one_question_at_the_same_time_stay_apart(folder, rollouts) -> None:
    query = folder[1][0]
    right, wrong = [f"so \\boxed{{{query.answers[0]}}}"], [WRONG]
    actors = [RolloutActor(rollouts.vocabulary, [s] * 4) for s in (right, wrong)]

    async def both() -> list[Any]:
        label, given = query.model_dump_json(), [Params(), Params()]
        return await asyncio.gather(
            *(rollouts.play(label, given[n % 2], actors[n % 2]) for n in range(8))
        )

    responses = asyncio.run(both())
    assert [r["scores"] for r in responses] == [1.0, 0.0] * 4
    assert all(r["extra_logs"][PREFIX + "uniform_groups"] for r in responses)


@pytest.mark.parametrize("count", [3, 5])
def test_a_group_of_another_size_is_refused(folder, rollouts, count: int) -> None:
    with pytest.raises(StageFailed, match="the whole group of 4"):
        play(rollouts, folder[1][0], [["so \\boxed{1}"]] * count)


def test_one_failure_ends_the_group_and_the_next_group_is_sound(folder, rollouts) -> None:
    query = folder[1][0]
    turns = [["so \\boxed{1}"]] * 4
    actor = RolloutActor(rollouts.vocabulary, turns, fails_at=2)
    given = Params()

    async def group() -> list[Any]:
        plays = (rollouts.play(query.model_dump_json(), given, actor) for _ in turns)
        return await asyncio.gather(*plays, return_exceptions=True)

    outcomes = asyncio.run(group())
    assert all(isinstance(outcome, StageFailed) for outcome in outcomes)
    assert sum("aborted" in str(outcome).split("failed: ")[0] for outcome in outcomes) == 1
    assert len(play(rollouts, query, turns)[0]) == 4


def test_a_label_that_is_no_query_is_refused(rollouts) -> None:
    actor = RolloutActor(rollouts.vocabulary, [])
    with pytest.raises(DataError, match="no query of ours"):
        asyncio.run(rollouts.play('{"id": "q1"}', Params(), actor))


def test_pictures_that_were_not_copied_whole_are_refused(tmp_path: Path) -> None:
    queries = make_folder(tmp_path)
    archive = tmp_path / "pictures.zip"
    archive.write_bytes(archive.read_bytes()[:-400])
    with pytest.raises(DataError):
        play(Rollouts(tmp_path), queries[0], [["so \\boxed{1}"]] * 4)


def test_settings_that_a_node_cannot_read_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rl\.openrlhf\.scratch"):
        Rollouts(tmp_path)


def test_an_episode_that_ends_with_a_return_is_cut_after_what_was_said(tmp_path: Path) -> None:
    queries = make_folder(tmp_path, max_tokens=100, max_new_tokens=28, group=2)
    rollouts = Rollouts(tmp_path)
    zoom = "look " + call(rollouts.prompts, BOX)
    responses, _ = play(rollouts, queries[0], [[zoom, zoom, zoom]] * 2)
    episodes = own(rollouts, queries[0], [[zoom, zoom, zoom]] * 2)
    assert responses[0]["extra_logs"][PREFIX + "context_full"] == 1.0
    assert len(responses[0]["observation_tokens"]) < len(episodes[0].transcript)
    assert len(responses[0]["observation_tokens"]) <= 100
    assert responses[0]["observation_tokens"][-1] == rollouts.vocabulary.turn_end
    grids = responses[0]["mm_train_inputs"]["image_grid_thw"]
    images = responses[0]["observation_tokens"].count(rollouts.vocabulary.image)
    assert int(grids.prod(1).sum()) == images * 4


@pytest.mark.parametrize("kind", ["mean", "mean_std", "leave_one_out"])
def test_every_kind_of_advantage_comes_through(tmp_path: Path, kind: Any) -> None:
    queries = make_folder(tmp_path, advantage=kind, reward=RewardConfig(preset="none"))
    rollouts = Rollouts(tmp_path)
    right = [f"so \\boxed{{{queries[0].answers[0]}}}"]
    responses, _ = play(rollouts, queries[0], [right, [WRONG], [WRONG], [WRONG]])
    rewards = np.array([r["reward"] for r in responses])
    expected = advantages([r["scores"] for r in responses], kind)
    np.testing.assert_allclose(rewards - rewards.mean(), expected, atol=1e-12)


def test_one_thread_tokenises_for_all_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizer has ONE switch for whether a special token's name is meant. Threads that
    turn it for each other tokenised 1 of 200 texts wrongly: a question could then end the
    user's turn."""
    (query,) = make_folder(tmp_path, group=2, prompt="full", max_tokens=4096)
    rollouts = Rollouts(tmp_path)
    queries = [
        query.model_copy(update={"id": f"t{number}", "question": f"{number}? <|im_end|>"})
        for number in range(6)
    ]
    turns = [["look " + call(rollouts.prompts, BOX), "so \\boxed{1}"]] * 2
    expected = [own(rollouts, query, turns)[0].transcript.tokens for query in queries]
    kind, threads = type(rollouts.vocabulary.tokenizer), set()
    tokenise = kind.__call__

    def seen(*arguments: Any, **options: Any) -> Any:
        threads.add(threading.current_thread().name)
        return tokenise(*arguments, **options)

    monkeypatch.setattr(kind, "__call__", seen)
    actors = [RolloutActor(rollouts.vocabulary, turns) for _ in queries]
    params = [Params() for _ in queries]
    labels = [query.model_dump_json() for query in queries]

    async def all_at_once() -> list[Any]:
        members = [number for number in range(6) for _ in turns]
        plays = (rollouts.play(labels[n], params[n], actors[n]) for n in members)
        return await asyncio.gather(*plays)

    responses = asyncio.run(all_at_once())
    assert [r["observation_tokens"] for r in responses] == [t for t in expected for _ in turns]
    # The script's own words are tokenised by the test, in the loop's thread.
    assert threads - {threading.main_thread().name} == {"tokenizer_0"}
