"""Errors by the boundary that was crossed. Each text names the value and the remedy.

A bad rollout is data (see ``dialogue.calls.CallError``), not one of these; a bug is an
ordinary Python exception and is left to crash.
"""


class PixelError(Exception):
    """Base of every error a user can meet and mend."""


class ConfigError(PixelError):
    """A profile, an override or a command-line value is not usable."""


class DataError(PixelError):
    """A dataset, manifest or record handed to us breaks its contract."""


class MediaError(DataError):
    """A picture cannot be read, or is larger than allowed."""


class EndpointError(PixelError):
    """A remote model endpoint failed, refused, or answered out of contract."""


class StorageError(PixelError):
    """The artifact storage cannot be reached or refuses; never treated as a miss."""


class ClusterError(PixelError):
    """The Ray cluster cannot be reached, refuses, or cannot hold what is asked of it."""


class StageFailed(PixelError):
    """A stage's worker ended without a result."""


class BudgetSpent(EndpointError):
    """The next answer might exceed what may be paid; everything answered is kept.

    ``final``: nothing is under way any more that could leave money over.
    """

    def __init__(self, text: str, *, final: bool = True) -> None:
        super().__init__(text)
        self.final = final


class InferenceError(PixelError):
    """A question that was put to a loaded model got no answer."""


class Busy(InferenceError):
    """As many questions wait as are let wait; ask again later."""


class TimedOut(InferenceError):
    """The question's time was over before its answer."""


class Cancelled(InferenceError):
    """The client went away, or the model was closed, before the answer."""


class EngineFailed(InferenceError):
    """The engine broke down over this question, or is of no further use."""
