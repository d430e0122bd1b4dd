"""A count as a turn without a box gives it: "3", "3 dogs", "There are 3 dogs and they are all
brown.", "3 people are wearing hats."

The sentence must have one number, and that must count its subject, or what "there are", "I
see" and their like introduce. What follows the noun is free, but for words that make of the
number another one: doubt, denial, contrast, "another", "hidden", what the speaker does next.

Several numbers are one count where the last is the total of the others ("one on the left and
two on the right, so there are 3"). "It's 3", "n = 3" and "Dogs: 3" are counts where they are
all that was said; after "Wait", where they count what was counted before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, takewhile

from pixel_core.rewards.graders.chinese_counts import chinese_count, is_chinese
from pixel_core.rewards.graders.whole_numbers import (
    BEYOND,
    EDGES,
    GUESSES,
    MAX_CHARACTERS,
    NO_COUNT,
    UNSURE,
    NumberInText,
    is_number,
    number_in,
    phrase,
    simple,
    value_of,
    without_parts,
)

#: Words beside the number; words of the noun phrase after it.
MAX_WORDS, MAX_NOUNS = 32, 4

#: Where a sentence says something of what it counted.
_VERB = """
    am are can could had has have is let look looks may might must need seem seems should show
    shows to was were will would
"""
#: Anywhere behind the number: it may not be all there are, or the speaker's own doing follows.
_OTHER = """
    could might may must should would shall will need needs zoom
    but however although though except besides unless if whether while whereas
    another other others else also additional extra rest remaining too still already
    without lacking missing absent second third fourth fifth sixth
    hidden hide hiding occluded obscured blurry blurred unclear hard difficult partially partly
    barely hardly cropped i me my we us our let you
"""
#: Counted, these are the speaker's own, or measures.
_OWN = """
    image images photo photos crop crops region regions area areas part parts section sections
    side sides detail details thing things factor factors candidate candidates option options
    choice choices answers attempt attempts step steps zooms guess guesses ways reasons example
    examples possibility possibilities case cases points
    second seconds minute minutes hour hours day days week weeks month months year years
    pm am meter meters metre metres inch inches cm km mm mile miles pixel pixels degree degrees
