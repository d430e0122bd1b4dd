"""The peer of ``bench.serving``: what one writes in an afternoon.

    python -m bench.plain_endpoint --store STORE --port PORT

FastAPI over transformers' ``generate``: a request decodes its picture, takes a lock, runs its
episode turn by turn, and answers. Our loop and prompts, so that the words are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI

from bench.rollout_engines import TransformersEngine
from pixel_core.config import SamplingConfig
from pixel_core.config.profile import load_profile
from pixel_core.media.loading import load_picture
from pixel_core.models.loading import load_model
from pixel_core.rollout.episode import run_episodes
from pixel_core.rollout.renderer import Renderer
from pixel_core.serving.model_folder import latest_model
from pixel_core.serving.question import open_question
from pixel_core.workflow.store import Store


def build(store: str, profile: str) -> FastAPI:
    torch.set_num_threads(1)
    dialogue = load_profile(profile).dialogue
    model, vocabulary = load_model(latest_model(Store.open(store)).local())
    prompts = Renderer(dialogue, vocabulary)
    engine = TransformersEngine(model, vocabulary)
    lock = asyncio.Lock()
    app = FastAPI()

    def answer(body: dict[str, Any]) -> str:
        picture, text = body["messages"][0]["content"]
        data = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
        opening = open_question([load_picture(data)], text["text"], dialogue)
        greedy = SamplingConfig(temperature=0.0)
        (episode,) = run_episodes(engine, prompts, [opening], 1, greedy)
        return "\n\n".join(step.text for step in episode.steps)

    @app.post("/v1/chat/completions")
    async def chat(body: dict[str, Any]) -> dict[str, Any]:
        async with lock:
            text = await asyncio.to_thread(answer, body)
        return {"choices": [{"message": {"role": "assistant", "content": text}}]}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ready"}

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    app = build(asked.store, asked.profile)
    uvicorn.run(app, host="127.0.0.1", port=asked.port, log_level="warning")
