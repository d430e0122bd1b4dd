"""The pipeline with stages that take moments, as a deployment that this process serves.

Prefect loads this file again for each run, so the stages are put in their places at import.
"""

from __future__ import annotations

from pathlib import Path

import tiny_pixel

tiny_pixel.install()

from flows.pipeline import pipeline  # noqa: E402 - after its stages

if __name__ == "__main__":
    here = Path(__file__)
    served = type(pipeline).from_source(str(here.parent), f"{here.name}:pipeline")
    served.serve(name="tiny", pause_on_shutdown=False)  # type: ignore[union-attr]
