"""How a command ends: typed errors become one message and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.text import Text

from flows.consoles import plain_console
from pixel_core.errors import ConfigError, DataError, PixelError

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130  # what a shell reports for Ctrl-C

errors = plain_console(stderr=True)


@contextmanager
def clear_endings(debug: bool) -> Iterator[None]:
    """Exit 2 for bad input, 1 for other errors a user can mend, 130 for Ctrl-C.

    A bug is neither: it is left to crash with its traceback.
    """
    try:
        yield
    except PixelError as error:
        if debug:
            errors.print(Text(traceback.format_exc().rstrip()))
        say("error", "red", str(error))
        bad_input = isinstance(error, ConfigError | DataError)
        raise typer.Exit(BAD_INPUT if bad_input else FAILED) from error
    except KeyboardInterrupt as stopped:
        raise typer.Exit(INTERRUPTED) from stopped


def say(label: str, style: str, text: str) -> None:
    errors.print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)
