"""Personal data in a text: known answers for each type, truth, no network, no text that hangs, a model's names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.recogniser import KNOWN, REGIONS, TYPES, Found, resolve
from curate.scores import Scores
from curate.signals.pii import find
from curate.task import plan, seconds
from curate.workspace import Workspace, read_json

TOKEN = "ghp_" + "a1B2" * 9
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
KNOWN_ANSWERS = {
    "Mail anna.b+x@mail.example.co.uk.": [("EMAIL_ADDRESS", "anna.b+x@mail.example.co.uk")],
    "anna@localhost and a@b.notasuffix, @anna, a@@b.org": [],
    "żaneta@firma.pl": [("EMAIL_ADDRESS", "żaneta@firma.pl")],
    "(415) 555-2671 and +44 20 7946 0958": [("PHONE_NUMBER", "(415) 555-2671"), ("PHONE_NUMBER", "+44 20 7946 0958")],
    "id 4155552671, 3.14159265358, 2021-01-01 12:30, 99999 - 10000": [],
    "call 4155552671; my id is 4155552671": [("PHONE_NUMBER", "4155552671"), ("PHONE_NUMBER", "4155552671")],
    "card 5213591727586604, not 5213591727586605": [("CREDIT_CARD", "5213591727586604")],
    "4111-1111-1111-1111": [("CREDIT_CARD", "4111-1111-1111-1111")],
    "DE89370400440532013000 2 days, not DE88370400440532013000": [("IBAN_CODE", "DE89370400440532013000")],
    "GB82 WEST 1234 5698 7654 32": [("IBAN_CODE", "GB82 WEST 1234 5698 7654 32")],
    "531-21-7351, 000-21-7351, ref 531217351": [("US_SSN", "531-21-7351")],
    "My ssn: 531217352": [("US_SSN", "531217352")],
    "58.74.121.78 and fe80::1 but std::vector, a::b, 1.2.3, 300.1.1.1": [("IP_ADDRESS", "58.74.121.78"), ("IP_ADDRESS", "fe80::1")],
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3": [("CRYPTO", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")],
    f"{TOKEN} AKIAIOSFODNN7EXAMPLE": [("SECRET", TOKEN), ("SECRET", "AKIAIOSFODNN7EXAMPLE")],
    "sk-proj-Ab3dEf6hIj9kLm2nOp5q xoxb-123456789012-abcdef": [("SECRET", "sk-proj-Ab3dEf6hIj9kLm2nOp5q"), ("SECRET", "xoxb-123456789012-abcdef")],
    "api_key = 'aG93IG1hbnkxMjM0NTY3ODk'": [("SECRET", "aG93IG1hbnkxMjM0NTY3ODk")],
    "api_key = 'your_api_key_1'; token = get_token(1); password = 'secretsecret'; key: aaaaaaaaaaaa1": [],
    f"x {KEY} y": [("PRIVATE_KEY", KEY)],
    "postgres://user:hunter2@db.example.org/x": [("PASSWORD", "hunter2")],
    "ａｎｎａ＠example.com　４１１１１１１１１１１１１１１１": [
        ("EMAIL_ADDRESS", "ａｎｎａ＠example.com"),
        ("CREDIT_CARD", "４１１１１１１１１１１１１１１１"),
    ],
    '{"a":"x\\n4532276644577020"}': [("CREDIT_CARD", "4532276644577020")],
    "": [],
}


def _found(text: str, types: list[str] = TYPES) -> list[tuple[str, str]]:
    return [(f.type, text[f.start : f.end]) for f in find(pl.Series([text]), types, 0.4, REGIONS)[0] or []]


@pytest.mark.parametrize("text", KNOWN_ANSWERS)
def test_known_answers(text: str) -> None:
    assert _found(text) == KNOWN_ANSWERS[text]


def test_types_off_by_default_are_found_when_named() -> None:
    text = "born 12/27/1986, see https://www.nightagenda.se/x, mac 00:1a:2b:3c:4d:5e, My driver's license number is 481195160"
    assert _found(text) == []
    assert {kind for kind, _ in _found(text, list(KNOWN))} == {"DATE_TIME", "URL", "MAC_ADDRESS", "US_DRIVER_LICENSE"}


def test_of_findings_that_overlap_the_longest_stays_then_the_surest() -> None:
    a, b, c = Found("A", 0, 9, 0.5), Found("B", 5, 20, 0.4), Found("C", 5, 20, 0.6)
    assert resolve([a, b, c]) == [c]
    assert resolve([a, Found("B", 9, 20, 0.4)]) == [a, Found("B", 9, 20, 0.4)]
    assert resolve([]) == []


def test_unknown_types_and_regions_are_named() -> None:
    with pytest.raises(InputError, match="EMAIL_ADDRESS"):
        find(pl.Series(["a"]), ["NAME"], 0.4, REGIONS)
    with pytest.raises(InputError, match="two letters"):
        find(pl.Series(["a"]), TYPES, 0.4, ["XX"])


def test_every_shape_of_the_synthetic_truth_is_found(shared: Path) -> None:
    rows = json.loads((shared / "presidio-synth" / "generated_small.json").read_text(encoding="utf-8"))
    found = find(pl.Series([row["full_text"] for row in rows]), TYPES, 0.4, REGIONS)
    truth = {(i, s["entity_type"], s["start_position"], s["end_position"]) for i, row in enumerate(rows) for s in row["spans"] if s["entity_type"] in TYPES}
    said = {(i, f.type, f.start, f.end) for i, places in enumerate(found) for f in places or []}
    assert len(truth) == 27
    assert truth == said, "each at its very place, and none besides"


HARD = {
    "digits": "1" * 10**6,
    "at signs": "@" * 10**6,
    "a.": "a." * 500_000,
    "a@": "a@" * 500_000,
    "1 ": "1 " * 500_000,
    "numbers": "123 456 789 " * 80_000,
    "begin of tokens": "eyJaaaaaaaaaa-" * 70_000,
    "begin of keys": "-----BEGIN PRIVATE KEY-----" * 10_000,
    "assignments": "api_key=a1" * 100_000,
    "hexadecimal": "0123456789abcdef" * 62_500,
    "1.": "1." * 500_000,
    "ids": " ".join(str((i * 2654435761) % 10**10) for i in range(90_000)),
}


@pytest.mark.parametrize("name", HARD)
def test_a_megabyte_does_not_hang(name: str) -> None:
    find(pl.Series(["a@b.org 1"]), list(KNOWN), 0.4, REGIONS)
    start = time.process_time()
    find(pl.Series([HARD[name]]), list(KNOWN), 0.4, REGIONS)
    assert time.process_time() - start < 12


OFFLINE = """
import socket, sys, warnings
warnings.simplefilter("ignore")
def no(*args, **more):
    print("tried to reach the network", args)
    sys.exit(9)
