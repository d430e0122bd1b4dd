"""Units and currencies by one name each: "5 km", "5 kilometres", "$20", "20 dollars"."""

from __future__ import annotations

from types import MappingProxyType

#: Their signs before a number. "$" is any dollar; "US$" is the same.
CURRENCIES = MappingProxyType(
    {
        "$": "$",
        "us$": "$",
        "usd": "$",
        "dollar": "$",
        "dollars": "$",
        "us dollars": "$",
        "€": "€",
        "eur": "€",
        "euro": "€",
        "euros": "€",
        "£": "£",
        "gbp": "£",
        "pound sterling": "£",
        "pounds sterling": "£",
        "¥": "¥",
        "cny": "cny",
        "rmb": "cny",
        "yuan": "cny",
        "元": "cny",
        "jpy": "jpy",
        "yen": "jpy",
        "円": "jpy",
        "₹": "₹",
        "inr": "₹",
        "rupees": "₹",
        "₩": "₩",
        "krw": "₩",
        "won": "₩",
        "¢": "¢",
        "cent": "¢",
        "cents": "¢",
        "美元": "$",
        "欧元": "€",
        "英镑": "£",
    }
)
_NAMES = """
    % percent | per cent | pct
    ° degrees | degree | deg | 度
    °c c | degrees celsius | degree celsius | degrees c | deg c | celsius | 摄氏度
    °f f | degrees fahrenheit | degree fahrenheit | degrees f | deg f | fahrenheit | 华氏度
    km kilometer | kilometers | kilometre | kilometres | kms | 公里 | 千米
    m meter | meters | metre | metres | 米
    cm centimeter | centimeters | centimetre | centimetres | 厘米
    mm millimeter | millimeters | millimetre | millimetres | 毫米
    mi mile | miles | 英里
    ft foot | feet | '
    in inch | inches | "
    yd yard | yards
    kg kilogram | kilograms | kgs | 公斤 | 千克
    g gram | grams | 克
    mg milligram | milligrams
    lb lbs
    pound pounds
    oz ounce | ounces
    l liter | liters | litre | litres | 升
    ml milliliter | milliliters | millilitre | millilitres | 毫升
    s sec | secs | second | seconds | 秒
    min mins | minute | minutes | 分钟
    h hr | hrs | hour | hours | 小时
    day days | 天
    week weeks | 周
    month months | 个月
    year years | yr | yrs | 年
    km/h kph | kmph | km per hour | kilometers per hour | kilometres per hour
    mph miles per hour | mi/h
    m^2 m2 | sqm | square meters | square metres | 平方米
    x × | times
    km^2 km2 | square kilometers | square kilometres | 平方公里
"""
_UNITS = {
    other.strip(): line.split()[0]
    for line in _NAMES.strip().splitlines()
    for other in (line.split()[0], *line.strip().partition(" ")[2].split("|"))
}
#: Not units: they only say that things were counted.
_CLASSIFIERS = frozenset("个個只隻条頭头辆輛张張把棵本朵匹架艘台盏瓶杯支颗顆位座")
#: What one word or sign can mean: "5 pounds" is £5 and 5 lb, "¥500" is yuan and yen.
_MEANINGS = MappingProxyType({"pound": frozenset({"£", "lb"}), "¥": frozenset({"cny", "jpy"})})
#: A number may stand without these for the same answer: "20" for "$20", "7%" for "7".
OPTIONAL = frozenset({"%", "°", *CURRENCIES.values()})


def same_unit(one: str, other: str) -> bool:
    """Whether two units, by their one name, are one; of a currency one side may have none."""
    if one == other or (not one and other in OPTIONAL) or (not other and one in OPTIONAL):
        return True
    return one in _MEANINGS.get(other, ()) or other in _MEANINGS.get(one, ())


def unit_of(text: str) -> str | None:
    """The one name of a unit as it was written (lower case); "" for a classifier, which is
    none; None for words that are not in the table."""
    if text in _CLASSIFIERS:
        return ""
    return _UNITS.get(text) or CURRENCIES.get(text)
