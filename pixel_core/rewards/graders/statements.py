"""What a text without a box states as its answer: "the answer is ...", "Answer: ...", "答案是".

Three forms, read line by line: what follows "the answer is", "the correct option is", "I
choose", "Answer:", "答案是", "选"; the next line where nothing follows on its own; and what
stands before "is the correct answer", "is correct", "正确".

Models correct themselves: what stands before a retraction ("Wait", "Actually", "Or maybe" at
the beginning of a sentence, "No," of a line, "不对") or a denial ("the answer is not ...") is
no longer stated, and of statements in several lines the last line's count. A statement that is
only considered ("if the answer is ...", "I can't tell whether the answer is ...") is none, nor
is one about another answer ("the wrong answer is ...", "the least likely answer is ...").
"""

from __future__ import annotations

import re
from itertools import zip_longest

_BE = (
    r"(?:is|was|would[ \t]+be|should[ \t]+be|must[ \t]+be|has[ \t]+to[ \t]+be|will[ \t]+be"
    r"|(?:appears[ \t]+|seems[ \t]+)?to[ \t]+be)"
)
_LIKELY = (
    r"(?:[ \t]*\b(?:(?:most[ \t]+)?(?:likely|probably)|clearly|definitely|certainly|simply"
    r"|indeed|therefore|thus|obviously|just|exactly)\b[ \t]*,?)*"
)
_HEAD = re.compile(
    r"(?:\b(?:answer[\"'”]?"
    r"|(?:correct|right|best|closest"
    r"|most[ \t]+(?:suitable|appropriate|accurate|plausible|likely))[ \t]+"
    r"(?:option|choice|match)|(?:final|my)[ \t]+choice)"
    r"(?:[ \t]+that[ \t]+(?:best[ \t]+)?(?:fits|matches|describes|suits)(?:[ \t]+\w+){0,4}?)?"
    r"(?:[ \t]+(?:to|for|here)\b[^.,\n:;!?]{0,80}?)?"
    r"(?:,[ \t]*[a-z]{2,12}[ \t]*,)?"
    rf"(?:['’]s\b|[ \t]+{_BE}\b{_LIKELY}[ \t]*:?|[ \t]*(?:->|=>|→|⇒|[:=])"
    r"|[ \t]+[-\u2013\u2014][ \t]"
    r"|(?=[ \t]*\n))"
    r"|\b(?:ans|choice|(?:selected|chosen)[ \t]+(?:option|choice|answer))[ \t]*[:=]"
    r"|(?:(?<=\n)|\A)[ \t]*(?:ans\."
    r"|(?:final|correct|selected|chosen|result|conclusion|assistant)[ \t]*:)"
    r"|\bI(?:[ \t]+(?:would|will|have[ \t]+to)|['’](?:d|ll))?[ \t]+"
    r"(?:choose|pick|select|go[ \t]+with)\b"
    r"(?:[ \t]+(?:the[ \t]+)?(?:answer|choice))?[ \t]*:?)",
    re.IGNORECASE,
)
_CHINESE_HEAD = re.compile(
    r"(?:(?:正确|正確|最终|最終|最佳)?(?:的)?(?:答[ ]?案|选项|選項)"
    r"(?:应该|應該|应当|應當|应|應|就|很可能|最可能|大概|显然|顯然)*(?:是|为|為|选择|選擇|选|選|:|：)+"
    r"|\[(?:正确|正確)?答案\]|(?:^|(?<=\n))[ ]?答[:：]"
    r"|(?:我|本题|本題|此题|此題|该题|这题|应该|應該|应当|应|應|故|所以|因此|则"
    r"|就|因而|，|,|^|\n|。|\. )"
    r"\s*[选選](?:择|擇|项|項)?"
    r"(?=\s*[:：]?\s*[\"“(（*]?[A-Za-zＡ-Ｚ])"
    r")\s*[:：]?",
)
_NO_IF = r"(?!(?:if|unless|when|suppose|assuming)\b)"
#: "B is the correct answer", "Thus, (B) is correct."
_LEAD = (
    r"(?:(?:so|thus|therefore|hence|then|and|clearly|overall|in[ ]conclusion|in[ ]summary"
    r"|finally|(?:among|of|from|out[ ]of)[ ](?:the|these)[ ](?:\w+[ ])?(?:options|choices)"
    r"|(?:based[ ]on|in|from|given)[ ](?:the|this)[ ](?:image|picture|photo|video)"
    r"|as[ ]such|i[ ](?:think|believe|conclude|would[ ]say)(?:[ ]that)?"
    r"|this[ ]means(?:[ ]that)?|we[ ]conclude(?:[ ]that)?)\b[ ,:]{1,3}){0,3}"
)
_TURNED = re.compile(
    rf"\W{{0,3}}{_LEAD}(?P<what>{_NO_IF}\S.{{0,120}}?),?\s+{_BE}(?:\s+(?:clearly|likely|probably"
    r"|definitely|indeed|therefore|thus))?\s+(?:the|my|our)\s+(?:(?:only|most|final|single|one)\s+)"
    r"{0,2}(?:(?:correct|right|best|accurate|appropriate|suitable|proper|true|likely|final)\s+)?"
    r"(?:answer|option|choice|one)\b",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    rf"\W{{0,3}}{_LEAD}(?P<what>{_NO_IF}\S.{{0,120}}?),?\s+{_BE}(?:\s+(?:clearly|indeed|therefore"
    r"|thus|definitely))?\s+(?:correct|right)\b\s*(?:$|[,;.!]|because\b|since\b|as\b)",
    re.IGNORECASE,
)
_CHINESE_TURNED = re.compile(
    r"\W{0,3}(?:(?:所以|因此|故|综上|综上所述|那么)[,， ]{0,2})?(?P<what>[^，,。是]{1,60}?)"
    r"(?:才?是|为)?(?:正确|最合适|最佳|对)的?(?:答案|选项)?\s*(?:[.。!！,，;；]|$)"
)
_SENTENCE = re.compile(r"(?<=[.!?;。！？；])\s+")
_LAST_SENTENCE = re.compile(r"(.*[.!?;])\s", re.DOTALL)
_RETRACTED = re.compile(
    r"[.!?;\n][\s*\"'“(-]{0,4}(?:(?:oh|but|no|and|well|hm+)\b[,. ]{1,2}){0,2}"
    r"(?:(?:actually|wait|hold[ ]on|correction|sorry|scratch[ ]that|on[ ]second[ ]thoughts?|or)"
    r"\b)|\n\s{0,3}no,|[,;]\s{1,3}(?:but\s)?wait\b|(?:\.\.\.|…)\s{0,3}no,|[.!?;,\n。！？；，]\s{0,3}(?:等等|不对|等一下|更正|稍等)",
    re.IGNORECASE,
)
_ADJECTIVES = (
    "final correct right best appropriate suitable accurate only short overall true actual"
    " exact numerical numeric direct resulting required single definitive most"
)
#: How a statement is introduced that is considered, or denied: what ends where it begins.
_CONSIDERED = re.compile(
    r"(?:\b(?:if|whether|unless|not|cannot|never|hardly|doubt|thought|assumed|guessed|suspected"
    r"|believed|considered|unlikely|impossible|doubtful|incorrect|false)|n['’]t)"
    r"(?:\s+(?:think|believe|say|sure|certain|know|see|tell|clear|that|what|why|if|whether))"
    r"{0,3}(?:\s+(?:the|my|our|its|this|that|an))?"
    rf"(?:\s+(?:{_ADJECTIVES.replace(' ', '|')}|likely)){{0,2}}\s+$"
    r"|\b(?:some|someone|people|others?|users?|one|you|they|many|he|she)[ \t]+"
    r"(?:(?:may|might|could|would|will)[ \t]+)?(?:say|think|argue|claim|believe|assume|guess"
    r"|suggest|state)s?(?:[ \t]+that)?(?:[ \t]+the)?(?:[ \t]+(?:correct|right|best))?[ \t]+$"
    r"|(?:如果|是否|假如|若|不|错误?的?|非|别|排除|误)[^，,。.；;\n]{0,8}$",
    re.IGNORECASE,
)
#: Words that may stand right before "answer"; after any other it is another answer.
_ALLOWED = frozenset(
    f"{_ADJECTIVES} the my our your so thus hence therefore then and that is this".split()
)
_BEFORE = re.compile(r"([^\W_][\w'’-]*)[ \t]+$")
_LIKELIEST = re.compile(r"\bmost[ \t-]+(?:likely|probable|plausible)[ \t]+$", re.IGNORECASE)
#: A condition before "the answer would be".
_IF = re.compile(r"\b(?:if|unless)\b[^.!?\n]*$", re.IGNORECASE)
#: "If there are three, the answer is C."; "if you look closely" is none.
_IF_SO = re.compile(
    r"(?:\A|[.!?;\n])\W{0,4}(?:(?:so|but|and|or|now|then)\b,?\s+)?(?:if|unless|assuming"
    r"|suppos(?:e|ing))\s+(?!(?:i|we|you|one)\b)[^.!?;\n]*,[^.!?;\n]*$",
    re.IGNORECASE,
)
_REACH = 60
_DENIED = re.compile(r"\W{0,3}(?:\w{1,20}ly\s)?(?:not|neither)\b", re.IGNORECASE)
_EMPHASIS = re.compile(r"(\*{1,3}|`{1,3})(?=\S)([^*`]+)(?<=\S)\1")
_FENCE = re.compile(r"^[ \t]*```[ \t]*\w{0,12}[ \t]*$", re.MULTILINE)
_TURNS = re.compile(r"correct|right|answer|option|choice|best|正确|最佳|对", re.IGNORECASE)
#: "Final answer" alone on its line heads the next one.
_NOUN_LAST = re.compile(r"(?:answer|option|choice)[ \t]*$", re.IGNORECASE)
_HEADING = re.compile(r"[\s#>*-]*(?:(?:the|my|final|correct|best)\s+){0,3}", re.IGNORECASE)
_BULLET = re.compile(r"\A\s{0,3}(?:#{1,6}\s|[-*•>]\s)\s*")


