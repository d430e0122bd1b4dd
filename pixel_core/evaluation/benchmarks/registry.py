"""The benchmarks: what each measures, what is published of it, and where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pixel_core.config import BenchmarkName
from pixel_core.errors import ConfigError
from pixel_core.evaluation.benchmarks.mvbench_tasks import FILES as MVBENCH_FILES
from pixel_core.evaluation.benchmarks.mvbench_tasks import KINDS as MVBENCH_KINDS

# Benchmark definitions: published facts, and how answers are graded.


#: ``own``: as the benchmark's authors publish it; ``original``: Pixel Reasoner's parquets.
LayoutName = Literal["own", "original"]


@dataclass(frozen=True)
class Layout:
    """One published form of a benchmark's files, with the facts published about it."""

    #: "module:class" of its ``reading.Reader``, imported on use.
    reader: str
    #: The hub's dataset; "": published elsewhere by its authors, so a local copy is needed.
    dataset: str = ""
    #: The dataset's commit behind the counts; "": unknown, the user pins one.
    revision: str = ""
    #: Patterns of the files to fetch; (): the whole dataset.
    files: tuple[str, ...] = ()
    #: Where to get a local copy, and its layout, in words.
    copy: str = ""
    #: Published questions of each kind; the kinds are the axis of ``by``.
    kinds: Mapping[str, int] = field(default_factory=dict)
    #: The total if only that is published; 0: nothing is.
    questions: int = 0
    #: How often each question is asked, its key in each place once (``checking.Turns``).
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
    #: Empty: the questions are the pipeline's own (``drawn``).
    layouts: Mapping[LayoutName, Layout] = field(default_factory=dict)
    #: With ``benchmarks.scoring.graders = "published"``: a name in ``rewards.graders``.
    grader: str = "choice"
    #: The score's name: "accuracy" or "ANLS".
    metric: str = "accuracy"
    #: The headline is the mean over kinds (for MVBench, its tasks), not over questions.
    mean_of_kinds: bool = False

    @property
    def turns(self) -> int:
        """How often each question is put, its options rotated each time (HR-Bench: four rows a
        question). A question's rows are averaged, and intervals count questions."""
        return max((layout.turns for layout in self.layouts.values()), default=1)


# Pixel Reasoner's own sets ("original"): named in the README of
# https://github.com/TIGER-AI-Lab/Pixel-Reasoner, their files there (`vstar.parquet`,
# `mvbench.parquet`) and in https://github.com/TIGER-AI-Lab/verl-tool, examples/data_preprocess/
# pixel_reasoner (`tallyqa_mini3200.parquet`); public converters request `infographics.parquet`.
# Neither counts nor commits are published, but the paper's 84.3 and 81.1 % on V* are 161 and
# 155 of the 191; so only that count is checked, and the user pins a commit. Public code that
# unpacks them takes any Parquet file it finds, so any is fetched.
_ORIGINAL = ("*.parquet", "images.zip")

_DRAWN = Benchmark(
    name="drawn",
    title="Drawn world",
    measures="Small digits and counts in the drawn scenes that the pipeline trains on.",
    source="the test split of this run's stage ingest",
    grader="strict",
)

# Counts: arXiv 2312.14135, section 5.1: 191 questions, 115 on attributes and 76 on relations.
# Files and commit: https://huggingface.co/datasets/craigwu/vstar_bench/tree/main (d9ae62c,
# "Uploading ground truth labels": without it the letters of the right options are missing).
# Its folders GPT4V-hard and OCR are not among the 191.
_VSTAR = Benchmark(
    name="vstar",
    title="V*",
    measures="Attributes of small objects, and how two of them lie, in photographs of about "
    "2,246 x 1,582 pixels.",
    source="arXiv 2312.14135",
    layouts={
        "own": Layout(
            "pixel_core.evaluation.benchmarks.vstar:VStarReader",
            dataset="craigwu/vstar_bench",
            revision="d9ae62c903da0c98336e85c5ee89cd863b04b4da",
            files=("test_questions.jsonl", "direct_attributes/*", "relative_position/*"),
            kinds={"direct_attributes": 115, "relative_position": 76},
        ),
        "original": Layout(
            "pixel_core.evaluation.benchmarks.original:OriginalReader",
            dataset="JasperHaozhe/VStar-EvalData-PixelReasoner",
            files=("vstar.parquet", *_ORIGINAL),
            questions=191,
        ),
    },
)

