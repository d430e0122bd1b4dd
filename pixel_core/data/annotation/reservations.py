"""Money set aside for requests that are about to be sent, on record before they are.

A reservation is an entry of the ledger whose price is the most that its answer can cost; it
is settled by a second entry with that price taken back, in the same segment as the answer's.
So whenever a run is killed, what may have been charged for without an answer stands in the
ledger, and counts as spent for the computation that reserved it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, replace

from pixel_core.data.annotation.ledger.ledger_index import RESERVED
from pixel_core.data.annotation.ledger.segments import Facts, LedgerEntry


@dataclass(frozen=True)
class Reservation:
    """``most`` in picodollars. ``token``: what its entry is kept under; b"" for one that is
    not on record: its request is not sent yet, or nothing can be charged for it, or it is in
    a batch, whose notes say so."""

    most: int
    token: bytes = b""

    def on_record(self) -> Reservation:
        """The same, to be put on record."""
        return replace(self, token=secrets.token_bytes(32))

    def opened(self, owner: str, model: str) -> LedgerEntry:
        """What is on record before the request is sent."""
        return _entry(self.token, owner, model, self.most)

    def settled(self, owner: str, model: str) -> list[LedgerEntry]:
        """What takes it back, once its answer is on record or it is known to be unsent."""
        if not self.token:
            return []
        # Known from the token alone: recorded twice, it counts once.
        return [_entry(hashlib.sha256(self.token).digest(), owner, model, -self.most)]


def _entry(kept_as: bytes, owner: str, model: str, price: int) -> LedgerEntry:
    facts = Facts(owner, model, RESERVED, price=price, at=round(time.time(), 3))
    return LedgerEntry(kept_as, b"", facts)
