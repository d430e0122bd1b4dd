"""Annotation through the Batch API, against an endpoint over real HTTP."""

from __future__ import annotations

import logging
import shutil
import traceback
from pathlib import Path
from typing import Any

import pytest
from batch_runs import KEY, Runs, paid_twice, until
from drawn_seeds import write_ingest

from pixel_core.data.annotation import live
from pixel_core.data.annotation import stage as annotate
from pixel_core.data.annotation.batch import submit as batch_office
from pixel_core.data.annotation.locate import locate_request
from pixel_core.data.annotation.outcome import AnnotationOutcome
from pixel_core.data.annotation.pricing import dollars, most_price
from pixel_core.dev.annotator import AnnotatorServer, Script, ScriptRule
from pixel_core.errors import BudgetSpent, ConfigError, EndpointError, StorageError
from pixel_core.records import SecondLook

SEEDS = 6
#: Locate; look at the crop; look at the whole. Most tests do with the first.
ROUNDS = 3
LOOKING: dict[str, Any] = {"verify": {"votes": 1, "whole_pixels": 112 * 112}}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ANNOTATOR_KEY", KEY)
    # Here no request is on its way for longer than that.
    monkeypatch.setattr(batch_office, "SETTLED_S", 0.1)
    monkeypatch.setattr(batch_office, "FIRST_WAIT_S", 0.05)


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ingest"
    write_ingest(folder, SEEDS)
    return folder


@pytest.fixture
def runs(ingest: Path, tmp_path: Path) -> Runs:
    return Runs(ingest, tmp_path / "store")


@pytest.fixture(scope="module")
def lived(
    ingest: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[int, AnnotationOutcome], float]:
    """What the same questions give live, and what that costs."""
    with pytest.MonkeyPatch.context() as patch, AnnotatorServer() as server:
        patch.setenv("TEST_ANNOTATOR_KEY", KEY)
        runs = Runs(ingest, tmp_path_factory.mktemp("live"))
        return runs(server.url, live.drive), runs.usd


def script(*rules: dict[str, Any]) -> Script:
    return Script(rules=tuple(ScriptRule(**rule) for rule in rules))


def test_batches_give_what_live_requests_give_at_half_the_price(
    runs: Runs, ingest: Path, tmp_path: Path
) -> None:
    with AnnotatorServer() as server:
        lived = Runs(ingest, tmp_path / "live")
        outcomes = lived(server.url, live.drive, **LOOKING)
        assert server.journal.count("chat") == ROUNDS * SEEDS
        assert runs(server.url, **LOOKING) == outcomes
        assert server.journal.count("create") == ROUNDS
        assert server.journal.count("chat") == ROUNDS * SEEDS
        # The inputs hold the user's pictures: they are deleted when they have served.
        assert set(server.files.purposes()) == {"batch_output"}
    looks = {outcome.annotation and outcome.annotation.look for outcome in outcomes.values()}
    assert looks == set(SecondLook)
    assert runs.usd == pytest.approx(lived.usd / 2)
    assert not runs.noted()
    assert (SEEDS, SEEDS) in runs.heard.updates