def stated(text: str, *, turned: bool = False) -> list[list[str]]:
    """What follows each "the answer is", "answer:", "the correct option is", without emphasis,
    by line, the last line first; ``turned``: also what "is the correct answer".

    A statement goes to the end of its line, or of its sentences where the line states again.
    """
    text = after_retraction(unemphasised(text))
    heads = [head for head in _heads(text) if not _considered(text, head)]
    lines: dict[int, list[str]] = {}
    for head, after in zip_longest(heads, heads[1:]):
        whole = text[head.end() : after and after.start()]
        rest, newline, below = whole.partition("\n")
        line = text.count("\n", 0, head.end())
        if not rest.strip(" \t:：") and newline:
            skipped = len(below) - len(below.lstrip())
            rest = below[skipped:].partition("\n")[0]
            line += 1 + below.count("\n", 0, skipped)
        elif after and not newline and (sentences := _LAST_SENTENCE.match(rest)):
            rest = sentences[1]
        if head[0].rstrip(" \t:=")[-1:] in "\"'”":  # of JSON
            rest = rest.strip(" \t,}]").strip("\"'“”")
        if _DENIED.match(rest):
            lines = {}
        if rest := _BULLET.sub("", rest, count=1).strip():
            lines.setdefault(line, []).append(rest)
    if turned:
        _add_turned(text, lines)
    return [lines[number] for number in sorted(lines, reverse=True)]


