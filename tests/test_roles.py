"""Roles: recognised from names, types and values; checked where given; seen as text views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.errors import InputError
from curate.load import load
from curate.recognition import recognise
from curate.roles import Role, parse_roles
from curate.view import available, turns, view
from curate.workspace import Workspace

SAID = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
SHARED = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
SENTENCE = "A sentence that is long enough to be a text, number {}."


def roles(rows: list[dict[str, Any]], repeat: int = 1) -> dict[str, str | list[str]]:
    found = recognise(pl.DataFrame(rows * repeat, infer_schema_length=None))
    assert all(why for _, why in found.values())
    return {role.value: names[0] if len(names) == 1 else list(names) for role, (names, _) in found.items()}


FORMS: list[tuple[list[dict[str, Any]], dict[str, str | list[str]]]] = [
    ([{"instruction": "do", "input": "", "output": "done"}], {"prompt": "instruction", "context": "input", "response": "output"}),
    ([{"prompt": "do", "completion": "done"}], {"prompt": "prompt", "response": "completion"}),
    ([{"input": "do", "output": "done"}], {"prompt": "input", "response": "output"}),
    ([{"question": "why", "context": "as", "answer": "so"}], {"prompt": "question", "context": "context", "response": "answer"}),
    ([{"Question": "why", "Answer": "so"}], {"prompt": "Question", "response": "Answer"}),
    ([{"userQuery": "why", "chatgpt_response": "so"}], {"prompt": "userQuery", "response": "chatgpt_response"}),
    ([{"id": "1", "conversations": SHARED}], {"messages": "conversations"}),
    ([{"messages": SAID, "source": "web"}], {"messages": "messages", "source": "source"}),
    ([{"prompt": "hi", "prompt_id": "1", "messages": SAID}], {"messages": "messages"}),
    ([{"prompt": "p", "chosen": "good", "rejected": "bad"}], {"prompt": "prompt", "response": "chosen", "rejected": "rejected"}),
    ([{"chosen": SAID, "rejected": SAID}], {"response": "chosen", "rejected": "rejected"}),
    ([{"prompt": "p", "chosen": SAID, "rejected": SAID, "messages": SAID}], {"prompt": "prompt", "response": "chosen", "rejected": "rejected"}),
    ([{"text": "so good", "label": 1}, {"text": "so bad", "label": 0}], {"prompt": "text", "label": "label"}),
    ([{"text": "so good", "category": "x"}, {"text": "so bad", "category": "y"}], {"prompt": "text", "label": "category"}),
    ([{"text": "free text"}], {"response": "text"}),
    ([{"id": "1", "note": SENTENCE}], {"response": "note"}),
    ([{"id": "1", "n": 3}], {}),
    ([{"text": "t", "rater1": "a", "rater2": None}], {"prompt": "text", "annotations": ["rater1", "rater2"]}),
    ([{"text": "t", "annotations": ["a", "b"]}], {"prompt": "text", "annotations": "annotations"}),
    ([{"text": "t", "p": [0.25, 0.75]}], {"prompt": "text", "probabilities": "p"}),
    ([{"text": "t", "p": [0.25, 0.25]}], {"response": "text"}),
    (
        [{"prompt": "p", "response": "r", "score": 4.5, "upvotes": 3, "confidence": 0.5}],
        {"prompt": "prompt", "response": "response", "rating": "score", "votes": "upvotes", "confidence": "confidence"},
    ),
    (
        [{"source": "web", "license": "mit", "is_synthetic": True, "split": "train"}],
        {"source": "source", "license": "license", "synthetic": "is_synthetic", "split": "split"},
    ),
    ([{"source": SENTENCE * 3, "output": "o", "scores": {"overall": 1.0}}], {"prompt": "source", "response": "output"}),
    ([{"document": "d", "question": "q", "summary": "s"}], {"prompt": "question", "context": "document", "response": "summary"}),
    (
        [{"instruction": "i", "context": "c", "response": "r", "category": "open_qa"}],
        {"prompt": "instruction", "context": "context", "response": "response", "label": "category"},
    ),
]


@pytest.mark.parametrize(("rows", "wanted"), FORMS, ids=["+".join(rows[0])[:50] for rows, _ in FORMS])
def test_forms_are_recognised(rows: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    assert roles(rows) == wanted
    assert roles(rows, 30) == wanted


def test_values_decide_where_names_mislead() -> None:
    labels = [{"text": f"text {i}", "label": SENTENCE.format(i), "source": f"https://{i}", "split": "about five"} for i in range(100)]
    assert roles(labels) == {"response": "text"}


def test_each_decision_says_why() -> None:
    frame = pl.DataFrame({"messages": [SAID], "license": ["mit"], "p": [[0.5, 0.5]]})
    assert {str(role): why for role, (_, why) in recognise(frame).items()} == {
        "messages": "turns with 'role' and 'content' in 'messages'",
        "probabilities": "lists of numbers that sum to 1 in 'p'",
        "license": "named 'license'",
    }


REAL = [
    ("banking77/train.csv", 10_003, {"prompt": "text", "label": "category"}),
    ("code-alpaca/code_alpaca_2k.json", 2_017, {"prompt": "instruction", "context": "input", "response": "output"}),
    ("halueval-general/general_data.json.gz", 4_507, {"prompt": "user_query", "response": "chatgpt_response", "label": "hallucination"}),
    ("noisyag-news/samples10000valMed.csv.gz", 10_000, {"prompt": "text", "label": "label"}),
    ("presidio-synth/generated_small.json", 100, {"response": "full_text"}),
    ("self-instruct/seed_tasks.jsonl", 175, {"prompt": "instruction", "response": "instances"}),
    ("self-instruct/text-davinci-003_predictions.jsonl", 252, {"prompt": "instruction", "context": "input", "response": "response"}),
    ("topical-chat-usr/topical_chat.json", 360, {"prompt": "source", "context": "context", "response": "system_output"}),
]


@pytest.mark.parametrize(("name", "rows", "wanted"), REAL, ids=[name for name, _, _ in REAL])
def test_real_data(name: str, rows: int, wanted: dict[str, str], shared: Path, workspace: Workspace) -> None:
    found = load(str(shared / name), workspace)
    assert found.rows == rows
    assert {role.value: names[0] for role, names in found.roles.items()} == wanted
    assert found.rejected == 0
    texts = found.views(["text"]).collect()["text"]
    assert texts.null_count() == 0


def test_given_roles_are_checked() -> None:
    columns = ["a", "b"]
    assert parse_roles({"prompt": "a", Role.ANNOTATIONS: ["a", "b"]}, columns) == {Role.PROMPT: ("a",), Role.ANNOTATIONS: ("a", "b")}
    with pytest.raises(InputError, match=r"roles\.promt: no such role. Valid ones are prompt, context, response"):
        parse_roles({"promt": "a"}, columns)
    with pytest.raises(InputError, match=r"roles\.prompt: there is no column 'c'. The columns are 'a', 'b'"):
        parse_roles({"prompt": ["a", "c"]}, columns)
    with pytest.raises(InputError, match=r"roles\.messages: the turns hold the prompt already"):
        parse_roles({"prompt": "a", "messages": "b"}, columns)


def seen(rows: list[Any], given: dict[str, str | list[str]], name: str) -> list[Any]:
    frame = pl.DataFrame({k: [row.get(k) for row in rows] for k in {k: None for row in rows for k in row}}, strict=False)
    return frame.lazy().select(view(name, parse_roles(given, frame.columns), frame.schema)).collect()[name].to_list()


def test_views_of_columns() -> None:
    rows = [
        {"p": "ask", "c": ["x", "y"], "r": {"a": 1, "b": "é"}, "n": 3},
        {"p": "", "c": [], "r": None, "n": None},
        {"p": None, "c": None, "r": None, "n": None},
    ]
    given: dict[str, str | list[str]] = {"prompt": "p", "context": ["c", "n"], "response": "r"}
    assert seen(rows, given, "prompt") == ["ask", "", None]
    assert seen(rows, given, "context") == ["x\ny\n3", None, None]
    assert seen(rows, given, "response") == ['{"a":1,"b":"é"}', None, None]
    assert seen(rows, given, "text") == ['ask\nx\ny\n3\n{"a":1,"b":"é"}', None, None]
    assert seen([{"v": [[1, 2], []]}, {"v": None}], {"response": "v"}, "text") == ["[[1,2],[]]", None]


@pytest.mark.parametrize("keys", [("role", "content", "assistant"), ("from", "value", "gpt")])
def test_views_of_turns(keys: tuple[str, str, str]) -> None:
    speaker, content, assistant = keys

    def said(*pairs: tuple[str, str | None]) -> list[dict[str, str | None]]:
        return [{speaker: who, content: what} for who, what in pairs]

    rows: list[dict[str, Any]] = [
        {"m": said(("system", "S"), ("user", "a"), (assistant, "b"), ("user", "c"), (assistant.title(), "d"), ("user", "e"))},
        {"m": said(("user", "only"))},
        {"m": said(("user", None), (assistant, None))},
        {"m": []},
        {"m": None},
    ]
    assert seen(rows, {"messages": "m"}, "prompt") == ["S\na\nb\nc", "only", None, None, None]
    assert seen(rows, {"messages": "m"}, "response") == ["d", None, None, None, None]
    assert seen(rows, {"messages": "m"}, "text") == ["S\na\nb\nc\nd\ne", "only", None, None, None]
    assert seen(rows, {"response": "m"}, "prompt") == ["S\na\nb\nc", "only", None, None, None]
    assert seen([{"p": "P", **row} for row in rows[:2]], {"prompt": "p", "response": "m"}, "text") == ["P\nd", "P"]


def test_contents_in_parts_give_their_texts() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image", "text": None}, {"type": "text", "text": "here"}]
    assert seen([{"m": [{"role": "user", "content": parts}]}], {"messages": "m"}, "text") == ["look\nhere"]


def test_a_role_of_several_columns_is_a_list() -> None:
    rows = [{"a": "x", "b": "y"}, {"a": None, "b": "z"}]
    assert seen(rows, {"annotations": ["a", "b"]}, "annotations") == [["x", "y"], [None, "z"]]
    assert seen([{"a": 1, "b": "y"}], {"annotations": ["a", "b"]}, "annotations") == [["1", "y"]]
    assert seen(rows, {"label": "a"}, "label") == ["x", None]


def test_an_absent_view_names_those_there_are() -> None:
    frame = pl.DataFrame({"a": ["x"]})
    found = parse_roles({"response": "a"}, frame.columns)
    assert [n for n in ("prompt", "context", "response", "text", "label", "nonsense") if available(n, found, frame.schema)] == ["response", "text"]
    with pytest.raises(InputError, match="known are response, text"):
        view("prompt", found, frame.schema)
    assert frame.select(turns({}, frame.schema)).to_series().to_list() == [[]]
