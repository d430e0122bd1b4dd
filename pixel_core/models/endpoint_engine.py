"""The engine that is somebody's endpoint: any OpenAI-compatible chat completion that takes
pictures.

It answers in words, which are tokenised here, and it does not say how likely they were: its
completions have no log-probabilities, and a transcript gives such tokens no weight in any
loss. Its draws are its own, too. Sampled answers differ from run to run, and a run that is
resumed keeps the chunks it has and asks only for the others: the answers together are one
draw of the model, as they would be in one go, but not the same draw twice.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pixel_core.config import SamplingConfig
from pixel_core.errors import EndpointError
from pixel_core.models.endpoint.completion import Reply, is_answer, is_metered, read_reply
from pixel_core.models.endpoint.connection import Connection, Terms
from pixel_core.models.endpoint.endpoint import Endpoint
from pixel_core.models.endpoint.throttle import Stopped, Throttle
from pixel_core.models.endpoint.together import together
from pixel_core.models.endpoint_messages import PictureUrls, Speaker
from pixel_core.rollout.engine import Completion
from pixel_core.rollout.transcript import Transcript
from pixel_core.rollout.vocabulary import TURN_END, Vocabulary


class EndpointEngine:
    """Asks ``endpoint``; the stage's model only lends its vocabulary.

    ``say`` hears what a person should know, such as that the endpoint wants a rest. Raises
    ``EndpointError`` without a usable key; ``generate`` raises it when no answer is to be
    had, and the engine is then of no further use.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        vocabulary: Vocabulary,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.vocabulary = vocabulary
        self._endpoint = endpoint
        self._say = say
        self._connection = Connection(endpoint)
        self._throttle = Throttle(endpoint.at_once)
        self._speaker = Speaker(vocabulary)
        self._urls = PictureUrls()
        self._usage: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reseed(self, seed: int) -> None:
        """Nothing: an endpoint draws as it likes."""

    def forget(self) -> None:
        self._urls.forget()

    def hold(self, transcripts: Sequence[Transcript]) -> None:
        self._urls.keep(visual for one in transcripts for visual in one.visuals)

    def close(self) -> None:
        """Send nothing more."""
        self._throttle.stop()
        self._connection.close()

    def take_usage(self) -> Mapping[str, int]:
        """Requests answered, refusals among them, and tokens as the endpoint counts them,
        since this was last asked; ``changed``, where there are any: requests that were sent
        without a parameter, or with it under another name, as the endpoint takes them."""
        with self._lock:
            taken, self._usage = self._usage, Counter()
        return dict(taken)

    def generate(
        self,
        transcripts: Sequence[Transcript],
        sampling: SamplingConfig,
        max_new_tokens: int,
        banned: Sequence[int] = (),
        seeds: Sequence[int] | None = None,
    ) -> list[Completion]:
        """``banned`` can't be kept from here: the endpoint has a vocabulary of its own.
        ``seeds`` are not sent: few endpoints keep to them."""
        calls = [
            partial(self._completion, transcript, sampling, max_new_tokens)
            for transcript in transcripts
        ]
        try:
            return together(calls, self._endpoint.at_once)
        except Stopped:
            raise EndpointError(f"{self._endpoint.where} was given up before") from None
        except BaseException:
            self._throttle.stop()
            raise

    def _completion(
        self, transcript: Transcript, sampling: SamplingConfig, limit: int
    ) -> Completion:
        body = {
            "model": self._endpoint.model,
            "messages": self._speaker.messages(transcript, self._urls.of),
            "max_tokens": limit,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        reply = self._answered(json.dumps(body).encode())
        # A refusal is an answer without words. Some servers send the end of the turn along.
        text = (reply.content or "").removesuffix(TURN_END)
        tokens = self.vocabulary.encode_plain(text)
        # The limit is ours to keep: an endpoint may count otherwise, or not at all.
        if reply.truncated or len(tokens) >= limit:
            return Completion(tokens[:limit], None, finished=False)
        return Completion([*tokens, self.vocabulary.turn_end], None, finished=True)

    def _answered(self, body: bytes) -> Reply:
        answer = self._connection.ask(
            body, self._throttle, lambda: None, self._say, _Spoken(self._count)
        )
        reply = read_reply(answer.body)
        self._count(answer.body, changed=bool(answer.changes))
        return reply

    def _count(self, body: bytes, changed: bool = False) -> None:
        reply, metered = read_reply(body), is_metered(body)
        with self._lock:
            if changed:
                self._usage["changed"] += 1
            self._usage.update(
                requests=1,
                prompt_tokens=reply.prompt_tokens,
                cached_tokens=reply.cached_tokens,
                completion_tokens=reply.completion_tokens,
                refused=int(bool(reply.refusal)),
                unmetered=int(not metered),
            )


class _Spoken(Terms):
    """A reply must hold a text, or a refusal, or be cut off; the text may be empty where
    tokens were paid for it. Those that don't are counted: their tokens were paid."""

    def __init__(self, count: Callable[[bytes], None]) -> None:
        self._count = count

    def is_answer(self, body: bytes) -> bool:
        reply = read_reply(body)
        cut_or_refused = reply.truncated or bool(reply.refusal)
        return is_answer(body) and (reply.content is not None or cut_or_refused)

    def unanswered(self, body: bytes | None) -> None:
        if body is not None and is_metered(body):
            self._count(body)
