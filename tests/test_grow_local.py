"""Growing by a language model on this machine: one with random weights here, so that what it says does not matter."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from curate.synthetic.generator import Ask, Opened, Options, Parent, discover
from curate.synthetic.limits import Purse, Stop
from curate.synthetic.prompt import Prompt
from tests.tiny import tiny_language_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("model") / "tiny"))


def _opened(model: str, **options: Any) -> Opened:
    return discover()["local"].open(Options(model=model, **{"most": 20, **options}), tuple)


def _asks(*texts: str) -> list[Ask]:
    parents = [Parent(str(i), text, None, None, None, None, None) for i, text in enumerate(texts)]
    return [Ask(i, "any", "any", "", (p,), ("prompt",), Prompt("small", "{{examples}}"), 5 + i) for i, p in enumerate(parents)]


def test_the_same_seed_writes_the_same_and_others_chance_is_left_alone(model: str) -> None:
    opened, asks = _opened(model), _asks("the array", "the shape of the array")
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first = opened.write(asks, Purse(), Stop())
    assert torch.equal(torch.random.get_rng_state(), state)
    again = opened.write(asks, Purse(), Stop())
    assert [(w.texts, w.failed) for w in first] == [(w.texts, w.failed) for w in again]
    assert all(w.model == model and w.cost == 0 for w in first)
    assert opened.batch > 1
    assert opened.at_once == 1


def test_what_is_written_ends_with_its_tag_and_is_read(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.synthetic.generators import local

    seen: list[str] = []

    def write_on(self: local._Writer, asked: list[str], ends: list[list[str]], seed: int) -> list[str]:
        del self, ends, seed
        seen.extend(asked)
        return ["a new one</prompt> and much more <prompt>x</prompt>", "it never ends"]

    monkeypatch.setattr(local._Writer, "write_on", write_on)
    one, other = _opened(model).write(_asks("the array", "the shape"), Purse(), Stop())
    assert (one.texts, other.failed) == ({"prompt": "a new one"}, "the answer's <prompt> is not closed")
    assert all(said.endswith("<prompt>") and "<prompt>the " in said for said in seen)


def test_writing_stops_at_the_end_that_is_wanted(model: str) -> None:
    from curate.models import speaking_model
    from curate.synthetic.generators.local import _Writer

    writer = _Writer(*speaking_model(model), Options(most=40, temperature=0.0))
    (whole,) = writer.write_on(["the array of"], [["\0never\0"]], 0)
    end = whole[10:13]
    (cut,) = writer.write_on(["the array of"], [[end]], 0)
    assert len(cut) < len(whole)
    assert whole.startswith(cut)
    assert end in cut
    alone = [writer.write_on([text], [["\0never\0"]], 0)[0] for text in ("the array", "the values and the shape of")]
    assert writer.write_on(["the array", "the values and the shape of"], [["\0never\0"]] * 2, 0) == alone  # padding changes nothing


def test_examples_that_do_not_fit_are_told(model: str) -> None:
    (long, short) = _opened(model).write(_asks("the shape " * 200, "the array"), Purse(), Stop())
    assert long.failed == "the examples are longer than the model reads"
    assert short.failed != long.failed
