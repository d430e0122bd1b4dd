"""Answers chat requests, live or as lines of a batch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pixel_core.dev.annotator.answers import answer
from pixel_core.dev.annotator.chat_request import AnnotatorRequest, BadRequest, read_chat
from pixel_core.dev.annotator.completion import completion
from pixel_core.dev.annotator.faults import failure, spoilt
from pixel_core.dev.annotator.http_reply import HttpReply, error_reply, json_reply
from pixel_core.dev.annotator.journal import Journal, JournalEntry
from pixel_core.dev.annotator.script import Director, Script, ScriptedFault, ScriptRule, drawn
from pixel_core.nesting import loads


@dataclass(frozen=True)
class Manners:
    """The endpoint's settings."""

    #: The share of requests answered wrongly, selected by digest.
    wrong_rate: float = 0.0
    #: Delay of a live answer in seconds.
    latency_s: float = 0.0
    #: Least seconds that a batch stays in progress.
    batch_s: float = 0.0
    #: The only accepted key and models; empty: any.
    key: str = ""
    models: tuple[str, ...] = ()
    script: Script = field(default_factory=Script)


class ChatDesk:
    """Answers requests and writes the journal. Thread-safe."""

    def __init__(self, manners: Manners, journal: Journal) -> None:
        self._manners = manners
        self._journal = journal
        self.director = Director(manners.script)

    def follow(self, script: Script) -> None:
        """Use another script from now on."""
        self.director = Director(script)

    def live(self, body: bytes) -> HttpReply:
        """The response to ``/v1/chat/completions``."""
        try:
            value = loads(body)
        except ValueError:
            number = self._journal.number("chat")
            self._journal.write(JournalEntry("chat", number, 400, size=len(body)))
            return error_reply(400, "We could not parse the JSON body of your request")
        reply, _ = self.reply("chat", value, size=len(body))
        return reply

    def reply(
        self, route: str, body: Any, *, custom_id: str = "", size: int = 0
    ) -> tuple[HttpReply, ScriptRule | None]:
        """The response to a body, and the rule applied to it."""
        number = self._journal.number(route)
        rule: ScriptRule | None = None
        request: AnnotatorRequest | None = None
        try:
            request = read_chat(body)
            rule = self.director.rule(
                route,
                number,
                request.digest,
                self._journal.repeats(route, request.digest),
                request.asked,
                request.schema_name,
            )
            reply = self._reply(route, request, rule)
        except BadRequest as error:
            reply = error_reply(400, str(error), error.code)
        self._journal.write(
            JournalEntry(
                route=route,
                number=number,
                # A response that was not sent in full is not billed.
                status=0 if _lost(reply, rule) else reply.status,
                digest=request.digest if request else "",
                schema=request.schema_name if request else "",
                asked=request.asked if request else "",
                model=request.model if request else "",
                fault=rule.do.value if rule else "",
                size=size,
                custom_id=custom_id,
            )
        )
        return reply, rule

    def _reply(
        self, route: str, request: AnnotatorRequest, rule: ScriptRule | None
    ) -> HttpReply:
        manners = self._manners
        if manners.models and request.model not in manners.models:
            rule = ScriptRule(do=ScriptedFault.UNKNOWN_MODEL)
        if rule is not None:
            return failure(rule, request.model) or spoilt(rule, request)
        wrong = drawn(manners.wrong_rate, f"{manners.script.seed}/wrong/{request.digest}")
        reply = json_reply(completion(request, json.dumps(answer(request, wrong=wrong))))
        if route == "chat" and manners.latency_s:
            return HttpReply(200, reply.body, wait_s=manners.latency_s)
        return reply


def _lost(reply: HttpReply, rule: ScriptRule | None) -> bool:
    missing = (ScriptedFault.LINE_MISSING, ScriptedFault.LINE_EXPIRED)
    return reply.cut_at is not None or (rule is not None and rule.do in missing)
