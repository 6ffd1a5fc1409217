"""Which column has which role, recognised from names, types and values. Each decision says why it was taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl

from curate.roles import Role, turn_fields

__all__ = ["Recognised", "recognise"]

Recognised = Mapping[Role, tuple[tuple[str, ...], str]]
"""Role → its columns and why they have it."""

_NAMES = {  # plain names, most telling first
    Role.LABEL: "label labels category class intent target topic sentiment given_label hallucination emotion tag",
    Role.RATING: "rating score stars quality overall grade helpfulness reward",
    Role.VOTES: "votes upvotes vote_count num_votes likes",
    Role.CONFIDENCE: "confidence certainty label_confidence probability",
    Role.SPLIT: "split fold partition subset set",
    Role.SOURCE: "source dataset origin data_source source_dataset corpus domain subset package",
    Role.LICENSE: "license licence licenses spdx license_id",
    Role.SYNTHETIC: "synthetic is_synthetic generated is_generated machine_generated",
}
_TURNS = "messages conversations conversation dialogue dialog turns chat"
_PROMPT = "instruction prompt question query user_query user_input problem request _instruction _prompt _question _query"
_BESIDE_RESPONSE = "input inputs task user human text_input source article document"  # prompts only where something answers them
_CONTEXT = "context contexts passage evidence knowledge background document article input"
_RESPONSE = (
    "response output completion answer system_output chatgpt_response assistant reply solution generation target summary highlights "
    "_response _output _completion _answer answers instances"
)
_TEXT = "text sentence utterance content body review comment full_text message passage document"
_ANNOTATORS = "annotations annotator_labels annotators ratings"
_ANNOTATOR = re.compile(r"(annotator|annotation|rater|coder|worker|judge|label|reviewer)s?_?(\d+|[a-z])")
_SPLITS = {"train", "training", "test", "dev", "val", "valid", "validation", "eval", "evaluation", "holdout"}

_Step = Iterator[tuple[Role, Sequence[str], str]]
_Fits = Callable[[pl.Series], bool]


def recognise(sample: pl.DataFrame) -> Recognised:
    """The roles that a sample of the rows, spread over the dataset, lets see. A column has one role at most; what is not clear has none."""
    found: dict[Role, tuple[tuple[str, ...], str]] = {}
    for step in (_facts, _chat, _texts):
        for role, columns, why in step(sample, found):
            found[role] = tuple(columns), why
            sample = sample.drop(columns)
    return {role: found[role] for role in Role if role in found}


def _facts(sample: pl.DataFrame, found: Recognised) -> _Step:
    """The roles that hold something about a row rather than its text."""
    del found
    if sums := [c for c in sample.columns if _sums_to_one(sample[c])]:
        yield Role.PROBABILITIES, sums[:1], f"lists of numbers that sum to 1 in '{sums[0]}'"
    many = [c for c in sample.columns if _ANNOTATOR.fullmatch(_plain(c)) and _repeats(sample[c])]
    if len(many) < 2:
        listed = _named(sample.drop(sums), _ANNOTATORS, lambda s: isinstance(s.dtype, pl.List))
        many = [listed] if listed else []
    if many:
        yield Role.ANNOTATIONS, many, f"named {', '.join(map(repr, many))}"
    taken = {*many, *sums[:1]}
    for role, fits in _FITS.items():
        name = _named(sample.drop(taken), _NAMES[role], fits)
        if name is not None:
            taken.add(name)
            yield role, [name], f"named '{name}'"


def _chat(sample: pl.DataFrame, found: Recognised) -> _Step:
    """A pair of answers, of which one is preferred; else turns."""
    del found
    chosen, rejected = _named(sample, "chosen", _is_text), _named(sample, "rejected", _is_text)
    if chosen and rejected:
        yield Role.RESPONSE, [chosen], f"named '{chosen}', beside '{rejected}'"
        yield Role.REJECTED, [rejected], f"named '{rejected}', beside '{chosen}'"
        return
    turns = _named(sample, _TURNS, _is_turns) or next((c for c in sample.columns if _is_turns(sample[c]) and _plain(c) not in ("prompt", "completion")), None)
    if turns:
        yield Role.MESSAGES, [turns], f"turns with {' and '.join(map(repr, turn_fields(sample[turns].dtype) or ()))} in '{turns}'"


def _texts(sample: pl.DataFrame, found: Recognised) -> _Step:
    """Prompt, context and response; where there is neither prompt nor response, the text."""
    if Role.MESSAGES in found:
        return
    response = None if Role.RESPONSE in found else _named(sample, _RESPONSE, _is_answer)
    answered = Role.RESPONSE in found or response is not None
    rest = sample.drop([response] if response else [])
    prompt = _named(rest, _PROMPT, _is_text) or (_named(rest, _BESIDE_RESPONSE, _is_text) if answered else None)
    context = _named(rest.drop([prompt] if prompt else []), _CONTEXT, _is_text) if prompt or answered else None
    for role, name in ((Role.PROMPT, prompt), (Role.CONTEXT, context), (Role.RESPONSE, response)):
        if name is not None:
            yield role, [name], f"named '{name}'"
    text = None if prompt or answered else _named(sample, _TEXT, _is_text) or _longest(sample)
    if text is not None:
        labelled = bool(found.keys() & {Role.LABEL, Role.ANNOTATIONS, Role.PROBABILITIES})
        why = f"'{text}' is the text, {'with a label' if labelled else 'with neither prompt nor label'} beside it"
        yield Role.PROMPT if labelled else Role.RESPONSE, [text], why


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold()).strip("_")


def _named(sample: pl.DataFrame, names: str, fits: _Fits) -> str | None:
    """The column with the first of these plain names (_name: that ends so) whose values fit."""
    columns = {_plain(c): c for c in reversed(sample.columns)}
    for name in names.split():
        for plain, column in columns.items():
            if (plain == name or (name.startswith("_") and plain.endswith(name))) and fits(sample[column]):
                return column
    return None


def _is_text(column: pl.Series) -> bool:
    """Strings, lists of strings, or turns."""
    return column.dtype in (pl.String, pl.Categorical, pl.List(pl.String)) or _is_turns(column)


def _is_answer(column: pl.Series) -> bool:
    return _is_text(column) or (column.dtype.is_nested() and _plain(column.name) in ("answers", "instances"))


def _is_turns(column: pl.Series) -> bool:
    return turn_fields(column.dtype) is not None


def _length(column: pl.Series) -> float:
    """Characters in the mean."""
    return float(column.drop_nulls().cast(pl.String).str.len_chars().sum()) / max(1, len(column))


def _is_short(column: pl.Series) -> bool:
    """Strings of a name's length."""
    return column.dtype in (pl.String, pl.Categorical) and _length(column) <= 80


