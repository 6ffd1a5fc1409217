"""What may be said to `curate probe`. Imports nothing heavy: the command line reads it at each start."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_probe"]


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Options of `curate probe`."""
    parser.add_argument("recipe", type=Path, nargs="?", metavar="RECIPE.yaml|RUN", help="a recipe, or the folder of a run that is to go on")
    parser.add_argument("--plan", type=Path, metavar="PLAN.yaml", help="what is tried")
    names = "kept, quality, noise, curriculum, dedupe, synthetic, recipes, slices or deciles"
    parser.add_argument("--experiment", metavar="NAME", help=f"a plan made for the dataset: {names} (default: kept, the kept rows against random ones)")
    parser.add_argument("--by", metavar="COLUMN", help="of an experiment: the column, role or score that it goes by; of noise, its kind")
    parser.add_argument("--against", type=Path, metavar="RECIPE.yaml", help="of the experiment recipes: the other one")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="of an experiment: rows drawn of each arm")
    parser.add_argument("--seeds", type=int, help="of an experiment: how often each is trained")
    parser.add_argument("--epochs", type=float, default=3.0, help="of an experiment: times over the rows (default: 3)")
    parser.add_argument("--subsets", type=int, metavar="N", help="of slices and deciles: random subsets that tell what each slice is worth; 0 for none")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="of an experiment: a file of validation rows (default: the split, else a tenth)")
    parser.add_argument("--take", type=Path, metavar="FOLDER", help="bring back what was trained elsewhere: a copy of a run's folder, or a zip file of it")
    parser.add_argument("--probe", metavar="NAME", help="head, words or lora (default: head where there are labels, else words)")
    parser.add_argument(
        "--no-train", action="store_true", help="make the run's folder and stop: copy it to another machine, and run `curate probe FOLDER` there"
    )
    parser.add_argument("--estimate", action="store_true", help="say how long it would take and what it would cost, and stop")
    parser.add_argument("--show-plan", action="store_true", help="print the plan and stop")
    parser.add_argument("--key", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one object: run, finding, comparisons, slices, validation, spent, results")
