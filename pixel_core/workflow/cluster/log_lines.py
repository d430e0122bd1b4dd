"""A job's log, as bytes come in: cut into lines, told apart, and each told once.

After a dropped connection the last lines come again. Events are numbered, so those that were
heard are known; the ordinary lines since the last event are counted, and passed over too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pixel_core.workflow.cluster.job_events import JobEvent, read_event

#: Characters of one line that are kept; a library may write megabytes without an end.
_LONGEST = 2000
#: Bytes of a line without an end that are waited on.
_UNENDED = 64 * 2**10
#: Colours and cursor movements, then what else no log needs.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class LogLines:
    def __init__(self, event: Callable[[JobEvent], None], line: Callable[[str], None]) -> None:
        self._event = event
        self._line = line
        self._rest = b""
        self._number = 0
        self._since = 0
        self._skip = 0
        #: Lines of a connection made again that may have been told; None: all are new.
        self._doubtful: list[str] | None = None

    def connected(self, *, again: bool) -> None:
        """What follows starts at a line; some of it was fed before if ``again``."""
        self._rest = b""
        self._skip = 0
        self._doubtful = [] if again else None

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _UNENDED:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._take(line)

    def settle(self) -> None:
        """Nothing more comes for now: what is in doubt is told, once too often if need be."""
        doubtful, self._doubtful = self._doubtful, None
        for text in doubtful or ():
            self._tell(text)

    def finish(self) -> None:
        """The log has ended, with or without the end of a line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest)
        self.settle()

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        event = read_event(text)
        if event is None:
            text = clean(text.rstrip("\r").rpartition("\r")[2])
            if not text:
                return
            if self._doubtful is not None:
                self._doubtful.append(text)
            elif self._skip:
                self._skip -= 1
            else:
                self._tell(text)
        elif event.number > self._number:
            self.settle()
            self._number, self._since, self._skip = event.number, 0, 0
            self._event(event)
        elif self._doubtful is not None:
            # Lines before an event that was heard were told before it was.
            self._doubtful = None if event.number == self._number else []
            self._skip = self._since if self._doubtful is None else 0

    def _tell(self, text: str) -> None:
        self._since += 1
        self._line(text)


def clean(text: str) -> str:
    """Text of somebody else's making, fit for a terminal."""
    return _ESCAPES.sub("", text)[:_LONGEST].rstrip()
