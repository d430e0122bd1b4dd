"""Money reserved for requests about to be sent, recorded before they are.

A reservation is a ledger entry whose price is the most that its answer can cost. A second
entry with the negative price settles it, in the same segment as the answer. So after a kill
the ledger shows what may have been charged without an answer, and it counts as spent for the
computation that reserved it.
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
    """``most`` in picodollars. ``token``: the digest of its entry; b"" for one that is not
    recorded, because its request is not sent yet, nothing can be charged for it, or it is in
    a batch, whose journal has it."""

    most: int
    token: bytes = b""

    def on_record(self) -> Reservation:
        """The same reservation, ready to be recorded."""
        return replace(self, token=secrets.token_bytes(32))

    def opened(self, owner: str, model: str) -> LedgerEntry:
        """The entry recorded before the request is sent."""
        return _entry(self.token, owner, model, self.most)

    def settled(self, owner: str, model: str) -> list[LedgerEntry]:
        """The entries that take it back, once its answer is recorded or it is known unsent."""
        if not self.token:
            return []
        # Derived from the token alone: recorded twice, it counts once.
        return [_entry(hashlib.sha256(self.token).digest(), owner, model, -self.most)]


def _entry(kept_as: bytes, owner: str, model: str, price: int) -> LedgerEntry:
    facts = Facts(owner, model, RESERVED, price=price, at=round(time.time(), 3))
    return LedgerEntry(kept_as, b"", facts)
