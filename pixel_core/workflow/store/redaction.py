"""Keeping credentials out of records and messages."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def without_credentials(text: str) -> str:
    """The text with ``user:password@`` taken out of every URL in it."""
    return _USERINFO.sub("", text)
