"""`curate signals`: every signal with its parameters, columns, units and source."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from curate.signal import Signal, discover, parameters

__all__ = ["command", "described"]


def described(signal: Signal) -> dict[str, Any]:
    """A signal as `curate signals --json` prints it."""
    found = {k: v for k, v in asdict(signal).items() if k not in ("compute", "needs", "stages")}
    return {**found, "staged": signal.stages is not None, "required": [" or ".join(names) for names in signal.required], "parameters": parameters(signal)}


def command(args: argparse.Namespace, tell: Any) -> int:
    """Print the reference."""
    del tell
    found = [described(s) for s in discover().values()]
    if args.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return 0
    for one in found:
        print(f"{one['name']} (version {one['version']}, {one['scope']}): {one['about']}\n  source: {one['source']}")
        print(f"  needs: {', '.join(one['required'])}\n  parameters: " + (", ".join(f"{k}={v!r}" for k, v in one["parameters"].items()) or "none"))
        for column in one["columns"]:
            limit = f" Proposed: keep {column['keep']} {column['limit']}." if column["limit"] is not None else ""
            print(f"    {column['name']}: {column['dtype']}, {column['unit']}. {column['about']}{limit}")
        print()
    return 0
