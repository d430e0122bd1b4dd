"""Which option a sentence says: "The car is blue.", "I think it's B.", "它是蓝色的。".

Read last, where nothing else of a turn names an option. The last sentence counts: it is the
option itself behind words that add nothing ("so it should be ..."), or says it of something
that the question asks about ("the color of the car is ..."). Not where the turn holds another
option's text or letter, a denial or a doubt: a wall that is white says nothing of a car.
Where the options are whole numbers a count is one of them ("There are 3 dogs.").
"""

from __future__ import annotations

import re
from functools import lru_cache

from pixel_core.records import Query
from pixel_core.rewards.graders.count_sentences import count_of
from pixel_core.rewards.grading import key_of
from pixel_core.rewards.number_words import WORDS
from pixel_core.rewards.options import CONTRADICTION, NONE

#: Characters of a turn that is read so.
MAX_TEXT = 600

_SURE = (
    r"(?:(?:most\s+)?likely|probably|clearly|definitely|certainly|indeed|simply|just|obviously)"
)
#: Words before an answer that add nothing to it.
_LEAD = re.compile(
    r"\A\W{0,3}(?:(?:so|thus|hence|therefore|then|wait|actually|overall|finally|ok(?:ay)?"
    rf"|{_SURE}|in\s+conclusion|i\s+count|i(?:\s+can)?\s+see(?:\s+that)?|there\s+(?:is|are)"
    r"|(?:after|upon|on|in|from|looking|based|according|given|zooming|by)\s[^,.;:!?]{2,60}(?=,)"
    r"|i(?:['’]m|\s+am)(?:\s+(?:fairly|pretty|quite|very))?\s+(?:sure|confident|certain)(?:\s+that)?"
    r"|i(?:\s+would|['’]d)?\s+(?:think|believe|say|guess)(?:\s+that)?)\b[\s,:]{1,3}){1,4}",
    re.IGNORECASE,
)
_BE = (
    r"\s+(?:is|are|was|were|(?:should|must|would|will|has\s+to)\s+be"
    r"|(?:appears?|seems?|looks?)(?:\s+to\s+be)?|corresponds?\s+to|match(?:es)?)"
    rf"(?:\s+{_SURE})?"
)
_IT_IS = re.compile(rf"(?:it|this|that|which|they|these)(?:['’]s|{_BE})[\s:]+", re.IGNORECASE)
_SAYS = re.compile(
    rf"(?P<of>(?:the|this|that|a|an|his|her|its|their)\s[^,;:.!?]{{2,100}}?){_BE}[\s:]+",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r",?\s+(?:not|rather\s+than|instead\s+of|unlike)\b.*|(?:\s+in)?\s+colou?r(?:ed)?|\s+one"
    r"|-colou?red|,?\s+(?:so|which|thus|therefore|hence|and|making)\b.*"
    r"|\s*\([A-Z]\)",
    re.IGNORECASE | re.DOTALL,
)
_LETTER = re.compile(r"(?<![\w'’])([B-HJ-Z])(?![\w'’])|\(([A-Z])\)|\b(?:option|choice)\s+(A)\b")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])(?=\S)")
_DOUBT = re.compile(
    r"\b(?:not|no|nor|neither|never|cannot|or|if|unless|whether|maybe|perhaps|possibly|may|might"
    r"|could|unclear|unsure|except|excluding|eliminate|rule|anything|everything|opposite|wrong"
    r"|incorrect|however|although|but|than|un\w*likely|hard|difficult|either|both|partly|also"
    r"|thought|hardly|previous\w*|another|other)\b|n['’]t\b|\?"
    r"|不|没|非|错|如果|假如|可能|也许|是否|或|除|排除|还是|吗|？|误|先|再",
    re.IGNORECASE,
)
#: "3 times" is a count of what happened.
_TIMES = re.compile(r"\s+times?[.!]?\Z", re.IGNORECASE)
_SOMEBODY = re.compile(r"(?:he|she|they|the\s+[\w-]{2,20})\s+(?=\w+\s)", re.IGNORECASE)
_YES_NO = re.compile(r"\s*(?:yes|no)[.!]?\s*", re.IGNORECASE)
#: What a sentence may deny of the others behind its own: "blue, not red".
_DENIED_REST = re.compile(
    r",?\s+(?:not|rather\s+than|instead\s+of|unlike)\s[^.,;!?]*|不是[^，,。]*[，,]",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"[\s\"“(（*]{0,2}(?:(?:所以|因此|故|显然|很明显|综上|我(?:认为|觉得|想))[，,]?)*(?P<of>[^，,。是为]{0,16}?)"
    r"(?:(?:应该|显然|就)?(?:是|为))?(?P<what>[^，,。是为]{1,20}?)(?:的)?[。.!！]?"
)
_PRONOUNS = frozenset({"", "它", "这", "那", "他", "她", "其", "正确的", "答", "答：", "答:"})
_WORD = re.compile(r"[^\W\d_]{3,}")
_OF_ANSWERS = re.compile(r"\b(?:answer|option|choice|distractor)s?\b", re.IGNORECASE)
_ALL_WORDS = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u4e00-\u9fff]")
#: Words of a sentence's subject that are in any question.
_COMMON_WORDS = """
    the this that what which where who how many much does are was were his her its their and for
    with from image picture photo video there
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def said_in_words(text: str, query: Query) -> frozenset[int]:
    """The option that the last sentence of a text says; empty for none. See the module."""
    text = text.strip()
    if not text or len(text) > MAX_TEXT:
        return NONE
    if _all_counts(query.choices) and (count := count_of(_TIMES.sub("", text))) is not None:
        return key_of(query).named_by(str(count.value))
    lead = _LEAD.match(text)
    if lead:
        led = key_of(query).named_by(text[lead.end() :])
        if any(_YES_NO.fullmatch(query.choices[place]) for place in led - CONTRADICTION):
            return led  # "Based on the picture, no, there is none."
    last = _SENTENCE.split(text.replace("\n", " "))[-1]
    named = _of_sentence(last, query)
    if not named or named == CONTRADICTION:
        return NONE
    kept = _DENIED_REST.sub(" ", text)
    for place in named:  # its own words are no doubt: "I would say no."
        own = re.escape(query.choices[place].strip(" ."))
        kept = re.sub(rf"(?<!\w){own}(?!\w)", " ", kept, count=1, flags=re.IGNORECASE)
    if _DOUBT.search(kept) or _names_another(kept, named, query):
        return NONE
    return named


def _of_sentence(sentence: str, query: Query) -> frozenset[int]:
    whole = _LEAD.sub("", sentence, count=1).strip()
    named_by = key_of(query).named_by
    if named := named_by(whole):
        return named
    if stated := _IT_IS.match(whole):
        whole = whole[stated.end() :]
    elif (says := _SAYS.match(whole)) and _asked(says["of"], query.question):
        whole = whole[says.end() :]
    elif says is None and _CJK.search(sentence) and (said := _CHINESE.fullmatch(sentence)):
        about = said["of"].strip()
        if about in _PRONOUNS or _asked_chinese(about, query.question):
            return named_by(said["what"].strip("：: "))
    if named := named_by(whole):
        return named
    core, more = whole, _ENDS.search(whole)
    if more:
        core = whole[: more.start()]
    if _YES_NO.fullmatch(core):
        return NONE
    if named := key_of(query).named(core):
        return named
    # "The person put down the cup": what somebody does, in the option's words.
    did = _SOMEBODY.match(whole)
    return key_of(query).named(whole[did.end() :]) if did and len(whole.split()) > 3 else NONE


def _asked(about: str, question: str) -> bool:
    """Whether the question has a word of what a sentence is about; a question without words
    asks about anything. What is said of an answer is not read here (``statements``)."""
    if _OF_ANSWERS.search(about):
        return False
    asked = _words(question)
    return not asked or not asked.isdisjoint(_words(about))


def _asked_chinese(about: str, question: str) -> bool:
    if not _CJK.search(question):
        return not _words(question)
    return any(about[i : i + 2] in question for i in range(len(about) - 1)) or about in question


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    found = (word.casefold() for word in _WORD.findall(text))
    return (
        frozenset(word.removesuffix("s").replace("colour", "color") for word in found) - _COMMON
    )


def _names_another(text: str, named: frozenset[int], query: Query) -> bool:
    """Whether a text holds another option's text, or its letter."""
    for found in _LETTER.finditer(text):
        place = ord(found[found.lastindex or 1]) - ord("A")
        if place < len(query.choices) and place not in named:
            return True
    said = _spaced(text)
    own = [_spaced(query.choices[place]) for place in named]
    for place, option in enumerate(query.choices):
        other = _spaced(option)
        if place in named or not other.strip():
            continue
        if other in said and not any(other in mine for mine in own):
            return True
    return False


def _spaced(text: str) -> str:
    text = text.casefold()
    return text if _CJK.search(text) else f" {' '.join(_ALL_WORDS.findall(text))} "


@lru_cache(maxsize=8192)
def _all_counts(choices: tuple[str, ...]) -> bool:
    return bool(choices) and all(
        option.strip().isdecimal() or option.strip().casefold() in WORDS for option in choices
    )
