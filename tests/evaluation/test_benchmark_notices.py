"""What is said before a benchmark's scores."""

from __future__ import annotations

from benchmark_result import result_of

from pixel_core.evaluation.page.checks import notices
from pixel_core.workflow.table import ModelVariant


def test_that_nobody_can_tell_whether_all_is_there() -> None:
    rows = (ModelVariant("policy", "policy"),)
    uncounted = {"complete": None, "published": None, "layout": "original"}
    [notice] = notices(result_of("tallyqa_complex", rows, facts=uncounted))
    assert notice.startswith("No number of questions is published for this layout")
    assert notices(result_of("tallyqa_complex", rows)) == []
