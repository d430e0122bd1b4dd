"""Records as Pixel Reasoner's authors published theirs, read as a manifest's fields.

``pixel_reasoner_rl`` is also how their evaluation files are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pixel_core.config.manifest import RecordFormat
from pixel_core.data.faults import Problems
from pixel_core.data.sources.manifest.rows import ManifestRow
from pixel_core.data.sources.original_rl import rl_fields
from pixel_core.data.sources.original_sft import sft_fields

#: Each takes (place, fields, problems); None after a fault was noted.
_READERS: dict[
    RecordFormat, Callable[[str, dict[str, Any], Problems], dict[str, Any] | None]
] = {"pixel_reasoner_sft": sft_fields, "pixel_reasoner_rl": rl_fields}


def converted(
    rows: Iterator[ManifestRow], format: RecordFormat, problems: Problems
) -> Iterator[ManifestRow]:
    """The rows in a manifest's fields. A row that is not in the format has none."""
    read = _READERS.get(format)
    if read is None:
        yield from rows
        return
    for row in rows:
        if row.fields is None:
            yield row
            continue
        fields = read(row.place, row.fields, problems)
        yield ManifestRow(row.place, fields, row.embedded)


def has_repeats(format: RecordFormat) -> bool:
    """Whether several records on one question are to be expected: trajectories."""
    return format == "pixel_reasoner_sft"