def test_a_second_run_pays_nothing_live_or_in_batches_and_needs_no_key(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AnnotatorServer() as server:
        first = runs(server.url)
        assert runs.remembered == 0
        monkeypatch.delenv("TEST_ANNOTATOR_KEY")
        assert runs(server.url) == first
        assert runs.remembered == SEEDS
        assert runs(server.url, live.drive) == first
        assert (server.journal.count("line"), server.journal.count("chat")) == (SEEDS, 0)


def test_a_batch_holds_no_more_requests_than_it_may(runs: Runs) -> None:
    with AnnotatorServer() as server:
        assert len(runs(server.url, batch={"poll_s": 0.02, "max_requests": 4})) == SEEDS
        assert server.journal.count("create") == 2  # of 4 and of 2
        assert not paid_twice(server)


def test_a_batch_has_no_more_bytes_than_it_may(runs: Runs, ingest: Path) -> None:
    limit, form = 20_000, 1_000
    with AnnotatorServer() as server:
        assert len(runs(server.url, batch={"poll_s": 0.02, "max_bytes": limit})) == SEEDS
        sizes = [entry.size for entry in server.journal.entries("upload")]
        assert len(sizes) > 1
        assert max(sizes) < limit + form
        other = Runs(ingest, runs.store / "other")
        with pytest.raises(ConfigError, match=r"max_bytes 1,000;"):
            other(server.url, batch={"poll_s": 0.02, "max_bytes": 1000})


@pytest.mark.parametrize(
    "rule",
    [
        {"do": "line_missing", "route": "line", "tries": 1, "rate": 0.5},
        {"do": "line_expired", "route": "line", "tries": 2},
        {"do": "line_twice", "route": "line"},
        {"do": "line_foreign", "route": "line"},
        {"do": "server_error", "route": "line", "tries": 1},
        {"do": "rate_limit", "route": "line", "tries": 1},
        {"do": "batch_expired", "route": "create", "times": 2},
        {"do": "batch_failed", "route": "create", "times": 1, "code": "token_limit_exceeded"},
        {"do": "server_error", "route": "upload", "times": 1},
        {"do": "drop", "route": "upload", "times": 1},
        {"do": "rate_limit", "route": "create", "times": 1},
        {"do": "drop", "route": "content", "times": 1},
        {"do": "server_error", "route": "poll", "times": 3},
        {"do": "not_json", "route": "poll", "times": 2},
        {"do": "empty", "route": "poll", "times": 2},
    ],
    ids=lambda rule: f"{rule['route']}-{rule['do']}",
)
def test_what_passes_is_ridden_out_and_nothing_is_paid_twice(
    runs: Runs, lived: tuple[dict[int, AnnotationOutcome], float], rule: dict[str, Any]
) -> None:
    with AnnotatorServer(script=script(rule)) as server:
        assert runs(server.url) == lived[0]
        assert not paid_twice(server)
        assert len(server.journal.answered()) == SEEDS
    assert runs.usd == pytest.approx(lived[1] / 2)
    assert not runs.noted()


@pytest.mark.parametrize("do", ["close", "not_json", "empty", "server_error", "truncated"])
def test_a_lost_answer_to_create_makes_one_batch(runs: Runs, do: str) -> None:
    """Whether the endpoint had created it before the answer was lost, or had not."""
    rule = {"do": do, "route": "create", "times": 1}
    with AnnotatorServer(script=script(rule)) as server:
        assert len(runs(server.url)) == SEEDS
        assert len(server.batches.statuses()) == 1
        assert not paid_twice(server)


def test_a_garbled_line_is_asked_again(runs: Runs) -> None:
    rule = {"do": "line_garbled", "route": "line", "numbers": (2,)}
    with AnnotatorServer(script=script(rule)) as server:
        assert len(runs(server.url)) == SEEDS
        assert server.journal.count("line") == SEEDS + 1


def test_a_garbled_answer_counts_against_the_budget(runs: Runs) -> None:
    config = runs.context("http://127.0.0.1").config.annotate.openai
    asked = [locate_request(seed, config) for seed in runs.seeds]
    most = [dollars(most_price(config.prices, config.model, one, batch=True)) for one in asked]
    rule = {"do": "line_garbled", "route": "line", "first": 0}
    with AnnotatorServer(script=script(rule)) as server:
        with pytest.raises(BudgetSpent):
            runs(server.url, budget_usd=sum(most) * 1.01)
        # All were answered once, and there is no money to hear it again.
        assert server.journal.count("line") == SEEDS
    assert runs.usd == pytest.approx(sum(most))


def test_what_never_passes_is_an_error_after_three_batches(runs: Runs) -> None:
    rule = {"do": "server_error", "route": "line", "rate": 0.5}
    with AnnotatorServer(script=script(rule)) as server:
        with pytest.raises(EndpointError, match=r"requests failed in 3 batches.*503"):
            runs(server.url)
        assert server.batches.statuses() == ["completed"] * 3
        server.behave(Script())
        assert len(runs(server.url)) == SEEDS
        assert not paid_twice(server)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"do": "wrong_key", "route": "line"}, "6 requests were turned down .*valid key in"),
        ({"do": "insufficient_quota", "route": "line", "numbers": (3,)}, "add credit"),
        ({"do": "unknown_model", "route": "line"}, "does not exist.*'gpt-4o-test'"),
        ({"do": "wrong_key", "route": "upload"}, "refuses the key in TEST_ANNOTATOR_KEY"),
        ({"do": "insufficient_quota", "route": "create"}, "no money left"),
        ({"do": "unknown_model", "route": "create"}, "mode to live"),
        ({"do": "batch_cancelled", "route": "create"}, "cancelled with 3 of 6 requests open"),
        (
            {"do": "batch_failed", "route": "create", "code": "too_many_tasks"},
            "did not pass.*too_many_tasks: the script says so.*max_requests",
        ),
    ],
    ids=lambda value: f"{value['route']}-{value['do']}" if isinstance(value, dict) else "",
)
def test_what_waiting_does_not_mend_is_one_error_and_the_next_run_goes_on(
    runs: Runs,
    lived: tuple[dict[int, AnnotationOutcome], float],
    rule: dict[str, Any],
    said: str,
) -> None:
    with AnnotatorServer(script=script(rule)) as server:
        with pytest.raises(EndpointError, match=said):
            runs(server.url)
        assert len(server.batches.statuses()) <= 1
        assert not runs.noted()
        server.behave(Script())
        assert runs(server.url) == lived[0]
        assert not paid_twice(server)


