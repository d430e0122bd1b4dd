"""What the buttons do, without a page: nothing of a visitor's is lost, told on or believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo_world import AT_ONCE, MENDED, ZOOM, World, examples
from memorised import memorised
from real_videos import write_video

from pixel_core.serving.demo.middleware import NOT_UPLOADED, Uploads
from pixel_core.serving.demo.session import PageView


def last(world: World, *asked: object) -> PageView:
    return list(world.demo.ask(*asked))[-1]  # type: ignore[arg-type]


def test_the_right_answer_is_told_for_the_examples_own_question(world: World) -> None:
    question = examples()[AT_ONCE].question
    view = last(world, None, AT_ONCE, f"  {question} ")
    assert "The right answer is 7." in view.notice
    assert "✓ right" in str(view.looking)
    other = last(world, None, AT_ONCE, "how many cards are there?")
    assert "right" not in other.notice + str(other.looking) + str(other.plain)


def test_an_upload_of_an_examples_picture_has_no_right_answer(
    world: World, tmp_path: Path
) -> None:
    world.demo.uploads = Uploads(tmp_path)
    picture = tmp_path / "a.png"
    memorised().openings[AT_ONCE].shown[0].image.save(picture)
    view = last(world, str(picture), AT_ONCE, examples()[AT_ONCE].question)
    assert "right" not in view.notice + str(view.looking)
    assert "gave an answer" in str(view.looking)


@pytest.mark.parametrize("chosen", [None, -1, 99])
def test_without_a_picture_nothing_is_asked(world: World, chosen: int | None) -> None:
    before = len(world.scheduler.handles)
    view = last(world, None, chosen, "which digit is on the red card?")
    assert "Choose a picture" in view.notice
    assert view.looking is None, "what is there stays"
    assert len(world.scheduler.handles) == before


@pytest.mark.parametrize("question", ["", "  \n ", "why? " * 20_000])
def test_a_question_that_cannot_be_put_is_explained(world: World, question: str) -> None:
    view = last(world, None, ZOOM, question)
    assert 'role="alert"' in view.notice
    assert "the question" in view.notice


def test_a_long_question_ends_both_with_the_reason(world: World) -> None:
    view = last(world, None, ZOOM, "which digit is on the red card? " * 200)
    for column in (view.looking, view.plain):
        assert "ended without an answer" in str(column)
        assert "shorten it" in str(column)


def test_errors_name_the_file_and_no_place_of_it(world: World, tmp_path: Path) -> None:
    world.demo.uploads = Uploads(tmp_path)
    broken = tmp_path / "my <i>photo</i>.jpg".replace("/", "")
    broken.write_bytes(b"\xff\xd8\xff nothing more")
    for view in (world.demo.show(str(broken), None), last(world, str(broken), None, "what?")):
        assert "my &lt;i&gt;photo&lt;i&gt;.jpg" in view.notice
        assert str(tmp_path) not in view.notice


def test_who_stops_listening_gives_both_places_free(world: World) -> None:
    world.engine.pause()
    asking = world.demo.ask(None, MENDED, examples()[MENDED].question)
    next(asking)
    asking.close()
    world.both_given_up()
    world.engine.let_go()


def test_a_column_that_gets_no_answer_in_time_says_so(world: World) -> None:
    world.demo._seconds = 0.2
    world.engine.pause()
    try:
        view = last(world, None, MENDED, examples()[MENDED].question)
    finally:
        world.engine.let_go()
        world.demo._seconds = 60
    assert "no answer within 0.2 s" in str(view.looking)
    assert "no answer within 0.2 s" in str(view.plain)


def test_a_file_that_was_not_uploaded_is_not_opened(world: World, tmp_path: Path) -> None:
    uploads, own = tmp_path / "uploads", tmp_path / "own.png"
    uploads.mkdir()
    memorised().openings[AT_ONCE].shown[0].image.save(own)
    (uploads / "link.png").symlink_to(own)
    world.demo.uploads = Uploads(uploads)
    paths = [
        own,
        tmp_path / "none.png",
        uploads / "link.png",
        uploads / ".." / "own.png",
        uploads,
    ]
    said = {last(world, str(path), None, "what?").notice for path in [*paths, "a\0b"]}
    said |= {world.demo.show(str(path), None).notice for path in paths}
    assert len(said) == 1, "whether a file is there can be told"
    assert NOT_UPLOADED in said.pop()


def test_reading_an_upload_is_inside_the_time(world: World, tmp_path: Path) -> None:
    world.demo.uploads = Uploads(tmp_path)
    video = write_video(tmp_path / "a.mp4", frames=100)
    world.demo._seconds = 1e-6
    try:
        asked, shown = last(world, str(video), None, "what?"), world.demo.show(str(video), None)
    finally:
        world.demo._seconds = 60
    for view in (asked, shown):
        assert "the time was over before all pictures were read" in view.notice
