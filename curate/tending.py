"""`curate workspace`: what workspaces there are, what one keeps, what of it can go, and how it moves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.jobs import jobs
from curate.keeping import CACHES, Holding, can_go, clean, holdings, size, workspaces
from curate.measure import Tell
from curate.moving import elsewhere, move
from curate.workspace import Workspace

__all__ = ["amount", "by_kind", "command"]


def amount(number: float) -> str:
    """Bytes as people read them: 1.2 MB is 1,200,000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" or number >= 100 else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def by_kind(found: Iterable[Holding]) -> list[dict[str, Any]]:
    """By kind: how many things, their bytes, and how many bytes of them nothing uses."""
    kinds: dict[str, dict[str, Any]] = {}
    for one in found:
        row = kinds.setdefault(one.kind, {"kind": one.kind, "things": 0, "bytes": 0, "unused": 0})
        row["things"] += 1
        row["bytes"] += one.bytes
        row["unused"] += 0 if one.used else one.bytes
    return [*kinds.values()]


def _existing(path: str) -> Workspace:
    """A workspace that is there: to look at one makes none. Raises InputError where it is not."""
    if not Path(path).expanduser().is_dir():
        raise InputError(path, "there is no workspace here", "Name it with --workspace; `curate workspace list FOLDER` finds them")
    return Workspace.at(path)


def _list(args: argparse.Namespace) -> Any:
    found: list[dict[str, Any]] = []
    for one in workspaces(args.folder):
        many = {kind: sum(1 for _ in one.root.glob(f"{kind}/[!.]*/{last}")) for kind, last in (("datasets", "dataset.json"), ("versions", "manifest.json"))}
        running = sum(job.state == "running" for job in jobs(one))
        found.append({"workspace": str(one.root), "bytes": size(one.root), **many, "running": running})
    if not args.json:
        for row in found:
            print(f"{amount(row['bytes']):>12}  {row['datasets']:>4} datasets  {row['versions']:>4} Versions  {row['running']:>2} running  {row['workspace']}")
        if not found:
            print(f"no workspace in {args.folder}")
    return found


def _size(args: argparse.Namespace) -> Any:
    found = by_kind(holdings(_existing(args.workspace), args.keep))
    if not args.json:
        for row in found:
            print(f"{amount(row['bytes']):>12}  {row['kind']}: {row['things']:,}" + (f", unused {amount(row['unused'])}" if row["unused"] else ""))
        print(f"{amount(sum(r['bytes'] for r in found)):>12}  in all; unused {amount(sum(r['unused'] for r in found))}")
    return found


def _told(found: Sequence[Holding], before: str) -> None:
    for one in found:
        print(f"{amount(one.bytes):>12}  {before} {one.kind}/{one.name}: {one.about or CACHES.get(one.kind, '')}")


def _clean(args: argparse.Namespace) -> Any:
    workspace = _existing(args.workspace)
    if args.yes:
        gone, spared = clean(workspace, args.keep, args.younger * 3600)
    else:
        gone, spared = can_go(workspace, holdings(workspace, args.keep, proved=True), args.younger * 3600)
    freed = sum(one.bytes for one in gone)
    if not args.json:
        _told(gone, "removed" if args.yes else "would remove")
        _told(spared, "in use or just written, so it stays:")
        print(f"{amount(freed)} {'freed' if args.yes else 'would be freed with --yes'}")
    listed = [{"kind": one.kind, "name": one.name, "bytes": one.bytes, "about": one.about} for one in gone]
    return {"removed": args.yes, "bytes": freed, "things": listed, "spared": [f"{one.kind}/{one.name}" for one in spared]}


def _move(args: argparse.Namespace, tell: Tell) -> Any:
    workspace = _existing(args.workspace)
    told = [{"path": one.path, "what": one.what} for one in elsewhere(workspace)]
    total = move(workspace, args.to, tell)
    if not args.json:
        print(f"{amount(total)} copied to {args.to.absolute()}; the old workspace stays until you delete it")
        for one in told:
            print(f"not in the workspace: {one['path']} ({one['what']})")
    return {"to": str(args.to.absolute()), "bytes": total, "elsewhere": told}


def command(args: argparse.Namespace, tell: Tell) -> int:
    """Run `curate workspace list | size | clean | move`."""
    found = _move(args, tell) if args.what == "move" else {"list": _list, "size": _size, "clean": _clean}[args.what](args)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    return 0
