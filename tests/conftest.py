"""What every test may ask for: the shared real data and an empty workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from curate.workspace import Workspace

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
