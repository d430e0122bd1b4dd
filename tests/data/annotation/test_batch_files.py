"""What is kept of a batch's requests, and what its files may say."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.data.annotation.batch.collect import RequestOutcome, read_results
from pixel_core.data.annotation.batch.journal import KeptRequests, RequestPacker
from pixel_core.data.annotation.requests import (
    AnnotationRequest,
    PictureView,
    RequestTask,
    request_digest,
)
from pixel_core.records import Box, Picture

PICTURE = Picture(member="a/ü.png", width=100, height=80, sha256="ab" * 32)
WORDS = st.text(max_size=40)

REQUESTS = st.builds(
    AnnotationRequest,
    task=st.sampled_from(RequestTask),
    messages=st.lists(
        st.fixed_dictionaries(
            {
                "role": st.just("user"),
                "content": WORDS | st.just([{"type": "view", "view": 0}]),
            }
        ),
        max_size=3,
    ).map(tuple),
    views=st.lists(
        st.builds(
            PictureView,
            picture=st.just(PICTURE),
            max_pixels=st.integers(1, 10**7),
            region=st.none() | st.just(Box(x1=1, y1=2, x2=30, y2=40)),
        ),
        max_size=3,
    ).map(tuple),
    response_format=st.dictionaries(WORDS, WORDS, max_size=2),
    max_tokens=st.integers(1, 5000),
    temperature=st.sampled_from([0.0, 0.7]),
    vote=st.integers(0, 5),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["custom_id", "response", "error", "status_code", "body", "code", "message"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(REQUESTS, max_size=6))
def test_requests_are_kept_as_they_were(requests: list[AnnotationRequest]) -> None:
    packer = RequestPacker()
    for request in requests:
        packer.add(request)
    with KeptRequests(packer.packed()) as kept:
        assert len(kept) == len(requests)
        assert list(kept) == requests
        for place, request in enumerate(requests):
            assert request_digest("m", kept[place]) == request_digest("m", request)


def test_many_requests_take_little_and_come_back_in_any_order() -> None:
    packer = RequestPacker()
    text = "a long prompt that all of them share. " * 100
    for number in range(2000):
        message = {"role": "user", "content": f"{text}{number}"}
        packer.add(
            AnnotationRequest(
                RequestTask.LOOK, (message,), (PictureView(PICTURE, 99),), {}, 100
            )
        )
    packed = packer.packed()
    assert len(packed) < 2000 * 200
    with KeptRequests(packed) as kept:
        for place in (1999, 0, 777):
            assert kept[place].messages[0]["content"].endswith(f". {place}")


@given(st.lists(JSON | st.binary(max_size=40), max_size=4))
def test_whatever_a_file_says_only_a_completion_is_an_answer(lines: list[object]) -> None:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    results = list(read_results(raw))
    assert len(results) == len(raw)  # one for each, and nothing raised
    # None of these lines holds a list of choices.
    assert not [one for one in results if one and one.ending is RequestOutcome.ANSWERED]
