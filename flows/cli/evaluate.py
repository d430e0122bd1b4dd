"""``pixel evaluate``: trained models, or any checkpoint, on benchmarks; nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from flows.cli.plan import summary
from flows.cli.prefect_server import Server, reporting
from flows.cli.run import kept
from flows.cli.show import score_table
from flows.cli.terminal import Terminal, say
from flows.consoles import plain_console
from flows.evaluation_request import EvaluationRequest
from flows.request import Plan
from flows.results import print_benchmarks, score_rows
from pixel_core.config import PipelineConfig
from pixel_core.config.profile import load_profile
from pixel_core.errors import ConfigError
from pixel_core.evaluation.settings import block_lines, settings_of
from pixel_core.workflow.planning import check_ready
from pixel_core.workflow.table import stages_of

#: Sections that shape models and nothing after them.
_TRAINING = ("annotate", "synthesize", "text_only", "sft", "rl", "study")


@dataclass(frozen=True)
class EvaluateOptions:
    """The command's own options, each a short way to write a ``--set``."""

    benchmarks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    notool: bool = False
    limit: int | None = None

    def overrides(self) -> list[str]:
        laid = []
        if self.benchmarks:
            laid.append(f"benchmarks.names={json.dumps(self.benchmarks)}")
        if self.models:
            laid.append(f"benchmarks.models={json.dumps(self.models)}")
        if self.notool:
            laid.append("benchmarks.notool=true")
        return laid

    def limits(self, config: PipelineConfig) -> list[str]:
        """``limit`` for every benchmark that is answered, or for the test questions."""
        if self.limit is None:
            return []
        names = config.benchmarks.names
        fields = [f"benchmarks.{name}.limit" for name in names] or ["answers.limit"]
        return [f"{field}={self.limit}" for field in fields]


def request_of(
    profile: str,
    overrides: Sequence[str],
    store: str | None,
    asked: EvaluateOptions,
    verify: bool = False,
) -> EvaluationRequest:
    """Raises ``ConfigError`` for options and settings that would change nothing."""
    laid = [*overrides, *asked.overrides()]
    config = load_profile(profile, laid)
    if not config.benchmarks.names and (asked.models or asked.notool):
        raise ConfigError(
            "--model and --notool choose who answers benchmarks, and none is named: add "
            "--benchmark NAME (drawn: the profile's own test questions), or name some in the "
            "profile's benchmarks.names"
        )
    laid += asked.limits(config)
    request = EvaluationRequest(
        profile,
        tuple(laid),
        store,
        verify=verify,
        test_questions=not config.benchmarks.names,
    )
    _refuse_training(overrides, request, config)
    return request


def evaluate_models(
    request: EvaluationRequest, server: Server | None, *, verbose: bool
) -> None:
    """``server``: a private one that was begun before, while this is read and checked.

    Raises what the stages raise, and ``KeyboardInterrupt`` after saying what is kept."""
    console = plain_console()
    terminal = Terminal(console)
    # Before anything starts: bad input must cost nothing.
    plan = config, store, decisions = request.plan()
    check_ready(
        config,
        store,
        decisions,
        stages_of(config),
        say=lambda told: console.print(told, soft_wrap=True),
    )
    console.print(f"profile {config.name}, store {store.uri}", soft_wrap=True)
    training = request.trained(config, store).run
    console.print(f"models of run {training}" if training else "the base model alone")
    if config.benchmarks.names:
        console.print("settings that change scores:")
        for line in block_lines(settings_of(config)):
            console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(summary(decisions))
    try:
        keys = _follow(request, plan, server, terminal, verbose=verbose)
    except KeyboardInterrupt:
        say("stopped", "yellow", kept(terminal, store))
        raise
    if "evaluate" in keys and (scored := store.load("evaluate", keys["evaluate"])):
        console.print()
        console.print(score_table(score_rows(scored, store)))
    print_benchmarks(console, store, config, keys)


def _follow(
    request: EvaluationRequest,
    plan: Plan,
    server: Server | None,
    terminal: Terminal,
    *,
    verbose: bool,
) -> dict[str, str]:
    with reporting("flows.evaluate", server, verbose=verbose) as recipe:
        from flows.run import followed

        with followed(terminal, request, plan):
            return recipe.evaluation(
                profile=request.profile,
                overrides=list(request.overrides),
                store=request.store,
                test_questions=request.test_questions,
                verify=request.verify,
            )


def _refuse_training(
    overrides: Sequence[str], request: EvaluationRequest, config: PipelineConfig
) -> None:
    """A setting of training would be read by nobody here."""
    idle = _TRAINING if request.makes_base(config) else (*_TRAINING, "base_model")
    for override in overrides:
        section = override.partition("=")[0].strip().partition(".")[0]
        if section in idle:
            raise ConfigError(
                f"--set {override} would change nothing: models are those of the latest "
                "training run. Train with it first (pixel run); or, to evaluate another "
                "checkpoint, say --model base with base_model.source=pretrained and "
                "base_model.pretrained.path"
            )
