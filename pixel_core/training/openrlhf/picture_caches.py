"""Pictures are encoded anew after the weights changed.

vLLM keeps what its vision tower made of a picture and uses it again for the same picture.
After new weights OpenRLHF empties the prefix cache and not that one: while the vision tower
is trained, rollouts would be answered from an older tower, silently.
"""

from __future__ import annotations

from typing import Any

_MARK = "_pixel_forgets_pictures"


def forget_pictures_with_prefixes(actor: Any) -> None:
    """From now on the actor's engine empties its picture caches with its prefix cache.

    OpenRLHF empties the latter before each weight transfer, while nothing is generated.
    """
    engine = getattr(actor, "llm", None)
    if engine is None or getattr(engine, _MARK, False):
        return
    reset_prefixes = engine.reset_prefix_cache

    async def reset(*arguments: Any, **options: Any) -> Any:
        await engine.reset_mm_cache()
        await engine.reset_encoder_cache()
        return await reset_prefixes(*arguments, **options)

    engine.reset_prefix_cache = reset
    setattr(engine, _MARK, True)
