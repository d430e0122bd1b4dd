"""Pages of other sites, and a place behind a proxy."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
from serving_world import CHAT, MODEL, Running, asking, known, serving
from stripping_proxy import proxied

from pixel_core.errors import ConfigError
from pixel_core.serving.http.origins import Origins, RootPath

PAGE = "https://app.example.org"
KEY = "a-key-of-twelve"
ASKS = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving(key=KEY, origins=[f"{PAGE}:443", "http://LOCALHOST:3000"]) as running:
        yield running


def test_a_preflight_is_answered_without_a_key(endpoint: Running) -> None:
    reply = httpx.options(endpoint.url + CHAT, headers=ASKS)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "authorization" in reply.headers["access-control-allow-headers"]
    assert "x-stainless-os" in reply.headers["access-control-allow-headers"]
    assert reply.headers["vary"] == "Origin"


def test_a_page_may_read_what_comes_errors_included(endpoint: Running) -> None:
    own = {"Origin": PAGE}
    without = endpoint.post(asking(), headers=own)
    assert without.status_code == 401
    assert without.headers["access-control-allow-origin"] == PAGE
    key = {"Authorization": f"Bearer {KEY}"}
    for body in (asking(), asking(stream=True), asking(n=2)):
        reply = endpoint.post(body, headers=own | key)
        assert reply.headers["access-control-allow-origin"] == PAGE
    assert reply.status_code == 400


def test_other_pages_may_not(endpoint: Running) -> None:
    for origin in ("https://evil.example", "http://app.example.org", f"{PAGE}:8443", "null"):
        reply = httpx.options(endpoint.url + CHAT, headers=ASKS | {"Origin": origin})
        assert reply.status_code == 403
        assert "--allow-origin" in reply.json()["error"]["message"]
        assert "access-control-allow-origin" not in reply.headers
        read = endpoint.get("/health", headers={"Origin": origin})
        assert "access-control-allow-origin" not in read.headers


def test_a_page_by_another_name_of_this_machine_is_refused_first(endpoint: Running) -> None:
    reply = httpx.options(endpoint.url + CHAT, headers=ASKS | {"Host": "evil.example"})
    assert reply.status_code == 421


def test_without_the_option_a_preflight_says_which() -> None:
    with serving() as running:
        assert httpx.options(running.url + CHAT, headers=ASKS).status_code == 403
        assert httpx.options(running.url + CHAT).status_code == 405


def test_all_pages_may_where_that_is_said() -> None:
    allowed = Origins(["*"])
    assert allowed.headers("https://any.example")["Access-Control-Allow-Origin"] == "*"
    assert allowed.headers("") == {}
    named = {"access-control-request-headers": "x\r\nset-cookie: a"}
    assert allowed.preflight(PAGE, named)["Access-Control-Allow-Headers"] == ""


@pytest.mark.parametrize(
    "origin",
    ["app.example.org", f"{PAGE}/", f"{PAGE}/page", "https://", "ftp://a", "https://ä.de",
     "https://a:99999", "https://u@a.example", ""],
)  # fmt: skip
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"--allow-origin .* is no origin: give scheme"):
        Origins([origin])


@pytest.mark.parametrize("path", ["pixel", "/a//b", "/a?b", "/../a", "https://", "ftp://a/b"])
def test_what_is_no_root_path_is_refused_at_the_start(path: str) -> None:
    with pytest.raises(ConfigError, match="--root-path"):
        RootPath.of(path)


@pytest.mark.parametrize("strips", [True, False])
def test_the_official_client_asks_behind_a_prefix(strips: bool) -> None:
    with (
        serving(key=KEY, origins=[PAGE], root="/tools/pixel/") as running,
        proxied(running.url, "/tools/pixel", strips=strips) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=KEY) as client,
    ):
        content, turns = known(0)
        messages = [{"role": "user", "content": content}]
        done = client.chat.completions.create(model=MODEL, messages=messages)
        assert done.choices[0].message.content == "\n\n".join(turns)
        chunks = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said == "\n\n".join(turns)
        assert client.models.retrieve(MODEL).id == MODEL
        assert httpx.options(f"{url}/v1/chat/completions", headers=ASKS).status_code == 204
        assert httpx.get(f"{url}/health").json()["status"] == "ready"


def test_a_proxy_s_own_name_is_one_of_the_server_s() -> None:
    with serving(root="https://Pictures.example/pixel") as running:
        for path in ("/v1/models", "/pixel/v1/models"):
            assert running.get(path, headers={"Host": "pictures.example"}).status_code == 200
            assert running.get(path, headers={"Host": "evil.example"}).status_code == 421
            assert running.get(path).status_code == 200
