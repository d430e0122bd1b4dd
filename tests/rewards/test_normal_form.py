r"""The reward's normal form: what wraps a value does not count, what changes it does."""

from __future__ import annotations

import pytest
from graded_rollouts import ask
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.rewards.grading import grade
from pixel_core.rewards.normal_form import normal, same

#: None of a row is another one's answer.
DIFFERENT = [
    ("12.5 km", "125 km", "1.25 km", "12.5 miles", "12 5 km", "-12.5 km"),
    ("-5 °C", "5 °C", "5 °F", "-5 km"),
    ("1.5 million", "15 million", "1.5 billion", "1.5"),
    ("3:30", "330", "33:0", "3:03", "3.30", "3-30", "3/30"),
    ("10-15", "1015", "10/15", "101-5", "10:15"),
    ("1/2", "12", "-1/2", "2/1", "1 1/2", "11/2", "1.2", "1:2"),
    ("2020-05-01", "20200501", "2020-50-1", "2020-05-10"),
    ("€2.50", "€250", "$2.50", "£2.50", "€25.0"),
    ("1.2.3", "12.3", "1.23", "123", "1.2.30"),
    ("v1.10", "v1.1", "v11.0", "v110"),
    ("10²", "102", "10_2"),
    ("x²", "x2"),
    ("5 m/s", "5 ms", "5 m"),
    ("6'", '6"'),
    ("5'10\"", "510"),
    ("C", "C++", "C#"),
    ("1,2", "1.2", "12"),
    ("5%", "$5", "5 km", "0.5%"),
    ("½", "12", "1½"),
    ("10 to 15", "1015", "10 to 51"),
    ("A+", "A", "A-1"),
    ("seven", "seventeen", "seventy"),
    ("three", "three dogs", "three cats"),
    ("三", "十三", "三十"),
    ("$1.2M", "$1.2B", "$12M", "$1.2K", "€1.2M"),
    ("5 km", "5k", "5 kg"),
    ("5千米", "5千", "5千克"),
    ("500万", "500", "50万", "500亿"),
    ("5-10%", "5-10 km", "5%", "10-5%"),
    ("9am-5pm", "9am", "9pm-5am", "9-5pm"),
    ("3 lb", "£3", "3 kg"),
    ("500 yen", "500 yuan", "$500"),
    ("2 and 3", "23", "2.3", "3"),
    ("a cat and a dog", "a cat", "a cat or a dog"),
    ("负五", "五", "零下六"),
]
#: All of a row are one answer, either way.
ALIKE = [
    ("$20", r"\$20", r"$\$20$", "20 dollars", "USD 20", "20$", "US$20", "twenty dollars", "20"),
    ("1,200", "1200", "1{,}200", r"1\,200", "1\u202f200", "1，200", "(1,200)"),
    (
        "7",
        "(7)",
        "**7**",
        r"\(7\)",
        "7.",
        r"**\(7\)**",
        r"`\[7\]`",
        "7.0",
        "#7",
        "７",
        "seven",
        r"\boxed{7}",
        "7个",
        "七",
    ),
    ("5 km", r"5~\text{km}", r"5\,\mathrm{km}", "5km", "5 kilometers", "five kilometres"),
    ("10°", r"10^\circ", r"$10^{\circ}$", "10 degrees", "ten degrees"),
    ("25 °C", "25℃", "25 degrees Celsius", r"25^\circ\text{C}"),
    (r"\boxed{\frac{3}{4}}", r"\frac{3}{4}", "3/4", r"\dfrac34", r"$\tfrac{3}{4}$", "¾"),
    ("1 1/2", "1½", r"1\frac{1}{2}"),
    ("50%", r"50\%", "50 percent", "fifty per cent", "５０％", "50"),
    ("3:30 PM", "3:30 p.m.", "03:30 pm", "３：３０ PM"),
    ("10-15", "10–15", "10 - 15", "10 to 15", "10--15", "10~15"),
    ("1.5 million", "1,500,000", "1500000", "1.5million"),
    ("red", "Red.", '"red"', "“Red”", r"\textbf{\text{red}}", "`red`", "_red_", "<b>red</b>"),
    ("the cat", "cat", "a cat", "A cat."),
    ("salt & pepper", "salt and pepper", "salt &amp; pepper"),
    ("100", "one hundred", "a hundred"),
    ("May 1, 2020", "may 1 2020", "May 1, 2020."),
    ("km²", "km^2", r"\text{km}^2"),
    ("$1.2M", "$1.2 million", "$1.2m", "1.2 million dollars", r"\$1.2\text{M}", "$1,200,000"),
    ("10K", "10k", "ten thousand", "10,000"),
    ("€1.2bn", "€1.2 billion", "1.2bn"),
    ("500万", "5,000,000"),
    ("1.5亿", "150000000"),
    ("百分之五", "5%", "五%"),
    ("负五", "-5", "minus five", "negative 5"),
    ("5-10%", "5%-10%", "5% to 10%", "5 to 10 percent"),
    ("$5-$10", "$5-10", "$5 – $10", "$5 to $10"),
    ("5-10 km", "5 km to 10 km"),
    ("9am-5pm", "9 am - 5 pm", "9 a.m. to 5 p.m."),
    ("3 pounds", "3 lbs"),
    ("£3", "3 pounds", "3 pounds sterling"),
    ("¥500", "500元", "￥500"),
    ("500 yen", "¥500"),
    ("3", "3只", "三只", "3条"),
    ("red, white and blue", "red, white, and blue", "red, white, blue", "red & white & blue"),
    ("a cat and a dog", "cat and dog", "a cat, a dog"),
    ("2 and 3", "2, 3"),
    ("1st", "1^{st}", r"$1^{\text{st}}$"),
    ("2x", "2×", "2 times"),
    ("5 in", "5''", "5″", '5"'),
    ("5 ft", "5'", "5′"),
    ("5 m/s", r"5\,\text{m/s}", r"5 \frac{\text{m}}{\text{s}}"),
]


