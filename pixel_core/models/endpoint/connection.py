"""A connection to an OpenAI-compatible endpoint: one request, sent once or a few times.

The key comes from the environment and goes nowhere but into the request's header.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pixel_core.errors import EndpointError
from pixel_core.models.endpoint import failures
from pixel_core.models.endpoint.completion import is_answer, refusal_body
from pixel_core.models.endpoint.endpoint import Endpoint, key_of
from pixel_core.models.endpoint.parameters import Learned
from pixel_core.models.endpoint.throttle import Throttle

if TYPE_CHECKING:
    import httpx2

#: Seconds before the first retry, doubled for each further one up to the most.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
#: Bytes of a body; the longest answers have some hundred thousand.
_LONGEST_BODY = 64 << 20
#: Seconds that are waited at least where the endpoint asks for less, doubled up to 1 s.
_LEAST_WAIT = 0.005


@dataclass(frozen=True, slots=True)
class EndpointReply:
    """A body, and the seconds from its request to it."""

    body: bytes
    seconds: float
    #: How its request was changed for the endpoint's sake (``Parameters.changes``).
    changes: tuple[str, ...] = ()


class Terms:
    """Hooks for what a caller wants to know of each try. The base class ignores them."""

    def ready(self) -> None:
        """Called before each try, outside the slots; it may raise to send nothing more."""

    def sending(self) -> None:
        """Called right before each try is sent, in its slot."""

    def is_answer(self, body: bytes) -> bool:
        """Whether a body that came with HTTP 200 is what was asked for."""
        return is_answer(body)

    def unanswered(self, body: bytes | None) -> None:
        """A try was sent for nothing. ``body``: what came with HTTP 200 and is no answer;
        None: the connection broke, and nobody knows whether it was charged for."""


class Connection:
    """Sends what it is given; safe to use from several threads.

    Raises ``EndpointError`` without a usable key.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        import openai

        self._endpoint = endpoint
        self._key = key_of(endpoint)
        self._learned = Learned(endpoint.omit, endpoint.max_completion_tokens)
        # No header at all without a key: a proxy may take any for a wrong one.
        self._headers: Any = {} if self._key else {"Authorization": openai.Omit()}
        self._client = openai.OpenAI(
            api_key=self._key or "none",  # the client insists on one
            base_url=endpoint.base_url,
            timeout=endpoint.timeout_s,
            max_retries=0,  # ours is the better place: what one meets, all heed
            http_client=openai.DefaultHttpxClient(
                limits=_limits(endpoint.at_once), event_hooks={"response": [_bound]}
            ),
        )

    def ask(
        self,
        body: bytes,
        throttle: Throttle,
        before: Callable[[], None],
        say: Callable[[str], None],
        terms: Terms | None = None,
    ) -> EndpointReply:
        """The endpoint's answer to a chat completion's JSON ``body``, the key taken out.

        A content refusal that came as an HTTP error is an answer too. What is transient,
        such as HTTP 200 with something else than an answer, is tried again ``retries``
        times; where the endpoint is asked too much (HTTP 429), for ``max_wait_s``.
        ``before`` is called before each try, in its slot. Raises ``EndpointError`` when
        there is no answer to be had, ``Stopped`` when the throttle stopped while this
        waited, and what ``terms`` raise.
        """
        import openai

        terms = terms or Terms()
        number = busy = 0
        #: When this request was first told that it is one too many.
        since: float | None = None
        while True:
            terms.ready()
            throttle.wait()
            sent = self._learned.now
            # A slot a try: who waits for the next one leaves it to others.
            try:
                with throttle.slot():
                    if throttle.holding_back:
                        continue
                    before()
                    throttle.wait()
                    terms.sending()
                    sent, began = self._learned.now, time.monotonic()
                    received = self._send(sent.applied(body))
            except openai.APIError as error:
                if code := failures.refusal_code(error):
                    throttle.answered()
                    return EndpointReply(
                        refusal_body(code), time.monotonic() - began, sent.changes
                    )
                if failures.was_lost(error):
                    terms.unanswered(None)
                if self._learned.learn(error, sent, body):
                    self._tell_learned(say)
                    continue
                if failures.is_rate_limit(error):
                    since = began if since is None else since
                    self._wait_out(error, busy, time.monotonic() - since, throttle, say)
                    busy += 1
                    continue
                if number == self._endpoint.retries or not failures.is_transient(error):
                    throttle.stop()  # before the slot's next owner sends anything
                    raise self._failure(error, number + 1) from None
                self._wait(error, number, throttle, say)
            else:
                received = failures.redacted(received, self._key)
                if terms.is_answer(received):
                    throttle.answered()
                    return EndpointReply(received, time.monotonic() - began, sent.changes)
                terms.unanswered(received)
                if number == self._endpoint.retries:
                    throttle.stop()
                    raise failures.no_answer(received, self._endpoint, number + 1)
                if throttle.hold_back(seconds := _own_wait(number)) and seconds > 1.0:
                    say(
                        "the endpoint answers HTTP 200 with something that is no answer: "
                        f"waiting {seconds:.0f} s"
                    )
                throttle.wait()
            number += 1

    def close(self) -> None:
        self._client.close()

    def __repr__(self) -> str:
        return f"Connection({self._endpoint.where})"

    def _send(self, body: bytes) -> bytes:
        import httpx2

        response = self._client.post(
            "/chat/completions",
            content=body,
            cast_to=httpx2.Response,
            options={"headers": self._headers},
        )
        if error := failures.hidden_error(response):
            raise error
        return response.content

    def _failure(self, error: Any, tries: int) -> EndpointError:
        return failures.failure(error, self._endpoint, self._key, tries)

    def _wait(
        self, error: Any, number: int, throttle: Throttle, say: Callable[[str], None]
    ) -> None:
        """Wait before the next try; when the endpoint is overloaded, everyone does."""
        asked = failures.asked_wait(error)
        if asked is not None and asked > self._endpoint.max_wait_s:
            raise self._too_long(asked)
        seconds = _own_wait(number) if asked is None else _a_little_more(asked, number)
        if failures.is_overload(error):
            self._hold_back(error, seconds, throttle, say)
        else:
            throttle.sleep(seconds)

    def _wait_out(
        self,
        error: Any,
        number: int,
        waited: float,
        throttle: Throttle,
        say: Callable[[str], None],
    ) -> None:
        """Wait as long as an endpoint that is asked too much wants, as long as that is
        within ``max_wait_s`` in all; else raise ``EndpointError``."""
        asked = failures.asked_wait(error)
        if asked is not None and waited + asked > self._endpoint.max_wait_s:
            throttle.stop()
            raise self._too_long(asked, waited)
        seconds = _own_wait(number) if asked is None else _a_little_more(asked, number)
        if waited + seconds > self._endpoint.max_wait_s and asked is None:
            throttle.stop()
            raise failures.storm(error, self._endpoint, self._key, waited)
        self._hold_back(error, seconds, throttle, say)

    def _hold_back(
        self, error: Any, seconds: float, throttle: Throttle, say: Callable[[str], None]
    ) -> None:
        if throttle.hold_back(seconds) and seconds > 1.0:
            say(
                f"the endpoint is asked too much (HTTP {error.status_code}): waiting "
                f"{seconds:.0f} s, then at most {throttle.allowed} requests at once; it is "
                f"given up after {self._endpoint.max_wait_s:g} s of waiting"
            )
        throttle.wait()

    def _too_long(self, asked: float, waited: float = 0.0) -> EndpointError:
        before = f" after {waited:.0f} s of waiting" if waited >= 1 else ""
        return EndpointError(
            f"{self._endpoint.where} asks to wait {asked:.0f} s{before}, longer than "
            f"{self._endpoint.section}max_wait_s ({self._endpoint.max_wait_s:g}) allows; what "
            "was answered is kept: run again later"
        )

    def _tell_learned(self, say: Callable[[str], None]) -> None:
        if unasked := self._learned.unasked:
            say(
                "the endpoint refuses a parameter, so requests are changed for it: "
                f"{', '.join(unasked)}; set {self._endpoint.section}omit to send it so from "
                "the start"
            )


def _own_wait(number: int) -> float:
    """Seconds before the next try where nobody says how long."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(number, 16)) * random.uniform(0.5, 1.0)


def _a_little_more(asked: float, number: int) -> float:
    """Seconds somewhat above what was asked for, and more each time: an endpoint that asks
    for nothing, over and over, is not to be hammered."""
    return max(asked * random.uniform(1.0, 1.1), min(1.0, _LEAST_WAIT * 2 ** min(number, 16)))


def _limits(at_once: int) -> Any:
    import httpx2

    return httpx2.Limits(max_connections=None, max_keepalive_connections=at_once + 8)


def _bound(response: httpx2.Response) -> None:
    """Break off a body that never ends: it is held in memory."""
    import httpx2

    class Bounded(httpx2.SyncByteStream):
        def __init__(self, stream: httpx2.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            left = _LONGEST_BODY
            for piece in self._stream:
                left -= len(piece)
                if left < 0:
                    raise httpx2.RemoteProtocolError(
                        f"a body of more than {_LONGEST_BODY:,} bytes"
                    )
                yield piece

        def close(self) -> None:
            self._stream.close()

    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = Bounded(response.stream)
