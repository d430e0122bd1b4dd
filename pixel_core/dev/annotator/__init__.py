"""A fake OpenAI-compatible endpoint, without a model, that reads pictures of the drawn world.

It decodes the pictures in a request, finds cards by colour and reads their digits by matching
glyphs at their actual size, so that a small digit in a downscaled picture is unreadable and a
second look at a crop helps. For other pictures it answers *not valid*. A script makes it
misbehave as real endpoints do::

    rules = (Rule(do="rate_limit", numbers=(3, 4), retry_after_s=0.2, retry_after_as="ms"),)
    with AnnotatorServer(wrong_rate=0.1, script=Script(rules=rules)) as server:
        ...  # server.url is the client's base_url
        server.journal.count("chat")
"""

from pixel_core.dev.annotator.journal import Journal, JournalEntry
from pixel_core.dev.annotator.script import Script, ScriptedFault, ScriptRule
from pixel_core.dev.annotator.server import AnnotatorServer

__all__ = [
    "AnnotatorServer",
    "Journal",
    "JournalEntry",
    "Script",
    "ScriptRule",
    "ScriptedFault",
]
