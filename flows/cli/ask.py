"""``pixel ask``: one question about pictures or a video, to a model of the pipeline or not."""

from __future__ import annotations

import html
import json
import tempfile
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from flows.cli.model import load_reasoner, request_of
from flows.cli.terminal import errors, printable, say
from flows.consoles import plain_console
from pixel_core.config import PipelineConfig
from pixel_core.errors import ConfigError
from pixel_core.report.episodes.episode_card import episode_card
from pixel_core.report.episodes.fragment import episode_fragment
from pixel_core.report.episodes.gallery import Gallery, in_memory
from pixel_core.report.html.wording import STOPS, clipped, plain
from pixel_core.rewards.grading import grade
from pixel_core.serving.answer import Answer, AnswerStep
from pixel_core.serving.demo.examples import Example, draw_examples
from pixel_core.serving.media import MediaLimits, Seen
from pixel_core.serving.model_folder import is_model_name
from pixel_core.serving.saving import check_folder, save_answer, trajectory
from pixel_core.serving.url_fetch import UrlLimits

if TYPE_CHECKING:
    from pixel_core.serving.reasoner import Reasoner


# An answer as a page of its own, by the viewer that the report and the demo share.


def write_page(answer: Answer, model: str, file: Path) -> None:
    """One file without scripts or requests."""
    query = answer.query
    gallery = Gallery(in_memory(query.pictures, answer.pictures))
    card = episode_card(
        query,
        answer.rollout,
        gallery,
        model="policy",
        name=model,
        notes=[f"{answer.seconds:.2f} s"],
    )
    question = html.escape(query.question)
    choices = "".join(f"<li>{html.escape(choice)}</li>" for choice in query.choices)
    file.write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{question[:80]}</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: sans-serif; }}
ol {{ list-style: upper-alpha; }}
</style>
</head>
<body>
<h1>{question}</h1>
{f"<ol>{choices}</ol>" if choices else ""}
{episode_fragment(card, gallery)}
</body>
</html>
""",
        "utf-8",
    )


# How ``pixel ask`` tells an answer on the terminal, turn by turn.


#: Characters of a turn that are shown.
_TURN = 4000


class Teller:
    """Prints the question, each step as it comes, and the answer."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def question(self, model: str, question: str, choices: tuple[str, ...]) -> None:
        self._line(f"{model}: ", question, "bold")
        for number, choice in enumerate(choices):
            self._line(f"  ({chr(ord('A') + number)}) ", choice, "")

    def step(self, step: AnswerStep) -> None:
        self._line(f"{step.number}  ", clipped(step.text.strip(), _TURN), "")
        told = _done(step)
        if told:
            style = "yellow" if step.error else "cyan"
            self._console.print(Text(f"   {told}", style), soft_wrap=True)

    def answer(self, answer: Answer, truth: str = "") -> None:
        if answer.answered:
            self._line("answer: ", answer.text, "bold green")
        else:
            self._line("no answer: ", STOPS[answer.stop], "yellow")
        if truth:
            known = answer.query.model_copy(update={"answers": (truth,)})
            right = answer.answered and grade(answer.text, known)
            self._line("that is right: " if right else "right would be: ", truth, "")
        parts = [
            f"{answer.seconds:.2f} s",
            _count(len(answer.steps), "turn"),
            _count(answer.operations, "operation"),
            f"{answer.tokens} tokens",
        ]
        if answer.failed_operations:
            parts.insert(3, f"{answer.failed_operations} refused")
        self._console.print(Text(", ".join(parts), "dim"), soft_wrap=True)

    def _line(self, label: str, text: str, style: str) -> None:
        # Escaped as Text: what a model or a file says is never markup.
        indented = printable(text).replace("\n", "\n" + " " * len(label))
        self._console.print(Text.assemble(label, (indented, style)), soft_wrap=True)


def _done(step: AnswerStep) -> str:
    """What came of the step's call; "" where there was none."""
    if step.error:
        return f"refused: {plain(step.error)}"
    if step.frames:
        return f"selected the frames {', '.join(str(frame + 1) for frame in step.frames)}"
    if step.box is None:
        return ""
    x1, y1, x2, y2 = step.box.as_tuple()
    which = f" of picture {step.picture + 1}" if step.picture else ""
    shown = step.shown[0].size
    return (
        f"looked at x {x1} to {x2}, y {y1} to {y2}{which} ({x2 - x1} x {y2 - y1} pixels, "
        f"shown at {shown[0]} x {shown[1]})"
    )


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