# Count: arXiv 1810.12440, table 2: Test-Complex 15,598 (Test-Simple 22,991). The questions are
# in https://github.com/manoja328/TallyQA_dataset, the pictures are COCO's and Visual Genome's.
_TALLYQA = Benchmark(
    name="tallyqa_complex",
    title="TallyQA-Complex",
    measures="Counting objects that attributes or relations single out.",
    source="arXiv 1810.12440",
    layouts={
        "own": Layout(
            "pixel_core.evaluation.benchmarks.tallyqa:TallyQAReader",
            copy="test.json from https://github.com/manoja328/TallyQA_dataset, and beside it "
            "the folders (or zips) VG_100K, VG_100K_2 and val2014 (train2014 too, if asked for)"
            " of Visual Genome and COCO",
            kinds={"complex": 15_598},
        ),
        "original": Layout(
            "pixel_core.evaluation.benchmarks.original:OriginalReader",
            dataset="JasperHaozhe/TallyQA-EvalData-PixelReasoner",
            files=("tallyqa_mini3200.parquet", *_ORIGINAL),
        ),
    },
    grader="counting",
)

# Count and metric: arXiv 2104.12756 (validation: 2,801 questions on 500 pictures; ANLS with
# threshold 0.5). The test split's answers are not public. Parquets:
# https://huggingface.co/datasets/lmms-lab/DocVQA (card: InfographicVQA, validation 2801).
_INFOGRAPHICSVQA = Benchmark(
    name="infographicsvqa",
    title="InfographicsVQA",
    measures="Reading and reasoning over long infographics.",
    source="arXiv 2104.12756",
    layouts={
        "own": Layout(
            "pixel_core.evaluation.benchmarks.infographicsvqa:InfographicsVQAReader",
            dataset="lmms-lab/DocVQA",
            revision="539088ef8a8ada01ac8e2e6d4e372586748a265e",
            files=("InfographicVQA/validation-*.parquet",),
            questions=2_801,
            licence="apache-2.0",
        ),
        "original": Layout(
            "pixel_core.evaluation.benchmarks.original:OriginalReader",
            dataset="JasperHaozhe/InfoVQA-EvalData-PixelReasoner",
            files=("infographics.parquet", *_ORIGINAL),
        ),
    },
    grader="anls",
    metric="ANLS",
)

# 20 tasks of 200 questions: arXiv 2311.17005, table 1. The commit is the last of the branch
# `video` (https://huggingface.co/datasets/OpenGVLab/MVBench/commits/video), whose videos need
# no unpacking and include those of NTU RGB+D; a copy of `main` is read too.
_MVBENCH = Benchmark(
    name="mvbench",
    title="MVBench",
    measures="Twenty tasks of understanding what happens in short videos.",
    source="arXiv 2311.17005",
    layouts={
        "own": Layout(
            "pixel_core.evaluation.benchmarks.mvbench:MVBenchReader",
            dataset="OpenGVLab/MVBench",
            revision="a776e554280b99b70f00cc3eacd69a65e0727efc",
            files=MVBENCH_FILES,
            kinds=MVBENCH_KINDS,
            licence="mit",
        ),
        "original": Layout(
            "pixel_core.evaluation.benchmarks.original:OriginalReader",
            dataset="JasperHaozhe/MVBench-EvalData-PixelReasoner",
            files=("mvbench.parquet", *_ORIGINAL),
        ),
    },
    mean_of_kinds=True,
)


# Counts: https://github.com/DreamMr/HR-Bench: 100 questions on single instances and 100 across
# instances, each asked four times, with the right option in each place once (column
# cycle_category). The commit is the one that other public evaluations pin
# (huggingface.co/datasets/DreamMr/HR-Bench; hr_bench_8k.parquet of 2,826,567,123 bytes).
def _hrbench(name: BenchmarkName, size: str, width: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=f"HR-Bench {size}",
        measures=f"Single objects, and relations across objects, in pictures about {width} "
        "pixels wide.",
        source="arXiv 2408.15556",
        layouts={
            "own": Layout(
                "pixel_core.evaluation.benchmarks.hrbench:HRBenchReader",
                dataset="DreamMr/HR-Bench",
                revision="83b9013d6293b85dc507e87199ca52517536939c",
                files=(f"hr_bench_{size.lower()}.parquet",),
                kinds={"single": 400, "cross": 400},
                turns=4,
            )
        },
    )


BENCHMARKS: Mapping[BenchmarkName, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        _DRAWN,
        _VSTAR,
        _TALLYQA,
        _INFOGRAPHICSVQA,
        _MVBENCH,
        _hrbench("hrbench_4k", "4K", "4,000"),
        _hrbench("hrbench_8k", "8K", "8,000"),
    )
}


def layout_of(benchmark: Benchmark, name: LayoutName) -> Layout:
    """Raises ``ConfigError`` if the benchmark is not published in this layout."""
    layout = benchmark.layouts.get(name)
    if layout is None:
        raise ConfigError(
            f"{benchmark.name} is not published as {name!r}; set "
            f"benchmarks.{benchmark.name}.layout to one of {', '.join(benchmark.layouts)}"
        )
    return layout
