"""Make a planted set of any size with the truth beside it: `python data/generate.py OUT.jsonl|OUT.parquet --rows N [--seed S]`. See data/README.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from curate.errors import InputError
from curate.planted import generate


def main() -> int:
    parser = argparse.ArgumentParser(description="Make rows with planted, known defects, and the truth about them beside.")
    parser.add_argument("out", type=Path, metavar="OUT", help="a .jsonl or .parquet file")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        truth = generate(args.out, args.rows, args.seed)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{args.out}\n{truth}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
