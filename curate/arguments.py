"""What the command line takes: every command with its arguments. Nothing heavy is imported here, so that `curate --help` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

__all__ = ["parser"]


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; `command` of what it gives names the command."""
    found = argparse.ArgumentParser(prog="curate", description="Turn a pile of fine-tuning examples into the subset worth training on.")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--workspace", default="workspace", metavar="DIR", help="where everything is kept (default: ./workspace)")
        command.add_argument("--progress", type=Path, help=argparse.SUPPRESS)
        return command

    demo = add("demo", "build the demo dataset from installed packages' docstrings and open it")
    demo.add_argument("--rows", type=int, help="a stratified subset of about this many rows; all, about 60,000, where not given")
    demo.add_argument("--no-open", action="store_true", help="build it, print its path, and stop")
    demo.add_argument("--port", type=int, default=8501)
    app = add("app", "open the app, with a dataset or a recipe")
    app.add_argument("file", nargs="?", metavar="FILE", help="a dataset or a recipe (.yaml)")
    app.add_argument("--port", type=int, default=8501)
    run = add("run", "load, score, select and export what a recipe says")
    run.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    run.add_argument("--out", type=Path, metavar="DIR", help="a folder that is absent or empty (default: a Version in the workspace)")
    run.add_argument("--engine", choices=["inline", "pool"], default="pool", help="where batches run")
    run.add_argument("--key", help=argparse.SUPPRESS)
    run.add_argument("--json", action="store_true", help="print one object: rows, kept, dropped, out; written where rows are repeated; not_met of the budget")
    score = add("score", "load and measure what a recipe says, and keep it in the workspace")
    score.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    score.add_argument("--key", help=argparse.SUPPRESS)
    score.add_argument("--only", nargs="+", metavar="SIGNAL", help="these signals and those they need")
    score.add_argument("--engine", choices=["inline", "pool"], default="pool", help="where batches run")
    _add_decide(add("decide", "choose the rows of a recipe from what is measured, and keep what takes long"))
    _add_audit(add("audit", "measure what a recipe says, and tell how noisy the data is and where"))
    _add_choices(add)
    _add_probe(add("probe", "train small and cheap on what a recipe keeps, beside a control drawn at random"))
    _add_follow(add("follow", "follow a training: its validation curves by domain, and what got worse"))
    _add_workspace(add("workspace", "list workspaces, see what one keeps, clean it of what nothing uses, or move it"))
    load = add("load", "load a dataset into the workspace and print what it is")
    load.add_argument("path", nargs="+", metavar="PATH", help="files, a folder, a glob or a hub name")
    load.add_argument("--bad-lines", choices=["stop", "aside"], default="stop", help="stop at lines that cannot be read, or set them aside")
    return found


def _add_audit(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    command.add_argument("--out", type=Path, metavar="REPORT.html", help="write a report that opens without a network")
    command.add_argument("--rows", type=int, default=0, metavar="N", help="quote up to N rows of each check in the report, personal data redacted")
    command.add_argument("--personal", action="store_true", help="leave personal data in the report as it is")
    command.add_argument("--engine", choices=["inline", "pool"], default="pool", help="where batches run")
    command.add_argument("--json", action="store_true", help="print one object: noise_rate, effective_information, agreement, consensus, checks")


def _add_choices(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Commands that help to choose a recipe."""
    preset = add("preset", "print a recipe to start from, made for a dataset")
    preset.add_argument("name", metavar="NAME", help="quality-first, coverage-first, deduplicate-only, budgeted or review-the-doubtful")
    preset.add_argument("path", nargs="+", metavar="PATH", help="files, a folder, a glob or a hub name")
    compare = add("compare", "which rows only one of two selections keeps, and how the kept ones differ")
    compare.add_argument("a", type=Path, metavar="A", help="a recipe (.yaml) or the folder of a Version")
    compare.add_argument("b", type=Path, metavar="B", help="another")
    compare.add_argument("--engine", choices=["inline", "pool"], default="pool", help="where batches run")
    compare.add_argument("--json", action="store_true", help="print one object: a, b, both, only_a, only_b, signals, groups")
    signals = add("signals", "every signal with its parameters, columns, unit and source")
    signals.add_argument("--json", action="store_true")


def _add_decide(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    command.add_argument("--key", help=argparse.SUPPRESS)
    command.add_argument("--json", action="store_true", help="print one object: rows, kept, dropped; not_met of the budget")


def _add_probe(parser: argparse.ArgumentParser) -> None:
    """Options of `curate probe`."""
    parser.add_argument("recipe", type=Path, nargs="?", metavar="RECIPE.yaml|RUN", help="a recipe, or the folder of a run that is to go on")
    parser.add_argument("--plan", type=Path, metavar="PLAN.yaml", help="what is tried")
    names = "kept, quality, noise, curriculum, dedupe, synthetic, recipes, slices, deciles or learning-curve"
    parser.add_argument("--experiment", metavar="NAME", help=f"a plan made for the dataset: {names} (default: kept, the kept rows against random ones)")
    parser.add_argument("--by", metavar="COLUMN", help="of an experiment: the column, role or score that it goes by; of noise, its kind")
    parser.add_argument("--against", type=Path, metavar="RECIPE.yaml", help="of the experiment recipes: the other one")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="of an experiment: rows drawn of each arm")
    parser.add_argument("--seeds", type=int, help="of an experiment: how often each is trained")
    parser.add_argument("--epochs", type=float, help="of an experiment: times over the rows (default: 3; of learning-curve 10)")
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


def _add_follow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="LOG|FOLDER", help="JSON lines, trainer_state.json, TensorBoard's events, or a trainer's folder")
    parser.add_argument("--name", help="what the training is called (default: the name of its file or folder)")
    parser.add_argument("--version", type=Path, metavar="VERSION", help="the folder of the export that it is trained on")
    parser.add_argument("--run", metavar="RUN", help="a run of probes on whose validation rows its checkpoints are measured")
    parser.add_argument("--model", metavar="MODEL", help="what the checkpoints adapt, with --run")
    parser.add_argument("--once", action="store_true", help="tell what there is and stop; 1 where a metric lies behind its best")
    parser.add_argument("--json", action="store_true", help="print one object, with --once: name, version, last, worse")


def _add_workspace(parser: argparse.ArgumentParser) -> None:
    """What `curate workspace` can do."""
    choices = parser.add_subparsers(dest="what", required=True, metavar="list|size|clean|move")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        choice = choices.add_parser(name, help=text, description=text)
        choice.add_argument("--workspace", default=argparse.SUPPRESS, metavar="DIR", help="the workspace (default: ./workspace)")
        choice.add_argument("--json", action="store_true", help="print the same as JSON")
        return choice

    add("list", "workspaces in a folder and below it").add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER")
    clean, size = add("clean", "caches that nothing uses: says what would go, removes it with --yes"), add("size", "what a workspace keeps, by kind")
    for one in (clean, size):
        one.add_argument("--keep", type=Path, nargs="+", default=[], metavar="RECIPE.yaml", help="recipes outside the workspace whose caches stay")
    clean.add_argument("--yes", action="store_true", help="remove it")
    clean.add_argument("--younger", type=float, default=1.0, metavar="HOURS", help="what was written since stays (default: 1)")
    add("move", "copy a workspace to another place, proved by hashes").add_argument("to", type=Path, metavar="FOLDER", help="absent or empty")
