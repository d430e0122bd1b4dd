"""What the words after an option's letter say of it: "B. It is red", "B. is wrong".

They are not understood, only searched. A *statement* for another option contradicts the letter:
its letter listed beside it ("B or A", "B, A"), said to be right or possible ("A is also
possible", "maybe A"); its text as what the letter stands for ("B. It is a dog"); or a denial or
retraction of the letter itself. A *mention* does not: "B, not A", "B because A is darker", "B.
Note that A is a common distractor", "B. It is not red". "B. I am not sure" is taken for B.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pixel_core.records import Query
from pixel_core.rewards.graders.statements import after_retraction
from pixel_core.rewards.grading import key_of

#: A letter without a mark is one before these.
REASON = re.compile(
    r"\(?(?:because|since|as|given|for|which|where|who|with|not|rather|instead|-|\u2013|\u2014)\s",
    re.IGNORECASE,
)
#: Another letter in a list with the first: right after it, or after "or", "and", a sign.
_LISTED = re.compile(
    r"\W{0,3}(?:(?:or|and|versus|vs\.?|either|和|或|或者|以及)(?![a-z])\W{0,3}"
    r"|(?:maybe|perhaps|possibly|also|even|option|choice)\s+){0,4}"
    r"[(\[\"'“]?([A-Za-z])(?![\w'’])(?P<after>.?\s?\w{0,12})"
)
#: Another letter, later, as one that may be right.
_STATED = re.compile(
    r"(?:\b(?:or|maybe|perhaps|possibly|might\s+(?:also\s+)?be|could\s+(?:also\s+)?be|may\s+(?:also\s+)?be"
    r"|it\s+is|it['’]s|i\s+(?:choose|pick)|answer\s+is)\s+(?:also\s+)?(?:option\s+|choice\s+)?[(\[\"]?([A-Z])(?![\w'’]|\s+[a-z]{2,}\s+[a-z])"
    r"|(?<![^\W_])[(\[\"]?([A-Z])[)\]\"]?\s+(?:is|are|was|could|may|might|would|seems?|looks?)\s+"
    r"(?:be\s+)?(?:also\s+|equally\s+|the\s+|a\s+){0,3}(?:correct|right|best|possible|plausible|likely"
    r"|better|true|valid|answer)\b|(?<![^\W_])([A-Z])\s?(?:也|才)?(?:是|可能)?(?:正确|对的?$|可能)"
    r"|[,;/&]\s?[(\[]([A-Za-z])[)\]]\W*$)"
)
_NOT_BEFORE = re.compile(
    r"(?:\b(?:not|nor|than|neither|unlike|if|whether|that|why|cannot|instead\s+of|of|as)|n['’]t|不是|不|而非|非)"
    r"\s+(?:say\s+|think\s+)?(?:option\s+|choice\s+)?[(\[\"]?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_REMARKS = re.compile(
    r"[)\]]?\s(?:is|was|are|were|would|could|can|does|seems|looks|has|shows)\b"
)
#: What is said of "Option B" that does not choose it.
_SAID_OF = re.compile(
    r"(?:is|was|looks|seems|appears|could|may|might|would|can)\b.{0,40}?\b(?:tempting|distractors?"
    r"|possible|plausible|misleading|confusing|trap|worst|least|excluded|eliminated|ruled\s+out"
    r"|red\s+herring|irrelevant)\b",
    re.IGNORECASE,
)
#: "is wrong", "cannot be right", "isn't it", "seems clearly false".
_DENIAL = re.compile(
    r"(?:not\b(?!\s+[(\[]?[A-Z]\b|\s+(?:the|an?)\b)|can['’]t\b"
    r"|(?:is|was|can|could|would|does|did|must|looks?|seems?)(?:n['’]t\b|not\b|\s+"
    r"(?:\w+\s+){0,2}?(?:not|wrong|incorrect|false|impossible|unlikely)\b)"
    r"|(?:选项)?(?:是?不(?:对|正确|是正确|是对)|并不|是?错))",
    re.IGNORECASE,
)
#: A first sentence after "B." that is about the options, not about what B stands for.
_REMARK = re.compile(
    r"\W{0,3}(?:note|notice|remember|keep\s+in\s+mind|although|though|while|however|unlike|options?"
    r"|choices?|the\s+others?|others?|none|注意|其他|虽然|尽管|选项)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;。！？；])\s+|\n")
_DENIES = (
    r"(?:\b(?:not|no|nor|neither|than|unlike|instead of|isn['’]t|aren['’]t)|不是|而非)\s+"
    r"(?:of\s+)?(?:the\s+|an?\s+|in\s+|on\s+)?"
)
#: Words that a sentence holds without meaning an option of the same letter.
_ARTICLES = frozenset({"a", "i"})


def deny(rest: str, place: int, query: Query) -> bool:
    """Whether the words after the letter of ``place`` say that it is wrong, or take it back;
    not where they begin with its own text ("B. No, it stands")."""
    own = _spaced(query.choices[place])
    if own.strip() and _spaced(rest).startswith(own):
        return False
    return _DENIAL.match(rest) is not None or after_retraction(f". {rest}") != f". {rest}"


def only_speak(rest: str) -> bool:
    """Whether the words after "Option B" only speak of it: "Option B is tempting"."""
    return _SAID_OF.match(rest) is not None


def letter_another(rest: str, place: int, query: Query, *, listed: bool = False) -> bool:
    """Whether they state another option's letter. ``listed``: a comma stands before them, so
    that a small letter is one of a list and no article."""

    def another(letter: str) -> bool:
        found = ord(letter.lower()) - ord("a")
        return found != place and 0 <= found < len(query.choices)

    first = _LISTED.match(rest)
    if first and another(first[1]) and (listed or not (_article(first) or _remarked(first))):
        return True
    for found in _STATED.finditer(rest):
        letter = found[found.lastindex or 1]
        start = found.start(found.lastindex or 1)
        if another(letter) and not _NOT_BEFORE.search(rest, max(0, start - 40), start):
            return True
    return False


def _remarked(found: re.Match[str]) -> bool:
    """Whether something is said of the letter: "B. A is wrong". Not of one that is listed, "B
    or A is right"; ``_STATED`` tells what makes it an answer."""
    joined = found[0][: found.start(1) - found.start()].strip(" .;:!()[]\"'“’”*\n")
    return not joined and _REMARKS.match(found["after"]) is not None


