"""An OpenAI-compatible endpoint that is no model: it looks at pictures of the drawn world.

It decodes the pictures it is sent, finds cards by their colour and reads their digits by
matching the glyphs, at the size they have, so that a small digit in a shrunken picture can't
be read and a second look at a crop means something. Of other pictures it says *not valid*. A
script makes it misbehave as real endpoints do::

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
