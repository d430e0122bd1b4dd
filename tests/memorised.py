"""A tiny model that knows a few conversations by heart, so that real engines say them.

Random weights never call an operation; a minute of training would. A few seconds suffice to
learn four episodes word for word: an answer at once, a zoom, a refused call that is mended,
and a choice of a video's frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from tiny_world import Scripted, Tiny, call, dialogue, opening, video_opening

from pixel_core.config import SamplingConfig, TinyModelConfig
from pixel_core.models.batch import collate
from pixel_core.models.logprobs import logprobs_of, trained_logits
from pixel_core.rollout.episode import RenderedPrompt, run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.rollout.tool_calls import SelectCall, format_call
from pixel_core.rollout.vocabulary import Vocabulary
from pixel_core.tiny.model import build_tiny
from pixel_core.tiny.tokenizer import build_tokenizer

TINIER = TinyModelConfig(vision_depth=1, vision_hidden=32, layers=2, hidden=64, heads=2)
STEPS = 200


@dataclass(frozen=True)
class Memorised:
    """The model, the questions it knows, and what it says to each."""

    world: Tiny
    openings: list[RenderedPrompt]
    turns: list[list[str]]


@lru_cache(maxsize=1)
def memorised() -> Memorised:
    torch.manual_seed(0)
    settings = dialogue()
    tokenizer = build_tokenizer(settings)
    model = build_tiny(TINIER, tokenizer, 0)
    vocabulary = Vocabulary.of(tokenizer)
    prompts = Renderer(settings, vocabulary)
    openings = [opening(prompts, 1), opening(prompts, 2), opening(prompts, 3)]
    openings.append(video_opening(prompts, 4))
    turns = [
        ["\\boxed{7}"],
        [call(prompts, (8, 8, 60, 60)), "\\boxed{4}"],
        [call(prompts, (9, 9, 12, 12)), call(prompts, (20, 0, 90, 80)), "\\boxed{yes}"],
        [format_call(SelectCall(frames=(2, 3)), settings.zoom, settings.frames), "\\boxed{2}"],
    ]
    script = Scripted(vocabulary, turns)
    episodes = run_episodes(script, prompts, openings, 1, SamplingConfig())
    batch = collate([one.transcript for one in episodes], vocabulary.pad, vocabulary.image)
    weights = batch.weights_bt[:, 1:]
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    for _ in range(STEPS):
        logits, targets, chosen = trained_logits(model, batch, vocabulary.banned)
        loss = -(logprobs_of(logits, targets) * weights[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    return Memorised(Tiny(model.eval(), vocabulary, prompts), openings, turns)
