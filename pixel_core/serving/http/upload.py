"""The rest of a body that is refused before it has all come.

Many clients write all before they read. A connection that is closed under them gives them a
broken pipe, and not the reason. So the rest is read for a while and dropped.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope

_MOST_BYTES = 128 << 20
_MOST_S = 5.0


class Upload:
    """Knows how far a request's body has come. ``receive`` takes the place of the server's."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self._receive = receive
        self._over = not names & {b"content-length", b"transfer-encoding"}
        #: The client waits to be told that it may send ("100-continue").
        self._asks = b"expect" in names
        self._begun = False

    async def receive(self) -> Message:
        self._begun = True
        message = await self._receive()
        self._over |= message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def over(self, *, wait: bool) -> bool:
        """Whether all has come; with ``wait``, or does within a bounded time and size."""
        if self._over or not wait or (self._asks and not self._begun):
            return self._over
        length = 0
        try:
            async with asyncio.timeout(_MOST_S):
                while not self._over and length <= _MOST_BYTES:
                    length += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
        return self._over