def _heads(text: str) -> list[re.Match[str]]:
    heads = list(_HEAD.finditer(text))
    if not text.isascii():
        heads = sorted([*heads, *_CHINESE_HEAD.finditer(text)], key=re.Match.start)
        heads = [
            head
            for before, head in zip([None, *heads], heads, strict=False)
            if before is None or before.end() <= head.start()
        ]
    return heads


def _add_turned(text: str, lines: dict[int, list[str]]) -> None:
    """What stands before "is the correct answer", by the number of its line."""
    if not _TURNS.search(text):
        return
    for number, line in enumerate(text.split("\n")):
        for sentence in _SENTENCE.split(line[:1000]):
            found = _TURNED.match(sentence) or _CORRECT.match(sentence)
            if found is None and not sentence.isascii():
                found = _CHINESE_TURNED.match(sentence)
            if found is not None:
                lines.setdefault(number, []).append(found["what"].strip())


def after_retraction(text: str) -> str:
    """The text from its last retraction on; all of it where there is none."""
    end = 0
    for found in _RETRACTED.finditer(text):
        end = found.end()
    return text[end:]


def unemphasised(text: str) -> str:
    """Without the signs of Markdown's emphasis that come in pairs, and the lines of a fence:
    "5 * 3" stays."""
    if "*" in text or "`" in text:
        text = _FENCE.sub("", text) if "```" in text else text
        for _ in range(2):
            text = _EMPHASIS.sub(r"\2", text)
    return text


def lines_of(text: str) -> list[str]:
    """The lines with something on them, without emphasis, headings and bullets."""
    found = (_BULLET.sub("", line, count=1) for line in unemphasised(text).splitlines())
    return [line.strip() for line in found if line.strip()]


def last_line(text: str) -> str:
    """The last line with something on it, without emphasis."""
    lines = lines_of(text)
    return lines[-1] if lines else ""


def _considered(text: str, head: re.Match[str]) -> bool:
    """Whether a statement is only considered, denied, or about another answer."""
    start = head.start()
    if head[0].rstrip()[-1:].isalpha() and _NOUN_LAST.search(head[0]):
        line = text[text.rfind("\n", 0, start) + 1 : start]
        return _HEADING.fullmatch(line) is None
    if _CONSIDERED.search(text, max(0, start - _REACH), start) is not None:
        return True
    if "would" in head[0] and _IF.search(text, max(0, start - 2 * _REACH), start):
        return True
    if _IF_SO.search(text, max(0, start - 2 * _REACH), start):
        return True
    before = _BEFORE.search(text, max(0, start - _REACH), start)
    if before is None or before[1].lower() in _ALLOWED or head[0][0] in "Ii":
        return False
    if not before[1].isascii():
        return False
    return _LIKELIEST.search(text, max(0, start - _REACH), start) is None
