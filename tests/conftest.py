"""What every test may ask for: the shared real data and an empty workspace."""

from __future__ import annotations

import os
import shutil

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning take the core from the worker beside; read where a library is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from curate.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

settings.register_profile("curate", deadline=None)  # the first example may compile a loop
settings.load_profile("curate")

LONGEST = ("test_app", "test_models", "test_label_issue", "test_perplexity", "test_kill", "test_load_laws", "test_grounding", "test_export")
"""Files that take longest, so that none of them begins when the other workers are at their end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; in the same order in each worker."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real data with ground truth; the test is skipped where it is absent."""
    folder = Path(os.environ.get("CURATE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the shared data is not in {folder}: set CURATE_SHARED_DATA")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace of the test's own."""
    return Workspace.at(tmp_path / "workspace")


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `small.jsonl` and a workspace of three Versions of it, each after the other (`tests.shelf`); to be read only."""
    from tests.shelf import three_versions

    return three_versions(tmp_path_factory.mktemp("three"))


@pytest.fixture
def work(three: Path, tmp_path: Path) -> Workspace:
    """A copy of that workspace that a test may write to."""
    shutil.copytree(three / "workspace", tmp_path / "workspace")
    return Workspace.at(tmp_path / "workspace")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Products spread over threads wait for one another, for minutes where other work runs beside them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app, with nothing opened and nothing measured unasked."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    st.cache_resource.clear()
    yield AppTest.from_file(str(Path(__file__).parent.parent / "app.py"), default_timeout=60)
    st.cache_resource.clear()
