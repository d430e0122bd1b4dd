"""What OpenRLHF trains on is our episode: tokens, masks, pictures, log-probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from replaying import Replayed, opened
from training_run import TrainingRun

from pixel_core.media.patches import grid_of
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.models.vllm_inputs import largest_area, prompt_of
from pixel_core.records import StopReason

#: Float32 on both sides; the two forwards add in different orders.
AGREEMENT = 1e-4


@pytest.fixture(scope="module")
def pairs(trained: TrainingRun) -> list[tuple[dict, Replayed]]:
    """Each item that was trained on, and its rollout carried out again."""
    return [
        (item, Replayed.of(trained, trained.rollout_of(item)))
        for step in trained.steps
        for item in step["items"]
    ]


def test_the_rollouts_are_of_all_kinds(pairs: list[tuple[dict, Replayed]]) -> None:
    """Else the agreement below would say little."""
    episodes = [replayed.episode for _, replayed in pairs]
    assert any(episode.operations for episode in episodes)
    assert any(episode.failures for episode in episodes)
    assert any(episode.stop is StopReason.TRUNCATED for episode in episodes)
    assert any(episode.stop is StopReason.ANSWERED for episode in episodes)


def test_tokens_are_those_of_the_transcript(pairs: list[tuple[dict, Replayed]]) -> None:
    for item, replayed in pairs:
        tokens = item["sequences"].flatten().tolist()
        assert tokens == replayed.episode.transcript.tokens[: len(tokens)]
        rest = replayed.episode.transcript.weights[len(tokens) :]
        assert not any(rest), "tokens that we train were cut off"


def test_actions_are_the_tokens_of_finished_turns(pairs: list[tuple[dict, Replayed]]) -> None:
    for item, replayed in pairs:
        mask = item["action_mask"].flatten().bool().tolist()
        weights = replayed.episode.transcript.weights[1 : len(mask) + 1]
        lent = not any(weights) and sum(mask) == 1 and mask[-1]
        if lent:  # so that a batch is not without any; its advantage must be nothing
            assert not item["advantages"].any()
        else:
            assert mask == [weight > 0 for weight in weights]


def test_pictures_are_ours_rounded_to_bfloat16(pairs: list[tuple[dict, Replayed]]) -> None:
    for item, replayed in pairs:
        (pictures,) = item["mm_train_inputs"]
        count = len(pictures["image_grid_thw"])
        visuals = replayed.episode.transcript.visuals[:count]
        expected = np.concatenate([visual.patches for visual in visuals])
        assert torch.equal(
            pictures["pixel_values"].float(), torch.from_numpy(expected).bfloat16().float()
        )
        assert pictures["image_grid_thw"].tolist() == [
            list(grid_of(visual.size)) for visual in visuals
        ]
        tokens = item["sequences"].flatten().tolist()
        assert sum(visual.tokens for visual in visuals) == tokens.count(replayed.image)


def test_vllm_was_shown_what_the_episode_shows(
    trained: TrainingRun, pairs: list[tuple[dict, Replayed]]
) -> None:
    largest = largest_area(trained.config.dialogue)
    for _, replayed in pairs:
        for turn, shown in zip(replayed.recorded["turns"], replayed.shown, strict=True):
            prompt = prompt_of(shown, replayed.image, largest)
            assert turn["prompt"] == prompt["prompt_token_ids"]
            pictures = prompt["multi_modal_data"]["image"]
            assert turn["pictures"] == [(one.size, one.tobytes()) for one in pictures]


def test_its_actor_gives_our_log_probabilities(
    trained: TrainingRun, pairs: list[tuple[dict, Replayed]]
) -> None:
    """OpenRLHF's own model class on its own padded batch, against our forward: the same
    weights, in float32, over the whole vocabulary."""
    from openrlhf.models import Actor
    from openrlhf.trainer.ppo_utils.experience import Experience, make_experience_batch
    from openrlhf.utils.vlm_utils import merge_mm_train_inputs

    actor = Actor(str(trained.folder.start), attn_implementation="sdpa", param_dtype="bf16")
    actor.model.float()
    model, vocabulary, _, _ = opened(trained)
    model.load_state_dict(actor.model.state_dict())
    some = sorted(pairs, key=lambda pair: -len(pair[1].episode.transcript.visuals))[:8]
    batch = make_experience_batch([Experience(**item) for item, _ in some])
    pictures = merge_mm_train_inputs(batch.mm_train_inputs, "cpu")
    pictures["pixel_values"] = torch.from_numpy(
        np.concatenate(
            [
                visual.patches
                for item, replayed in some
                for visual in replayed.episode.transcript.visuals[
                    : len(item["mm_train_inputs"][0]["image_grid_thw"])
                ]
            ]
        )
    )
    with torch.no_grad():
        theirs_bt = actor(
            batch.sequences, batch.action_mask, attention_mask=batch.attention_mask, **pictures
        )
        for row, (_, replayed) in enumerate(some):
            transcript = replayed.episode.transcript
            ours = collate([transcript], vocabulary.pad, vocabulary.image)
            logits_kv, tokens_k, chosen_bt = trained_logits(model, ours, ())
            if not len(tokens_k):
                continue
            theirs_k = theirs_bt[row, : chosen_bt.shape[1]][chosen_bt[0][: theirs_bt.shape[1]]]
            torch.testing.assert_close(
                theirs_k, logprobs_of(logits_kv, tokens_k), rtol=0, atol=AGREEMENT
            )