#: Questions of the drawn world to choose from.
EXAMPLES = 12

#: After Ctrl-C a turn under way is waited for so long.
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class AskOptions:
    """The command line. ``media`` and ``question``, or the number of an ``example``."""

    media: tuple[str, ...] = ()
    question: str = ""
    example: int = 0
    model: str = "policy"
    base: str = ""
    profile: str | None = None
    overrides: tuple[str, ...] = ()
    store: str | None = None
    choices: tuple[str, ...] = ()
    operations: bool = True
    frames: int = 16
    temperature: float = 0.0
    seed: int = 0
    device: str = "cpu"
    hosts: tuple[str, ...] = ()
    save: Path | None = None
    as_json: bool = False
    open_it: bool = False


def ask_model(asked: AskOptions) -> None:
    """Print each step as it is made and then the answer; save and show what is wished."""
    _check(asked)
    console = plain_console()
    config = request_of(asked).config()
    example = _example(asked, config)
    media: Any = list(asked.media) if len(asked.media) > 1 else "".join(asked.media)
    question, truth = asked.question, ""
    if example is not None:
        media = Seen(example.images, example.is_video)
        question, truth = example.question, example.answer
    with errors.status("loading the model"):
        limits = MediaLimits(urls=UrlLimits(hosts=asked.hosts, tell_hosts=True))
        reasoner = load_reasoner(asked, config, limits=limits)
    label = reasoner.name if not is_model_name(asked.model) else asked.model
    try:
        answer = _answer(reasoner, media, question, truth, asked, label, console)
    finally:
        reasoner.scheduler.close(_PATIENCE_S)
    if asked.as_json:
        told = trajectory(answer, model=reasoner.name)
        print(json.dumps(told | ({"right": truth} if truth else {}), indent=1))
    _keep(answer, asked, reasoner.name)


def _check(asked: AskOptions) -> None:
    if asked.example and (asked.media or asked.question or asked.choices):
        raise ConfigError("--example brings its own picture and question: leave yours out")
    if not asked.example and not (asked.media and asked.question):
        raise ConfigError(
            'give a picture or a video, and a question: pixel ask street.jpg "what does the '
            'sign say?"; or --example 1'
        )
    if asked.save is not None:
        check_folder(asked.save)


def _example(asked: AskOptions, config: PipelineConfig) -> Example | None:
    if not asked.example:
        return None
    if not 1 <= asked.example <= EXAMPLES:
        raise ConfigError(f"--example {asked.example} is not from 1 to {EXAMPLES}")
    return draw_examples(config.ingest.drawn, EXAMPLES)[asked.example - 1]


def _answer(
    reasoner: Reasoner,
    media: Any,
    question: str,
    truth: str,
    asked: AskOptions,
    label: str,
    console: Console,
) -> Answer:
    teller = None if asked.as_json else Teller(console)
    with errors.status("reading what is asked about"):
        handle = reasoner.submit(
            media,
            question,
            choices=asked.choices,
            operations=asked.operations,
            temperature=asked.temperature,
            seed=asked.seed,
            frames=asked.frames,
        )
    if teller:
        teller.question(label, question, asked.choices)
    with errors.status("the model speaks"):
        for event in handle.events():
            if isinstance(event, AnswerStep):
                if teller:
                    teller.step(event)
                continue
            if teller:
                teller.answer(event, truth)
            return event
    raise AssertionError("a ticket ends with an answer or an error")


def _keep(answer: Answer, asked: AskOptions, model: str) -> None:
    if asked.save is not None:
        files = save_answer(answer, asked.save, model=model)
        say("saved", "green", f"{len(files)} files in {asked.save}")
    if asked.open_it:
        folder = asked.save or Path(tempfile.mkdtemp(prefix="pixel-ask-"))
        page = folder / "answer.html"
        write_page(answer, printable(model), page)
        say("page", "green", str(page))
        if not webbrowser.open(page.absolute().as_uri()):
            say("note", "yellow", "no browser could be opened here; open the file by hand")


def split_choices(text: str) -> tuple[str, ...]:
    """ "red, blue" as two choices."""
    return tuple(part.strip() for part in text.split(",")) if text else ()
