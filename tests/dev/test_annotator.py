"""The stand-in annotator over real HTTP: what it says, and how it misbehaves."""

from __future__ import annotations

import email.utils
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from drawn_requests import body, digit_question, look, scene, shown
from PIL import Image

from pixel_core.data.annotation.pricing import picture_tokens as their_tokens
from pixel_core.dev.annotator import AnnotatorServer, Script, ScriptRule
from pixel_core.dev.annotator.script import read_script
from pixel_core.dev.annotator.tokens import picture_tokens
from pixel_core.errors import ConfigError
from pixel_core.tiny.draw import draw

KEY = "sk-test-51aa02d96bb14c7e"
HEADERS = {"Authorization": f"Bearer {KEY}"}
#: One for all: each client would read the machine's certificates anew.
CLIENT = httpx.Client(headers=HEADERS, verify=False, timeout=10)


def post(server: AnnotatorServer, sent: Any, **more: Any) -> httpx.Response:
    url = f"{server.url}/chat/completions"
    return CLIENT.post(url, json=sent, **more)


def said(response: httpx.Response) -> dict[str, Any]:
    """The fields of the answer."""
    response.raise_for_status()
    fields: dict[str, Any] = json.loads(response.json()["choices"][0]["message"]["content"])
    return fields


def scripted(**rule: Any) -> AnnotatorServer:
    return AnnotatorServer(script=Script(rules=(ScriptRule(**rule),)))


def test_it_says_what_is_there_and_admits_what_it_cannot_read() -> None:
    with AnnotatorServer() as server:
        for number in range(4):
            one = scene(number)
            card, picture = one.cards[0], draw(one)
            crop = picture.crop((card.x, card.y, card.x + 64, card.y + 64))
            question = digit_question(card)
            right = {"readable": True, "answer": card.digit}
            assert said(post(server, body("look", question, crop))) == right
            small = said(post(server, body("look", question, shown(picture, 0.25))))
            assert small == (right if card.big else {"readable": False, "answer": ""})

            told = f"{question}\nRight answer: {card.digit}"
            place = said(post(server, body("locate_box", told, picture)))
            box = [side * picture.width for side in place["box"]]
            assert box == pytest.approx([card.x, card.y, card.x + 64, card.y + 64], abs=1.1)
            assert place["subject"] == f"the {card.colour} card"
            untrue = f"{question}\nRight answer: {(int(card.digit) + 1) % 10}"
            assert said(post(server, body("locate_box", untrue, picture)))["valid"] is False


def test_it_counts_and_looks_for_what_is_not_there() -> None:
    one = scene(1)
    absent = next(c for c in ("red", "green", "blue", "pink", "cyan", "orange", "purple")
                  if all(card.colour != c for card in one.cards))  # fmt: skip
    with AnnotatorServer() as server:
        count = body("look", "Question: how many cards are there?", draw(one))
        assert said(post(server, count))["answer"] == str(len(one.cards))
        exists = body("look", f"Question: can you see the {absent} card?", draw(one))
        assert said(post(server, exists))["answer"] == "no"
        other = body("look", "Question: who painted this?", draw(one))
        assert said(post(server, other))["readable"] is False


def test_it_proposes_a_question_that_it_can_answer() -> None:
    with AnnotatorServer() as server:
        for number in range(4):
            one = scene(number)
            made = said(post(server, body("propose", "Here is the photo.", draw(one))))
            assert made["valid"] is True
            digits = {card.colour: card.digit for card in one.cards}
            (colour,) = [name for name in digits if f" {name} card" in made["question"]]
            assert made["right_option"] == digits[colour]
            options = {made["right_option"], *made["wrong_options"]}
            assert len(options) == 4
        plain = body("propose", "Here is the photo.", Image.new("RGB", (90, 60), "white"))
        assert said(post(server, plain))["valid"] is False


def test_it_says_which_frames_show_a_card() -> None:
    one, card = scene(2), scene(2).cards[0]
    blank = Image.new("RGB", (448, 448), (90, 90, 90))
    question = digit_question(card)
    with AnnotatorServer() as server:
        frames = body("locate_frames", question, blank, draw(one), blank, draw(one))
        assert said(post(server, frames)) == {"valid": True, "frames": [2, 4]}


