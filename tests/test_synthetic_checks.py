"""What the synthetic gate measures of a row by itself, and ROUGE-L against a plain loop and published counts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.refusal import KNOWN, language_of, phrase_of, unknown_words
from curate.synthetic.copies import alike_words
from curate.synthetic.fitness import faults, inherited, length_of
from curate.synthetic.gate import _outside
from curate.synthetic.rouge import close_pairs, closest_texts


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Longest common subsequence by the plain table."""
    row = [0] * (len(b) + 1)
    for x in a:
        new = [0]
        for j, y in enumerate(b):
            new.append(row[j] + 1 if x == y else max(row[j + 1], new[j]))
        row = new
    return row[-1]


def _rouge(a: str, b: str) -> float:
    one, other = (re.findall("[a-z0-9]+", t.lower()) for t in (a, b))
    return 2 * _common(one, other) / (len(one) + len(other)) if one and other else 0.0


def test_rouge_equals_a_plain_loop_on_runs_of_any_length() -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choice("abcdefgh") for _ in range(rng.choice((0, 1, 3, 9, 63, 64, 65, 130)))) for _ in range(32)]
    asked, pool = texts[:12], texts[12:]
    best, place = closest_texts(pl.Series(asked), pl.Series(pool))
    for i, text in enumerate(asked):
        plain = [_rouge(text, other) for other in pool]
        assert best[i] == pytest.approx(max(plain), abs=1e-12)
        assert place[i] == (int(np.argmax(plain)) if max(plain) else -1)
    a, b, score = close_pairs(pl.Series(texts), 0.6)
    plain_pairs = {(i, j): s for j in range(32) for i in range(j) if (s := _rouge(texts[i], texts[j])) >= 0.6}
    assert dict(zip(zip(a.tolist(), b.tolist(), strict=True), score.tolist(), strict=True)) == pytest.approx(plain_pairs)


def test_words_shared_with_the_closest_text_equal_a_plain_loop() -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.choice("abc") for _ in range(rng.choice((0, 1, 2, 3, 6, 9)))) for _ in range(40)]
    sets = [{tuple(w[i : i + 3]) for i in range(max(1, len(w) - 2))} if (w := t.split()) else set() for t in texts]
    plain = [[len(x & y) / len(x | y) if x | y else 0.0 for y in sets] for x in sets]
    best, place, (a, b, similarity) = alike_words(pl.Series([t or None for t in texts]), 15)
    for i in range(15):
        assert best[i] == pytest.approx(max(plain[i][15:]))
        assert place[i] == (int(np.argmax(plain[i][15:])) if max(plain[i][15:]) else -1)
    assert {(int(i), int(j)): s for i, j, s in zip(a, b, similarity, strict=True)} == pytest.approx(
        {(i, j): plain[i][j] for j in range(15) for i in range(j) if plain[i][j] >= 0.5}
    )


def test_rouge_finds_what_self_instruct_says(shared: Path) -> None:
    names = "seed_tasks.jsonl", "user_oriented_instructions.jsonl"
    texts = [(shared / "self-instruct" / name).read_text(encoding="utf-8").splitlines() for name in names]
    seeds, users = ([json.loads(line)["instruction"] for line in lines] for lines in texts)
    assert int((closest_texts(pl.Series(users), pl.Series(seeds))[0] >= 0.7).sum()) == 3
    assert len({*close_pairs(pl.Series(seeds), 0.7)[1].tolist()}) == 2


