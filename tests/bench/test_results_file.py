"""Each benchmark renews its own sections of the results and keeps the others'."""

from __future__ import annotations

from pathlib import Path

from bench.results_file import renew, rewrite


def test_a_section_is_renewed_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\n- cores: 2\n\n## One\n\n1\n\n## Two\n\n2\n", encoding="utf-8")
    renew(path, "One", "new\n\n### with a part\n")
    renew(path, "Three", "3")
    assert path.read_text(encoding="utf-8") == (
        "# Results\n\n- cores: 2\n\n## One\n\nnew\n\n### with a part\n\n## Two\n\n2\n\n"
        "## Three\n\n3\n"
    )


def test_a_rewrite_drops_its_own_old_sections_alone(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    rewrite(path, "# Results", {"One": "1", "Two": "2"}, own=("One", "Two"))
    renew(path, "Guest", "kept")
    rewrite(path, "# Results, later", {"Two": "22"}, own=("One", "Two"))
    assert path.read_text(encoding="utf-8") == (
        "# Results, later\n\n## Two\n\n22\n\n## Guest\n\nkept\n"
    )
