"""Pages in a real headless Chromium: the picture, and the answer's box on it."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixel_core.data.sources.folder import Folder
from pixel_core.data.sources.pages.boxes import AnswerToFind
from pixel_core.data.sources.pages.browser import PageRenderer, find
from pixel_core.data.sources.pages.rendering import MAX_HEIGHT, Rendered
from pixel_core.errors import ConfigError
from pixel_core.media.picture_zip import PictureFault

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(find() is None, reason="no Chromium on this machine"),
]

WIDTH = 600
RED = (255, 0, 0)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PageRenderer, Path]]:
    """One browser for all tests that only look at a page, and its folder."""
    root = tmp_path_factory.mktemp("pages")
    with PageRenderer(Folder(str(root)), WIDTH) as opened:
        yield opened, root


class Look:
    """Renders a page and gives the place of each answer."""

    def __init__(self, renderer: PageRenderer, root: Path) -> None:
        self._renderer = renderer
        self.root = root

    def __call__(
        self, page: str, *answers: str | tuple[str, int], name: str = "page.html"
    ) -> Rendered:
        (self.root / name).write_text(page, encoding="utf-8")
        wanted = [
            AnswerToFind(a, None) if isinstance(a, str) else AnswerToFind(*a) for a in answers
        ]
        return self._renderer.render(name, wanted)


@pytest.fixture
def look(renderer: tuple[PageRenderer, Path]) -> Look:
    return Look(*renderer)


def pixels(rendered: Rendered) -> np.ndarray:
    """Height x width x 3."""
    with Image.open(io.BytesIO(rendered.png)) as image:
        assert image.size == (rendered.width, rendered.height)
        return np.asarray(image.convert("RGB")).astype(int)


def ink_of(rendered: Rendered, colour: tuple[int, int, int]) -> np.ndarray:
    """Where the picture has ink of a colour on white, soft edges included: a mask."""
    away = 255 - pixels(rendered)
    strong = [255 - value > 127 for value in colour]
    wanted = away[..., strong].min(axis=2) if any(strong) else away.min(axis=2)
    others = away[..., [not s for s in strong]].max(axis=2)
    return (wanted > 40) & (others < 20)


def box(place: object) -> tuple[int, int, int, int]:
    assert not isinstance(place, PictureFault), f"{place.fault}; {place.remedy}"
    return place.as_tuple()  # type: ignore[attr-defined]


def fault(place: object) -> str:
    assert isinstance(place, PictureFault)
    return place.fault


# The answer in red, everything around it in black: who crops the box sees the answer alone.
SENTENCES = {
    "plain": "<p>It was <span class=a>forty-two</span> of them.",
    "across tags": "<p>It was <span class=a>fo<b>rty</b>-<i>two</i></span> of them.",
    "marked up": "<p>It was<span class=a> forty-<u>two</u> </span>of them.",
    "large": "<h1>Say <span class=a>forty-two</span> now</h1>",
    "in a table": "<table border=1><tr><td>a<td><span class=a>forty-two</span><td>b</table>",
    "turned": "<p style='writing-mode:vertical-rl'>It was <span class=a>forty-two</span> then",
    "scaled": "<p style='transform:scale(1.7);transform-origin:0 0'>"
    "It was <span class=a>forty-two</span>",
    "far down": "<div style='height:3000px'></div><p>It was <span class=a>forty-two</span>.",
    "in capitals": "<p>It was <span class=a style='text-transform:uppercase'>forty-two</span>",
    "soft hyphens": "<p>It was <span class=a>for&shy;ty-t&#8203;wo</span> of them.",
}


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=list(SENTENCES))
def test_the_box_holds_exactly_the_answers_ink(look: Look, sentence: str) -> None:
    style = "<!doctype html><style>body{font:20px/1.6 serif;color:#000}.a{color:#f00}</style>"
    rendered = look(style + sentence, "Forty-Two")
    x1, y1, x2, y2 = box(rendered.places[0])
    red = ink_of(rendered, RED)
    assert red.sum() > 60
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert x1 <= columns[0] <= x1 + 6
    assert x2 - 6 <= columns[-1] < x2
    assert y1 <= rows[0]
    assert rows[-1] < y2
    crop = pixels(rendered)[y1:y2, x1:x2]
    black = crop.max(axis=2) < 100
    assert black.sum() == 0


def test_an_answer_over_two_lines_has_one_box_around_both(look: Look) -> None:
    page = (
        "<body style='width:200px;font:20px serif'>a b c d e f g <b>one two three four five</b>"
    )
    x1, y1, x2, y2 = box(look(page, "one two three four five").places[0])
    first = box(look(page, "one").places[0])
    last = box(look(page, "five").places[0])
    assert (y1, y2) == (first[1], last[3])
    assert last[1] >= first[3] - 2
    assert x1 <= last[0]
    assert x2 >= first[2]


def test_occurrences_count_what_can_be_seen_as_whole_words(look: Look) -> None:
    page = """<!doctype html><title>7 of them</title><script>var x = 7</script>
      <style>.sr{position:absolute;width:1px;height:1px;overflow:hidden}</style>
      <p hidden>7</p><p style="visibility:hidden">7</p><p style="opacity:0">7</p>
      <p class=sr>7</p><p style="position:absolute;left:-999px">7</p>
      <p>17, 7.5, 7,000, A7, 3.7</p><p id=one>No. 7.</p><p>x</p><p id=two>(7)</p>"""
    rendered = look(page, "7", ("7", 1), ("7", 2), ("7", 3))
    assert fault(rendered.places[0]) == "stands on the page 2 times"
    first, second = box(rendered.places[1]), box(rendered.places[2])
    assert first[1] < second[1]
    assert fault(rendered.places[3]) == "stands on the page 2 times, not 3"


def test_words_are_not_joined_over_blocks_but_over_lines(look: Look) -> None:
    page = "<p>one</p><p>two</p><table><tr><td>three<td>four</table>five<br>six <img> seven"
    rendered = look(page, "one two", "three four", "five six", "six seven")
    told = [fault(place) for place in (*rendered.places[:2], rendered.places[3])]
    assert told == ["is not in the page's text"] * 3
    box(rendered.places[2])


def test_scripts_without_spaces_are_found_inside_sentences(look: Look) -> None:
    page = "<p>港は東京にある</p><p>caf&eacute; Z\u0061\u0308hler</p>"
    rendered = look(page, "東京", "CAFE\u0301", "zähler")
    assert all(box(place) for place in rendered.places)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<p>other", "is not in the page's text"),
        ("<p hidden>secret<p>x", "can't be seen"),
        ("<p style='color:#fff'>secret", "can't be seen"),
        ("<p style='color:transparent'>secret<p>x", "can't be seen"),
        (
            "<p>secret</p><div style='position:fixed;inset:0;background:#ccc'>cookies?</div>",
            "can't be seen",
        ),
        ("<details><summary>s</summary>secret</details>", "can't be seen"),
        ("<div style='width:30px;overflow:hidden'>secret</div>", "is cut off"),
        ("<p style='margin-left:575px'>secret", "is cut off"),
        ("<p>x<p style='position:absolute;left:700px'>secret", "can't be seen"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_fault(look: Look, page: str, told: str) -> None:
    assert told in fault(look(f"<!doctype html>{page}", "secret").places[0])


def test_gradient_and_svg_text_is_seen(look: Look) -> None:
    page = """<!doctype html><h1 style="background:linear-gradient(90deg,#f00,#00f);
      background-clip:text;color:transparent">gradient</h1>
      <svg width=200 height=50><text x=5 y=30>drawn</text></svg>"""
    rendered = look(page, "gradient", "drawn")
    assert all(box(place) for place in rendered.places)


def test_markdown_is_shown_as_a_page(look: Look) -> None:
    text = "# Tides\n\n| Port | High |\n|---|---|\n| Leith | 02:17 |\n\n*spring* `tide`\n"
    rendered = look(text, "02:17", "spring tide", "Tides", name="page.md")
    title, cell = box(rendered.places[2]), box(rendered.places[0])
    assert title[3] - title[1] > 1.4 * (cell[3] - cell[1])
    page = pixels(rendered)
    x1, y1, x2, y2 = cell
    edges = page[y1:y2, max(0, x1 - 40) : x2 + 40].mean(axis=(0, 2)) < 210
    assert edges.sum() >= 2  # the table's lines beside the cell


def test_a_page_is_as_high_as_what_is_on_it(look: Look) -> None:
    short = look("<!doctype html><body style='margin:10px'><p style='margin:0;height:50px'>x")
    assert (short.width, short.height) == (WIDTH, 70)
    long = look("<!doctype html><body style='margin:0'><div style='height:2345px'>x")
    assert long.height == 2345
    wide = look("<!doctype html><div style='width:3000px;height:10px;background:#000'>")
    assert wide.width == WIDTH
    with pytest.raises(PictureFault, match=f"is {MAX_HEIGHT + 1} pixels high"):
        look(f"<!doctype html><body style='margin:0'><div style='height:{MAX_HEIGHT + 1}px'>")


class _Trap(BaseHTTPRequestHandler):
    """A server that must never hear anything."""

    heard: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.heard.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *unused: Any) -> None:
        pass


@pytest.fixture
def trap() -> Iterator[str]:
    _Trap.heard.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Trap)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_reaches_nothing_but_its_folder(look: Look, trap: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("body{background:#00f}")
    (look.root / "leak.css").symlink_to(secret)
    (look.root / "ours").mkdir(exist_ok=True)
    (look.root / "ours" / "own.css").write_text("p{background:#0f0;height:40px;margin:0}")
    page = f"""<!doctype html><meta http-equiv=refresh content="0;url={trap}/refresh">
      <link rel=preconnect href="{trap}"><link rel=prefetch href="{trap}/prefetch">
      <link rel=stylesheet href="{trap}/style.css"><link rel=stylesheet href="leak.css">
      <link rel=stylesheet href="file://{secret}"><link rel=stylesheet href="../secret.css">
      <link rel=stylesheet href="/%2e%2e/secret.css">
      <link rel=stylesheet href="ours/own.css">
      <style>@import url("{trap}/import.css"); @font-face{{font-family:f;src:url({trap}/f)}}
      body{{font-family:f;background-image:url({trap}/bg.png);margin:0}}</style>
      <script>document.body.textContent = "run"</script>
      <script src="{trap}/x.js"></script>
      <img src="{trap}/image.png" onerror="this.parentNode.textContent='run'">
      <iframe src="{trap}/frame"></iframe><iframe src="file:///etc/passwd"></iframe>
      <object data="{trap}/object"></object><video src="{trap}/video" autoplay></video>
      <p>answer</p>"""
    rendered = look(page, "answer", "run")
    assert rendered.incomplete
    assert _Trap.heard == []
    x1, y1, _, y2 = box(rendered.places[0])
    assert tuple(pixels(rendered)[(y1 + y2) // 2, x1 + 300]) == (0, 255, 0)
    assert fault(rendered.places[1]) == "is not in the page's text"
    assert not (pixels(rendered) == (0, 0, 255)).all(axis=2).any()
    assert not look("<p>answer", "answer").incomplete


def test_what_moves_stands_still(look: Look) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(
        look.root / "moves.gif", save_all=True, append_images=frames[1:], duration=30, loop=0
    )
    page = """<!doctype html><style>@keyframes k{to{margin-left:300px}}
      div{animation:k .07s infinite alternate;width:9px;height:9px;background:#000}</style>
      <div></div><img src="moves.gif"><input autofocus value=x>
      <svg width=99 height=9><rect width=9 height=9><animate attributeName=x from=0 to=90
      dur=.1s repeatCount=indefinite></rect></svg><p>answer"""
    assert len({look(page, "answer").png for _ in range(3)}) == 1


def test_pages_in_other_encodings_read_as_they_say(look: Look) -> None:
    (look.root / "latin.html").write_bytes(
        "<meta charset=iso-8859-1><p>Größe".encode("iso-8859-1")
    )
    (look.root / "bare.html").write_bytes("<p>Größe".encode())
    for name in ("latin.html", "bare.html"):
        rendered = look._renderer.render(name, [AnswerToFind("größe", None)])
        box(rendered.places[0])
    (look.root / "bad.md").write_bytes(b"caf\xe9")
    with pytest.raises(PictureFault, match="not UTF-8"):
        look._renderer.render("bad.md", [])


def browsers() -> list[int]:
    """Process ids of all browsers that descend from this process."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().rpartition(")")
            except OSError:
                continue
            parents[int(entry.name)] = int(rest.split()[1])
            names[int(entry.name)] = name.partition("(")[2]
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return [pid for pid in ours if names.get(pid, "").startswith("chrom")]


