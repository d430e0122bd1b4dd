"""What a benchmark is: published facts about it, and how its answers are graded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pixel_core.config import BenchmarkName

#: ``own``: as the benchmark's authors publish it; ``original``: Pixel Reasoner's parquets.
LayoutName = Literal["own", "original"]


@dataclass(frozen=True)
class Layout:
    """One published form of a benchmark's files, and what is published about them."""

    #: "module:class" of its ``reading.Reader``, imported when it is used.
    reader: str
    #: The hub's dataset; "": its authors publish it elsewhere, so that a local copy is needed.
    dataset: str = ""
    #: The dataset's commit that the counts were taken from; "": none is known, the user pins.
    revision: str = ""
    #: Patterns of the files to fetch; (): all of the dataset's.
    files: tuple[str, ...] = ()
    #: Where a local copy is got, in words, and how it is to lie.
    copy: str = ""
    #: Published number of questions of each kind; the kinds are the axis of ``by``.
    kinds: Mapping[str, int] = field(default_factory=dict)
    #: Where only a total is published; 0: nothing is.
    questions: int = 0
    #: How often each question is asked, its right option in each place once (``turns.py``).
    turns: int = 1
    #: As the publisher states it; "": not stated.
    licence: str = ""

    @property
    def total(self) -> int:
        """Published questions; 0 when nothing is published."""
        return sum(self.kinds.values()) or self.questions


@dataclass(frozen=True)
class Benchmark:
    """One row of the registry (``registry.py``)."""

    name: BenchmarkName
    title: str
    #: What it measures, in one sentence.
    measures: str
    #: Where its definition, counts and files are published.
    source: str
    #: Without any: the questions are the pipeline's own (``drawn``).
    layouts: Mapping[LayoutName, Layout] = field(default_factory=dict)
    #: By ``benchmarks.scoring.graders = "published"``: a name in ``rewards.graders``.
    grader: str = "choice"
    #: What the score is called: "accuracy" or "ANLS".
    metric: str = "accuracy"
    #: The headline is the mean over kinds (MVBench over its tasks) and not over questions.
    mean_of_kinds: bool = False

    @property
    def turns(self) -> int:
        """How often each question is put, each time with its options turned (HR-Bench: four
        rows a question). A question's rows are averaged, and intervals count questions."""
        return max((layout.turns for layout in self.layouts.values()), default=1)