def test_forms_and_phrases_are_told_and_plain_texts_are_not() -> None:
    plain = {"prompt": "Name a river.", "context": None, "response": "The Elbe. I am sorry it is short; here is where it begins."}
    assert faults(plain, ("prompt", "response")) == []
    assert phrase_of(plain) is None
    for change, word in (({"response": " "}, "empty"), ({"response": "a {{topic}} b"}, "{{topic}}"), ({"response": "```py\nx"}, "does not end"),
                         ({"response": "no " * 12}, "repeats"), ({"prompt": "x y", "response": "x y"}, "is the prompt")):  # fmt: skip
        assert any(word in fault for fault in faults({**plain, **change}, ("prompt", "response"))), change
    refusals = [
        "As an AI language model, I think so.",
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this.",
        "Sure! Here is the rewritten text:",
        "Here's a paraphrase of the question: who?",
        "Paris. Let me know if you need more.",
    ]
    assert [r for r in refusals if phrase_of({**plain, "response": r}) is None] == []


def test_refusals_of_four_languages_are_told_and_others_are_counted() -> None:
    said = {
        "de": ("Als KI-Sprachmodell kann ich keine Meinung haben.", "Es tut mir leid, aber ich kann dir dabei nicht helfen.", "Natürlich! Hier ist der Text:",
               "Leider kann ich diese Anfrage nicht beantworten.", "Paris. Ich hoffe, das hilft!"),
        "fr": ("En tant que modèle de langage, je n'ai pas d'avis.", "Je suis désolé, mais je ne peux pas vous aider.", "Bien sûr ! Voici le texte :",
               "Voici une nouvelle version de la question : qui ?", "Paris. N'hésitez pas à me demander plus."),
        "es": ("Como modelo de lenguaje, no puedo opinar.", "Lo siento, pero no puedo ayudarte con eso.", "¡Claro! Aquí tienes el texto:",
               "Soy una IA y no lo sé.", "París. Espero que esto te ayude."),
    }  # fmt: skip
    row = {"prompt": "x", "context": None}
    assert [t for texts in said.values() for t in texts if phrase_of({**row, "response": t}) is None] == []
    plain = ("Viele nutzen Verfahren wie künstliche Intelligenz, bekannt als KI.", "Das Gerät lässt sich nicht erstellen.", "Hier ist die Elbe am breitesten.",
             "Il est désolé de partir. Voici la mer.", "Tecnologías como inteligencia artificial y robots.", "Aquí está el río.")  # fmt: skip
    assert [t for t in plain if phrase_of({**row, "response": t})] == []
    long = {"de": "Der Fluss fließt langsam durch das Tal und mündet später in die Nordsee.", "it": "Il fiume scorre lento nella valle e poi sfocia nel mare."}
    assert {code: language_of(text) for code, text in long.items()} == {"de": "de", "it": "it"}
    assert language_of("Elbe.") is None
    assert unknown_words(["it", "it", "de", None]).startswith("2 rows are in languages of which no refusal is known (it 2)")
    assert unknown_words([*KNOWN, None]) == ""


def test_licences_of_all_parents_are_inherited_and_an_unknown_one_stays_unknown() -> None:
    held = {"a": "MIT", "b": "CC-BY-NC-4.0", "c": None, "d": "MIT OR Apache-2.0"}
    assert inherited([["a"], ["a", "b"], ["a", "c"], [], ["d", "b"]], [None, None, None, "MIT", None], held) == [
        "MIT", "CC-BY-NC-4.0 AND MIT", None, "MIT", "CC-BY-NC-4.0 AND (MIT OR Apache-2.0)",
    ]  # fmt: skip


def test_a_text_without_spaces_is_as_long_as_its_characters() -> None:
    texts = pl.Series(["two words", "你好吗", "用 GPU 算", "ไทย", " ", None])
    assert length_of(texts).to_list() == [2, 3, 3, 3, 0, None]


def test_a_length_outside_its_band_names_what_is_counted_and_whole_numbers() -> None:
    assert _outside("length", 2, (3.2, 51.01)) == "length 2 (words; characters where a script has no spaces), under 4"
    assert _outside("length", 52, (3.2, 51.01)).endswith(", over 51")
    assert _outside("length", 2, (4.0, None)).endswith(", under 4"), "an open end"
    assert _outside("perplexity", 7.25, (8.5, 90.0)) == "perplexity 7.25, under 8.5"
