"""A row's way in words: each decision of the ledger as a step, in the order in which decisions are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["OUTCOMES", "Outcome", "Step", "Way", "way_of", "word_of"]

Outcome = Literal["passed", "dropped", "fails", "changed", "noted", "gone"]
OUTCOMES: Mapping[Outcome, str] = {
    "passed": "passes",
    "dropped": "drops it",
    "fails": "fails, kept by hand",
    "changed": "changes it",
    "noted": "noted",
    "gone": "gone before",
}
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One decision. column: of the ledger. name: for people. text: what was decided, and on what. values: its fields.

    keeper: the row_id of the row that this one lost to.
    """

    column: str
    name: str
    outcome: Outcome
    text: str
    values: Values = field(default_factory=dict)
    keeper: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The object that `curate ledger --json` prints for it."""
        return {"step": self.column, "outcome": self.outcome, "says": self.text, **{k: v for k, v in self.values.items() if v is not None}}


@dataclass(frozen=True)
class Way:
    """A row's way. row: its place in the input, from 0. dropped_by: the step that it first fell at; None where it stays."""

    row_id: str
    row: int
    keep: bool
    steps: tuple[Step, ...]

    @property
    def dropped_by(self) -> Step | None:
        return None if self.keep else next((s for s in self.steps if s.outcome == "dropped"), None)

    def as_json(self) -> dict[str, Any]:
        """The object that `curate ledger --json` prints for it."""
        first = self.dropped_by
        gone = {} if first is None else {"dropped_by": first.column}
        return {"row_id": self.row_id, "row": self.row, "keep": self.keep, **gone, "steps": [s.as_json() for s in self.steps]}


def word_of(step: Values) -> str:
    """The name of a decision for people. step: what the ledger says of it for all rows."""
    words = {
        "synthetic": "Origin",
        "review": "Review",
        "label": "Label",
        "edit": "Edit",
        "cut": "Cut",
        "license": "Licence",
        "personal": "Personal data",
        "rank": "Score",
        "synthetic_share": "Share of generated rows",
        "budget": "Budget",
        "gate": "Gate",
        "written": "Written",
    }
    return words.get(step["kind"]) or str(step["name"]).replace("_", " ").capitalize()


def way_of(entry: Values, steps: Sequence[Values]) -> Way:
    """A row's way from its line of the ledger. steps: what is the same for all rows, in order. Decisions that did not concern the row are left out."""
    found = []
    for step in steps:
        values = entry[step["column"]]
        if values is None:
            continue
        outcome, text = _SAID[step["kind"]](values, step)
        found.append(Step(step["column"], word_of(step), outcome, text, {**_constants(step), **values}, values.get("keeper")))
    return Way(str(entry["row_id"]), int(entry["row"]), bool(entry["keep"]), tuple(found))


def _constants(step: Values) -> dict[str, Any]:
    """What is the same for all rows, under names that no field of a row has."""
    return {("keeper_rule" if k == "keeper" else k): v for k, v in step.items() if k not in ("column", "kind", "name")}


Said = tuple[Outcome, str]


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _by(values: Values) -> str:
    """By whom and when."""
    who = f" by {values['by']}" if values.get("by") else ""
    return f"{who}, {str(values['at'])[:16].replace('T', ' ')} UTC" if values.get("at") else who


def _judged(values: Values) -> Outcome:
    """What a limit came to. A row that fails and does not go is kept by hand."""
    if values["dropped"]:
        return "dropped"
    passed = values.get("passed")
    return "gone" if passed is None else "passed" if passed else "fails"


def _score(values: Values, step: Values) -> Said:
    low, high = values["at_least"], values["at_most"]
    asked = f"from {_number(low)} to {_number(high)}" if None not in (low, high) else f"at most {_number(high)}" if low is None else f"at least {_number(low)}"
    here = f"no value: such rows {'go' if step['missing'] == 'drop' else 'stay'}" if values["value"] is None else _number(values["value"])
    held = values.get("holds")
    by = f" ({values['measure']})" if values.get("measure") else ""
    alike = f"; most alike to the evaluation row {held}{by}" if held and not values["passed"] else ""
    return _judged(values), f"{here}; {asked} is asked for{alike}"


def _links(values: Values, step: Values) -> Said:
    outcome, name = _judged(values), str(step["name"]).replace("_", " ")
    if outcome == "gone":
        return outcome, "dropped before, so nobody's duplicate"
    limit = f"limit {_number(values['limit'])}"
    if values["keeper"] is None:
        many = values["stands_for"]
        stands = f"; {many:,} {'row gives' if many == 1 else 'rows give'} way to it" if many else ""
        return outcome, f"no row that stays is as alike ({limit}){stands}" if step["rule"] == "cover" or not many else f"stays for its group ({limit}){stands}"
    alike = "alike by way of other rows to" if values["similarity"] is None else f"{values['similarity']:.3f} alike to"
    settled = "" if step["conflicts"] == "keeper" else f", conflicts by {step['conflicts']}"
    return outcome, f"{alike} {values['keeper']}, its {name} that stays ({limit}, {step['rule']}, {step['keeper']}{settled})"