socket.socket.connect = socket.getaddrinfo = socket.create_connection = no
import polars as pl
from curate.recogniser import KNOWN, REGIONS
from curate.signals.pii import find
print(len(find(pl.Series(["a@b.org +1 415-555-2671 https://x.org/ DE89370400440532013000"]), list(KNOWN), 0.4, REGIONS)[0]))
"""


def test_nothing_is_fetched(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", OFFLINE], env=env, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stdout + done.stderr


def _tiny_ner(folder: Path) -> Path:
    """A token classification model that calls every word beginning with "anna" or "berg" a person."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "anna": 2, "berg": 3}, unk_token="[UNK]"))
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16).save_pretrained(folder)
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    config = BertConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, max_position_embeddings=16, id2label=labels
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.zero_()
            if name.endswith("LayerNorm.weight"):
                weights.fill_(1.0)
        for word, kind in enumerate((0, 0, 1, 2)):
            model.bert.embeddings.word_embeddings.weight[word, kind] = 5.0
        for kind in range(3):
            model.classifier.weight[kind, kind] = 9.0
    model.save_pretrained(folder)
    return folder


def test_a_model_finds_names(tmp_path: Path, workspace: Workspace) -> None:
    model = str(_tiny_ner(tmp_path / "ner"))
    said = "word " * 40 + "Anna Berg wrote to a@b.org"
    pl.DataFrame({"text": [said, None, "nobody"]}).write_parquet(tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace, roles={"response": "text"})
    (task,), (plain,) = plan(data, {"pii": {"ner": model}}), plan(data, {"pii": {}})
    assert task.key != plain.key
    assert (task.model, plain.model) == (model, None)
    assert seconds(task, 1000, 500) > 10 * seconds(plain, 1000, 500)
    measure(data, [task], workspace)
    frame = Scores(data, workspace, (task,)).frame
    assert frame["pii_count"].to_list() == [2, None, 0]
    spans = frame["pii_spans"][0].to_list()
    assert [(s["type"], said[s["start"] : s["end"]]) for s in spans] == [("PERSON", "Anna Berg"), ("EMAIL_ADDRESS", "a@b.org")]
    assert read_json(task.folder(workspace) / "manifest.json")["parameters"]["ner"] == model
    with pytest.raises(InputError, match="cannot be loaded"):
        find(pl.Series(["a"]), TYPES, 0.4, REGIONS, str(tmp_path))
