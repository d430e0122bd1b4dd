"""The paths there are, the methods they take, and what is said of others."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from serving_world import CHAT, MODEL, Running, asking, serving


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving() as running:
        yield running


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_paths_and_methods_that_are_not_there(endpoint: Running) -> None:
    refused(endpoint.get("/v1/completions"), 404, "not_found")
    refused(endpoint.get(CHAT), 405, "method_not_allowed")
    refused(endpoint.get("/docs"), 404, "not_found")


def test_a_slash_at_the_end_is_another_path(endpoint: Running) -> None:
    refused(httpx.post(f"{endpoint.url}{CHAT}/", json=asking()), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/v1/models", f"/v1/models/{MODEL}"]
)
def test_load_balancers_ask_by_head(endpoint: Running, path: str) -> None:
    reply = httpx.head(endpoint.url + path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-length"] == endpoint.get(path).headers["content-length"]
