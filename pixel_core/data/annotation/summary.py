"""The counts of an annotation run: what became of the seeds, and what they took."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pixel_core.data.annotation.outcome import (
    REJECTED,
    AnnotationFault,
    AnnotationOutcome,
    ReplyTally,
)
from pixel_core.records import SecondLook

#: Kinds of question listed one by one; the rarer ones are summed up.
MAX_KINDS = 40
OTHERS = "(others)"

#: What can become of a seed that was looked at twice.
_LOOKS = (SecondLook.NEEDS_ZOOM.value, SecondLook.EASY.value, AnnotationFault.LOOK_FAILED.value)


class OutcomeCounts:
    """Counts outcomes; their order does not matter."""

    def __init__(self) -> None:
        self.done = 0
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()
        self._kinds: dict[str, Counter[str]] = {}
        self._tally = ReplyTally()

    def add(self, outcome: AnnotationOutcome) -> None:
        self.done += 1
        self._tally.add(outcome.tally)
        fates = ["asked"]
        if outcome.annotation is None:
            reason = str(outcome.dropped)
            self.dropped[reason] += 1
            fates += ["dropped", reason]
        else:
            self.kept += 1
            fates.append("kept")
            if outcome.annotation.look is not None:
                fates.append(outcome.annotation.look.value)
        self.looks.update(fate for fate in fates if fate in _LOOKS)
        self._kinds.setdefault(outcome.kind, Counter()).update(fates)

    @property
    def unanswered(self) -> Counter[str]:
        """Seeds that were dropped because no answer could be used, by reason."""
        rejected = {reason.value for reason in REJECTED}
        return Counter({why: n for why, n in self.dropped.items() if why not in rejected})

    def warning(self) -> str:
        """What a person should know before this is built upon; "" for nothing."""
        unanswered = self.unanswered
        if not unanswered:
            return ""
        reasons = ", ".join(f"{n} {why}" for why, n in sorted(unanswered.items()))
        return (
            f"{unanswered.total()} of {self.done} train seeds were dropped because no answer "
            f"to them could be used ({reasons})"
        )

    def metrics(self) -> dict[str, Any]:
        """JSON values that follow from the seeds and the replies alone.

        ``looks``: of the seeds that were looked at twice, each fate's count and share with
        its 95 % Wilson interval.
        """
        tally = self._tally
        warning = self.warning()
        return {
            **({"warning": warning} if warning else {}),
            "asked": self.done,
            "dropped": self.dropped.total(),
            "dropped_by": dict(sorted(self.dropped.items())),
            "looks": self._shares(),
            "by_kind": self._by_kind(),
            "requests": {str(task): n for task, n in sorted(tally.asks.items())},
            "asked_again": tally.asked_again.total(),
            "asked_again_by": {str(r): n for r, n in sorted(tally.asked_again.items())},
            "repaired": tally.repaired,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
        }

    def _shares(self) -> dict[str, Any]:
        from pixel_core.statistics.intervals import wilson

        n = self.looks.total()
        if not n:
            return {}
        shares: dict[str, Any] = {"n": n}
        for fate in _LOOKS:
            count = self.looks[fate]
            interval = wilson(count, n)
            shares[fate] = {
                "count": count,
                "share": round(count / n, 4),
                "low": round(interval.low, 4),
                "high": round(interval.high, 4),
            }
        return shares

    def _by_kind(self) -> dict[str, dict[str, int]]:
        ranked = sorted(self._kinds.items(), key=lambda item: (-item[1]["asked"], item[0]))
        shown = {kind or "(none)": counts for kind, counts in ranked[:MAX_KINDS]}
        for _, counts in ranked[MAX_KINDS:]:
            shown.setdefault(OTHERS, Counter()).update(counts)
        return {kind: dict(sorted(counts.items())) for kind, counts in sorted(shown.items())}
