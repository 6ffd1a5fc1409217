"""The audit as one HTML file: no script, no picture from elsewhere, nothing to load, so it opens without a network. Every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

__all__ = ["report_page"]

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #8884; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } h2 { margin-top: 2rem; } .note { opacity: .75; }
"""


def _said(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    def cell(value: Any) -> str:
        return f'<td class="n">{escape(_said(value))}</td>' if isinstance(value, int | float) else f"<td>{escape(_said(value))}</td>"

    body = "".join(f"<tr>{''.join(cell(v) for v in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr></thead><tbody>{body}</tbody></table>"


def _rate(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return f"not known: {found.get('why', 'nothing was judged')}"
    return f"{found['value']:.1%}, between {found['low']:.1%} and {found['high']:.1%} (95 %), from {found['bad']:,} bad of {found['judged']:,} judged rows"


def _worth(found: Mapping[str, Any]) -> str:
    span = f"between {found['low']:,.0f} and {found['high']:,.0f}"
    return f"not known yet, {span}" if found["value"] is None else f"{found['value']:,.0f}, {span} (95 %)"


def report_page(name: str, found: Mapping[str, Any]) -> str:
    """A whole HTML page from what `curate.audit.audit` found. name: of the dataset."""
    noise, worth = found["noise_rate"], found["effective_information"]
    parts = [
        f"<h1>Audit of {escape(name)}</h1>",
        f"<p>{found['rows']:,} rows, {found['kept']:,} kept by the recipe, {_said(found['rows_after_duplicates'])} after duplicates; "
        f"Kish's effective size {found['kish_effective_size']:,.0f}.</p>",
        f"<h2>Noise rate</h2><p>{escape(_rate(noise))}</p>",
    ]
    if noise.get("strata"):
        rows = [(n, r["rows"], r["judged"], r["bad"], r["value"], r["low"], r["high"]) for n, r in noise["strata"].items()]
        parts.append(_table(["stratum", "rows", "judged", "bad", "rate", "low", "high"], rows))
    if noise.get("kinds"):
        parts.append(_table(["kind", "bad rows"], noise["kinds"].items()))
    if noise.get("more_to_halve"):
        parts.append(f'<p class="note">{noise["more_to_halve"]:,} more judged rows would halve the interval.</p>')
    parts.append(f"<h2>Effective information</h2><p>{escape(_worth(worth))}: {worth['kept']:,} rows kept × (1 − their noise rate) × mean signal ")
    parts.append(f"{worth['mean_signal']:.2f} ({'the rank score' if worth['signal'] != 'none' else 'no rank score within 0 and 1, so 1'}).</p>")
    if found["advice"]:
        parts.append(f"<h2>What would help</h2><ul>{''.join(f'<li>{escape(s)}</li>' for s in found['advice'])}</ul>")
    if found["agreement"] is not None:
        told = found["agreement"]
        rows = [(m.replace("_", " "), told[m], *span) for m, span in told["intervals"].items()]
        rests = f"{told['raters']:,} raters gave {told['ratings']:,} ratings of {told['items']:,} items; {told['items_rated_twice']:,} have two and more."
        left = [(name.replace("_", " "), n) for name, n in told["left_out"].items() if n]
        parts += [f"<h2>Annotators</h2><p>{rests}</p>", _table(["left out", "number"], left) if left else "", _table(["measure", "value", "low", "high"], rows)]
        parts.append(_table(["value", "share of ratings"], told["prevalence"].items()))
        named = {k: v for k, v in found["consensus"].items() if isinstance(v, dict)}
        parts.append(_table(["value", *(n.replace("_", " ") for n in named)], [(v, *(c[v] for c in named.values())) for v in told["prevalence"]]))
    checks = {n: c for n, c in found["checks"].items() if "rows" in c}
    seen = [(n, c["rows"], c["measured"], f"{'≤' if c['keep'] == 'below' else '≥'} {c['limit']:g}" if "limit" in c else "flag") for n, c in checks.items()]
    parts += ["<h2>Checks</h2>", _table(["check", "rows found", "rows measured", "kept where"], seen) if seen else "<p>Nothing was measured.</p>"]
    if "license_spdx" in found["checks"]:
        parts += ["<h2>Licences</h2>", _table(["licence", "rows"], found["checks"]["license_spdx"].items())]
    absent = [(n, c["not measured"]) for n, c in found["checks"].items() if "not measured" in c]
    parts += ["<h2>Not measured</h2>", _table(["signal", "why"], absent)] if absent else []
    parts.append('<p class="note">This report counts rows and quotes none.</p>')
    title = f"<title>Audit of {escape(name)}</title>"
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8">{title}<style>{STYLE}</style></head><body>{"".join(parts)}</body></html>'
