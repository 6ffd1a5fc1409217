"""What the command line takes: every command with its arguments. Nothing heavy is imported here, so that `curate --help` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

__all__ = ["parser"]

STORE = "a place for rows and parts, where workers share no disk with the workspace"
ENGINES = "where batches run: inline, pool (a process for each core, the default), ray or ray://HOST:PORT"


NAMED = "its folder, its name or the first digits of it, a tag, or current"
"""How a Version is named."""


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
    _add_serving(demo)
    app = add("app", "open the app, with a dataset or a recipe")
    app.add_argument("file", nargs="?", metavar="FILE", help="a dataset or a recipe (.yaml)")
    _add_serving(app)
    _add_run(add)
    _add_decide(add("decide", "choose the rows of a recipe from what is measured, and keep what takes long"))
    _add_audit(add("audit", "measure what a recipe says, and tell how noisy the data is and where"))
    _add_check(add("check", "the gate before an export, for CI: ends with 1 where a limit is broken"))
    _add_choices(add)
    _add_probe(add("probe", "train small and cheap on what a recipe keeps, beside a control drawn at random"))
    _add_ledger(add("ledger", "every decision on the way of a Version's rows"))
    _add_follow(add("follow", "follow a training: its validation curves by domain, and what got worse"))
    _add_grow(add("grow", "have a generator write rows where coverage is thin, as a batch that nothing uses before it passed the gate"))
    _add_versions(add)
    _add_hub(add)
    _add_workspace(add("workspace", "list workspaces, see what one keeps, clean it of what nothing uses, or move it"))
    load = add("load", "load a dataset into the workspace and print what it is")
    load.add_argument("path", nargs="+", metavar="PATH", help="files, a folder, a glob or a hub name")
    load.add_argument("--bad-lines", choices=["stop", "aside"], default="stop", help="stop at lines that cannot be read, or set them aside")
    return found


def _add_serving(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=8501)
    command.add_argument(
        "--people", metavar="FILE", help="who may do what, or one role for everyone: viewer, reviewer, owner (default: the workspace's people.yaml)"
    )


def _add_run(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Commands that measure what a recipe says."""
    run = add("run", "load, score, select and export what a recipe says")
    run.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    run.add_argument("--out", metavar="DIR", help="a folder that is absent or empty, or s3://bucket/prefix (default: a Version in the workspace)")
    run.add_argument("--parent", metavar="VERSION", help="the Version that it comes from (default: the current one of the same rows or files)")
    run.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    run.add_argument("--store", metavar="s3://…", help=STORE)
    run.add_argument("--key", help=argparse.SUPPRESS)
    run.add_argument("--override", metavar="NAME[,NAME]", help="let findings of the recipe's gate through, with --reason; both go into the manifest")
    run.add_argument("--reason", metavar="TEXT", help="why, in words")
    run.add_argument("--dry-run", action="store_true", help="measure a sample and say what the recipe would cost: time, memory, disk, machines; write nothing")
    run.add_argument("--rows", type=int, nargs="+", metavar="N", help="of --dry-run: for how many rows (default: those there are, 10^8 and 10^10)")
    run.add_argument(
        "--sample",
        type=int,
        metavar="ROWS",
        help="of --dry-run: rows measured (default: 1 %%, from 10,000 to 50,000; with a model 1,000)",
    )
    run.add_argument("--machine", default="16x64", metavar="CORESxGB", help="of --dry-run: a machine of the cluster (default: 16x64)")
    run.add_argument("--hours", type=float, default=24.0, help="of --dry-run: within which the cluster should end (default: 24)")
    told = "written where rows are repeated; not_met of the budget; findings of the gate"
    run.add_argument("--json", action="store_true", help=f"print one object: rows, kept, dropped, out; {told}")
    score = add("score", "load and measure what a recipe says, and keep it in the workspace")
    score.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    score.add_argument("--key", help=argparse.SUPPRESS)
    score.add_argument("--only", nargs="+", metavar="SIGNAL", help="these signals and those they need")
    score.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    score.add_argument("--store", metavar="s3://…", help=STORE)


