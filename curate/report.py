"""The audit as one HTML file: no script, no picture from elsewhere, nothing to load, so it opens without a network. Every text in it is escaped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.example import Example, examples, hidden
from curate.rate import percent
from curate.signal import column_of, discover

__all__ = ["command", "report_page"]

STYLE = Path(__file__).with_suffix(".css")
ALONE = "default-src 'none'; style-src 'unsafe-inline'"
RELIED, TENTATIVE = 0.8, 0.667
"""Krippendorff's own reading of α (2004, p. 241)."""


@dataclass(frozen=True)
class Raw:
    """HTML that is safe to write as it is."""

    html: str


def _said(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _share(value: float | None) -> str:
    return "not known" if value is None else percent(value)


def _count(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"


def _cell(value: Any) -> str:
    if isinstance(value, Raw):
        return f"<td>{value.html}</td>"
    number = isinstance(value, int | float) or (
        isinstance(value, str) and value.removeprefix("over ").removeprefix("under ")[:1].isdigit() and value[-1:] in "0123456789%"
    )
    return f'<td class="n">{escape(_said(value))}</td>' if number else f"<td>{escape(_said(value))}</td>"


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{"".join(f"<th>{escape(h)}</th>" for h in head)}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"


def _bar(rate: Mapping[str, Any]) -> Raw:
    """An interval of a share, drawn between 0 and 1."""
    low, high = 100 * rate["low"], 100 * rate["high"]
    dot = "" if rate["value"] is None else f'<b style="left:{100 * rate["value"]:.2f}%"></b>'
    return Raw(f'<span class="bar"><i style="left:{low:.2f}%;width:{max(0.5, high - low):.2f}%"></i>{dot}</span>')


def _rate(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return f"not known: {found.get('why', 'nothing was judged')}"
    value, low, high = (percent(found[name]) for name in ("value", "low", "high"))
    return f"{value}, between {low} and {high} (95 %), from {found['bad']:,} bad of {found['judged']:,} judged rows"


def _span(found: Mapping[str, Any]) -> str:
    span = f"between {found['low']:,.0f} and {found['high']:,.0f}"
    return f"not known yet, {span}" if found["value"] is None else f"{found['value']:,.0f}, {span} (95 %)"


def _verdict(found: Mapping[str, Any]) -> list[str]:
    """What a reader in a hurry should know, one sentence each."""
    noise, worth, told = found["noise_rate"], found["effective_information"], found["agreement"]
    said = [f"The noise rate is {_rate(noise)}."]
    said.append(f"The recipe keeps {found['kept']:,} of {found['rows']:,} rows; their effective information is {_span(worth)}.")
    if found["rows_after_duplicates"] is not None:
        twins = found["rows"] - found["rows_after_duplicates"]
        said.append(f"{twins:,} of {found['rows']:,} rows give way to a twin, {found['rows_after_duplicates']:,} are left.")
    if told is not None and told.get("alpha_nominal") is not None:
        graded = told.get("alpha_ordinal") is not None and len(told["prevalence"]) > 2
        alpha, level = (told["alpha_ordinal"], "ordinal") if graded else (told["alpha_nominal"], "nominal")
        way = "to be relied on" if alpha >= RELIED else "for tentative conclusions only" if alpha >= TENTATIVE else "too little to rely on"
        beside = f" (as names without order {told['alpha_nominal']:.2f})" if graded else ""
        said.append(f"Annotators agree at an α ({level}) of {alpha:.2f}{beside}: {way}.")
    absent = sum("not measured" in c for c in found["checks"].values())
    return [*said, f"Signals not measured: {absent:,}; they stand at the end with the reason."] if absent else said


def _figures(found: Mapping[str, Any]) -> str:
    noise, worth = found["noise_rate"], found["effective_information"]
    kept = f"{percent(found['kept'] / found['rows'])} by the recipe" if found["rows"] else "by the recipe"
    each = (
        ("Rows", _count(found["rows"]), "read"),
        ("Rows kept", _count(found["kept"]), kept),
        ("After duplicates", _count(found["rows_after_duplicates"]), "rows without their twins"),
        ("Kish’s effective size", _count(found["kish_effective_size"]), "equally weighted rows"),
        ("Noise rate", _share(noise["value"]), f"{percent(noise['low'])} to {percent(noise['high'])}"),
        ("Effective information", _count(worth["value"]), f"{worth['low']:,.0f} to {worth['high']:,.0f}"),
    )
    return f'<div class="figures">{"".join(f"<div><p>{escape(n)}</p><strong>{escape(v)}</strong><p>{escape(a)}</p></div>" for n, v, a in each)}</div>'


def _noise(noise: Mapping[str, Any]) -> list[str]:
    parts = [f"<h2>Noise rate</h2><p>{escape(_rate(noise).capitalize())}.</p>"]
    strata = noise.get("strata") or {}
    if len(strata) > 1:
        rows = [(n, r["rows"], r["judged"], r["bad"], _share(r["value"]), _bar(r), f"{percent(r['low'])} to {percent(r['high'])}") for n, r in strata.items()]
        parts.append(_table(["stratum", "rows", "judged", "bad", "rate", "0 to 100 %", "95 % interval"], rows))
    if noise.get("kinds"):
        kinds = sorted(noise["kinds"], key=lambda kind: -noise["kinds"][kind])
        parts.append(_table(["kind of bad", "rows"], [(kind, noise["kinds"][kind]) for kind in kinds]))
    if noise.get("more_to_halve"):
        parts.append(f'<p class="note">{noise["more_to_halve"]:,} more judged rows would halve the interval.</p>')
    agreed = (noise.get("judges") or {}).get("agreement")
    return (
        [*parts, "<h3>Agreement of the judges</h3>", _table(["measure", "value"], [(m.replace("_", " "), v) for m, v in agreed.items()])] if agreed else parts
    )


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _worth(worth: Mapping[str, Any]) -> list[str]:
    mean = f"{worth['mean_signal']:.2f} ({'the rank score' if worth['signal'] != 'none' else 'no rank score within 0 and 1, so 1'})"
    kept = f"{worth['kept']:,} rows kept × (1 − their noise rate) × mean signal {mean}."
    parts = [f"<h2>Effective information</h2><p>{escape(_span(worth).capitalize())}: {escape(kept)}</p>"]
    if worth["by"]:
        head = [worth["by_column"].replace("_", " "), "rows", "after duplicates", "kept", "Kish’s size", "mean signal", "noise", "worth", "95 % interval"]
        rows = [
            (n, s["rows"], s["rows_after_duplicates"], s["kept"], _count(s["kish_effective_size"]), _two(s["mean_signal"]), _share(s["noise_rate"]["value"]),
             _count(s["value"]), f"{s['low']:,.0f} to {s['high']:,.0f}")
            for n, s in worth["by"].items()
        ]  # fmt: skip
        parts.append(_table(head, rows))
    return parts


def _annotators(found: Mapping[str, Any]) -> list[str]:
    told = found["agreement"]
    if told is None:
        return []
    rows = [(m.replace("_", " "), told[m], *span) for m, span in told["intervals"].items()]
    rests = f"{told['raters']:,} raters gave {told['ratings']:,} ratings of {told['items']:,} items; {told['items_rated_twice']:,} have two and more."
    left = [(name.replace("_", " "), n) for name, n in told["left_out"].items() if n]
    parts = [f"<h2>Annotators</h2><p>{rests}</p>", _table(["left out", "number"], left) if left else "", _table(["measure", "value", "low", "high"], rows)]
    named = {k: v for k, v in found["consensus"].items() if isinstance(v, dict)}
    rows = [(v, _share(share), *(c[v] for c in named.values())) for v, share in told["prevalence"].items()]
    return [*parts, _table(["value", "share of ratings", *(f"rows by {n.replace('_', ' ')}" for n in named)], rows)]


def _limit(check: Mapping[str, Any]) -> str:
    if "limit" not in check:
        return "not marked"
    if isinstance(check["limit"], list | tuple):
        return f"{check['limit'][0]:g} to {check['limit'][1]:g}"
    return f"{'≤' if check['keep'] == 'below' else '≥'} {check['limit']:g}"


def _about(name: str) -> str:
    column, signal = column_of(name), discover().get(name)
    return column.about if column else signal.about if signal else "A column of the dataset."


def _checks(found: Mapping[str, Any]) -> list[str]:
    checks = {n: c for n, c in found["checks"].items() if "rows" in c and "measured" in c}
    head = ["check", "rows found", "of those measured", "rows measured", "kept where", "what it tells"]
    rows = [
        (n.replace("_", " "), c["rows"], _share(c["rows"] / c["measured"] if c["measured"] else None), c["measured"], _limit(c), _about(n))
        for n, c in sorted(checks.items(), key=lambda check: -check[1]["rows"])
    ]
    parts = ["<h2>Checks</h2>", _table(head, rows) if rows else "<p>Nothing was measured that has a limit.</p>"]
    licences = found["checks"].get("license_spdx")
    return [*parts, "<h3>Licences</h3>", _table(["licence", "rows"], licences.items())] if isinstance(licences, Mapping) and licences else parts


def _curve(found: Mapping[str, Any]) -> str:
    """Share of rows that are new against the number of rows, as a drawing of lines."""
    rows = max(1.0, found["rows"])
    points = " ".join(f"{40 + 440 * x / rows:.1f},{10 + 120 * (1 - y):.1f}" for x, y in found["curve"])
    ticks = "".join(f'<text x="34" y="{14 + 120 * (1 - y):.0f}" text-anchor="end">{y:.0%}</text>' for y in (0.0, 0.5, 1.0))
    ends = f'<text x="40" y="150">0</text><text x="480" y="150" text-anchor="end">{found["rows"]:,} rows</text>'
    drawn = f'<svg viewBox="0 0 490 156" role="img"><path d="M40 10V130H480" class="axis"/>{ticks}{ends}<polyline points="{points}"/></svg>'
    return f"<figure>{drawn}<figcaption>Share of further rows without a twin, by the number of rows that are there.</figcaption></figure>"


def _help(found: Mapping[str, Any]) -> list[str]:
    if not found["advice"]:
        return ["<h2>What would help</h2><p>Nothing can be said yet: no row was judged, and neither duplicates nor coverage were measured.</p>"]
    return ["<h2>What would help</h2>", _list(found["advice"]), *([_curve(found["saturation"])] if found["saturation"] else [])]


def _row(one: Example) -> str:
    said = f"Row {one.position:,} ({one.row_id}): {one.value}"
    return f'<div class="row"><p class="note">{escape(said)}</p><pre>{escape(one.text)}</pre></div>'


def _rows(rows: Mapping[str, Sequence[Example]]) -> list[str]:
    each = [f"<h3>{escape(name.replace('_', ' '))}</h3>{''.join(map(_row, found))}" for name, found in rows.items()]
    return ["<h2>Rows</h2>", *each] if each else []


def _quotes(rows: bool, personal: bool) -> str:
    """What the report holds of the rows themselves."""
    if personal:
        return '<p class="raw">This report holds personal data as it stands in the data. Share it accordingly.</p>'
    if rows:
        found = "what was found of personal data in them is redacted. Names of people and places are found only where pii was measured with a model."
        return f'<p class="note">This report quotes rows; {found}</p>'
    return '<p class="note">This report counts rows and quotes none; names of sources, labels, licences and people who rated stand in it.</p>'


def report_page(name: str, audit: Mapping[str, Any], rows: Mapping[str, Sequence[Example]] | None = None, personal: bool = False) -> str:
    """A whole HTML page from what `curate.audit.audit` found. name: of the dataset. rows: to be quoted, by check, as `curate.example.examples` gives them.

    personal: what looks like personal data in the names of sources, labels and licences stays as it is, and the page says that it holds such data.
    """
    found = {"name": name, **audit} if personal else hidden({"name": name, **audit})
    title = f"Audit of {escape(found['name'])}"
    absent = [(n.replace("_", " "), c["not measured"]) for n, c in found["checks"].items() if "not measured" in c]
    parts = [
        f"<h1>{title}</h1>",
        _quotes(bool(rows), personal),
        _list(_verdict(found)),
        _figures(found),
        *_noise(found["noise_rate"]),
        *_worth(found["effective_information"]),
        *_annotators(found),
        *_checks(found),
        *_help(found),
        *(["<h2>Not measured</h2>", _table(["signal", "why"], absent)] if absent else []),
        *_rows(rows or {}),
    ]
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{ALONE}"><meta name="viewport" content="width=device-width">'
    style = STYLE.read_text(encoding="utf-8")
    return f'<!doctype html><html lang="en"><head>{head}<title>{title}</title><style>{style}</style></head><body>{"".join(parts)}</body></html>'


def command(args: argparse.Namespace, tell: Any) -> int:
    """`curate audit`: measure what is not yet measured, print the audit, write the report where `--out` names one."""
    from curate.audit import audit
    from curate.export import dataset_of
    from curate.measure import measure
    from curate.recipe import load_recipe
    from curate.reviews import ASKED, fold, read_log
    from curate.scores import Scores, read_scores
    from curate.workspace import Workspace, write_file

    if args.rows < 0:
        raise InputError("--rows", f"{args.rows} is not a number of rows", "Give 0 or more")
    if (args.rows or args.personal) and not args.out:
        raise InputError("--rows" if args.rows else "--personal", "rows are quoted in the report only", "Name it with --out REPORT.html")
    recipe, workspace = load_recipe(args.recipe), Workspace.at(args.workspace)
    dataset = dataset_of(recipe, workspace, None, tell)
    tasks = read_scores(dataset, recipe, workspace).tasks
    measure(dataset, tasks, workspace, args.engine, tell)
    log = recipe.reviews
    marked = fold(read_log(Path(log.path), log.lines) if log else read_log(workspace.reviews(dataset.fingerprint))).marked
    marked = marked if log else tuple(r for r in marked if r.action in ASKED)
    scores = Scores(dataset, workspace, tasks)
    found = audit(scores, recipe, marked)
    if args.out:
        page = report_page(dataset.name, found, examples(scores, recipe, args.rows, args.personal, marked), args.personal).encode()
        args.out.absolute().parent.mkdir(parents=True, exist_ok=True)
        write_file(args.out.absolute(), lambda path: Path(path).write_bytes(page))
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    elif args.out:
        print(args.out.absolute())
    else:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0
