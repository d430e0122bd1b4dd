"""The official client against the endpoint: whole answers and streams."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from memorised import memorised
from serving_world import MODEL, Running, asking, known, serving


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture
def client(endpoint: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{endpoint.url}/v1", api_key="none", max_retries=0, timeout=60
    ) as made:
        yield made


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_whole_answer(client: openai.OpenAI, number: int) -> None:
    completion = client.chat.completions.create(**asking(number))
    (choice,) = completion.choices
    turns = known(number)[1]
    assert choice.message.content == "\n\n".join(turns)
    assert choice.finish_reason == "stop"
    assert completion.model == MODEL
    pixel = completion.model_extra["pixel"]
    assert pixel["answer"] == turns[-1].removeprefix("\\boxed{").removesuffix("}")
    assert [turn["text"] for turn in pixel["turns"]] == turns


def test_steps_have_boxes_of_the_original_and_refused_calls_their_error(
    client: openai.OpenAI,
) -> None:
    width, height = memorised().openings[2].shown[0].image.size
    pixel = client.chat.completions.create(**asking(2)).model_extra["pixel"]
    refused, zoomed, last = pixel["turns"]
    assert refused["error"] == "crop_too_small"
    assert refused["box"] is None
    x1, y1, x2, y2 = zoomed["box"]
    # (20, 0, 90, 80) of a picture shown as 112 x 112.
    assert (x1, y1) == (int(20 / 112 * width), 0)
    assert abs(x2 - 90 / 112 * width) <= 1
    assert abs(y2 - 80 / 112 * height) <= 1
    assert zoomed["picture"] == 0
    assert last["box"] is None
    assert (pixel["operations"], pixel["failed_operations"]) == (1, 1)


def test_usage_counts_the_picture_and_all_turns(client: openai.OpenAI) -> None:
    one, two = (client.chat.completions.create(**asking(number)).usage for number in (0, 1))
    assert one is not None
    assert two is not None
    vocabulary = memorised().world.vocabulary
    said = [len(vocabulary.encode_plain(turn)) + 1 for turn in known(1)[1]]
    assert two.completion_tokens == sum(said)
    # 112 x 112 pixels are 16 visual tokens; the second question was shown a crop as well.
    assert one.prompt_tokens > 16
    assert two.prompt_tokens > one.prompt_tokens
    assert two.total_tokens == two.prompt_tokens + two.completion_tokens


@pytest.mark.parametrize("number", [0, 2])
def test_a_stream_gives_each_turn_as_it_ends(client: openai.OpenAI, number: int) -> None:
    chunks = list(client.chat.completions.create(**asking(number), stream=True))
    turns = known(number)[1]
    texts = [chunk.choices[0].delta.content for chunk in chunks]
    assert "".join(text for text in texts if text) == "\n\n".join(turns)
    told = [c.model_extra["pixel"]["turn"] for c in chunks if "turn" in _pixel(c)]
    assert [turn["text"] for turn in told] == turns
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks] == [None] * (len(turns) + 1) + ["stop"]
    whole = client.chat.completions.create(**asking(number))
    last, same = _pixel(chunks[-1]), whole.model_extra["pixel"]
    assert {**last, "seconds": 0} == {**same, "seconds": 0}
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_its_usage_when_asked(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            **asking(1), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage == client.chat.completions.create(**asking(1)).usage


def test_a_turn_is_cut_at_max_tokens(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(**asking(1), max_completion_tokens=3)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3
    assert completion.model_extra["pixel"]["stop"] == "truncated"


def test_without_operations_nothing_is_called(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        **asking(1), extra_body={"pixel": {"operations": False}}
    )
    pixel = completion.model_extra["pixel"]
    assert (pixel["operations"], pixel["failed_operations"]) == (0, 0)
    assert all(turn["box"] is None for turn in pixel["turns"])


def test_without_a_seed_each_sampled_answer_is_another(client: openai.OpenAI) -> None:
    def ask(**how: object) -> tuple[str | None, object]:
        made = client.chat.completions.create(**asking(1), **how)
        return made.choices[0].message.content, made.model_extra["pixel"]["seed"]

    drawn = [ask(temperature=2.0) for _ in range(5)]
    assert len({seed for _, seed in drawn}) == 5
    assert len({text for text, _ in drawn}) > 1
    text, seed = drawn[0]
    assert ask(temperature=2.0, seed=seed) == (text, seed)
    assert ask()[1] is None, "nothing was drawn"


def test_a_seed_repeats_a_sampled_answer(client: openai.OpenAI) -> None:
    def texts(seed: int) -> list[str | None]:
        answers = [
            client.chat.completions.create(**asking(1), temperature=2.0, seed=seed + i)
            for i in range(4)
        ]
        return [answer.choices[0].message.content for answer in answers]

    assert texts(0) == texts(0)
    assert texts(0) != texts(100)


def test_parameters_without_effect_are_named(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(**asking(), user="me", store=False)
    assert completion.model_extra["pixel"]["ignored"] == ["store", "user"]


def test_a_system_message_stands_before_the_question(client: openai.OpenAI) -> None:
    body = asking()
    alone = client.chat.completions.create(**body)
    body["messages"].insert(0, {"role": "system", "content": "Be brief."})
    both = client.chat.completions.create(**body)
    assert alone.usage is not None
    assert both.usage is not None
    words = len(memorised().world.vocabulary.encode_plain("Be brief.\n\n"))
    assert abs(both.usage.prompt_tokens - alone.usage.prompt_tokens - words) <= 1


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "pixel"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def _pixel(chunk: object) -> dict:
    return (getattr(chunk, "model_extra", None) or {}).get("pixel", {})