def _add_audit(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    command.add_argument("--out", type=Path, metavar="REPORT.html", help="write a report that opens without a network")
    command.add_argument("--rows", type=int, default=0, metavar="N", help="quote up to N rows of each check in the report, personal data redacted")
    command.add_argument("--personal", action="store_true", help="leave personal data in the report as it is")
    command.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    command.add_argument("--json", action="store_true", help="print one object: noise_rate, effective_information, agreement, consensus, checks")


def _add_check(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", type=Path, metavar="RECIPE.yaml")
    what = "personal, license, contamination, synthetic, noise_rate, duplicates, share, min_rows"
    command.add_argument("--fail-on", metavar="NAME[,NAME]", help=f"only these end with 1 (default: every finding): {what}")
    command.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    command.add_argument("--json", action="store_true", help="print one object: rows, kept, failed, findings, not_checked, limits")


def _add_choices(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Commands that help to choose a recipe."""
    preset = add("preset", "print a recipe to start from, made for a dataset")
    preset.add_argument("name", metavar="NAME", help="quality-first, coverage-first, deduplicate-only, budgeted or review-the-doubtful")
    preset.add_argument("path", nargs="+", metavar="PATH", help="files, a folder, a glob or a hub name")
    compare = add("compare", "which rows only one of two selections keeps, and how the kept ones differ")
    compare.add_argument("a", type=Path, metavar="A", help=f"a recipe (.yaml), or a Version: {NAMED}")
    compare.add_argument("b", type=Path, metavar="B", help="another")
    compare.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    compare.add_argument("--json", action="store_true", help="print one object: a, b, both, only_a, only_b, signals, groups")
    signals = add("signals", "every signal with its parameters, columns, unit and source")
    signals.add_argument("--json", action="store_true")


def _add_versions(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Commands on what was exported."""
    verify = add("verify", "hash every file of a Version again; 1 where one is missing, changed or added, and name it")
    verify.add_argument("version", metavar="VERSION", help=NAMED)
    diff = add("diff", "rows in, out and changed from one Version to another, and the decision that changed each")
    diff.add_argument("a", metavar="VERSION", help=NAMED)
    diff.add_argument("b", nargs="?", metavar="VERSION", help="the later one (default: from its parent to the first)")
    diff.add_argument("--rows", type=int, default=10, metavar="N", help="print up to N rows of each kind (default: 10)")
    replay = add("replay", "run a Version's recipe again and compare; 1 where a file was changed or other rows come out")
    replay.add_argument("version", metavar="VERSION", help=NAMED)
    replay.add_argument("--kept", action="store_true", help="take what the workspace has measured; without it everything is measured again")
    replay.add_argument("--input", type=Path, nargs="+", metavar="PATH", help="where the files of the dataset lie now; their content is to be the same")
    replay.add_argument("--engine", default="pool", metavar="ENGINE", help=ENGINES)
    versions = add("versions", "the tree of Versions of a workspace; of one, its folder")
    versions.add_argument("version", nargs="?", metavar="VERSION", help=f"print the folder of this one: {NAMED}")
    tag = add("tag", "give a Version a tag")
    tag.add_argument("version", metavar="VERSION", help=f"{NAMED}; with --remove the tag")
    tag.add_argument("name", nargs="?", metavar="TAG")
    tag.add_argument("--move", action="store_true", help="take it off the Version that has it")
    tag.add_argument("--remove", action="store_true", help="take the tag off")
    rollback = add("rollback", "make an earlier Version the current one; nothing is deleted; 1 where it is not what was written")
    rollback.add_argument("version", metavar="VERSION", help=NAMED)
    rollback.add_argument("--why", default="", metavar="TEXT", help="kept in the log")
    for one in (verify, diff, replay, versions, tag, rollback):
        one.add_argument("--json", action="store_true", help="print one object")


def _add_ledger(command: argparse.ArgumentParser) -> None:
    command.add_argument("version", metavar="VERSION", help=NAMED)
    command.add_argument("row_id", nargs="*", metavar="ROW_ID", help="rows by their ids; without any, how many rows each decision concerns")
    command.add_argument("--row", type=int, nargs="+", default=[], metavar="N", help="rows by their place in the input, from 0")
    command.add_argument("--line", nargs="+", default=[], metavar="FILE:LINE", help="rows by the line of a JSON lines file that they stand on, from 1")
    command.add_argument("--step", metavar="COLUMN", help="print the ids of the rows that a decision drops, such as threshold_near_duplicate")
    command.add_argument("--json", action="store_true", help="print objects: row_id, row, keep, dropped_by, steps")


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
    parser.add_argument("--price", nargs="+", metavar="KEY=VALUE", help="what things cost: hour, annotation, rows, speed, currency, as annotation=30 rows=120")
    parser.add_argument("--stop", nargs="+", metavar="KEY=VALUE", help="when no more rows are worth it: rows=10000 gain=0.5")
    parser.add_argument("--margin", type=float, help="what is too small to matter, in points of accuracy or percent of the loss (default: 1)")
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
    parser.add_argument("--version", metavar="VERSION", help=f"the Version that it is trained on: {NAMED}")
    parser.add_argument("--run", metavar="RUN", help="a run of probes on whose validation rows its checkpoints are measured")
    parser.add_argument("--model", metavar="MODEL", help="what the checkpoints adapt, with --run")
    parser.add_argument("--once", action="store_true", help="tell what there is and stop; 1 where a metric lies behind its best")
    parser.add_argument("--json", action="store_true", help="print one object, with --once: name, version, last, worse")


def _add_grow(parser: argparse.ArgumentParser) -> None:
    """Options of `curate grow`."""
    parser.add_argument("recipe", type=Path, nargs="?", metavar="RECIPE.yaml", help="its kept rows are what new ones start from")
    parser.add_argument("--generator", default="rules", metavar="NAME", help="rules, local or endpoint (CURATE_API_BASE and CURATE_API_KEY); default: rules")
    parser.add_argument("--model", metavar="MODEL", help="of endpoint: a model that it has; of local: a folder or hub name (default: the small one of Curate)")
    parser.add_argument("--rows", type=int, metavar="N", help="rows to ask for in all (default: what the targets lack)")
    parser.add_argument("--targets", nargs="+", metavar="TARGET", help="label, cluster, gap (these unasked), source or any; or one, such as 'label: refund'")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked, what is told first and what it costs at most, and stop")
    parser.add_argument("--close", action="store_true", help="end a batch that was stopped, with the rows that it has")
    parser.add_argument("--show", metavar="BATCH", help="tell of a batch (folder, name or first digits of it), with why rows did not pass the gate, and stop")
    parser.add_argument("--check", metavar="BATCH", help="judge a batch by the recipe's limits (its part synthetic), and stop")
    parser.add_argument("--accept", metavar="BATCH", help="write the rows that passed the gate and the reading, and a recipe that lists them, and stop")
    parser.add_argument("--seed", type=int, default=0, help="another one asks anew (default: 0)")
    parser.add_argument("--temperature", type=float, default=0.8, help="default: 0.8")
    parser.add_argument("--most-tokens", type=int, default=512, metavar="N", help="of an answer (default: 512)")
    parser.add_argument("--shots", type=int, default=3, metavar="N", help="rows shown as examples in each request (default: 3)")
    parser.add_argument("--price", type=float, nargs=2, metavar=("IN", "OUT"), help="of endpoint: the price of a million tokens read and of a million written")
    parser.add_argument("--max-cost", type=float, metavar="COST", help="of endpoint: no request is sent that might pass it")
    parser.add_argument("--per-minute", type=float, default=0.0, metavar="N", help="of endpoint: requests a minute at most (default: no limit)")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="of endpoint: requests on their way at a time (default: 4)")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="of endpoint: for a whole answer (default: 120)")
    parser.add_argument("--retries", type=int, default=4, metavar="N", help="of endpoint: tries after the first (default: 4)")
    parser.add_argument("--personal", action="store_true", help="of endpoint: also send rows in which personal data is found")
    parser.add_argument("--key", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one object: batch, rows, asked, failed, repeated, cost, targets, out")


def _add_hub(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Commands that tell others of a Version."""
    card = add("card", "print the dataset card of a Version")
    card.add_argument("version", metavar="VERSION", help=NAMED)
    card.add_argument("--croissant", action="store_true", help="print its Croissant metadata (JSON-LD) instead")
    card.add_argument("--out", type=Path, metavar="DIR", help="write README.md and croissant.json into a folder")
    push = add("push", "put a Version on the Hugging Face hub, in one commit; the token comes from HF_TOKEN in the environment")
    push.add_argument("version", metavar="VERSION", help=NAMED)
    push.add_argument("name", metavar="OWNER/NAME", help="the dataset on the hub; made where it is not there")
    push.add_argument("--private", action="store_true", help="make it private; one that is there and public is refused")
    push.add_argument("--endpoint", metavar="URL", help="another hub (default: HF_ENDPOINT, else https://huggingface.co)")
    push.add_argument("--reviews", action="store_true", help="take reviews.jsonl along: who decided what, and the texts that were edited")
    push.add_argument("--overwrite", action="store_true", help="write into a dataset that Curate did not make")
    push.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    push.add_argument("--json", action="store_true", help="print one object: name, url, commit, files, bytes, deleted, left_out, paths")


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
