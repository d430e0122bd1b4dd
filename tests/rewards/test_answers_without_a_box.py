"""Answers without a box, as models write them: tags, thoughts, first lines, words, Chinese."""

from __future__ import annotations

import pytest
from graded_rollouts import ask, said

from pixel_core.rewards.graders.registry import GRADERS

ANIMALS = ("dog", "cat", "bird", "fish")
CAT = [
    "<answer>B</answer>",
    "<answer> **B. cat** </answer>",
    "<|begin_of_box|>B<|end_of_box|>",
    "<think>\\boxed{A}</think> The answer is B.",
    "<think>hm \\boxed{A}</think>\n\\boxed{B}",
    "B\n\nThe animal on the sofa has whiskers, unlike a dog.",
    "The answer is:\nB",
    "The answer is:\n\n**B. cat**",
    "The answer is most likely B.",
    "B is the correct answer.",
    "Thus, **(B)** is correct.",
    "The answer is B. Note that A is a common distractor.",
    "The answer is B, not A",
    "The answer is B, not A.",
    "The answer is a cat.",
    "The answer is the cat.",
    "the cat",
    "a cat",
    "A cat",
    "It is a cat.",
    "答案是B",
    "选B",
    "答案是B。",
    "答案：B",
    "B、cat",
    "正确答案是（Ｂ）。",
    "我选B",
    "所以选B。",
    "答案为B，因为它有胡须。",
    "答案是B。注意A是常见的干扰项。",
    "B是正确答案。",
    "选项B正确。",
    "答案是：\nB",
    "The correct answer is option B: cat.",
    "### Final Answer\nB",
    "**Final Answer:** B",
    "**Answer:**\n**B**",
    "Based on the image, the correct option is B.",
    "I would choose B.",
    "I'll go with (B).",
    "B. The animal has whiskers and a long tail.\n\nIt sits on the sofa.",
    "Option B is the best choice because it purrs.",
    "Answer: B\n\nExplanation: A is wrong because it barks.",
    "The animal is clearly not a dog (A), so the answer is B.",
    "<answer>\nB\n</answer>",
    "<answer>B",
    "The right answer is B) cat",
    "The answer to the question is B.",
    "Answer - B",
    "The only correct option is B.",
    "Among the options, B is correct.",
    "Therefore, B.",
    "So, the answer: B",
    "B. cat\n\nThe picture shows a cat on the sofa.",
    "Correct answer: B",
    "My answer is B",
    "The most likely answer is B.",
    "\\boxed{a cat}",
    "**B**",
    "答案选B",
    "应选B",
    "故选：B",
    "答案应该是B",
    "正确选项为B。",
    "cat.",
    "Cat",
    "The correct choice is B.",
    "B: cat",
    "The answer is (B) cat, not (A) dog.",
    "The answer is B, while A shows a dog.",
    "The answer is B since A and C are not in the picture.",
    "The final answer is $\\boxed{B}$.",
]
NOTHING = [
    "The wrong answer is B",
    "The least likely answer is B.",
    "<answer>A</answer><answer>B</answer>",
    "<think>\\boxed{B}",
    "<think> the answer is B",
    "The answer is B or A",
    "The answer could be A or B",
    "B is not correct.",
    "The incorrect option is B.",
    "错误答案是B",
    "答案不是B",
    "不选B",
    "最不可能的答案是B",
    "B是错误的。",
    "如果答案是B",
    "If B is the correct answer, it purrs.",
    "I don't think B is correct.",
    "The answer is B, but A is also possible.",
    "B or maybe C",
    "答案是A或B",
    "The answer is A. Then again, B is correct.",
    "The worst answer is B.",
    "The unlikely answer is B.",
    "One possible answer is B.",
    "A. dog\nB. cat\nC. bird\nD. fish",
    "Not B",
    "B?",
    "The answer is not B",
    "I am unsure whether the answer is B.",
    "Is the answer B?",
    "The answer is A and B",
]
YES_NO = [
    ("No, there is no dog.", ["No"]),
    ("Not sure, maybe no.", []),
    ("Yes, there is.", ["Yes"]),
    ("No.", ["No"]),
    ("Yes. There is a dog on the left.", ["Yes"]),
    ("No, I can't tell.", []),
    ("No", ["No"]),
    ("The answer is no.", ["No"]),
    ("There is no dog.", []),
    ("No - there is no dog.", ["No"]),
    ("<answer>No, it is not there.</answer>", ["No"]),
]
COUNTS = [
    ("The number of dogs is 3.", 3),
    ("In the image, there are 3 dogs.", 3),
    ("There are 3 dogs: one on the left and two on the right.", 3),
    ("3 (two on the left and one on the right)", 3),
    ("#9", 9),
    ("one hundred", 100),
    ("twentyone", 21),
    ("答案是3", 3),
    ("3个", 3),
    ("三只狗", 3),
    ("图中有3只狗。", 3),
    ("图中一共有三只狗：左边一只，右边两只。", 3),
    ("<answer>3</answer>", 3),
    ("There are three dogs in the picture. One is on the left and two are on the right.", 3),
    ("3\n\nThe dogs are next to the sofa.", 3),
    ("The total number of dogs in the image is 3.", 3),
    ("The answer is 3 (two on the left, one on the right).", 3),
    ("There are 2 dogs on the left and 1 dog on the right, so the answer is 3.", 3),
    ("There are 3 dogs, one on the left and two on the right.", 3),
    ("There are a total of 3 dogs.", 3),
    ("**3**", 3),
    ("Based on the image, there are 3 dogs.", 3),
    ("答案：3只", 3),
    ("The answer is three.", 3),
    ("I can see 3 dogs in the image.", 3),
    ("3 is the correct answer.", 3),
    ("There is only one dog.", 1),
    ("There are no dogs.", 0),
    ("没有狗", 0),
    ("总共有12个人。", 12),
    ("狗的数量是3。", 3),
    ("The count is 3.", 3),
    ("Final answer: 3", 3),
    ("The answer is probably 3", 3),
    ("１２", 12),
    ("three (3)", 3),
    ("The image shows 3 dogs.", 3),
    ("<think>2 dogs... \\boxed{2}</think>3", 3),
    ("1. a dog on the left\n2. a dog on the right\n\nTotal: 2", 2),
    (
        "There are 2 dogs on the left. There is 1 on the right. In total, there are 3 dogs.",
        3,
    ),
    ("There are 12 people visible in the image.", 12),
    ("Looking at the image, there are 3 dogs.", 3),
    ("共3只狗", 3),
    ("两个", 2),
    ("The picture contains five birds.", 5),
    ("Answer:\n3", 3),
    ("So there are a total of three dogs in the image.", 3),
    ("We can see 3 dogs.", 3),
]
NO_COUNTS = [
    "3 or 4",
    "There are 3 dogs and 2 cats",
    "There are 3 dogs. There are 4 dogs.",
    "about 3",
    "3 (or 4)",
    "3\n4",
    "大约3个",
    "3到4个",
    "3个或4个",
    "There are 3 dogs, 2 cats",
    "<answer>3</answer> <answer>4</answer>",
    "<think>3",
    "The wrong answer is 3",
    "Between 3 and 5",
    "at least 3",
    "图1",
    "第3个",
    "三只狗和两只猫",
    "The answer is 3 or 4.",
    "two (3)",
    "3-4",
    "It is not 3",
]
TEXTS = [
    ("<answer>42%</answer>", "42%"),
    ("答案是42%。", "42%"),
    ("The answer is:\n42%", "42%"),
    ("<think>\\boxed{1}</think>The answer is 42%.", "42%"),
    ("**Answer:** 42%", "42%"),
    ("\\boxed{**42%**}", "42%"),
    ("The answer is most likely 42%.", "42%"),
]
STRICT = [
    "<answer>cat</answer>",
    "<|begin_of_box|>cat<|end_of_box|>",
    "\\boxed {cat}",
    "<answer>\\boxed{cat}</answer>",
    "<think>\\boxed{dog}</think>\\boxed{cat}",
    "<answer>B</answer>\n\\boxed{B}",
]
NOT_STRICT = [
    "<think>\\boxed{cat}",
    "<think>\\boxed{cat}</think>",
    "<answer>cat</answer><answer>dog</answer>",
    "<answer>dog</answer>\\boxed{cat}",
]


