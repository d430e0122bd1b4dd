"""Checks that a copy of a benchmark is complete: rows, files and counts, as published."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pixel_core.config import BenchmarkDataConfig
from pixel_core.data.faults import Problems
from pixel_core.errors import DataError
from pixel_core.evaluation.benchmarks.reading import FilesDigest, Item, Reader
from pixel_core.evaluation.benchmarks.registry import Layout
from pixel_core.media.picture_files import PictureFile
from pixel_core.media.picture_zip import PictureFault
from pixel_core.rewards.boxed_answers import unboxed

# For questions asked several times, each time with their options rotated by one place: checks
# that every rotation is there.


class Turns:
    """Counts of one pass over a benchmark's items; see ``Layout.turns``."""

    def __init__(self, expected: int) -> None:
        """``expected``: how often each question is asked."""
        self._expected = expected
        self._rows: Counter[str] = Counter()
        #: By question: how often the key stands in each place. A question asked about two
        #: pictures (which only reading them would reveal) counts twice as often: still evenly.
        self._places: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, item: Item) -> None:
        """Count an item that has options."""
        self._rows[item.turn] += 1
        assert item.key is not None
        self._places[item.question][item.key] += 1

    def missing(self) -> list[str]:
        """Deviations from its authors' description, in words; [] if there are none."""
        told = []
        counts = set(self._rows.values())
        if len(self._rows) != self._expected or len(counts) > 1:
            found = ", ".join(f"{turn!r} {rows:,}" for turn, rows in self._rows.most_common(8))
            told.append(
                f"questions by turn are {found or 'none'}, published are {self._expected} "
                "turns of equally many"
            )
        uneven = [text for text, places in self._places.items() if not self._even(places)]
        if uneven:
            of = "question" if len(uneven) == 1 else "questions"
            told.append(
                f"the right option does not stand equally often in each of {self._expected} "
                f"places: {len(uneven):,} {of}, the first is {uneven[0][:80]!r}"
            )
        return told

    def _even(self, places: Counter[int]) -> bool:
        return len(places) == self._expected and len(set(places.values())) == 1


# Which questions ``limit`` selects.


def shares(limit: int, kinds: Mapping[str, int]) -> dict[str, int]:
    """Divide ``limit`` among kinds in proportion to their counts, by largest remainders.

    Otherwise a small limit would select only MVBench's first task. No kind gets more than it
    has; ties go to the earlier kind.
    """
    total = sum(kinds.values())
    limit = min(limit, total)
    exact = {kind: limit * count / (total or 1) for kind, count in kinds.items()}
    found = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: found[kind] - exact[kind])
    for kind in by_remainder[: limit - sum(found.values())]:
        found[kind] += 1
    return found


#: There are no letters for more options.
_MOST_CHOICES = 26


@dataclass(frozen=True)
class SoundItem:
    """A valid question with the files it needs."""

    item: Item
    files: tuple[PictureFile, ...]