def _repeats(column: pl.Series) -> bool:
    """Values that come again and again."""
    return not column.dtype.is_nested() and column.drop_nulls().n_unique() <= max(20, len(column) // 2)


def _is_class(column: pl.Series) -> bool:
    return (_is_short(column) or column.dtype.is_integer() or column.dtype == pl.Boolean) and _repeats(column)


def _is_name(column: pl.Series) -> bool:
    return _is_short(column) and _repeats(column)


def _is_share(column: pl.Series) -> bool:
    return column.dtype.is_float() and bool(column.drop_nulls().is_between(0, 1).all())


def _is_flag(column: pl.Series) -> bool:
    return bool(column.dtype == pl.Boolean) or _is_name(column)


def _is_split(column: pl.Series) -> bool:
    return _is_short(column) and set() < {str(v).casefold() for v in column.drop_nulls().unique()} <= _SPLITS


def _sums_to_one(column: pl.Series) -> bool:
    if column.dtype not in (pl.List(pl.Float32), pl.List(pl.Float64)) and not isinstance(column.dtype, pl.Array):
        return False
    lists = column.drop_nulls().cast(pl.List(pl.Float64))
    fits = (lists.list.len() > 1) & ((lists.list.sum() - 1).abs() < 1e-3)
    return len(lists) > 0 and int(fits.sum()) >= 0.95 * len(lists)


def _longest(sample: pl.DataFrame) -> str | None:
    """The string column with the longest texts, if they are longer than names and have spaces, as addresses and ids have not."""
    texts = [c for c in sample.columns if sample[c].dtype == pl.String and _length(sample[c]) >= 20 and sample[c].str.contains(" ").sum() * 2 > len(sample)]
    return max(texts, key=lambda c: _length(sample[c]), default=None)


_FITS: Mapping[Role, _Fits] = {
    Role.SPLIT: _is_split,
    Role.LABEL: _is_class,
    Role.RATING: lambda s: s.dtype.is_numeric(),
    Role.VOTES: lambda s: s.dtype.is_integer(),
    Role.CONFIDENCE: _is_share,
    Role.SOURCE: _is_name,
    Role.LICENSE: _is_name,
    Role.SYNTHETIC: _is_flag,
}
