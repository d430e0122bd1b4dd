"""An answer as a page of its own, by the viewer that the report and the demo share."""

from __future__ import annotations

import html
from pathlib import Path

from pixel_core.report.episodes.episode_card import episode_card
from pixel_core.report.episodes.fragment import episode_fragment
from pixel_core.report.episodes.gallery import Gallery, in_memory
from pixel_core.serving.answer import Answer


def write_page(answer: Answer, model: str, file: Path) -> None:
    """One file without scripts or requests."""
    query = answer.query
    gallery = Gallery(in_memory(query.pictures, answer.pictures))
    card = episode_card(
        query,
        answer.rollout,
        gallery,
        model="policy",
        name=model,
        notes=[f"{answer.seconds:.2f} s"],
    )
    question = html.escape(query.question)
    choices = "".join(f"<li>{html.escape(choice)}</li>" for choice in query.choices)
    file.write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{question[:80]}</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: sans-serif; }}
ol {{ list-style: upper-alpha; }}
</style>
</head>
<body>
<h1>{question}</h1>
{f"<ol>{choices}</ol>" if choices else ""}
{episode_fragment(card, gallery)}
</body>
</html>
""",
        "utf-8",
    )
