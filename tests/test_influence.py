"""Influence against the truth: rows left out and trained anew, Shapley values by their definition, plain autograd, inner products kept."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest

from curate.datainf import cosines, datainf, unit
from curate.errors import InputError
from curate.export import run
from curate.influence import columns_of
from curate.language_model import Passage
from curate.leave_out import effects, fit, losses, settled
from curate.models import language_model, own_language_model
from curate.scores import read_scores
from curate.selection import unmeasured
from curate.shapley import shapley
from curate.signal import discover, owner_of, reporting
from curate.tuning.adapting import Adapted
from curate.tuning.gradient import _Projection, adapted, components, gradients, slopes, warm_up
from tests.small import recipe_file
from tests.tiny import tiny_language_model

Floats = npt.NDArray[np.float32]


def _drawn(rng: np.random.Generator, rows: int, wide: int) -> Floats:
    found = rng.normal(size=(rows, wide)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@pytest.mark.parametrize("c", [1.0, 5.0])
def test_leaving_a_row_out_is_foretold(c: float) -> None:
    """Pearson with true retraining on 400 rows, of each of two domains and of each single validation row."""
    rng = np.random.default_rng(0)
    vectors, other, truth = _drawn(rng, 400, 12), _drawn(rng, 60, 12), rng.normal(size=(12, 3)) * 4
    code, wanted = ((v @ truth + rng.gumbel(size=(len(v), 3))).argmax(1).astype(np.int32) for v in (vectors, other))
    at = fit(vectors, code, 3, c)
    told = np.concatenate([block for _, block in effects(at, other, wanted)])
    target, every = np.eye(3)[code], np.arange(400)
    anew = [replace(at, weights=settled(at.x[every != i], target[every != i], c, at.weights)[0]) for i in every]
    true = np.stack([losses(one, other, wanted) for one in anew]) - losses(at, other, wanted)
    for domain in (slice(0, 30), slice(30, 60)):
        assert np.corrcoef(told[:, domain].mean(1), true[:, domain].mean(1))[0, 1] >= 0.999
    assert np.corrcoef(told.ravel(), true.ravel())[0, 1] >= 0.999
    assert np.polyfit(told.ravel(), true.ravel(), 1)[0] == pytest.approx(1, abs=0.02), "the scale is right too"


def test_with_many_weights_classes_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors, other = _drawn(rng, 200, 8), _drawn(rng, 20, 8)
    code, wanted = (v[:, :3].argmax(1).astype(np.int32) for v in (vectors, other))
    whole = np.concatenate([b for _, b in effects(fit(vectors, code, 3), other, wanted)])
    monkeypatch.setattr("curate.leave_out.DENSE", 1)
    at = fit(vectors, code, 3)
    parted = np.concatenate([b for _, b in effects(at, other, wanted)])
    assert not at.whole
    assert np.corrcoef(whole.ravel(), parted.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(("rows", "k"), [(7, 3), (6, 1), (4, 5), (1, 2)])
def test_shapley_values_are_those_of_the_definition(rows: int, k: int) -> None:
    rng = np.random.default_rng(rows)
    vectors, other = _drawn(rng, rows, 5), _drawn(rng, 6, 5)
    code, wanted = (rng.integers(0, 2, n).astype(np.int32) for n in (rows, 6))
    domain = np.array([0, 1, 0, -1, 1, 0], np.int32)
    found, touched = shapley(vectors, code, other, wanted, domain, k)

    def worth(some: tuple[int, ...], j: int) -> float:
        near = sorted(some, key=lambda i: (-float(vectors[i] @ other[j]), i))[:k]
        return float(sum(code[i] == wanted[j] for i in near) / k)

    true = np.zeros((6, rows))
    for j, i in itertools.product(range(6), range(rows)):
        rest = [r for r in range(rows) if r != i]
        for m in range(rows):
            share = math.factorial(m) * math.factorial(rows - m - 1) / math.factorial(rows)
            true[j, i] += share * sum(worth((*some, i), j) - worth(some, j) for some in itertools.combinations(rest, m))
    assert found == pytest.approx(np.stack([true[domain == d].sum(0) for d in (0, 1, -1)]), abs=1e-12)
    most = true.max(0)
    assert touched.helped_by[:, 0] == pytest.approx(np.where(most > 0, most, 0), abs=1e-6)
    assert touched.harmed_by[:, 0] == pytest.approx(np.where(true.min(0) < 0, -true.min(0), 0), abs=1e-6)
    assert true[touched.helped[:, 0], range(rows)][most > 0] == pytest.approx(most[most > 0])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_language_model(tmp_path_factory.mktemp("tiny")))


def _asked(count: int, seed: int = 0) -> list[Passage]:
    rng = np.random.default_rng(seed)
    return [Passage(tuple(rng.integers(1, 300, 4 + i % 9).tolist()), 1 + i % 3) for i in range(count)]


def _adapted(model: str, folder: Path, top: int, rank: int) -> Adapted:
    return adapted(own_language_model(model), top, rank, 0, folder)


@pytest.mark.parametrize("top", [1, 2])
def test_slopes_of_a_batch_are_those_of_each_row_by_itself(model: str, tmp_path: Path, top: int) -> None:
    """Against autograd on one row at a time through the plain model, the adapter added to its weights; and so are they, projected, in groups on threads."""
    import torch
    from torch.nn import functional

    language, rows, tuned = language_model(model), _asked(6), _adapted(model, tmp_path, top, 2)
    assert tuned.halves.cut == (top == 1)
    before = warm_up(tuned, rows, 1, 0)
    assert warm_up(tuned, rows, 30, 0) < before, "it learns"
    found = slopes(tuned, rows)
    names = [f"layers.{at}.self_attn.{part}_proj" for at in range(2 - top, 2) for part in ("q", "v")]
    every, layers = dict(language.body.named_modules()), dict(tuned.halves.language.body.named_modules())
    assert len(found) == len(names)
    assert components(tuned).tolist() == [part.shape[1] for part in found]
    projected = gradients(tuned, rows, 16, 5, (0, 1))
    for i, row in enumerate(rows):
        halves = {n: [getattr(layers[n], h)["default"].weight.detach().clone().requires_grad_() for h in ("lora_A", "lora_B")] for n in names}
        changed = {f"{n}.weight": every[n].weight.detach() + 2 * up @ down for n, (down, up) in halves.items()}
        ids = torch.tensor(row.tokens)
        hidden = torch.func.functional_call(language.body, changed, (), {"input_ids": ids[None], "use_cache": False})[0][0]
        functional.cross_entropy(language.head(hidden[row.start - 1 : -1]), ids[row.start :]).backward()  # type: ignore[no-untyped-call]
        true = [torch.cat([(half.grad if half.grad is not None else half).flatten() for half in halves[name]]) for name in names]
        for mine, one in zip(found, true, strict=True):
            assert mine[i].numpy() == pytest.approx(one.numpy(), abs=2e-5, rel=1e-3)
        small = _Projection([len(one) for one in true], 16, 5).of([one[None] for one in true])
        assert projected[i] == pytest.approx(small[0].numpy(), abs=1e-4, rel=1e-3)


def test_the_projection_keeps_inner_products(model: str, tmp_path: Path) -> None:
    rows, tuned = _asked(24), _adapted(model, tmp_path, 2, 8)
    warm_up(tuned, rows, 10, 0)
    whole = np.concatenate([part.numpy() for part in slopes(tuned, rows)], 1)
    small = gradients(tuned, rows, 512, 3, (0, 1)).reshape(24, -1)
    length = np.linalg.norm(whole, axis=1)
    true, kept = ((v @ v.T) / np.outer(length, length) for v in (whole, small))
    assert np.abs(true - kept).max() < 0.2, "five deviations of 1 / √512"
    assert np.abs(true - kept).mean() < 0.04


def test_datainf_is_the_mean_of_inverses() -> None:
    """By the definition: (λ I + gᵢgᵢᵀ)⁻¹ of every row, layer by layer."""
    rng = np.random.default_rng(3)
    rows, domains, many = rng.normal(size=(9, 2, 4)).astype(np.float32), rng.normal(size=(2, 2, 4)).astype(np.float32), np.array([40, 20])
    true = np.zeros((2, 9))
    for layer in range(2):
        g = rows[:, layer].astype(np.float64)
        weight = 0.1 * (g**2).sum(1).mean() / many[layer]
        inverse = np.mean([np.linalg.inv(weight * np.eye(4) + np.outer(one, one)) for one in g], axis=0)
        true += domains[:, layer] @ inverse @ unit(rows)[:, layer].T
    assert datainf(rows, domains, many) == pytest.approx(true, rel=1e-4)
    assert datainf(2 * rows, domains, many) * 4 == pytest.approx(datainf(rows, domains, many), rel=1e-4), "a row's own length does not count"
    assert cosines(7 * rows, domains) == pytest.approx(cosines(rows, domains), abs=1e-6)


def test_domains_name_columns() -> None:
    assert columns_of(["Sci/Tech", "sci tech", "all", "Shapley 1", "été", "日本"]) == [
        "all",
        "sci_tech",
        "sci_tech_2",
        "domain_all",
        "domain_shapley_1",
        "t",
        "other",
    ]
    assert [getattr(owner_of(n), "name", None) for n in ("influence_x", "influence_shapley_x", "influence_gradient_cosine_x", "influence_gradient_x")] == [
        "influence",
        "influence_shapley",
        "influence_gradient",
        "influence",
    ]


FRUIT, CAR = ("apple", "pear", "cherry", "plum", "peach"), ("engine", "brake", "tyre", "clutch", "gearbox")


def _rows() -> list[dict[str, str]]:
    """Forty rows on fruit, forty on cars, three under the other label; every fifth is of the test split, and row 1 has the words of test row 0."""
    found = []
    for i in range(80):
        word, kind = (FRUIT[i % 5], "fruit") if i < 40 else (CAR[i % 5], "car")
        said = f"I ate a ripe {word} from orchard {i} today" if i < 40 else f"The mechanic repaired the {word} of vehicle {i}"
        kind = {"fruit": "car", "car": "fruit"}[kind] if i in (3, 17, 56) else kind
        found.append({"text": said, "label": kind, "split": "train" if i % 5 else "test", "part": "A/B" if i % 10 else "C"})
    found[1]["text"] = found[0]["text"].upper()
    return found


ASKED: dict[str, Any] = {"slice": "split=test", "domain": "part"}
ROLES = {"response": "text", "label": "label", "split": "split"}


@pytest.mark.parametrize("name", ["influence", "influence_shapley", "influence_gradient"])
def test_it_is_a_signal_like_any_other(name: str, tmp_path: Path, model: str) -> None:
    """Columns of domains filter, rank and reach the file; validation rows and rows that hold one are null; wrong labels are the most harmful."""
    more = {"model": model, "steps": 2, "size": 16} if name == "influence_gradient" else {}
    signals = {name: {**ASKED, **more}, **({} if more else {"embedding": {"model": "wordllama"}})}
    column = f"{name}_cosine_all" if more else f"{name}_all"
    recipe, workspace, data = recipe_file(tmp_path, _rows(), ROLES, signals)
    scores = read_scores(data, recipe, workspace)
    ends = ("all", "a_b", "c")
    starts = [c.name[:-1] for c in discover()[name].columns]
    assert [c.name for c in scores.columns[name]] == [s + e for s in starts for e in ends]
    null = scores.frame[column].is_null().to_list()
    assert null == [i % 5 == 0 or i == 1 for i in range(80)]
    if not more:
        worst = scores.frame.with_row_index().drop_nulls(column).sort(column)["index"].head(3)
        assert {*worst} <= {3, 17, 56}
    domains = scores.attached(name, "domains")
    assert domains is not None
    assert domains["rows"].to_list() == [16, 8, 8]
    touched, validation = scores.attached(name, "touched"), scores.attached(name, "validation")
    assert touched is not None
    assert validation is not None
    assert len(touched) == 80
    assert set(touched["helped"].explode().to_list()) <= {*range(-1, len(validation))}
    limit = float(np.nanquantile(scores.frame[column].cast(float).to_numpy(), 0.2))
    parts = {"thresholds": {column: {"keep": "above", "limit": limit}}, "rank": {"score": f"{starts[0]}c"}}
    whole = recipe.model_validate({**recipe.model_dump(), **parts})
    assert unmeasured(scores, whole) == {}
    out = run(whole, workspace, tmp_path / "out", key=data.key).out
    decided = pl.read_parquet(out / "decisions.parquet")
    assert decided[column].equals(scores.frame[column])
    assert decided[f"drop_{column}"].sum() == (scores.frame[column] < limit).sum()
    absent = recipe.model_validate({**recipe.model_dump(), "thresholds": {f"{starts[0]}none": {"keep": "above", "limit": 0}}})
    assert "is not among what" in unmeasured(scores, absent)[f"{starts[0]}none"]


def test_validation_may_be_another_file_or_a_share(tmp_path: Path) -> None:
    rows = _rows()
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows if r["split"] == "test"), encoding="utf-8")
    signals = {"embedding": {"model": "wordllama"}, "influence": {"reference": str(tmp_path / "test.jsonl"), "domain": "label"}}
    recipe, workspace, data = recipe_file(tmp_path, rows, ROLES, signals)
    scores = read_scores(data, recipe, workspace)
    found = scores.frame
    assert found["influence_fruit"].is_null().sum() == 17, "the rows of the file, and the one with the words of one of them"
    told = scores.measured["influence"].manifest(workspace)["notes"]
    assert told["leaked rows"] == 17
    recipe, workspace, data = recipe_file(tmp_path, rows, ROLES, {"embedding": {"model": "wordllama"}, "influence": {"share": 0.2}})
    assert 16 <= read_scores(data, recipe, workspace).frame["influence_all"].is_null().sum() <= 17


def test_without_validation_nothing_is_measured_and_two_ways_at_once_are_refused() -> None:
    signal = discover()["influence"]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(_drawn(np.random.default_rng(0), 4, 3).ravel()), 3)
    columns = {"text": ["a b", "c d", "e f", "g h"], "label": ["x", "y", "x", "y"], "slice": ["t", "t", "t", "t"]}
    table = pa.table({**columns, "embedding_vector": vectors, "domain": pa.nulls(4), "cluster_number": pa.nulls(4)})
    assert signal.compute(table).column_names == ["influence_all"]
    for given, what in (({"share": 0.5, "slice": "a=t"}, "more than one"), ({"slice": "a=u"}, "no row has"), ({"share": 2.0}, "no share")):
        with pytest.raises(InputError, match=what), reporting(None):
            signal.compute(table, **given)
