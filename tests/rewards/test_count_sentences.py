"""A number that counts the subject of a sentence is a count; one beside it is not."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, said
from hypothesis import given, settings
from hypothesis import strategies as st

from pixel_core.rewards.graders.counting import counting

ANY = ask(*map(str, range(20)))

#: Of 3.
COUNTS = [
    "3 people are wearing hats.",
    "Three people are wearing hats.",
    "In the image, 3 people are wearing hats.",
    "3 people wear hats.",
    "3 of them are wearing hats.",
    "Three of the people have umbrellas.",
    "Of the people in the picture, 3 are wearing hats.",
    "3 are wearing hats.",
    "Only 3 cars are parked on the left side of the road.",
    "All three dogs are lying on the grass.",
    "A total of 3 people are sitting at the table.",
    "So 3 windows were open when the picture was taken.",
    "There are 3 dogs and they are all brown.",
    "There are 3 dogs and all of them are brown.",
    "There are 3 dogs, all of which are brown.",
    "There are 3 dogs that are brown.",
    "There are three dogs which can be seen on the sofa in front of the window of the house.",
    "There are 3 dogs, and they are asleep.",
    "There are 3 dogs; they are asleep.",
    "There appear to be 3 people who have red hats.",
    "I can see that 3 people are wearing hats.",
    "I think 3 people are wearing hats.",
    "I think there are 3 dogs.",
    "I can count 3 birds sitting on the wire.",
    "You can see three birds.",
    "It looks like 3 people are skiing.",
    "3 birds are flying and they look small.",
    "There are 3 dogs in the image, and each one has a collar.",
    "It seems that 3 men have beards.",
    "I can see 3 dogs and they are all brown.",
    "The image shows 3 dogs which are playing with a ball.",
    "Three children can be seen in the water.",
    "3 men have a beard.",
    "3 people are wearing hats: two men and one woman.",
    "3 people are wearing hats (a man, a woman and a child).",
    "I looked at the crop.\n3 people are wearing hats.",
    "The street is wet. 3 people are holding umbrellas.",
    "3 people are wearing hats. They stand beside the bus.",
    "Two dogs are lying on the left. One dog is standing on the right. So there are 3 dogs.",
    "Two dogs are on the sofa. Another dog is under it. In total, there are 3 dogs.",
    "There are 3 dogs. The first is brown, the second is black and the third is white.",
    "图中有3个人戴着帽子。",
    "有三个人戴着帽子。",
    "3个人戴着帽子。",
    "图中有3只狗,它们都是棕色的。",
    "图中有三只狗，它们都在睡觉。",
]
#: Of no dogs or people at all.
NONE_THERE = [
    "No people are wearing hats.",
    "No one is wearing a hat.",
    "Nobody is wearing a hat.",
    "None of the people are wearing hats.",
    "None are wearing hats.",
    "No dogs can be seen on the sofa.",
    "There are no dogs that are brown.",
]
NO_COUNTS = [
    "Two dogs are brown and three are black.",
    "3 people are wearing hats and 2 are not.",
    "3 of the 5 people are wearing hats.",
    "There are 3 dogs. 2 dogs are brown.",
    "3 people are wearing hats. 4 people are wearing hats.",
    "Two dogs are lying on the grass and another is standing.",
    "Two dogs are lying on the grass while a third one stands.",
    "Two dogs are lying on the grass. Another dog is behind the bench.",
    "There are 2 dogs on the left. A third dog is on the right.",
    "Two dogs are brown and the others are black.",
    "Two dogs and a cat are on the sofa.",
    "2 other people are wearing hats.",
    "2 people are not wearing hats.",
    "2 people aren't wearing hats.",
    "2 people are without hats.",
    "2 people are hidden behind the door.",
    "2 of the dogs are partly occluded.",
    "2 people may be wearing hats.",
    "2 people might have hats.",
    "About 2 people are wearing hats.",
    "At least 2 people are wearing hats.",
    "2 or 3 people are wearing hats.",
    "If 2 people are wearing hats, the sign is right.",
    "Are 2 people wearing hats?",
    "2 people are wearing hats, but I am not certain.",
    "2 people are wearing hats, but the picture is blurry.",
    "2 images are shown.",
    "3 crops are needed.",
    "2 regions are interesting.",
    "3 things are to be checked.",
    "2 seconds have passed.",
    "One can see dogs.",
    "One might think that they are dogs.",
    "One is on the left.",
    "One thing is clear.",
    "2 is written on the sign.",
    "2 men's hats are red.",
    "2 pm is the time shown.",
    "The man on the left is holding 2 bags.",
    "I need 2 looks because the dogs are small.",
    "There are 2 areas that I should look at.",
    "There are 2 dogs and I need to look closer.",
    "No conclusion can be drawn.",
    "No people are clearly visible.",
    "No number can be given.",
    "Picture 2 shows dogs that are brown.",
    "The 2 dogs that are on the left.",
    "Each of the 2 tables has chairs.",
    "Some of the 2 rows are empty.",
    "There are 2 tables and each has 4 chairs.",
    "左边有2只狗，还有另外的狗在右边，一共不确定。",
    "2个人没有戴帽子，3个人戴了。",
    "有2到3个人戴着帽子。",
]


def counts(text: str) -> list[int]:
    return [n for n in range(20) if counting(ask(str(n)), said(text)) == 1]


@pytest.mark.parametrize("text", COUNTS)
def test_the_subjects_number_is_the_count(text: str) -> None:
    assert counts(text) == [3]


@pytest.mark.parametrize("text", NONE_THERE)
def test_there_are_none(text: str) -> None:
    assert counts(text) == [0]


@pytest.mark.parametrize("text", NO_COUNTS)
def test_another_number_is_no_count(text: str) -> None:
    assert counts(text) == []


SUBJECTS = st.sampled_from(["people", "dogs", "small dogs", "men in suits", "red cars"])
SAID = st.sampled_from(
    [
        "are wearing hats",
        "are parked on the left",
        "have a flag",
        "can be seen",
        "were moved to the side of the road",
        "and they are all brown",
        "that are asleep",
    ]
)
NUMBER = st.integers(2, 19)


@settings(deadline=None)
@given(NUMBER, SUBJECTS, SAID, st.sampled_from(["", "There are ", "I can see ", "Only "]))
def test_one_number_is_read_whatever_is_said_of_it(
    number: int, subject: str, said_of_it: str, opening: str
) -> None:
    assert counts(f"{opening}{number} {subject} {said_of_it}.") == [number]


@settings(deadline=None)
@given(NUMBER, NUMBER, SUBJECTS, SAID, st.sampled_from([" and ", ". ", ", while ", "; "]))
def test_two_numbers_compete(
    one: int, other: int, subject: str, said_of_it: str, between: str
) -> None:
    text = f"{one} {subject} {said_of_it}{between}{other} {subject} have a bag."
    assert counts(text) in ([], [one]) if one == other else counts(text) == []


@settings(deadline=None)
@given(
    NUMBER,
    SUBJECTS,
    st.sampled_from(
        [
            "are not wearing hats",
            "aren't on the left",
            "might be wearing hats",
            "are hidden",
            "and another one are on the left",
            "are on the left, the others on the right",
            "are there, or more",
        ]
    ),
)
def test_denials_doubts_and_others_are_no_count(number: int, subject: str, tail: str) -> None:
    assert counts(f"{number} {subject} {tail}.") == []
