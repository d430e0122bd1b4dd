"""Errors by the boundary they concern. Each text names the value and the remedy.

A bad rollout is data (see ``dialogue.calls.CallError``), not one of these; a bug is an
ordinary Python exception and is left to crash.
"""


class PixelError(Exception):
    """Base of all errors that a user can get and fix."""


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
    """The next answer might exceed the budget; everything answered is kept.

    ``final``: nothing is under way any more that could free money.
    """

    def __init__(self, text: str, *, final: bool = True) -> None:
        super().__init__(text)
        self.final = final


class InferenceError(PixelError):
    """A question to a loaded model got no answer."""


class Busy(InferenceError):
    """The queue of waiting questions is full; ask again later."""


class TimedOut(InferenceError):
    """The time limit passed before the answer."""


class Cancelled(InferenceError):
    """The caller left, or the model was closed, before the answer."""


class EngineFailed(InferenceError):
    """The engine failed on this question, or is unusable from now on."""
