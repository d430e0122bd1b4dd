"""``RESULTS.md`` as sections: each benchmark renews its own and keeps the others."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path


def renew(path: Path, title: str, body: str) -> None:
    """Put ``body`` under the heading ``title``, in its place or at the end."""
    head, sections = _read(path)
    sections[title] = body
    _write(path, head, sections)


def rewrite(path: Path, head: str, sections: dict[str, str], own: Collection[str]) -> None:
    """Write ``head`` and ``sections``, then the file's sections that are not in ``own``."""
    _, found = _read(path)
    others = {title: body for title, body in found.items() if title not in own}
    _write(path, head, sections | others)


def _read(path: Path) -> tuple[str, dict[str, str]]:
    """The text before the first second-level heading, and the sections by title."""
    if not path.exists():
        return "# Benchmark results\n", {}
    head, *parts = ("\n" + path.read_text(encoding="utf-8")).split("\n## ")
    pairs = (part.partition("\n") for part in parts)
    return head, {title.strip(): body for title, _, body in pairs}


def _write(path: Path, head: str, sections: dict[str, str]) -> None:
    parts = [head.strip()]
    parts += [f"## {title}\n\n{body.strip()}" for title, body in sections.items()]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
