"""Plans read from files, with one clear message where they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.probes.plan import Plan
from curate.probes.probe import probe_of

__all__ = ["parse_plan", "read_plan", "with_paths"]


def parse_plan(value: Any, where: str) -> Plan:
    """A plan from what a YAML file holds. Raises InputError naming the key that is wrong."""
    from pydantic import ValidationError

    if not isinstance(value, dict):
        raise InputError(where, "holds no plan", "Write keys such as probe: head and arms: [{name: kept}]")
    try:
        plan = Plan.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        valid = f"Valid keys are {', '.join(Plan.model_fields)}" if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 else "Mend the plan"
        raise InputError(f"{where}: {key}" if key else where, first["msg"].removeprefix("Value error, "), valid) from None
    probe_of(plan.probe)
    return plan


def read_plan(path: Path) -> Plan:
    """A plan from its file. Raises InputError where it cannot be read."""
    import yaml

    try:
        value = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # the first reads 7 times faster
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(str(path), f"cannot be read ({str(error).splitlines()[0]})", "Give the path of a plan in YAML") from error
    return parse_plan(value, str(path))


def with_paths(plan: Plan, change: Callable[[str], str]) -> Plan:
    """The plan with another path in the place of each one that it names: recipes of its arms, and its validation rows."""
    arms = tuple(arm if arm.recipe is None else arm.model_copy(update={"recipe": change(arm.recipe)}) for arm in plan.arms)
    valid = plan.validation
    return plan.model_copy(update={"arms": arms, "validation": valid if valid.path is None else valid.model_copy(update={"path": change(valid.path)})})