@pytest.mark.parametrize("row", DIFFERENT)
def test_what_changes_a_value_counts(row: tuple[str, ...]) -> None:
    for reference in row:
        for answer in row:
            assert grade(answer, ask(reference)) == (answer == reference), (reference, answer)


@pytest.mark.parametrize("row", ALIKE)
def test_what_wraps_a_value_does_not(row: tuple[str, ...]) -> None:
    for answer in row:
        assert grade(answer, ask(row[0])), answer
        assert grade(row[0], ask(answer)), answer


@pytest.mark.parametrize(
    "between", [*list(r"""/\|#;_=<>→@%°?'"^$、，。：·／～—•×*+ """), "...", ", ", "x"]
)
def test_whatever_stands_between_two_digits_parts_them(between: str) -> None:
    for one in (f"3{between}5", f"a 3{between}5 b"):
        assert not same(normal(one), normal(one.replace(between, "")))
        assert same(normal(one), normal(one))


WRAPPERS = [
    *("{}", " {} ", "{}.", "({})", '"{}"', "“{}”", "**{}**", "*{}*", "`{}`", "<b>{}</b>"),
    *(
        r"\text{{{}}}",
        r"\textbf{{{}}}",
        r"\mathrm{{{}}}",
        r"\({}\)",
        r"\[{}\]",
        r"\boxed{{{}}}",
    ),
    *("（{}）", "「{}」", r"\boxed {{{}}}", "[{}]", "{}\n", r"{{\bf {}}}", "{}。", "# {}"),
]
digits = st.integers(0, 9999)
numbers = st.builds("{}{}".format, st.sampled_from(["", "-"]), digits)
decimals = st.builds("{}.{}".format, digits, st.integers(1, 99))
signed = st.builds("{}{}".format, st.sampled_from(["", "-"]), decimals)
measured = st.builds("{} {}".format, signed | numbers, st.sampled_from(["km", "kg", "°C", "h"]))
money = st.builds("{}{}".format, st.sampled_from("$€£"), decimals | digits)
ranges = st.builds("{}-{}".format, digits, digits)
times = st.builds("{}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
dates = st.builds(
    "{}-{:02}-{:02}".format, st.integers(1000, 2999), st.integers(1, 12), st.integers(1, 28)
)
versions = st.builds("{}.{}.{}".format, *[st.integers(0, 40)] * 3)
fractions = st.builds("{}/{}".format, st.integers(1, 99), st.integers(2, 99))
scaled = st.builds("{} {}".format, decimals, st.sampled_from(["million", "billion"]))
words = st.from_regex(r"[a-z]{2,9}( [a-z]{2,9}){0,2}", fullmatch=True)
values = st.one_of(
    numbers, signed, measured, money, ranges, times, dates, versions, fractions, scaled
)


@settings(max_examples=150, deadline=None)
@given(values | words, st.lists(st.sampled_from(WRAPPERS), max_size=4))
def test_a_reference_is_its_own_answer_however_it_is_wrapped(reference, wrappers) -> None:
    answer = reference
    for wrapper in wrappers:
        answer = wrapper.format(answer)
    assert grade(answer, ask(reference)), answer
    assert grade(reference, ask(answer)), answer


def value(text: str) -> object:
    """What it says, by its kind: of numbers the value, of all else the writing."""
    for sign in "$€£":
        if text.startswith(sign):
            return sign, float(text[1:])
    try:
        return float(text)
    except ValueError:
        number, _, unit = text.partition(" ")
        return (float(number), unit) if unit else text


@settings(max_examples=300, deadline=None)
@given(values, st.data())
def test_two_values_match_only_where_they_are_one(one, data) -> None:
    #: Near ones: a sign, a separator or a digit taken out, moved or changed.
    place = data.draw(st.integers(0, len(one) - 1))
    near = [one[:place] + one[place + 1 :], one.replace("-", "/"), one.replace(".", "")]
    other = data.draw(
        st.one_of(values, st.sampled_from(near)).filter(lambda text: text.strip())
    )
    try:
        equal = value(one) == value(other)
    except ValueError:
        return  # cut to something that is no value
    if bare_of(one) == bare_of(other) or not plain(other):
        return  # "$5" and "5", "5 km" and "5km", "03:30" and "3:30"
    assert same(normal(one), normal(other)) == equal, (one, other)


def bare_of(text: str) -> str:
    """Without what one side may leave out: blanks, currency, zeros before."""
    return text.strip("$€£").replace(" ", "").lstrip("0") or "0"


def plain(text: str) -> bool:
    return text[0] not in ".,:/ " and text[-1] not in ".,:/-" and not text.startswith("0")


@settings(max_examples=200, deadline=None)
@given(values | words, values | words)
def test_matching_is_symmetric(one: str, other: str) -> None:
    if not (one.startswith("0") or other.startswith("0")):
        assert same(normal(one), normal(other)) == same(normal(other), normal(one))
    assert same(normal(one), normal(one))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_a_normal_form(one: str, other: str) -> None:
    a, b = normal(one), normal(other)
    if a.text:
        assert same(a, a)
    if not (a.code or b.code):
        assert same(a, b) == same(b, a)


def test_a_code_is_read_and_a_number_is_not() -> None:
    assert grade("007", ask("007"))
    assert not grade("7", ask("007"))
    assert grade("07", ask("7")), "of a quantity needless zeros do not count"


def test_what_nests_deep_takes_no_time() -> None:
    for text in (r"\text{" * 80 + "7" + "}" * 80, "(" * 250 + "7" + ")" * 250, "{" * 500):
        assert grade(text, ask("7")) in (True, False)


@pytest.mark.parametrize(
    "answer", ["**B**", r"\(B\)", "B!", "B.blue", "（B）", '"B"', "B、blue", "Ｂ", "the blue"]
)
def test_options_however_they_are_wrapped(answer: str) -> None:
    colours = ("red", "blue", "green")
    for place, right in enumerate(colours):
        assert grade(answer, ask(right, choices=colours)) == (place == 1)