def test_a_browser_hears_no_secret_and_is_started_again_when_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-tell")
    known = set(browsers())
    (tmp_path / "a.html").write_text("<p>answer")
    with PageRenderer(Folder(str(tmp_path)), WIDTH) as own:
        before = own.render("a.html", [AnswerToFind("answer", None)])
        started = set(browsers()) - known
        assert started
        heard = []
        for pid in started:
            with suppress(ProcessLookupError, FileNotFoundError):  # a short-lived one
                heard.append(Path(f"/proc/{pid}/environ").read_bytes())
        assert heard
        assert not any(b"sk-do-not-tell" in environment for environment in heard)
        for pid in started:
            with suppress(ProcessLookupError):  # it went with its parent
                os.kill(pid, signal.SIGKILL)
        assert own.render("a.html", [AnswerToFind("answer", None)]).png == before.png


def test_no_browser_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXEL_BROWSER", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match=r"PIXEL_BROWSER .* is no program"):
        PageRenderer(Folder(str(tmp_path)), WIDTH).__enter__()
    monkeypatch.setenv("PIXEL_BROWSER", "/bin/false")
    with pytest.raises(ConfigError, match="/bin/false does not start"):
        PageRenderer(Folder(str(tmp_path)), WIDTH).__enter__()
    monkeypatch.setenv("PIXEL_BROWSER", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="playwright install chromium"):
        PageRenderer(Folder(str(tmp_path)), WIDTH).__enter__()
