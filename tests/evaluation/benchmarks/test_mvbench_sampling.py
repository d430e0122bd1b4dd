"""Which frames are shown: one in the middle of each of equal parts of what is asked about."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pixel_core.evaluation.benchmarks.video_clips import sampled


def test_sixteen_of_ten_seconds() -> None:
    """Worked out by hand: parts of 249 / 16 = 15.5625 frames, the first middle at 7.78."""
    assert sampled(16, last=249, rate=25) == [
        *(7, 23, 38, 54, 69, 85, 100, 116),
        *(131, 147, 163, 178, 194, 209, 225, 240),
    ]


def test_a_part_ends_with_the_video() -> None:
    assert sampled(2, last=49, rate=25, bounds=(1.0, 60.0)) == [31, 43]
    assert sampled(2, last=49, rate=25, bounds=(1.0, 1.96)) == [31, 43]


def test_a_moment_is_one_frame() -> None:
    assert sampled(8, last=49, rate=25, bounds=(1.0, 1.0)) == [25]
    assert sampled(8, last=0, rate=25) == [0]


@pytest.mark.parametrize(("last", "bounds"), [(49, (2.5, 3.0)), (-1, None), (49, (1.0, 0.5))])
def test_no_frame_at_all(last: int, bounds: tuple[float, float] | None) -> None:
    with pytest.raises(ValueError, match="frame"):
        sampled(4, last=last, rate=25, bounds=bounds)


@given(
    count=st.integers(1, 64),
    first=st.integers(0, 1),
    last=st.integers(0, 5000),
    rate=st.floats(0.5, 120),
    start=st.floats(0, 100),
    length=st.floats(0, 100),
)
def test_frames_increase_and_are_where_they_belong(
    count: int, first: int, last: int, rate: float, start: float, length: float
) -> None:
    begin, end = max(first, round(start * rate)), min(round((start + length) * rate), last)
    assume(begin <= end)
    frames = sampled(count, last=last, rate=rate, bounds=(start, start + length), first=first)
    assert frames == sorted(set(frames))
    assert begin <= frames[0] <= frames[-1] <= end
    if end - begin >= 2 * count:
        size = (end - begin) / count
        assert len(frames) == count
        for part, frame in enumerate(frames):
            assert begin + size * part <= frame < begin + size * (part + 1) + 1