def _article(found: re.Match[str]) -> bool:
    """Whether the letter is the article of "B. A small thing"."""
    after = found["after"].strip()
    return (
        found[1] in "aA"
        and found["after"][:1] == " "
        and len(after) > 1
        and after.islower()
        and after not in ("is", "was", "are", "or", "and", "would", "could", "seems", "looks")
    )


def name_another(rest: str, place: int, query: Query, *, listed: bool = False) -> bool:
    """Whether they name another option than the one at ``place``: by its letter, by beginning
    with its text, by holding its whole text and not their own's, or by consisting of words of
    its text that their own has not all. Of texts the first sentence is searched."""
    if letter_another(rest, place, query, listed=listed):
        return True
    rest = _SENTENCE.split(rest, maxsplit=1)[0]
    if _REMARK.match(rest):
        return False
    key, said = key_of(query), rest.split()
    for length in range(1, min(len(said), 24) + 1):
        named = key.named(" ".join(said[:length]))
        if named and place not in named:
            return True
    if _hold_another(rest, place, query):
        return True
    inside = frozenset(_words(rest))
    shared = {i for i, option in enumerate(query.choices) if inside <= set(_words(option))}
    return bool(shared) and place not in shared


def _hold_another(rest: str, place: int, query: Query) -> bool:
    said, own = _spaced(rest), _spaced(query.choices[place])
    held = {
        text
        for text in map(_spaced, query.choices)
        if text in said and text != own and text.strip() and text.strip() not in _ARTICLES
    }
    for text in held.copy():
        if re.search(_DENIES + re.escape(text.strip()) + r"\b", rest.casefold()):
            held.discard(text)
        elif own in text:  # "red" in "dark red"
            said = said.replace(text, " | ")
    return bool(held) and (own not in said or not own.strip())


def _spaced(text: str) -> str:
    return f" {' '.join(_words(text))} "


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))