def test_wrong_answers_come_at_the_given_rate_and_the_same_every_time() -> None:
    sent = [look(number) for number in range(40)]
    truth = [scene(number).cards[0].digit for number in range(40)]
    runs = []
    for _ in range(2):
        with AnnotatorServer(wrong_rate=0.3) as server:
            runs.append([said(post(server, one))["answer"] for one in sent])
    wrong = sum(given != right for given, right in zip(runs[0], truth, strict=True))
    assert 5 <= wrong <= 20  # 12 +- 2.9; further off once in 300
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"do": "rate_limit"}, 429, "rate_limit_exceeded"),
        ({"do": "insufficient_quota"}, 429, "insufficient_quota"),
        ({"do": "server_error", "status": 502}, 502, None),
        ({"do": "wrong_key"}, 401, "invalid_api_key"),
        ({"do": "unknown_model"}, 404, "model_not_found"),
        ({"do": "content_policy"}, 400, "content_policy_violation"),
    ],
)
def test_failures_have_the_form_of_real_ones(
    rule: dict[str, Any], status: int, code: str | None
) -> None:
    with scripted(**rule, numbers=(1,)) as server:
        answers = [post(server, look(0)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, status, 200]
        assert answers[1].json()["error"]["code"] == code
        faults = [entry.fault for entry in server.journal.entries("chat")]
        assert faults == ["", rule["do"], ""]
        # Only what was answered counts as paid.
        assert sum(server.journal.answered().values()) == 2


@pytest.mark.parametrize("form", ["seconds", "date", "ms"])
def test_when_to_come_back_is_said_in_each_form(form: str) -> None:
    with scripted(do="rate_limit", retry_after_s=90, retry_after_as=form) as server:
        headers = post(server, look(0)).headers
    if form == "ms":
        assert headers["retry-after-ms"] == "90000"
    elif form == "seconds":
        assert headers["retry-after"] == "90"
    else:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        assert 80 < date.timestamp() - time.time() < 95


def test_broken_connections_and_bodies() -> None:
    with scripted(do="drop", tries=1) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            post(server, look(0))
        assert said(post(server, look(0)))["readable"] is True  # the same request, again
        server.behave(Script(rules=(ScriptRule(do="close"),)))
        with pytest.raises(httpx.RemoteProtocolError):
            post(server, look(0))
        server.behave(Script(rules=(ScriptRule(do="hang", seconds=0.5),)))
        with pytest.raises(httpx.ReadTimeout):
            post(server, look(0), timeout=0.2)
        server.behave(Script(rules=(ScriptRule(do="slow", seconds=0.3),)))
        began = time.monotonic()
        assert said(post(server, look(0)))["readable"] is True
        assert time.monotonic() - began > 0.29
        for fault, length in (("truncated", None), ("empty", 0), ("not_json", None)):
            server.behave(Script(rules=(ScriptRule(do=fault),)))
            answer = post(server, look(0))
            assert answer.status_code == 200
            with pytest.raises(ValueError, match=r"Expecting|Unterminated|column"):
                answer.json()
            assert length is None or len(answer.content) == length


def test_answers_spoilt_by_the_script() -> None:
    one, card = scene(3), scene(3).cards[0]
    sent = body("locate_box", digit_question(card), draw(one))

    def under(do: str, **rule: Any) -> dict[str, Any]:
        with scripted(do=do, **rule) as server:
            choice: dict[str, Any] = post(server, sent).json()["choices"][0]
        return choice

    assert under("refusal")["message"]["refusal"]
    assert under("content_filter")["finish_reason"] == "content_filter"
    cut = under("length")
    assert cut["finish_reason"] == "length"
    with pytest.raises(ValueError, match="column"):
        json.loads(cut["message"]["content"])
    x1, y1, x2, y2 = json.loads(under("box_swapped")["message"]["content"])["box"]
    assert x1 > x2
    assert y1 > y2
    assert max(json.loads(under("box_outside")["message"]["content"])["box"]) > 1
    assert under("say", content="hello")["message"]["content"] == "hello"


def test_rules_choose_by_words_schema_and_share() -> None:
    rules = (
        ScriptRule(do="refusal", schema_name="propose"),
        ScriptRule(do="say", content="red", containing="red card"),
        ScriptRule(do="server_error", rate=0.5),
    )
    with AnnotatorServer(script=Script(rules=rules)) as server:
        statuses = [post(server, look(number)).status_code for number in range(24)]
        assert 4 <= statuses.count(503) <= 20
        again = [post(server, look(number)).status_code for number in range(24)]
        assert again == statuses  # by the request, not by chance
        photo = post(server, body("propose", "Here.", draw(scene(0))))
        assert photo.json()["choices"][0]["message"]["refusal"]


def test_keys_models_and_paths() -> None:
    with AnnotatorServer(key=KEY, models=("gpt-4o",)) as server:
        assert post(server, look(0)).status_code == 200
        chat = f"{server.url}/chat/completions"
        bare = httpx.Client(verify=False)
        for headers in ({}, {"Authorization": "Bearer sk-other"}, {"Authorization": KEY}):
            assert bare.post(chat, json=look(0), headers=headers).status_code == 401
        assert post(server, {**look(0), "model": "gpt-9"}).status_code == 404
        models = CLIENT.get(f"{server.url}/models").json()["data"]
        assert [model["id"] for model in models] == ["gpt-4o"]
        assert CLIENT.get(f"{server.url}/nothing").status_code == 404
        assert KEY not in repr(server.journal.entries())
        assert "sk-other" not in repr(server.journal.entries())


@pytest.mark.parametrize(
    "sent",
    [
        b"{",
        b"[" * 50_000,
        b"[]",
        b'{"model": "m"}',
        b'{"model": "m", "messages": [{"role": "user", "content": 3}]}',
        b'{"model": "m", "messages": [{"role": "user", "content": [{"type": "x"}]}]}',
        json.dumps(body("look", "?", Image.new("RGB", (9, 9)))).replace("iVBOR", "!!").encode(),
        json.dumps(body("look", "?", Image.new("RGB", (9, 9))))
        .replace("iVBOR", "AAAA")
        .encode(),
        json.dumps(look(0)).replace('"additionalProperties": false', '"x": 1').encode(),
    ],
    ids=str,
)
def test_requests_out_of_form_are_told_so(sent: bytes) -> None:
    with AnnotatorServer() as server:
        url = f"{server.url}/chat/completions"
        answer = CLIENT.post(url, content=sent)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_sixty_four_at_once() -> None:
    with AnnotatorServer(latency_s=0.5) as server:
        sent = look(0)
        with (
            httpx.Client(headers=HEADERS, verify=False, timeout=30) as client,
            ThreadPoolExecutor(64) as pool,
        ):
            url = f"{server.url}/chat/completions"
            answers = list(pool.map(lambda _: client.post(url, json=sent), range(64)))
        assert {answer.status_code for answer in answers} == {200}
        assert server.journal.most_at_once > 32


@pytest.mark.parametrize(
    "size", [(28, 28), (448, 448), (1024, 1024), (2048, 4096), (5000, 300)]
)
def test_pictures_cost_what_the_pricing_says(size: tuple[int, int]) -> None:
    """Two readings of one documented rule."""
    assert picture_tokens(*size) == their_tokens("gpt-4o", *size)


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "storm.toml"
    path.write_text('[[rules]]\ndo = "server_error"\nfirst = 2\nlast = 3\n')
    with AnnotatorServer(script=read_script(path)) as server:
        statuses = [post(server, look(0)).status_code for _ in range(5)]
    assert statuses == [200, 200, 503, 503, 200]
    path.write_text('[[rules]]\ndo = "sing"\n')
    with pytest.raises(ConfigError, match=r"storm.toml, rules\.0\.do: Input should be"):
        read_script(path)
    path.write_text('[[rules]]\ndo = "line_missing"\n')
    with pytest.raises(
        ConfigError, match="never befalls the route 'chat': set route to 'line'"
    ):
        read_script(path)
    path.write_text("][")
    with pytest.raises(ConfigError, match="neither TOML nor JSON"):
        read_script(path)
    with pytest.raises(ConfigError, match="can't be read"):
        read_script(tmp_path / "none.toml")
