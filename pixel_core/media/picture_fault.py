"""Why one picture of a record can't be used."""

from __future__ import annotations


class PictureFault(Exception):
    """What is wrong with a picture, and the remedy; told with the record's place."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy
