"""Gradio fetches addresses that a request names in the place of a file; here it does not."""

from __future__ import annotations

from typing import Any, NoReturn


def forbid_fetching() -> None:
    """For this process, from now on. A field of its own kind could refuse as well, but Gradio
    writes a stub file beside the source of each."""
    from gradio import processing_utils

    name = "async_ssrf_protected_get"
    if not callable(getattr(processing_utils, name)):  # else Gradio fetches by another way
        raise TypeError(f"gradio.processing_utils.{name} is no function any more")
    setattr(processing_utils, name, _refuse)


async def _refuse(url: str, *_: Any, **__: Any) -> NoReturn:
    from gradio import Error

    raise Error("Addresses are not fetched: upload the file itself.", print_exception=False)