def _license(values: Values, step: Values) -> Said:
    del step
    said = f"{values['spdx'] or 'no licence is named'}{' by the ' + values['origin'] if values['origin'] else ''}: the policy says {values['verdict']}"
    if values["dropped"]:
        return "dropped", said
    kept: Mapping[str, Outcome] = {"allow": "passed", "review": "noted", "deny": "fails"}
    return kept[values["verdict"]], said


def _personal(values: Values, step: Values) -> Said:
    kinds = f" ({values['kinds']})" if values["kinds"] else ""
    let = f", {values['spared']:,} spared by hand" if values["spared"] else ""
    there = f"{values['found']:,} found{kinds}{let}"
    if values["dropped"]:
        return "dropped", f"{there}: such rows go"
    if values["treated"] is None:
        return "noted", there + ("" if step["treat"] == "drop" else "; nothing is written of the row")
    done = {"redact": "redacted", "mask": "masked", "pseudonymise": "given stand-ins"}[step["treat"]]
    return ("changed", f"{there}, {values['treated']:,} {done}") if values["treated"] else ("noted", f"{there}, none of it to be treated")


def _review(values: Values, step: Values) -> Said:
    del step
    how = {"only": ", as others were chosen" if values["said"] == "drop" else "", "settle": ", settling two words"}.get(values["action"], "")
    way = f" ({values['why']})" if values["why"] else ""
    stays = ", so no limit drops it" if values["said"] == "keep" else ""
    return ("dropped" if values["said"] == "drop" else "passed"), f"{'kept' if values['said'] == 'keep' else 'dropped'}{_by(values)}{how}{way}{stays}"


def _label(values: Values, step: Values) -> Said:
    del step
    if values["given"] == values["now"]:
        return "passed", f"{values['now']!r} is right{_by(values)}"
    return "changed", f"{values['now']!r} in place of {values['given']!r}{_by(values)}"


def _budget(values: Values, step: Values) -> Said:
    outcome = _judged(values)
    if outcome == "gone":
        return outcome, "dropped before it came to the budget"
    of = f" of {step['per']} {values['of']!r}" if step["per"] else ""
    parts = [f"{part} {values[part]:,}" for part in ("quota", "floor") if values.get(part)]
    near = f", rows chosen to differ ({step['diversity']})" if step.get("diversity") else ""
    limits = f" ({', '.join(parts)})" if parts else ""
    return outcome, f"place {values['place']:,}{of} in line for {step['total']:,} {step['unit']}{limits}{near}: {'room' if values['passed'] else 'no room'}"


def _synthetic_share(values: Values, step: Values) -> Said:
    outcome = _judged(values)
    if outcome == "gone":
        return outcome, "dropped before it came to the cap"
    of = f" of {step['per']} {values['of']!r}" if step["per"] else ""
    return outcome, f"place {values['place']:,} in line of the generated rows{of}; {step['share']:.3g} of the kept rows may be generated"


def _written(values: Values, step: Values) -> Said:
    more = [f"{k.replace('_', ' ')} {_number(v)}" for k, v in values.items() if k not in ("place", "times") and isinstance(v, int | float)]
    times = f", {values['times']:,} times" if values["times"] > 1 else ""
    order = "" if step["order"] == "file" else f", ordered by {step['order']}"
    return "noted", f"row {values['place']:,} of selected.parquet, from 0{times}{order}{', ' + ', '.join(more) if more else ''}"


def _synthetic(values: Values, step: Values) -> Said:
    del step
    made = f"made by {values['generator']}" if values.get("generator") else "made, not found"
    model = f" ({values['model']})" if values.get("model") else ""
    parents = f" from {', '.join(values['parents'])}" if values.get("parents") else ""
    passed = values.get("passed")
    batch = f" in the batch {values['batch']} of this workspace" if values.get("batch") else ", and was accepted"
    gate = (
        "; its gate is not in this workspace" if passed is None else f"; passed its gate{batch}" if passed else f"; failed its gate{batch}: {values['failed']}"
    )
    return ("noted" if passed is None else "passed" if passed else "fails"), f"{made}{model}{parents}{gate}"


def _gate(values: Values, step: Values) -> Said:
    """What the gate found, and why it was written all the same."""
    reasons = step.get("overridden", {})
    names = [name for name in (values.get("found") or "").split(", ") if name]
    said = [f"{name}: found, {f'overridden: {reasons[name]}' if name in reasons else 'which stopped nothing'}" for name in names]
    unsure = values.get("unsure")
    said += [f"synthetic rows that nobody read: found {unsure}; whether this is one is not noted"] if unsure else []
    return "noted", "; ".join(said)


def _rank(values: Values, step: Values) -> Said:
    return "noted", f"{_number(values['score'])} by {step['score']}{', raised for its doubt' if values['raised'] else ''}"


def _edit(values: Values, step: Values) -> Said:
    del step
    return "changed", f"{values['columns']}{_by(values)}"


def _cut(values: Values, step: Values) -> Said:
    del step
    return "changed", f"parted from a row in {values['links']}{_by(values)}"


_SAID: Mapping[str, Callable[[Values, Values], Said]] = {
    "synthetic": _synthetic,
    "label": _label,
    "edit": _edit,
    "cut": _cut,
    "review": _review,
    "score": _score,
    "license": _license,
    "personal": _personal,
    "links": _links,
    "rank": _rank,
    "synthetic_share": _synthetic_share,
    "budget": _budget,
    "gate": _gate,
    "written": _written,
}
