"""Licences: what people write is read, terms are known, a policy is applied rightly, and free copies of strict rows are found."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.conflict import conflicts
from curate.errors import InputError
from curate.export import run
from curate.license import evaluate, is_known, leaves, parse, terms_of
from curate.load import load
from curate.measure import measure
from curate.part import LicensePolicy
from curate.policy import VERDICTS, verdict, verdicts
from curate.recipe import dump_recipe, load_recipe, parse_recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import select
from curate.signal import Pairs
from curate.signals.license import SIGNAL
from curate.task import plan
from curate.workspace import Workspace

MEANT = {
    "apache 2": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "https://www.apache.org/licenses/LICENSE-2.0": "Apache-2.0",
    "cc by-nc 4.0": "CC-BY-NC-4.0",
    "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International": "CC-BY-NC-SA-4.0",
    "https://creativecommons.org/licenses/by-sa/3.0/deed.en": "CC-BY-SA-3.0",
    "http://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "CC-BY-NC": "LicenseRef-CC-BY-NC",
    "MIT License": "MIT",
    "https://opensource.org/licenses/MIT": "MIT",
    "opensource.org/license/bsd-3-clause": "BSD-3-Clause",
    "GPL-3.0": "GPL-3.0-only",
    "GPLv3+": "GPL-3.0-or-later",
    "GNU General Public License v3 or later": "GPL-3.0-or-later",
    "mit or apache-2.0": "MIT OR Apache-2.0",
    "MIT/Apache-2.0": "MIT OR Apache-2.0",
    "(MIT AND cc-by-4.0) or gpl-3.0": "(MIT AND CC-BY-4.0) OR GPL-3.0-only",
    "GPL-2.0-only WITH Classpath-exception-2.0": "GPL-2.0-only WITH Classpath-exception-2.0",
    "cdla-permissive-2.0": "CDLA-Permissive-2.0",
    "openrail": "LicenseRef-OpenRAIL",
    "llama3.1": "LicenseRef-scancode-llama-3.1-license-2024",
    "other": "LicenseRef-other",
    "my own terms!": "LicenseRef-my-own-terms",
    "MIT AND (": "LicenseRef-MIT-AND",
    "unknown": None,
    " ": None,
    "N/A": None,
}
TERMS = {
    "MIT": (True, False),
    "CC0-1.0": (True, False),
    "CC-BY-4.0": (True, False),
    "CC-BY-ND-4.0": (True, False),
    "CC-BY-SA-4.0": (True, True),
    "CC-BY-NC-4.0": (False, False),
    "CC-BY-NC-SA-4.0": (False, True),
    "LicenseRef-CC-BY-NC-SA": (False, True),
    "GPL-3.0-only": (True, True),
    "ODbL-1.0": (True, True),
    "PolyForm-Noncommercial-1.0.0": (False, False),
    "LicenseRef-scancode-polyform-free-trial-1.0.0": (None, None),
    "LicenseRef-OpenRAIL": (True, None),
    "LicenseRef-scancode-llama-3.1-license-2024": (None, None),
    "LicenseRef-my-own-terms": (None, None),
    "MIT OR CC-BY-NC-SA-4.0": (True, False),
    "MIT AND CC-BY-NC-SA-4.0": (False, True),
    "MIT AND LicenseRef-x": (None, None),
    "MIT OR LicenseRef-x": (True, False),
    "CC-BY-NC-4.0 AND LicenseRef-x": (False, None),
    "GPL-2.0-only WITH Classpath-exception-2.0": (True, True),
}


@pytest.mark.parametrize(("said", "meant"), MEANT.items())
def test_what_people_write_is_read(said: str, meant: str | None) -> None:
    assert parse(said) == meant
    assert meant is None or parse(meant) == meant, "reading it again changes nothing"


@pytest.mark.parametrize(("spdx", "known"), TERMS.items())
def test_terms(spdx: str, known: tuple[bool | None, bool | None]) -> None:
    assert terms_of(spdx) == known


@given(st.text(max_size=40))
def test_no_text_is_refused(said: str) -> None:
    found = parse(said)
    if found is not None:
        assert parse(found) is not None
        assert terms_of(found)[0] in (True, False, None)
        assert leaves(found)


def test_a_license_ref_that_is_not_known_is_said_to_be_unknown() -> None:
    assert [is_known(k) for k in ("MIT", "LicenseRef-OpenRAIL", "LicenseRef-CC-BY-NC", "LicenseRef-other")] == [True, True, True, False]
    assert is_known("LicenseRef-my-nc-terms") is False, "what somebody calls their own terms tells nothing"


def _batch(license_: list[str | None], source: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"license": pa.array(license_, pa.large_string()), "source": pa.array(source, pa.large_string())})


def _read(*args: Any, **parameters: Any) -> pl.DataFrame:
    frame = pl.from_arrow(SIGNAL.compute(_batch(*args), **parameters))
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_the_column_comes_before_the_table_before_the_default() -> None:
    said = ["MIT", "unknown", None, "odd terms"], ["web", "web", "books", None]
    found = _read(*said, by_source={"web": "cc-by-sa-4.0"}, default="cc0")
    assert found["license_spdx"].to_list() == ["MIT", "CC-BY-SA-4.0", "CC0-1.0", "LicenseRef-odd-terms"]
    assert found["license_origin"].to_list() == ["column", "source", "default", "column"]
    assert found["license_unknown"].to_list() == [False, False, False, True]
    assert _read(*said)["license_spdx"].to_list() == ["MIT", None, None, "LicenseRef-odd-terms"]
    with pytest.raises(InputError, match="no table"):
        _read(*said, by_source=["web"])


def test_a_dataset_without_either_role_needs_the_default(shared: Path, workspace: Workspace) -> None:
    """code-alpaca is CC BY-NC: under the policy "commercial use" every row goes, but for those that a person keeps."""
    path = str(shared / "code-alpaca" / "code_alpaca_2k.json")
    data = load(path, workspace)
    assert "or the parameter default" in str(plan(data, {"license": {}})[0].skip)
    given = {"dataset": {"path": path}, "signals": {"license": {"default": "CC-BY-NC-4.0"}}, "licenses": {"commercial": True}}
    recipe = parse_recipe(given, "r")
    tasks = plan(data, recipe.signals)
    measure(data, tasks, workspace, "inline")
    scores = Scores(data, workspace, tasks)
    found = select(scores, recipe)
    assert found.funnel == (("license", data.rows, 0),)
    ids = tuple(scores.frame["row_id"].head(3))
    assert select(scores, recipe, [Review("keep", "t", rows=ids)]).kept == 3


KEYS = ("MIT", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "GPL-3.0-only", "LicenseRef-odd")


def test_a_policy_says_of_each_licence_what_its_parts_say() -> None:
    commercial = LicensePolicy(commercial=True)
    assert [verdict(k, commercial) for k in KEYS] == ["allow", "allow", "allow", "deny", "allow", "review"]
    strict = LicensePolicy(commercial=True, share_alike="deny", unknown="drop")
    assert [verdict(k, strict) for k in (*KEYS, None)] == ["allow", "allow", "deny", "deny", "deny", "deny", "deny"]
    lists = LicensePolicy(allow=("MIT",), deny=("gpl-*",), review=("CC-BY-4.0",), others="drop", unknown="keep")
    assert [verdict(k, lists) for k in (*KEYS, None)] == ["allow", "review", "deny", "deny", "deny", "allow", "allow"]
    assert [verdict(k, LicensePolicy()) for k in (*KEYS, None)] == ["allow"] * 5 + ["review"] * 2


def test_of_or_the_best_and_of_and_the_worst_by_one_choice_for_all_terms() -> None:
    strict = LicensePolicy(commercial=True, share_alike="deny")
    assert verdict("MIT OR GPL-3.0-only", strict) == "allow"
    assert verdict("MIT AND GPL-3.0-only", strict) == "deny"
    assert verdict("CC-BY-NC-4.0 OR GPL-3.0-only", strict) == "deny", "neither choice keeps to both terms, though each term has a choice"
    assert terms_of("CC-BY-NC-4.0 OR GPL-3.0-only") == (True, False)
    assert verdict("MIT OR (CC-BY-NC-4.0 AND LicenseRef-x)", strict) == "allow"
    assert verdict("GPL-2.0-only WITH Classpath-exception-2.0", LicensePolicy(deny=("GPL-2.0-only",))) == "deny"
    own = LicensePolicy(deny=("GPL-*",), allow=(), review=())
    assert verdict("GPL-2.0-only WITH Classpath-exception-2.0", own) == "deny"


def test_a_stricter_policy_never_keeps_more() -> None:
    expressions = [*KEYS, *(f"{a} {op} {b}" for a, b in itertools.combinations(KEYS, 2) for op in ("AND", "OR")), None]
    levels = [
        LicensePolicy(unknown="keep"),
        LicensePolicy(commercial=True, unknown="review"),
        LicensePolicy(commercial=True, share_alike="review", unknown="review"),
        LicensePolicy(commercial=True, share_alike="deny", unknown="drop"),
    ]
    for one, two in itertools.pairwise(levels):
        assert all(VERDICTS.index(verdict(e, one)) <= VERDICTS.index(verdict(e, two)) for e in expressions)
    column = pl.Series(expressions * 3, dtype=pl.String)
    assert verdicts(column, levels[2]).tolist() == [VERDICTS.index(verdict(e, levels[2])) for e in expressions] * 3


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"allow": ["MIT"], "deny": ["MIT"]}, "allow names MIT, which deny takes before it"),
        ({"allow": ["CC-BY-SA-4.0"], "deny": ["cc-by-*"]}, "which deny takes before it"),
        ({"allow": ["CC-BY-NC-4.0"], "commercial": True}, "forbids the commercial use"),
        ({"allow": ["GPL-3.0-only"], "share_alike": "deny"}, "share-alike that is denied"),
        ({"deny": ["gpl3"]}, "deny names 'gpl3'"),
        ({"allow": ["MIT License"]}, "write MIT"),
        ({"allow": ["MIT OR ISC"]}, "allow names 'MIT OR ISC'"),
        ({"unknown": "stay"}, "Input should be"),
        ({"alow": ["MIT"]}, "Valid ones are allow"),
    ],
)
def test_a_policy_that_contradicts_itself_is_told(policy: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=r"licenses") as error:
        parse_recipe({"dataset": {"path": "x"}, "licenses": policy}, "r")
    assert why in str(error.value)


def test_a_recipe_with_a_policy(tmp_path: Path) -> None:
    rows = [{"prompt": f"row {i}", "license": said} for i, said in enumerate(["MIT", "cc-by-nc-4.0", "odd", None, "MIT OR cc-by-nc-4.0"])]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "r.yaml"
    path.write_text("dataset: {path: rows.jsonl}\nlicenses: {commercial: true, unknown: drop}\n")
    recipe = load_recipe(path)
    assert "license" in recipe.signals
    path.write_text(dump_recipe(recipe))
    assert load_recipe(path) == recipe
    out = run(recipe, Workspace.at(tmp_path / "workspace"), tmp_path / "out", "inline")
    assert out.dropped == {"license": 3}
    decisions = pl.read_parquet(out.out / "decisions.parquet")
    assert decisions["drop_license"].to_list() == [False, True, True, True, False]
    with pytest.raises(InputError, match="another step of the funnel"):
        parse_recipe({"dataset": {"path": "x"}, "thresholds": {"license": {"keep": "below", "limit": 1}}}, "r")


def _by_hand(pairs: Pairs, limit: float, free: Any, strict: Any) -> list[tuple[int, int, float]]:
    """Brute force: every row with every other."""
    alike = {(int(a), int(b)): float(s) for a, b, s in zip(pairs.a, pairs.b, pairs.similarity, strict=True)}
    found = []
    for i in np.flatnonzero(free).tolist():
        options: list[tuple[bool, float, int]] = []
        for j in np.flatnonzero(strict).tolist():
            a, b = int(pairs.twin[i]), int(pairs.twin[j])
            s = 0.0 if min(a, b) < 0 else 1.0 if a == b else alike.get((min(a, b), max(a, b)), 0.0)
            if s >= limit and s > 0:
                options.append((a != b, -s, j))
        if options:
            _, s, j = min(options)
            found.append((i, j, -s))
    return found


@given(st.integers(0, 2**32 - 1))
def test_free_copies_of_strict_rows_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 14))
    classes = rng.integers(0, n, n)
    twin = np.array([int(np.flatnonzero(classes == c)[0]) for c in classes], np.int32)
    twin[(rng.random(n) < 0.1)[twin]] = -1
    firsts = sorted({int(t) for t in twin if t >= 0})
    ends = [(a, b) for a, b in itertools.combinations(firsts, 2) if rng.random() < 0.5]
    a, b = (np.array([e[k] for e in ends], np.int32) for k in (0, 1))
    pairs = Pairs(twin, a, b, rng.choice(np.array([0.5, 0.75, 0.9], np.float32), len(ends)))
    terms = rng.integers(0, 3, n)
    found = conflicts(pairs, 0.75, terms == 0, terms == 1)
    assert list(found.iter_rows()) == [(i, j, pytest.approx(s)) for i, j, s in _by_hand(pairs, 0.75, terms == 0, terms == 1)]


def test_conflicts_of_a_million_rows_take_moments() -> None:
    rng = np.random.default_rng(0)
    n, m = 1_000_000, 2_000_000
    ends = np.sort(rng.integers(0, n, (m, 2)).astype(np.int32), axis=1)
    ends = ends[ends[:, 0] < ends[:, 1]]
    pairs = Pairs(np.arange(n, dtype=np.int32), ends[:, 0].copy(), ends[:, 1].copy(), rng.random(len(ends), np.float32))
    terms = rng.integers(0, 3, n)
    start = time.process_time()
    found = conflicts(pairs, 0.8, terms == 0, terms == 1)
    assert time.process_time() - start < 5
    assert len(found) > 10_000
    assert (terms[found["row"]] == 0).all()
    assert (terms[found["other"]] == 1).all()


def test_expressions_are_walked_by_their_brackets() -> None:
    said = evaluate("MIT OR (ISC AND GPL-2.0-only WITH Classpath-exception-2.0)", str, lambda p: f"all({', '.join(p)})", lambda p: f"one({', '.join(p)})")
    assert said == "one(MIT, all(ISC, GPL-2.0-only WITH Classpath-exception-2.0))"
