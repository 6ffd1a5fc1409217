"""The commands on Versions: verify, diff, replay, versions, tag, rollback."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.changes import Diff, diff
from curate.errors import InputError
from curate.lineage import Node, checked, find_version, roll_back, tag, tree, untag
from curate.measure import Tell
from curate.replay import How, replay
from curate.versions import Version, unreadable
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["command"]


def command(args: Namespace, tell: Tell | None) -> int:
    """`curate verify`, `diff`, `replay`, `versions`, `tag` and `rollback`."""
    known = {"verify": _verify, "diff": _diff, "replay": _replay, "versions": _versions, "tag": _tag, "rollback": _rollback}
    return known[args.command](args, Workspace(Path(args.workspace).expanduser().absolute()), tell)


def _say(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False))


def _verify(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    version = find_version(args.version, workspace)
    wrong = checked(version, workspace, tell)
    if args.json:
        _say({"version": version.name, "folder": str(version.folder), "ok": not wrong, **wrong.as_json(), "lines": wrong.lines()})
    elif wrong:
        print(*wrong.lines(), sep="\n")
    else:
        print(f"{version.name}: {len(version.files):,} files are as they were written")
    return 1 if wrong else 0


def _diff(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    del tell
    second = find_version(args.b or args.a, workspace)
    if args.b is None and second.parent is None:
        raise InputError(f"Version {second.name}", "comes from no other", "Name two Versions")
    first = find_version(args.a if args.b else str(second.parent), workspace)
    found = diff(first, second)
    if args.json:
        _say(found.as_json())
    else:
        _print_diff(found, args.rows)
    return 0


def _print_diff(found: Diff, most: int) -> None:
    a, b = found.a, found.b
    print(f"from {a.name}, {a.kept:,} rows kept, to {b.name}, {b.kept:,}")
    if found.same:
        print("the same rows in the same order with the same values")
    for path, what in found.inputs:
        print(f"input {path}: {what}")
    print(f"{found.rows_in:>12,} rows in\n{found.rows_out:>12,} rows out\n{found.rows_changed:>12,} rows changed")
    if found.moved:
        print(f"{found.moved:>12,} rows stand elsewhere")
    for one in found.decisions:
        counts = ((one.rows_in, "in"), (one.rows_out, "out"), (one.changed, "changed"))
        print(f"{', '.join(f'{n:,} {what}' for n, what in counts if n)}: {one.kind}{f', {one.name}' if one.name != one.kind else ''}: {one.why}")
    for name, what in found.columns:
        print(f"column {name}: {what}")
    for word, frame in (("in", found.into), ("out", found.out), ("changed", found.changed)):
        _print_rows(word, frame, most)


def _print_rows(word: str, frame: pl.DataFrame, most: int) -> None:
    for row in frame.head(most).iter_rows(named=True):
        keeper = f", gives way to {row['keeper']}" if row.get("keeper") else ""
        column = f" {row['column']}" if "column" in row else ""
        print(f"{word} {row['row_id']}{column}: {row['kind']}, {row['name']}{keeper}")
    if most and len(frame) > most:
        print(f"{word}: {len(frame) - most:,} more; --rows shows more, --json all")


def _replay(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    version = find_version(args.version, workspace)
    how = How(workspace if args.kept else None, workspace, tuple(str(path.absolute()) for path in args.input or ()), args.engine)
    found = replay(version, how, tell)
    if args.json:
        _say(found.as_json())
    else:
        print(f"{version.name}: {'the same came out' if found.same else 'not the same'}", *found.lines(), sep="\n")
    return 0 if found.same else 1


def _node(node: Node) -> dict[str, Any]:
    one = node.version
    counts = {"rows": one.rows, "kept": one.kept, "written": one.written}
    place = {"depth": node.depth, "tags": [*node.tags], "current": node.current, "folder": str(one.folder)}
    return {"name": one.name, "parent": one.parent, "parent_lost": node.lost, "created": one.created, **counts, **place, "input": [p for p, _ in one.inputs]}


def _versions(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    del tell
    if args.version is not None:
        print(find_version(args.version, workspace).folder)
        return 0
    found, broken = tree(workspace), unreadable(workspace)
    if args.json:
        _say({"versions": [_node(node) for node in found], "unreadable": [*broken]})
        return 0
    for node in found:
        print(_line(node))
    print(*broken, sep="\n", end="\n" if broken else "")
    if not found and not broken:
        print(f"no Version in {workspace.root} yet: `curate run RECIPE.yaml` writes one")
    return 0


def _line(node: Node) -> str:
    one: Version = node.version
    said = [f"{'  ' * node.depth}{one.name}  {one.created[:16].replace('T', ' ')}  {one.kept:,} of {one.rows:,} rows"]
    said += ["current"] if node.current else []
    said += [f"tag {name}" for name in node.tags] + ([f"comes from {one.parent}, which is not here"] if node.lost else [])
    return "  ".join(said)


def _tag(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    if args.remove:
        if args.name is not None:
            raise InputError("curate tag", "--remove takes the tag only", "Give the tag alone")
        untag(workspace, args.version)
        told: dict[str, Any] = {"tag": args.version, "version": None}
    else:
        if args.name is None:
            raise InputError("curate tag", "no tag is given", "Give a Version and the tag that it gets")
        version = find_version(args.version, workspace)
        if wrong := checked(version, workspace, tell):
            raise InputError(version.name, f"is not what was written ({wrong.lines()[0]}), so it gets no tag", "Write it again with `curate run`")
        tag(workspace, version, args.name, args.move)
        told = {"tag": args.name, "version": version.name}
    if args.json:
        _say(told)
    else:
        print(f"{told['tag']}: {told['version'] or 'taken off'}")
    return 0


def _rollback(args: Namespace, workspace: Workspace, tell: Tell | None) -> int:
    version = find_version(args.version, workspace)
    if wrong := checked(version, workspace, tell):
        if args.json:
            _say({"current": None, "version": version.name, **wrong.as_json()})
        else:
            print(f"{version.name} is not what was written, so it stays as it is", *wrong.lines(), sep="\n")
        return 1
    roll_back(workspace, version, args.why)
    if args.json:
        _say({"current": version.name, "folder": str(version.folder)})
    else:
        print(f"{version.name} is the current Version: {version.folder}")
    return 0