"""
_VERBS, _OTHERWISE = frozenset(_VERB.split()), frozenset(_OTHER.split())
_NOT_COUNTED = NO_COUNT | frozenset(_OWN.split())
_NO_NOUNS = _NOT_COUNTED | _OTHERWISE | _VERBS
#: What a bare count may say of what it counted.
_STATES = frozenset({"visible", "shown", "present", "seen"})
#: Of none that "can be ..." there are none only where these follow.
_SEEN = ("seen", "found", "spotted", "observed", "counted")
#: "No dogs are clearly visible": somebody can't see.
_COMPLAINTS = frozenset({"clear", "clearly", "enough", "sure", "certain", "known", "given"})
_AND_ONE = frozenset({("and", "a"), ("and", "an")})
_NOT = ("n't", "n’t", "nnot")
_NOBODY = frozenset({"nobody", "none"})
_OF_THEM = frozenset({"them", "these", "those", "the"})

#: A clause with one of these is no mere lead to a count.
_PLACES = frozenset({"to", "around", "over", "about", "above", "below", "under"})
_LEADLESS = (UNSURE | GUESSES | {"if", "unless", "why"}) - _PLACES
#: Beside the parts of a total.
_DOUBTS = (GUESSES - _PLACES - {"plus", "some"}) | {"if", "each", "every", "per"}
#: What may stand before the number.
_OPENING = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|in total|overall) )?"
    r"(?:(?:in|on|at|from|within|across|based on|looking at) (?:the|this|that)(?: \w+){1,3}? )?"
    r"(?:(?:i (?:think|believe|conclude)|(?:i|we|you)(?: can)? see|this means|it is clear"
    r"|it (?:appears|seems)|it looks like)(?: that)? )?"
    r"(?:there(?: is| are| were|'s|’s| (?:seem|appear)s? to be)"
    r"|(?:i|we|you)(?: can)? (?:count|see|spot)|(?:i|we) counted|we have"
    r"|(?:the |this )?(?:image|picture|photo|scene)(?: clearly)? (?:shows|contains|has|depicts)"
    r"|(?:the |a )?(?:total |exact |final )?(?:number|count) of (?:\w+ ){1,6}?(?:is|are|equals)"
    r"|(?:that|this|which) makes|(?:i|we) (?:get|got)|(?:so )?my (?:final |total )?count is"
    r"|(?:the |a )?(?:total|count|number|final count)(?: is| of)?)?"
    r"(?: ?(?:only|exactly|just|all|a total of|clearly|visible))? ?"
)
#: "It is 3", where nothing else is said that "it" could be.
_IT_IS = re.compile(
    r"(?:(?:so|thus|hence|therefore|then) )?(?:it|this|that)(?: is| was|['’]s) (?:only |just )?"
)
#: "= 3", "n = 3", "Dogs: 3".
_EQUALS = re.compile(
    r"(?:[a-z]\s?)?=\s?(?=\d)|(?P<nouns>[^\W\d_]+(?: [^\W\d_]+){0,2})\s?[:=]\s", re.IGNORECASE
)
_PLURALS = frozenset({"people", "men", "women", "children", "sheep", "fish", "geese", "mice"})
#: What comes before the total of what was counted part by part.
_TOTAL = re.compile(
    r"(?:,|;|:|\s[-\u2013\u2014])?\s(?:(?:and\s)?(?:so|thus|hence|therefore)\b,?\s|making\s"
    r"|giving(?:\sus)?\s|for\s(?=a total)|which\s(?:makes|gives)\s"
    r"|(?<=[:\u2014\u2013-]\s)(?=\w+ (?:in total|altogether|in all)\b))",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:the )?(?:final |total )?(?:count|number|total)(?: of \w+(?: \w+)?)?\s?[:=]\s",
    re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(r"[.!?;:]\s+\S|\n|\?")


@dataclass(frozen=True, slots=True)
class Count:
    """``alone``: the text is the number and at most its noun, no sentence."""

    value: int
    alone: bool


def count_of(text: str, *, whole: bool = True) -> Count | None:
    """What a text of one sentence counts: a number, at most with "there are", "Count:" or a
    clause before it; behind it a short noun phrase, and what is said of it. None for sentences
    that only mention a number ("Let me look at 2 dogs", "There is no way to tell").

    ``whole``: it is all that was said. Else "2 of them are brown" is a part of another count.
    """
    if is_chinese(text):
        value = chinese_count(text)
        return None if value is None else Count(value, len(text) <= 2 * MAX_NOUNS)
    if (total := _total(text)) is not None:
        return Count(total, False)
    text = _without_heading(_without_lead(text.strip()))
    text = without_parts(_without_noun(text) if whole else text)
    if len(text) > MAX_CHARACTERS or _NEXT_SENTENCE.search(text):
        return None
    found = number_in(text, MAX_WORDS)
    if found is None:
        return None
    before = " ".join([*found.before, ""])
    if whole and _IT_IS.fullmatch(before) and _noun_alone(found) is not None:
        return Count(found.value, False)
    if not _OPENING.fullmatch(before):
        return None
    if any(word.endswith(_NOT) for word in found.after):
        return None
    after = _less_their_state(found.after)
    if found.value == 0 and not _COMPLAINTS.isdisjoint(after):
        return None
    if _VERBS.isdisjoint(after) and len(phrase(after)) <= MAX_NOUNS:
        return Count(found.value, not found.before and after == found.after)
    return Count(found.value, False) if _says_of_them(found, whole) else None


def corrected_count(text: str, taken_back: str) -> int | None:
    """The count that the rest of a sentence after "Wait" gives: "there are 3 dogs", "it's 3".
    None where it is a half thought, or counts what was not counted before."""
    text = without_parts(text.strip(" \t,.:;-*\"'“”"))
    found = None if _NEXT_SENTENCE.search(text) else number_in(text, MAX_WORDS)
    if found is None or (noun := _noun_alone(found)) is None:
        return None
    before = " ".join([*found.before, ""]).removeprefix("no ")
    if not (_OPENING.fullmatch(before) or _IT_IS.fullmatch(before)):
        return None
    return found.value if not noun or noun[-1].rstrip("s") in taken_back.lower() else None


def _noun_alone(found: NumberInText) -> list[str] | None:
    """What a number counts, where nothing else follows: "3", "3 dogs", "3 in total"."""
    after = found.after
    if after[-2:] in (["in", "total"], ["in", "all"]):
        after = after[:-2]
    alone = len(after) <= MAX_NOUNS and len(phrase(after)) == len(after)
    return after if alone and _NO_NOUNS.isdisjoint(after) else None


def _total(text: str) -> int | None:
    """3 of "One on the left and two on the right, so there are 3.": what is counted last, where
    the numbers before it, two or more, add up to it."""
    if len(text) > MAX_CHARACTERS:
        return None
    *_, end = [None, *_TOTAL.finditer(text)]
    if end is None:
        return None
    words = [word.strip(EDGES) for word in simple(text[: end.start()]).split()]
    parts = [value for word in words if word and (value := value_of(word)) is not None]
    if len(parts) < 2 or not UNSURE.isdisjoint(words) or not _DOUBTS.isdisjoint(words):
        return None
    found = number_in(text[end.end() :], MAX_WORDS)
    if found is None or found.value != sum(parts) or not _VERBS.isdisjoint(found.after):
        return None
    return found.value if _OPENING.fullmatch(" ".join([*found.before, ""])) else None


def _without_noun(text: str) -> str:
    """3 of "Dogs: 3", "dogs = 3", "n = 3"."""
    found = _EQUALS.match(text)
    if found is None:
        return text
    nouns = (found["nouns"] or "").lower().split()
    last = nouns[-1] if nouns else "s"
    many = last in _PLURALS or (last.endswith("s") and not last.endswith("ss"))
    if not many or not _NOT_COUNTED.isdisjoint(nouns):
        return text
    return text[found.end() :]


def _says_of_them(found: NumberInText, whole: bool) -> bool:
    """Whether the words behind the number are what it counts, and what is said of that."""
    after = found.after
    if not _OTHERWISE.isdisjoint(after):
        return False
    if found.value == 0 and not _none_of_them(after):
        return False
    nouns = list(takewhile(lambda word: word not in BEYOND and word not in _VERBS, after))
    if nouns:
        return (
            len(nouns) <= MAX_NOUNS
            and _NOT_COUNTED.isdisjoint(nouns)
            and _AND_ONE.isdisjoint(pairwise(nouns))  # "2 dogs and a cat are"
            and not any(word.endswith(("'s", "’s", "s'", "s’")) for word in nouns)
        )
    if after[0] == "of":
        return whole and len(after) > 2 and after[1] in _OF_THEM and _are_counted(after)
    # "3 are wearing hats"; "one is ..." is one of several.
    return (after[0] in ("are", "were", "have") and found.value > 1) or found.word in _NOBODY


def _are_counted(after: list[str]) -> bool:
    return _NOT_COUNTED.isdisjoint(takewhile(lambda word: word not in _VERBS, after))


def _none_of_them(after: list[str]) -> bool:
    """Whether a sentence says that there are none, and not that it can't be told."""
    if not _COMPLAINTS.isdisjoint(after):
        return False
    if "can" in after:
        return _is_seen(after[after.index("can") :])
    return True


def _is_seen(words: list[str]) -> bool:
    """Whether they begin with "can be seen"."""
    return words[:2] == ["can", "be"] and words[2:3] != [] and words[2] in _SEEN


def _without_lead(text: str) -> str:
    """What follows "After zooming in, ": a clause without a number, doubt or condition."""
    lead, comma, rest = text.partition(", ")
    words = [word.strip(EDGES) for word in simple(lead).split()]
    if not comma or len(words) > 10 or not rest.strip() or any(c.isdigit() for c in lead):
        return text
    if words != ["no"] and any(word in _LEADLESS or is_number(word) for word in words):
        return text
    return rest


def _less_their_state(after: list[str]) -> list[str]:
    """ "2 people" of "2 people are visible in the picture"."""
    for place, pair in enumerate(pairwise(after)):
        if _is_seen(after[place:]) or (pair[0] in ("is", "are") and pair[1] in _STATES):
            return after[:place] if _NOT_COUNTED.isdisjoint(after[:place]) else after
    return after


def _without_heading(text: str) -> str:
    """The text after "Total number of dogs:"."""
    heading = _HEADING.match(text)
    return text[heading.end() :] if heading else text