@dataclass
class BenchmarkCheck:
    """Results of one pass over a reader's items; filled while ``sound`` is read."""

    benchmark: str
    layout: Layout
    settings: BenchmarkDataConfig
    problems: Problems = field(init=False)
    #: Rows with a valid question, by kind, whether or not their files are there.
    rows: Counter[str] = field(default_factory=Counter)
    #: Those of them that lack a file; not checked beyond the limit.
    fileless: Counter[str] = field(default_factory=Counter)
    #: Usable questions by kind: together at most ``settings.limit``, if set.
    taken: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.problems = Problems(self.subject)
        self._shares = shares(self.settings.limit, self.layout.kinds)
        self._turns = Turns(self.layout.turns) if self.layout.turns > 1 else None

    @property
    def subject(self) -> str:
        """The subject of error messages."""
        return f"benchmark {self.benchmark!r}"

    def sound(self, reader: Reader) -> Iterator[SoundItem]:
        """The usable questions, in order. Files of questions beyond the limit are not looked
        up."""
        seen: dict[str, str] = {}
        for item in map(_unboxed, reader.items(self.problems)):
            if item.id in seen:
                fault = f"was used at {seen[item.id]}"
                self._add(item, "id", item.id, fault, "each question needs an id of its own")
                continue
            seen[item.id] = item.place
            if not self._is_whole(item):
                continue
            self.rows[item.kind] += 1
            if self._turns is not None:
                self._turns.add(item)
            if not self._has_room(item.kind):
                continue
            files = self._files(reader, item)
            if files is None:
                self.fileless[item.kind] += 1
            else:
                self.taken[item.kind] += 1
                yield SoundItem(item, files)

    def missing(self) -> list[str]:
        """Deviations from the published benchmark, missing or excess; [] if there are none."""
        layout, found = self.layout, sum(self.rows.values())
        told = [
            f"{kind or 'of no kind'}: {self.rows[kind]:,} questions, published are "
            f"{layout.kinds.get(kind, 0):,}"
            for kind in dict.fromkeys([*layout.kinds, *sorted(self.rows)])
            if layout.kinds and self.rows[kind] != layout.kinds.get(kind, 0)
        ]
        if not layout.kinds and layout.questions and found != layout.questions:
            told.append(f"{found:,} questions, published are {layout.questions:,}")
        if self._turns is not None:
            told += self._turns.missing()
        for kind, lacking in self.fileless.items():
            of = f"{lacking:,} of {self.rows[kind]:,} questions lack files"
            told.append(f"{kind}: {of}" if kind else of)
        if self.problems.count:
            few = self.problems.count == 1
            told.append(
                f"{self.problems.count:,} {'fault' if few else 'faults'} in rows or files"
            )
        return told

    def settle(self) -> None:
        """After ``sound``: raise ``DataError`` if anything is missing and the settings do not
        allow it, or if no question is left."""
        if not self.settings.incomplete:
            self._refuse()
        if not self.taken.total():
            self.problems.raise_if_any()
            raise DataError(f"{self.subject} has no questions; check its files")

    def _refuse(self) -> None:
        missing = self.missing()
        if not missing:
            return
        lines = [f"{self.subject} is not as it was published:"]
        lines += [f"  {line}" for line in missing]
        lines += self.problems.lines()
        lines.append(
            "fetch or copy what is missing, or go on without it by "
            f"benchmarks.{self.benchmark}.incomplete = true; then every score says so"
        )
        raise DataError("\n".join(lines))

    def _has_room(self, kind: str) -> bool:
        """Whether the limit leaves room for one more question of this kind."""
        limit = self.settings.limit
        if not limit:
            return True
        if self._shares:
            return self.taken[kind] < self._shares.get(kind, 0)
        return self.taken.total() < limit

    def _is_whole(self, item: Item) -> bool:
        """Checks common to all benchmarks."""
        before = self.problems.count
        for text in (item.id, item.question, item.kind, *item.accepted, *item.choices):
            # JSON can hold lone surrogates, which our files can't.
            if not _can_be_written(text):
                self._add(item, "text", text, "is no Unicode text", "restore the row")
                return False
        if not item.question.strip():
            self._add(item, "question", item.question, "is empty", "restore the row")
        if not item.accepted or not all(answer.strip() for answer in item.accepted):
            self._add(item, "answers", list(item.accepted), "is empty", "restore the row")
        if not all(choice.strip() for choice in item.choices):
            self._add(
                item, "choices", list(item.choices), "has an empty one", "restore the row"
            )
        if item.key is not None and item.choices.count(item.choices[item.key]) > 1:
            fault = f"have the right one, {item.choices[item.key]!r}, more than once"
            self._add(item, "choices", list(item.choices), fault, "restore the row")
        if len(item.choices) > _MOST_CHOICES:
            fault = f"are {len(item.choices)}, more than there are letters"
            self._add(item, "choices", list(item.choices), fault, "leave some out")
        return self.problems.count == before

    def _files(self, reader: Reader, item: Item) -> tuple[PictureFile, ...] | None:
        found: list[PictureFile] = []
        for path in item.paths:
            try:
                found.append(reader.media.find(path))
            except PictureFault as fault:
                self._add(item, "picture", path, fault.fault, fault.remedy)
        return tuple(found) if len(found) == len(item.paths) else None

    def _add(self, item: Item, field: str, value: object, fault: str, remedy: str) -> None:
        self.problems.add(item.place, field, value, fault, remedy)


def _unboxed(item: Item) -> Item:
    """The item with its answers unboxed; a table may box them."""
    if not any("\\" in answer for answer in item.answers):
        return item
    return replace(item, answers=tuple(map(unboxed, item.answers)))


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked(check: BenchmarkCheck, reader: Reader) -> str:
    """Check everything but the pictures' pixels; returns the digest of all files used.

    Raises ``DataError``, see ``BenchmarkCheck.settle``.
    """
    with FilesDigest() as content:
        content.add_tables(reader.tables())
        for found in check.sound(reader):
            for file in found.files:
                try:
                    content.add(file)
                except (PictureFault, OSError) as error:
                    fault = (
                        error.fault
                        if isinstance(error, PictureFault)
                        else f"can't be read ({error})"
                    )
                    remedy = "fetch the file again, or mend its permissions"
                    check.problems.add(found.item.place, "picture", file.name, fault, remedy)
    check.settle()
    return content.hexdigest()
