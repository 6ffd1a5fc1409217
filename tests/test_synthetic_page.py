"""The page of generated rows: nothing there, not checked, failed, checked, limits that move, the reading, refusal and acceptance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curate.load import load
from curate.recipe import load_recipe
from curate.reviews import Review, append
from curate.synthetic.accept import accept, accepted_of
from curate.synthetic.batch import Batch, batches_of
from curate.synthetic.gate import gate, read_gate
from curate.synthetic.review import reading, say
from curate.workspace import Workspace
from tests import grown

PAGE = "pages/decide/synthetic.py"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a batch that is checked."""
    root = tmp_path_factory.mktemp("page")
    recipe = grown.recipe_of(grown.write(root), synthetic={"rows": 4, "off": ["semantic", "label"]})
    recipe = recipe.model_copy(update={"signals": {}})
    scores = grown.scored(recipe, Workspace.at(root / "workspace"))
    append(scores.workspace.reviews(scores.dataset.fingerprint), Review("recipe", "t", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    rows = grown.sound(12)
    gate(scores, recipe, grown.made(scores, [*rows, {**rows[0], "response": "Sure, here is an answer."}]))
    return root / "workspace"


@pytest.fixture
def work(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    shutil.copytree(kept, tmp_path / "workspace")
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "workspace"))
    return Workspace.at(tmp_path / "workspace")


@pytest.fixture
def opened(app: AppTest, work: Workspace) -> AppTest:
    """The app on the page."""
    assert work.root.exists()
    return app


def _page(app: AppTest) -> str:
    app.run().switch_page(PAGE).run()
    assert not app.exception
    return "\n".join(str(e.value) for e in [*app.text, *app.caption, *app.markdown, *app.error, *app.warning])


def _batch(work: Workspace) -> Batch:
    (batch,) = batches_of(work)
    return batch


def test_nothing_there_and_not_checked_are_told_with_what_to_do(opened: AppTest, work: Workspace) -> None:
    batch = _batch(work)
    (batch.folder / "gate.json").unlink()
    assert "Not checked yet" in _page(opened)
    assert opened.button(key="synthetic-check").label == "Check the rows"
    shutil.rmtree(batch.folder)
    assert "No generated rows yet" in _page(opened)


def test_the_gate_is_shown_and_a_limit_that_moves_asks_for_a_new_check(opened: AppTest, work: Workspace) -> None:
    said = _page(opened)
    metrics = {m.label: m.value for m in opened.metric}
    assert metrics["Rows made"] == "13"
    assert metrics["Pass the gate"] == "12"
    assert opened.dataframe[0].value["outcome"].to_list() == ["exact, near, rouge, length, phrases, grounding"]
    assert "says 'Sure, here'" in said
    slider = next(s for s in opened.slider if "ROUGE-L" in s.label)
    slider.set_value(0.5).run()
    assert not opened.exception
    assert any("limits changed" in w.value for w in opened.warning)
    assert opened.button(key="synthetic-accept").disabled


def test_the_gate_tells_the_keys_of_the_reading_and_leads_there(opened: AppTest, work: Workspace) -> None:
    said = _page(opened)
    assert "on the tab Reading only: G good, B bad, S unsure, U undo." in said
    assert not [b for b in opened.button if b.key == "synthetic-good"], "no row is in hand on this tab, so no key speaks of one"
    opened.button(key="synthetic-read").click().run()
    assert opened.button(key="synthetic-good").label == "Good"
    for _ in range(4):
        opened.button(key="synthetic-good").click().run()
    opened.session_state["synthetic-tabs"] = "Gate"
    opened.run()
    assert not opened.exception
    assert not [b for b in opened.button if b.key == "synthetic-read"], "nothing is left to read"


def test_rows_are_read_and_accepted_once(opened: AppTest, work: Workspace) -> None:
    opened.session_state["synthetic-tabs"] = "Reading"
    _page(opened)
    for done in range(4):
        assert f"{4 - done} drawn row" in "".join(t.value for t in opened.text)
        opened.button(key="synthetic-good").click().run()
    opened.button(key="synthetic-undo").click().run()
    assert opened.button(key="synthetic-accept").disabled
    opened.button(key="synthetic-good").click().run()
    opened.button(key="synthetic-accept").click().run()
    assert not opened.exception
    done_ = accepted_of(_batch(work))
    assert done_ is not None
    assert f"**{done_.rows} rows of this batch are accepted**" in [m.value for m in opened.markdown]


def test_a_dataset_that_holds_accepted_rows_names_their_batch_and_leads_back(opened: AppTest, work: Workspace) -> None:
    batch = _batch(work)
    recipe = grown.recipe_of(grown.write(work.root.parent), synthetic={"rows": 4, "off": ["semantic", "label"]}).model_copy(update={"signals": {}})
    scores = grown.scored(recipe, work)
    gated = read_gate(batch)
    assert gated is not None
    for row in reading(batch, gated).rows:
        say(batch, row, "good")
    assert scores.dataset.key == batch.dataset
    done = accept(scores, recipe, batch)
    both = load(load_recipe(Path(done.recipe)).dataset.path, work)
    opened.query_params["dataset"] = both.key
    said = _page(opened)
    assert "No generated rows yet" not in said
    assert f"Rows of the batch {batch.name} are part of this dataset" in said
    opened.button(key=f"synthetic-back-{batch.name}").click().run()
    assert not opened.exception
    assert {m.label: m.value for m in opened.metric}["Rows made"] == "13"


def test_a_batch_below_the_pass_rate_is_refused_whole(opened: AppTest, work: Workspace) -> None:
    opened.session_state["synthetic-tabs"] = "Reading"
    _page(opened)
    for _ in range(4):
        opened.button(key="synthetic-bad").click().run()
    assert any("The whole batch is refused" in e.value for e in opened.error)
    assert not [b for b in opened.button if b.key == "synthetic-accept"]


def test_a_check_that_failed_says_why_and_can_be_tried_again(opened: AppTest, work: Workspace) -> None:
    batch = _batch(work)
    (batch.folder / "gate.json").unlink()
    shutil.rmtree(next(batch.folder.glob("measured-*")))
    (batch.folder / "rows.parquet").write_bytes(b"torn")
    assert "Not checked yet" in _page(opened)
    opened.button(key="synthetic-check").click().run()
    import time

    from curate.jobs import jobs

    until = time.time() + 120
    while jobs(work)[0].state == "running" and time.time() < until:
        time.sleep(0.2)
    said = _page(opened)
    assert "The check failed" in said
    assert "is not the file that was written" in said
    assert opened.button(key="synthetic-check").label == "Try again"
