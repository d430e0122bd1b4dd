"""Small files in the true schema of each benchmark of still pictures."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from PIL import Image

Change = Callable[[list[dict[str, Any]]], None]


def keep(rows: list[dict[str, Any]]) -> None:
    """Change nothing."""


def picture(number: int, kind: str = "JPEG", size: tuple[int, int] = (48, 32)) -> bytes:
    colour = (number * 37 % 256, number * 91 % 256, number * 53 % 256)
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, kind)
    return data.getvalue()


def write_vstar(root: Path, change: Change = keep) -> Path:
    """115 and 76 questions; every second picture is shared by two."""
    rows: list[dict[str, Any]] = []
    for kind, count, options in (
        ("direct_attributes", 115, ("rubber", "cotton", "kevlar", "leather")),
        (
            "relative_position",
            76,
            ("The dog is left of the car.", "The dog is right of the car."),
        ),
    ):
        (root / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            name = f"{kind}/sa_{number // 2}.jpg"
            (root / name).write_bytes(picture(number // 2))
            lines = [f"({'ABCD'[place]}) {option}" for place, option in enumerate(options)]
            instruction = "Answer with the option's letter from the given choices directly."
            rows.append(
                {
                    "image": name,
                    "text": "\n".join([f"What is it in {number}?", *lines, instruction]),
                    "category": kind,
                    "question_id": str(len(rows)),
                    "label": "ABCD"[number % len(options)],
                }
            )
            # What the authors put beside each picture: the right option first, always.
            beside = {"question": "What is it?", "options": [*options], "bbox": [[1, 2, 3, 4]]}
            (root / name).with_suffix(".json").write_text(json.dumps(beside))
    change(rows)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "test_questions.jsonl").write_text(text)
    return root


def write_tallyqa(root: Path, change: Change = keep, complex_ones: int = 15_598) -> Path:
    folders = ("VG_100K", "VG_100K_2", "val2014")
    for place, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        for number in range(3):
            data = picture(10 * place + number)
            (root / folder / f"{2410400 + number}.jpg").write_bytes(data)
    rows = [
        {
            "answer": number % 16,
            "data_source": "imported_genome" if number % 3 else "amt",
            "image": f"{folders[number % 3]}/{2410400 + number % 9 // 3}.jpg",
            "image_id": 92410408 + number,
            # One simple question after every second complex one.
            "issimple": number % 3 == 2,
            "question": f"How many headlights does bus {number} have?",
            "question_id": 30095774 + number,
        }
        for number in range(complex_ones * 3 // 2)
    ]
    change(rows)
    (root / "test.json").write_text(json.dumps(rows))
    return root


def infographic_rows(count: int = 2_801) -> list[dict[str, Any]]:
    types: tuple[list[str], ...] = (
        ["single span"],
        ["non-extractive"],
        ["question span", "multi-span"],
        [],
    )
    return [
        {
            "questionId": 98000 + number,
            "question": f"Which platform is number {number}?",
            "image_local_name": f"{number % 5}.jpeg",
            "image_url": "https://example.org/of-their-page.jpeg",
            "ocr_output_file": f"{number % 5}.json",
            "answers": ["Pinterest", f"platform {number}"],
            "answer_type": types[number % 4],
            "evidence": ["text"],
            "operation/reasoning": [],
            "data_split": "val",
        }
        for number in range(count)
    ]


def write_infographics(root: Path, change: Change = keep, count: int = 2_801) -> Path:
    """As the authors' own files are."""
    folder = root / "infographicsvqa_images"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.jpeg").write_bytes(picture(number, size=(30, 200)))
    rows = infographic_rows(count)
    change(rows)
    content = {"dataset_name": "infographicVQA", "dataset_split": "val", "data": rows}
    (root / "infographicsVQA_val_v1.0_withQT.json").write_text(json.dumps(content))
    return root


def write_infographics_parquet(root: Path, change: Change = keep, count: int = 2_801) -> Path:
    """As the hub has them: two files in the configuration's folder."""
    (root / "InfographicVQA").mkdir(parents=True)
    rows = [
        {
            "questionId": str(row["questionId"]),
            "question": row["question"],
            "answers": row["answers"],
            "answer_type": row["answer_type"],
            "image": {"bytes": picture(number % 5, "PNG"), "path": None},
            "image_url": row["image_url"],
            "operation/reasoning": row["operation/reasoning"],
            "ocr": "{}",
            "data_split": "val",
        }
        for number, row in enumerate(infographic_rows(count))
    ]
    change(rows)
    for part, these in enumerate((rows[: count // 2], rows[count // 2 :])):
        path = root / "InfographicVQA" / f"validation-{part:05d}-of-00002.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(these), path)
    return root


def write_hrbench(root: Path, size: str = "4k", change: Change = keep) -> Path:
    """200 questions, each in four rows with its options turned on."""
    root.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for number in range(200):
        options = ["Red", "Green", "Blue", f"White {number}"]
        for turn in range(4):
            turned = options[-turn:] + options[:-turn]
            rows.append(
                {
                    "index": len(rows),
                    "question": f"What colour is the bag of person {number}?",
                    "answer": "ABCD"[turned.index("Red")],
                    "category": "single" if number < 100 else "cross",
                    **dict(zip("ABCD", turned, strict=True)),
                    "cycle_category": str(turn),
                    "image": base64.b64encode(picture(number)).decode(),
                }
            )
    change(rows)
    path = root / f"hr_bench_{size}.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=100)
    return root