def named(text: str, options: tuple[str, ...]) -> list[str]:
    """The options that are right if they are the right one."""
    grader = GRADERS["choice"]
    return [o for o in options if grader(ask(o, choices=options), said(text))]


@pytest.mark.parametrize("text", CAT)
def test_it_names_the_cat_and_nothing_else(text: str) -> None:
    assert named(text, ANIMALS) == ["cat"]


@pytest.mark.parametrize("text", NOTHING)
def test_it_names_nothing(text: str) -> None:
    assert named(text, ANIMALS) == []


@pytest.mark.parametrize(("text", "options"), YES_NO)
def test_yes_and_no(text: str, options: list[str]) -> None:
    assert named(text, ("Yes", "No")) == options


def counts(text: str) -> list[int]:
    return [n for n in range(130) if GRADERS["counting"](ask(str(n)), said(text))]


@pytest.mark.parametrize(("text", "number"), COUNTS)
def test_it_is_a_count(text: str, number: int) -> None:
    assert counts(text) == [number]


@pytest.mark.parametrize("text", NO_COUNTS)
def test_it_is_no_count(text: str) -> None:
    assert counts(text) == []


@pytest.mark.parametrize(("text", "reference"), TEXTS)
def test_a_text_that_was_read(text: str, reference: str) -> None:
    assert GRADERS["anls"](ask(reference), said(text)) == 1


@pytest.mark.parametrize("text", STRICT)
def test_strict_reads_boxes_and_tags(text: str) -> None:
    assert GRADERS["strict"](ask("cat", choices=ANIMALS), said(text)) == 1


@pytest.mark.parametrize("text", NOT_STRICT)
def test_strict_reads_no_draft_and_no_two(text: str) -> None:
    assert GRADERS["strict"](ask("cat", choices=ANIMALS), said(text)) == 0


def test_expressions_are_read_without_a_box() -> None:
    maths = GRADERS["maths"]
    right = [
        "<answer>0.5</answer>",
        "答案是0.5。",
        "<think>\\boxed{3}</think>The answer is 0.5.",
    ]
    for text in (*right, "The answer is:\n$\\frac{1}{2}$", "\\boxed {0.5}", "0.5"):
        assert maths(ask("1/2"), said(text)) == 1, text
    for text in ("<answer>0.5</answer><answer>3</answer>", "<think>\\boxed{0.5}"):
        assert maths(ask("1/2"), said(text)) == 0, text