def test_a_refused_picture_is_an_answer(runs: Runs) -> None:
    rule = {"do": "content_policy", "route": "line", "containing": "which digit"}
    with AnnotatorServer(script=script(rule)) as server:
        outcomes = runs(server.url)
        lines = server.journal.count("line")
        assert {outcome.dropped.value for outcome in outcomes.values()} == {"refused"}
        assert runs(server.url) == outcomes
        assert server.journal.count("line") == lines
    assert runs.usd == 0


def test_the_budget_stops_before_it_is_exceeded_and_goes_on_when_raised(
    runs: Runs, lived: tuple[dict[int, AnnotationOutcome], float]
) -> None:
    half = lived[1] / 2
    config = runs.context("http://127.0.0.1").config.annotate.openai
    asked = [locate_request(seed, config) for seed in runs.seeds]
    most = max(most_price(config.prices, config.model, one, batch=True) for one in asked)
    budget = half / 2 + dollars(most)  # enough for half of it, as answers come in
    with AnnotatorServer() as server:
        with pytest.raises(BudgetSpent, match=r"raise annotate\.openai\.budget_usd"):
            runs(server.url, budget_usd=budget)
        assert 0 < runs.usd <= budget
        assert 0 < server.journal.count("line") < SEEDS
        assert runs(server.url, budget_usd=half * 10) == lived[0]
        assert runs.usd == pytest.approx(half)
        assert not paid_twice(server)


def test_answers_for_other_settings_are_kept_too(runs: Runs, ingest: Path) -> None:
    """A batch is in progress when the model is changed; going back costs nothing."""
    with AnnotatorServer(batch_s=60) as server:
        with runs.in_process(server.url) as process:
            until(lambda: server.journal.count("poll") > 0, process, runs)
        server.hurry()
        runs(server.url, model="other")
        assert server.journal.count("line") == 2 * SEEDS
        runs(server.url)
        assert server.journal.count("line") == 2 * SEEDS
        assert not paid_twice(server)


@pytest.mark.ci
def test_a_live_run_waits_for_what_is_in_a_batch(runs: Runs) -> None:
    """Through the stage itself, whose mode was changed in between."""
    with AnnotatorServer(batch_s=60) as server:
        with runs.in_process(server.url) as process:
            until(lambda: server.journal.count("poll") > 0, process, runs)
        server.hurry()
        context = runs.context(server.url, mode="live")
        assert annotate.run(context)["located"] == SEEDS
        assert (server.journal.count("line"), server.journal.count("chat")) == (SEEDS, 0)


def test_another_endpoint_s_batch_is_left_alone(runs: Runs) -> None:
    with AnnotatorServer(batch_s=60) as server:
        with runs.in_process(server.url) as process:
            until(lambda: server.journal.count("poll") > 0, process, runs)
        with AnnotatorServer() as other:
            assert len(runs(other.url)) == SEEDS
            assert other.journal.count("line") == SEEDS
        assert f"was handed in at {server.url} and is left alone" in "".join(runs.heard.notes)
        server.hurry()
        runs(server.url)  # its answers are fetched, though not needed
        assert server.batches.statuses() == ["completed"]
    assert not runs.noted()


def test_recorded_but_not_yet_forgotten_costs_nothing(runs: Runs) -> None:
    """As when the run is killed between recording a batch's answers and forgetting it."""
    with AnnotatorServer(batch_s=60) as server:
        with runs.in_process(server.url) as process:
            until(lambda: server.journal.count("poll") > 0, process, runs)
        kept = {path: path.read_bytes() for path in runs.noted()}
        assert len(kept) == 2
        server.hurry()
        runs(server.url)
        usd = runs.usd
        for path, data in kept.items():
            path.write_bytes(data)
        runs(server.url)
        assert runs.usd == usd
        assert server.journal.count("line") == SEEDS
        assert not runs.noted()


def test_a_damaged_note_is_named(runs: Runs) -> None:
    with AnnotatorServer(batch_s=60) as server:
        with runs.in_process(server.url) as process:
            until(lambda: server.journal.count("poll") > 0, process, runs)
        shutil.copytree(runs.store, runs.store.with_name("copy"))
        for path in runs.noted():
            path.write_bytes(path.read_bytes()[:-9])
            with pytest.raises(StorageError, match=path.name):
                runs(server.url)
            shutil.copy(runs.store.with_name("copy") / path.relative_to(runs.store), path)


def test_the_key_appears_nowhere(
    runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rules = script(
        {"do": "say", "route": "line", "content": f"your key is {KEY}", "numbers": (0,)},
        {"do": "batch_failed", "route": "create", "numbers": (1,), "content": KEY},
    )
    with AnnotatorServer(script=rules) as server, pytest.raises(EndpointError) as caught:
        runs(server.url)
    told = "".join(traceback.format_exception(caught.value))
    assert "did not pass the endpoint's validation" in told
    assert KEY not in told
    assert KEY not in caplog.text
    assert KEY not in "".join(runs.heard.notes)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"your key is" in path.read_bytes() for path in written)
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
