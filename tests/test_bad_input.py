"""Bad input: one message that names the file, the line and the remedy; set aside, no line is lost."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curate.errors import BadLinesError, InputError
from curate.load import list_datasets, load
from curate.readers.file import LINE_LIMIT
from curate.workspace import Workspace

LINES = [  # name, content, line of the first bad one, what is said of it, rows and bad lines when set aside
    ("broken.jsonl", b'{"a":1}\n{"a":2\n\n{"a":3}\n', 2, "broken JSON", 2, 1),
    ("list.jsonl", b'{"a":1}\n[1]\n3\n"x"\nnull\n', 2, "not an object but a list", 1, 4),
    ("mixed.jsonl", b'{"a":1}\n{"a":"1"}\n{"a":3}\n', 2, "mixed types: 'a' is text here, and a number in 2 of 3 lines", 2, 1),
    ("first.jsonl", b'{"a":"1"}\n{"a":1}\n{"a":2.5}\n', 1, "mixed types: 'a' is text here, and a number in 2 of 3 lines", 2, 1),
    ("flag.jsonl", b'{"a":true}\n{"a":1}\n{"a":true}\n', 2, "'a' is a number here, and true or false in 2", 2, 1),
    ("deep.jsonl", b'{"m":[{"c":"x"}]}\n{"m":[{"c":["x"]}]}\n{"m":[{"c":"y"}]}\n', 2, "'m[].c' is a list here, and text in 2", 2, 1),
    ("latin.jsonl", b'{"a":"x"}\n{"a":"caf\xe9"}\n', 2, "not UTF-8 (byte 10 of the line is 0xE9)", 1, 1),
    ("nul.jsonl", b'{"a":"z"}\n{"a":"x\0y"}\n', 2, "a NUL byte (byte 8 of the line)", 1, 1),
    ("twice.jsonl", b'{"a":1}\n{"a":1,"a":2}\n', 2, "the key 'a' stands twice", 1, 1),
    ("inner.jsonl", b'{"a":[{"b":1}]}\n{"a":[{"b":1},{"b":1,"b":2}]}\n', 2, "the key 'b' stands twice", 1, 1),
    ("both.jsonl", b'{"a":1}\n{"a":1,"a":"x"}\n', 2, "the key 'a' stands twice", 1, 1),
    ("long.jsonl", b'{"a":1}\n{"a":123456789012345678901234567890}\n{"a":9223372036854775808}\n', 2, "a whole number beyond 64 bits", 1, 2),
    ("nested.jsonl", b'{"a":[]}\n{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", 2, "nested too deep", 1, 1),
    ("half.jsonl", b'{"a":"x"}\n{"a":"\\ud800"}\n', 2, "no low surrogate", 1, 1),
    ("array.jsonl", b'[\n{"a":1}\n]\n', 1, "a JSON array's file must end in .json", 1, 2),
    ("items.json", b'[{"a":1},\n {"a":2}, {"a":"x"}]', 2, "(item 3): mixed types", 2, 1),
    ("lines.json", b'{"a":1}\n{"a":2\n', 2, "broken JSON", 1, 1),
    ("ragged.csv", b"a,b\n1,2\n1,2,3\n4\n\n5,6\n", 3, "3 fields where the header has 2", 2, 2),
    ("open.csv", b'a,b\n1,"x\n2,y\n3,z\n', 2, "a quote opens here and never closes", 2, 1),
    ("inside.csv", b'a,b\n1,"x\n2,y\n3,"z"\n4,w\n', 2, "a quote stands inside a field, or one is not closed", 3, 1),
    ("latin.csv", b'a,b\nx,1\n"two\nl\xe9nes",2\ny,3\n', 3, "not UTF-8 (byte 2 of the line is 0xE9)", 2, 1),
    ("nul.csv", b"a,b\nx\0,1\ny,2\n", 2, "a NUL byte", 1, 1),
]


@pytest.mark.parametrize(("name", "content", "line", "what", "rows", "bad"), LINES, ids=[case[0] for case in LINES])
def test_bad_lines(name: str, content: bytes, line: int, what: str, rows: int, bad: int, tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadLinesError) as caught:
        load(str(path), workspace)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}")
    assert what in message
    assert "bad_lines: aside" in message
    assert bad == 1 or f"the first of {bad} bad lines" in message
    assert list_datasets(workspace) == []
    found = load(str(path), workspace, bad_lines="aside")
    entries = [json.loads(entry) for entry in (found.folder / "rejected.jsonl").read_text().splitlines()]
    assert (found.rows, found.rejected, len(entries)) == (rows, bad, bad)
    assert {entry["file"] for entry in entries} == {str(path)}
    for entry in entries:
        if entry["offset"] is not None and b"\xe9" not in content:
            assert content[entry["offset"] :][: entry["bytes"]].decode().rstrip() == entry["text"]
    assert any("set aside" in problem for problem in found.problems())


WHOLE = [  # name, content, what is said
    ("empty.jsonl", b"", "the file is empty"),
    ("blank.jsonl", b"\n \n", "holds no rows"),
    ("empty.csv", b"", "the file is empty"),
    ("header.csv", b"a,b\n", "holds no rows"),
    ("empty.json", b"[]", "holds no rows"),
    ("all.jsonl", b"nothing\nof this\n", ":1: broken JSON: Expecting value at character 1; none of the 2 lines can be read"),
    ("utf16.jsonl", '{"a":1}\n'.encode("utf-16"), ":1: the file is UTF-16"),
    ("utf16.csv", "a,b\n".encode("utf-16-be"), "a NUL byte"),
    ("twice.csv", b"a,b,a\n1,2,3\n", ":1: duplicate column names: 'a' stands twice"),
    ("case.csv", b"a,A\n1,2\n", ":1: duplicate column names: 'A' differs from 'a' only in case"),
    ("case.jsonl", b'{"a":1,"A":2}\n', "duplicate column names: 'A' differs from 'a' only in case"),
    ("nameless.jsonl", b'{"":1}\n', "a column has an empty name"),
    ("broken.json", b'[{"a":1},\n{"a":\n2]', ":3: broken JSON"),
    ("trail.json", b'[{"a":1}]\n x', ":2: more text after the end"),
    ("several.json", b'{"a":[{}],"b":[{}]}', "holds several lists ('a', 'b')"),
    ("none.json", b'{"a":1}', "holds no list of rows"),
    ("utf8.json", b'[{"a":1},\n{"a":"\xe9"}]', ":2: not UTF-8: byte 0xE9"),
    ("deep.json", b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "nested too deep"),
    ("cut.jsonl.gz", gzip.compress(b'{"a":1}\n' * 1000)[:-9], "cut short or damaged"),
    ("cut.jsonl.zst", zstandard.compress(b'{"a":1}\n' * 1000)[:-3], "cut short or damaged"),
    ("bad.csv.gz", gzip.compress(b"a,b\n" + os.urandom(999).hex().encode())[:200] + b"x" * 99, "cut short or damaged"),
    ("junk.parquet", b"PAR1 and then nothing", "cannot be read as Parquet"),
    ("junk.arrow", b"neither stream nor file", "cannot be read as Arrow"),
    ("rows.pkl", b"\x80\x04.", "never opened"),
    ("rows.txt", b"hello", "the ending '.txt' names no known format"),
    ("rows", b"hello", "no ending"),
]


@pytest.mark.parametrize(("name", "content", "what"), WHOLE, ids=[case[0] for case in WHOLE])
@pytest.mark.parametrize("bad_lines", ["stop", "aside"])
def test_files_that_cannot_be_used(name: str, content: bytes, what: str, bad_lines: str, tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(str(path), workspace, bad_lines="aside" if bad_lines == "aside" else "stop")
    assert str(path) in caught.value.where
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [*(workspace.root / "datasets").glob("*")] == []


def test_a_cut_parquet_file(tmp_path: Path, workspace: Workspace) -> None:
    pq.write_table(pa.table({"a": [*range(10_000)]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "holed.parquet").write_bytes(whole[:1000] + bytes(9000) + whole[10_000:])
    for name in ("cut", "holed"):
        with pytest.raises(InputError, match=rf"{name}\.parquet: cannot be read as Parquet; it is cut short, damaged"):
            load(str(tmp_path / f"{name}.parquet"), workspace)


def test_types_that_cannot_be_kept_or_do_not_go_together(tmp_path: Path, workspace: Workspace) -> None:
    pq.write_table(pa.table({"a": pa.array([1.0], pa.float16())}), tmp_path / "half.parquet")
    with pytest.raises(InputError, match="column 'a' has the type halffloat"):
        load(str(tmp_path / "half.parquet"), workspace)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(InputError, match="mixed types"):
        load([str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")], workspace)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="mixes csv and parquet files"):
        load([str(tmp_path / "1.parquet"), str(tmp_path / "a.csv")], workspace)


@pytest.mark.parametrize("name", ["long.jsonl", "long.csv", "last.jsonl"])
def test_a_line_of_50_mib(name: str, tmp_path: Path, workspace: Workspace) -> None:
    head, tail = (b"a,b\n1,2\n", b",2\n3,4\n") if name.endswith(".csv") else (b'{"a":"1"}\n{"a":"', b'"}\n{"a":"3"}\n')
    (tmp_path / name).write_bytes(head + b"x" * (50 << 20) + (b"" if name == "last.jsonl" else tail))
    with pytest.raises(BadLinesError, match="the line has 50 MiB, more than the 16 MiB a line may have"):
        load(str(tmp_path / name), workspace)
    found = load(str(tmp_path / name), workspace, bad_lines="aside")
    entry = json.loads((found.folder / "rejected.jsonl").read_text())
    assert (found.rows, found.rejected) == (1 if name == "last.jsonl" else 2, 1)
    assert entry["bytes"] > 50 << 20 > LINE_LIMIT > len(entry["text"])
    assert entry["offset"] == head.rindex(b"\n") + 1


@pytest.mark.parametrize("name", ["bomb.jsonl.gz", "bomb.csv.gz", "bomb.json.gz", "bomb.jsonl.zst"])
def test_a_zip_bomb_is_given_up_in_bounded_memory(name: str, tmp_path: Path) -> None:
    content = b'[{"a":"' + bytes([32]) * (300 << 20) if ".json." in name else b"x" * (300 << 20)
    (tmp_path / name).write_bytes(zstandard.compress(content) if name.endswith(".zst") else gzip.compress(content, 4))
    del content
    code = (
        "import sys; from curate.load import load; from curate.workspace import Workspace\n"
        "try: load(sys.argv[1], Workspace.at(sys.argv[2]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    limit = 1 << 30
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name), str(tmp_path / "workspace")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert done.stdout.startswith("InputError"), done
    assert ("an item of more than 16 MiB" if ".json." in name else "as a zip bomb does") in done.stdout


def test_paths_that_lead_nowhere(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "folder").mkdir()
    for given, what in [
        ("nothing.jsonl", "no such file"),
        ("no*.jsonl", "no such file"),
        ("folder", "no readable files in this folder"),
        ("folder/nothing", "no such file"),
    ]:
        with pytest.raises(InputError, match=what):
            load(str(tmp_path / given), workspace)
    with pytest.raises(InputError, match=r"no such file\. Check the path"):
        load("nowhere/train.jsonl.gz", workspace)
    with pytest.raises(InputError, match="names no file"):
        load([], workspace)


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    place = tmp_path / "in"
    (place / "closed").mkdir(parents=True)
    (place / "a.jsonl").write_text("{}\n")
    (place / "a.jsonl").chmod(0)
    (place / "closed").chmod(0)
    workspace = Workspace.at(tmp_path / "workspace")
    (tmp_path / "workspace").chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything: be nobody for a moment
    try:
        for name in ("a.jsonl", "closed"):
            with pytest.raises(InputError, match=rf"{name}: cannot be read \(Permission denied\)"):
                load(str(place / name), workspace)
    finally:
        if root:
            os.seteuid(0)


def test_the_hub_out_of_reach_is_said_in_seconds(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="curate-tests/no-such-dataset: no such file here"):
        load("curate-tests/no-such-dataset", workspace)
    assert [*(workspace.root / "datasets").iterdir()] == []
