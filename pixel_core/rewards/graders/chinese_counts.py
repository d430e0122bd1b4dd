"""Counts as they are written in Chinese: "3个", "三只狗", "图中有3只狗。", "数量是3"."""

from __future__ import annotations

import re
import unicodedata

from pixel_core.rewards.number_words import CHINESE_DIGITS, chinese_number

_CJK = re.compile(r"[\u4e00-\u9fff]")
_NUMBER = rf"(?:\d{{1,9}}|[{CHINESE_DIGITS}]{{1,8}})"
_CLASSIFIER = "[个個只隻人位条头辆张把棵本朵匹件块架艘座间台盏瓶杯支根名颗扇幅面枚片]"
_PICTURE = "图片|图像|图|照片|画面|影像"
_PLACE = rf"(?:在?(?:这|该|此)?(?:张|幅)?(?:{_PICTURE})(?:中|里|上|内|里面|当中)?[,:]?)?"
_WHOLE = re.compile(
    rf"(?:所以|因此|故|那么|综上|最终)?[,:]?{_PLACE}(?:我)?(?:可以|能|能够)?(?:看到|看见|数到|数出)?了?"
    rf"(?:[^\d,.:;是为有]{{0,10}}(?:数量|总数|个数|数目|人数)(?:是|为|:|=)+)?"
    rf"(?:一共|总共|共计|总计|共|合计|仅|只)?(?:有|是|为)?"
    rf"(?:(?P<none>没有)|(?P<number>{_NUMBER})(?:{_CLASSIFIER}|$))(?P<noun>[^\d,.:;()]{{0,12}})"
)
_BREAKDOWN = re.compile(r"[:(,;.]")
_AMONG = re.compile(rf"{_NUMBER}(?={_CLASSIFIER}|$)|\d+")
#: A picture's name.
_NAMED = re.compile(r"(?:图|图片|图像|照片|选项|区域)\d+")
_UNSURE = re.compile(
    r"大约|大概|约|左右|至少|最多|不到|超过|以上|以下|可能|或|也许|几|多(?=[个只人位])|~|(?<=[\d一二三四五六七八九十])到|至|-|不是|不确定|第|半"
)


def is_chinese(text: str) -> bool:
    return not text.isascii() and _CJK.search(text) is not None


def chinese_count(text: str) -> int | None:
    """The one whole number that a Chinese text gives; None for none, a guess, a range, or two
    that compete. A breakdown behind the count ("3只: 左边一只, 右边两只") does not."""
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    plain = plain.replace("。", ".").replace("、", ",").strip(".,;:!?*\"'“”()[]")
    if not plain or len(plain) > 200 or _UNSURE.search(plain) or _NAMED.match(plain):
        return None
    lead, comma, rest = plain.partition(",")
    if comma and not _AMONG.search(lead) and "没有" not in lead:
        plain = rest  # "仔细观察,"
    cut = _BREAKDOWN.search(plain, 1)
    if (found := _WHOLE.fullmatch(plain)) is not None:
        return _value(found)
    while cut is not None:
        found = _WHOLE.fullmatch(plain[: cut.start()])
        if found is not None:
            return _if_summed(_value(found), plain[cut.end() :])
        cut = _BREAKDOWN.search(plain, cut.end())
    return None


def _value(found: re.Match[str]) -> int | None:
    if _AMONG.search(found["noun"]):
        return None
    if found["none"]:
        return 0
    number = found["number"]
    return int(number) if number.isdecimal() else chinese_number(number)


def _if_summed(value: int | None, rest: str) -> int | None:
    """The count, where the numbers behind it are none, itself, or parts of it."""
    numbers = [
        int(text) if text.isdecimal() else chinese_number(text) for text in _AMONG.findall(rest)
    ]
    parts = [number for number in numbers if number is not None]
    return value if not parts or sum(parts) == value or set(parts) == {value} else None
