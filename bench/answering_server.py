"""A stand-in for a chat endpoint that answers every request the same, after a known time.

    python -m bench.answering_server DELAY_SECONDS

Prints its port. It reads the request and looks at nothing in it, so that its own time stays
far below that of the client which is measured against it.
"""

from __future__ import annotations

import asyncio
import json
import sys

_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 0,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"text": "' + 600 * "x" + '"}'},
        }
    ],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 200, "total_tokens": 1400},
}
_BODY = json.dumps(_ANSWER).encode()
_REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)


class Answering(asyncio.Protocol):
    """One connection; its requests come one after another."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._head = b""
        self._missing: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._missing is None:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            _, _, after = head.lower().partition(b"content-length:")
            self._missing = int(after.split(b"\r\n", 1)[0]) - len(rest)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._head, self._missing = b"", None
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_REPLY)  # type: ignore[attr-defined]


async def serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
