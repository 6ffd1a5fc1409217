"""Files from elsewhere are never run: no pickle is read, no model's own code is imported, and a folder that wants that is refused in words."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from pathlib import Path

import pytest

from curate import models
from curate.errors import InputError
from curate.readers.file import find_files
from curate.recipe import load_recipe
from tests.tiny import tiny_language_model

ROOT = Path(__file__).resolve().parent.parent
UNSAFE = {"torch.load", "pickle.load", "pickle.loads", "joblib.load", "dill.load", "dill.loads", "marshal.loads", "shelve.open", "eval", "exec"}
OWN = {"kernels/__init__.py"}
"""Reads what numba wrote beside the package itself."""


def _calls(source: str) -> list[tuple[str, dict[str, ast.expr]]]:
    return [(ast.unparse(n.func), {k.arg or "": k.value for k in n.keywords}) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]


def _wrong(source: str) -> list[str]:
    """Calls that would run what a file says."""
    found = []
    for name, given in _calls(source):
        trusted = {word: ast.unparse(given[word]) for word in ("trust_remote_code", "allow_pickle", "weights_only") if word in given}
        ours = name.startswith(("Auto", "SentenceTransformer", "CrossEncoder")) and (name.endswith(("from_pretrained", "from_config")) or "." not in name)
        wrong = [trusted.get("trust_remote_code") == "True", trusted.get("allow_pickle") == "True", trusted.get("weights_only") == "False"]
        pickled = name in ("np.load", "numpy.load") and trusted.get("allow_pickle") != "False"  # said, whatever NumPy's default is
        if name in UNSAFE or pickled or any(wrong) or (ours and trusted.get("trust_remote_code") != "False"):
            found.append(name)
    return found


def test_no_call_runs_what_a_file_says() -> None:
    files = [f for folder in ("curate", "ui", "pages") for f in sorted((ROOT / folder).rglob("*.py"))]
    wrong = {str(f.relative_to(ROOT / "curate")) if "curate" in f.parts[-3:] else f.name: _wrong(f.read_text(encoding="utf-8")) for f in files}
    assert {name: found for name, found in wrong.items() if found and name not in OWN} == {}


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(p)",
        "np.load(p, allow_pickle=True)",
        "np.load(p)",
        "np.load(p, mmap_mode='r')",
        "AutoModel.from_pretrained(p)",
        "AutoTokenizer.from_pretrained(p, trust_remote_code=True)",
        "eval(x)",
    ],
)
def test_the_check_sees_what_it_should(source: str) -> None:
    assert _wrong(source)


@pytest.fixture
def code(tmp_path: Path) -> str:
    """Code that would tell that it ran."""
    return f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\nclass Own:\n    pass\n"


def _foreign(folder: Path, code: str) -> Path:
    """A language model whose config asks for code of its own."""
    tiny_language_model(folder)
    (folder / "own.py").write_text(code, encoding="utf-8")
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    asked = {"model_type": "own_of_it", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}}
    (folder / "config.json").write_text(json.dumps({**said, **asked}), encoding="utf-8")
    return folder


def test_a_language_model_with_code_of_its_own_is_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(InputError, match="cannot be loaded as language model"):
        models.language_model(str(_foreign(tmp_path / "model", code)))
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_with_code_of_its_own_is_not_run(tmp_path: Path, code: str) -> None:
    folder = tiny_language_model(tmp_path / "model")
    (folder / "own.py").write_text(code, encoding="utf-8")
    told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    wants = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps({**told, **wants}), encoding="utf-8")
    with suppress(InputError):  # or read without it
        models.tokenizer(str(folder))
    assert not (tmp_path / "ran").exists()


def test_an_embedding_model_with_a_module_of_its_own_is_refused(tmp_path: Path, code: str) -> None:
    folder = tiny_language_model(tmp_path / "model")
    (folder / "own.py").write_text(code, encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.Own"}]), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be loaded as embedding model") as told:
        models.embedding_model(str(folder))
    assert "own.Own" in str(told.value)
    assert not (tmp_path / "ran").exists()


def test_a_saved_dataset_that_names_files_outside_its_folder_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "dataset_info.json").write_text("{}", encoding="utf-8")
    for name in ("../out.arrow", str(tmp_path / "out.arrow"), "a/../../out.arrow"):
        (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}), encoding="utf-8")
        with pytest.raises(InputError, match="names a file outside the folder"):
            find_files([str(saved)])
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "dataset_dict.json").write_text(json.dumps({"splits": ["../saved"]}), encoding="utf-8")
    with pytest.raises(InputError, match="names a file outside the folder"):
        find_files([str(tmp_path / "splits")])


@pytest.mark.parametrize("name", ["workspace:../out.jsonl", "workspace:uploads/../../out.jsonl", "workspace:/etc/passwd"])
def test_a_recipe_that_leads_out_of_its_workspace_is_refused(name: str, tmp_path: Path) -> None:
    recipe = tmp_path / "w" / "recipes" / "r.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(json.dumps({"dataset": {"path": name}}), encoding="utf-8")
    with pytest.raises(InputError, match="leads out of the workspace"):
        load_recipe(recipe)
