"""Transcripts as vLLM takes them: token ids with one placeholder a picture, and the pictures.

vLLM writes a picture's placeholder out to as many tokens as its processor counts. It is given
pictures at the size they are shown, so that it counts what the transcript counted.
"""

from __future__ import annotations

from typing import Any

from pixel_core.rollout.transcript import Transcript


def prompt_of(transcript: Transcript, image: int, largest: int) -> dict[str, Any]:
    """vLLM's form of a prompt. ``image``: the placeholder; ``largest``: pixels of a picture.

    Raises ``ValueError`` for a picture above ``largest`` (it was shown under other budgets
    than the engine was started with, and vLLM would resize it), and for placeholders that
    are not the transcript's pictures.
    """
    tokens, visuals = [], iter(transcript.visuals)
    at, end = 0, len(transcript.tokens)
    while at < end:
        token = transcript.tokens[at]
        tokens.append(token)
        if token != image:
            at += 1
            continue
        visual = next(visuals, None)
        run = visual.tokens if visual else 0
        if not visual or transcript.tokens[at : at + run] != [image] * run:
            raise ValueError(f"token {at} begins a picture that the transcript does not hold")
        if visual.size[0] * visual.size[1] > largest:
            raise ValueError(
                f"a picture of {visual.size[0]} x {visual.size[1]} pixels is above the "
                f"engine's {largest}: it was shown under other budgets than the engine has"
            )
        at += run
    if next(visuals, None) is not None:
        raise ValueError("the transcript holds a picture that none of its tokens show")
    prompt: dict[str, Any] = {"prompt_token_ids": tokens}
    if transcript.visuals:
        images = [visual.image for visual in transcript.visuals]
        prompt["multi_modal_data"] = {"image": images}
    return prompt
