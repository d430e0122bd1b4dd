"""How ``pixel ask`` tells an answer on the terminal, turn by turn."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from flows.cli.printable import printable
from pixel_core.report.html.wording import STOPS, clipped, plain
from pixel_core.rewards.grading import grade
from pixel_core.serving.answer import Answer, AnswerStep

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
