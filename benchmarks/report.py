"""The figures, made from benchmarks/results: `python -m benchmarks.report` writes all between the marks in docs/figures.md, a few of them in README.md."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth import growth_svg
from benchmarks.kills import kills_line
from benchmarks.machine_written import machine_written_line
from benchmarks.probing import probing_line, probing_lora_line
from benchmarks.ranking import ranking_line
from benchmarks.reviewing import reviewing_line

__all__ = ["headline", "report"]

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
FIGURES = HERE.parent / "docs" / "figures.md"
PICTURE = HERE / "growth.svg"
MARKS = "<!-- figures: python -m benchmarks.report -->", "<!-- end of figures -->"
SIZES = (10_000, 100_000, 1_000_000)
WORK = {
    "load": "load JSONL",
    "exact_duplicate": "exact duplicates",
    "near_duplicate": "near duplicates, every threshold from .5",
    "near_equal": "— all rows equal",
    "near_empty": "— all rows empty",
    "near_template": "— one template, one word changed",
    "rensa": "— rensa, one threshold",
    "datasketch": "— datasketch, one threshold",
    "embedding_static": "embedding, wordllama (256-d)",
    "neighbour": "15 nearest neighbours (256-d, generated rows)",
    "pynndescent": "— pynndescent",
    "neighbour_lines": "— real lines of text (256-d)",
    "pynndescent_lines": "— pynndescent",
    "neighbour_sentences": "— real lines of text (MiniLM, 384-d)",
    "pynndescent_sentences": "— pynndescent",
    "semantic_duplicate": "semantic duplicates, every threshold from the floor",
    "projection": "projection, from those neighbours",
    "umap": "— umap-learn's defaults, neighbours included",
    "cluster": "clusters with names",
    "contamination": "contamination by words, 10,000 evaluation rows",
    "contamination_sets": "— Python sets of 13-grams, one of its three measures",
    "text_quality": "text quality and language",
    "importance": "importance by n-grams, 500 gold rows",
    "importance_dictionary": "— a plain Python dictionary of n-grams",
    "coverage": "coverage of 500 reference rows, from embeddings",
    "tokens": "tokens",
    "export": "export",
    "run": "`curate run` from nothing: load, exact and near duplicates, tokens, export",
}

HEAD = ("| work | 10,000 rows | 100,000 | 1,000,000 | grows as n^ |", "|---|---|---|---|---|")

Results = Mapping[tuple[str, int], Mapping[str, Any]]


def read_results(folder: Path = HERE / "results") -> Results:
    """Every result by case and rows."""
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    return {(one["case"], one["rows"]): one for one in found}


def growth(results: Results, case: str) -> float | None:
    """Exponent of CPU-seconds in rows, by least squares on logarithms over the sizes that were measured; None for fewer than two."""
    points = [(math.log(rows), math.log(max(results[case, rows]["cpu_seconds"], 1e-3))) for rows in SIZES if (case, rows) in results]
    if len(points) < 2:
        return None
    mean = [sum(p[i] for p in points) / len(points) for i in (0, 1)]
    return sum((x - mean[0]) * (y - mean[1]) for x, y in points) / sum((x - mean[0]) ** 2 for x, _ in points)


def _say(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _cell(one: Mapping[str, Any]) -> str:
    recall = f", recall {one['recall_at_15']:.3f}" if "recall_at_15" in one else ""
    return f"{_say(one['cpu_seconds'])} s, {one['peak_mb']:,} MB{recall}"


def _row(results: Results, case: str) -> str:
    cells = [_cell(results[case, rows]) if (case, rows) in results else "" for rows in SIZES]
    slope = growth(results, case)
    return f"| {WORK[case]} | {' | '.join(cells)} | {f'{slope:.2f}' if slope is not None else ''} |"


QUICK = {
    ("threshold", "cover_median_ms"): "change the duplicate threshold, cover rule",
    ("threshold", "group_median_ms"): "change the duplicate threshold, group rule",
    ("forest", "cover_ms"): "the cover rule over 4.2 random pairs a row",
    ("forest", "labels_ms"): "groups of those pairs at any limit",
    ("forest", "curve_500_ms"): "their curve at 500 limits, group rule",
    ("forest", "cover_curve_ms"): "their curve at 51 limits, cover rule",
    ("crossfilter", "median_ms"): "15 histograms under a filter",
    ("search", "words_ms"): "search the text",
    ("search", "meaning_ms"): "search by meaning",
    ("browser", "first_page_ms"): "in Chromium, everything measured: first page of a fresh server",
    ("browser", "slider_to_picture_ms"): "— a key on the duplicate slider to the new picture",
    ("browser", "thresholds_page_ms"): "— all histograms",
    ("browser", "search_ms"): "— search for a word",
    ("browser", "map_page_ms"): "— the map",
    ("browser", "lasso_ms"): "— a lasso to the rows it holds",
    ("browser", "drop_ms"): "— drop them",
}


def _quick(results: Results) -> list[str]:
    """Milliseconds of what a person waits for at each move."""
    found = [(name, [results.get((case, rows), {}).get(key) for rows in (*SIZES, 10_000_000)]) for (case, key), name in QUICK.items()]
    lines = [f"| {name} | {' | '.join('' if v is None else _say(v) for v in values)} |" for name, values in found if any(values)]
    return ["| milliseconds of engine, median | 10,000 rows | 100,000 | 1,000,000 | 10,000,000 |", "|---|---|---|---|---|", *lines]


def _beside(results: Results) -> list[str]:
    lines = []
    if one := results.get(("embedding", 10_000)):
        rates = f"{one['rows_s']:.0f} rows/s against {one['default_rows_s']:.0f}: {one['times']:.1f} ×"
        lines.append(
            f"- Embeddings of {one['texts']} docstrings, all-MiniLM, beside sentence-transformers' `encode`: {rates}, least cosine {one['min_cosine']:.5f}."
        )
    if one := results.get(("perplexity", 10_000)):
        rates = f"{one['tokens_s']:.0f} tokens/s against {one['plain_tokens_s']:.0f}: {one['times']:.1f} ×"
        lines.append(
            f"- Perplexity of {one['texts']} docstrings, beside a plain float32 loop in batches of 16: {rates}, median difference {one['median_off']:.2%}."
        )
    if one := results.get(("docstring_map", 10_000)):
        maps = ["{cpu_seconds} CPU-s, trustworthiness {trust}, {kept:.0%} of neighbours kept".format(**one[name]) for name in ("default", "quicker", "umap")]
        lines.append(f"- A map of {one['vectors']:,} docstrings, neighbours included: {maps[0]}; with `epochs: 200` {maps[1]}; umap-learn {maps[2]}.")
    if one := results.get(("label_issue", 10_000)):
        said = "; ".join(
            f"{model} {one[model]['regression']:.3f} by regression, {one[model]['mean']:.3f} as measured" for model in ("all-minilm-l6-v2", "wordllama")
        )
        lines.append(f"- Wrong labels of 10,000 news ({one['errors']:.1%}) ranked by how likely the given one is, AUROC: words {one['words']:.3f}; {said}.")
    if one := results.get(("reviewing", 10_000)):
        lines.append(reviewing_line(one))
    if one := results.get(("probe_noise", 10_000)):
        lines.append(probing_line(one))
    if one := results.get(("probe_noise_lora", 10_000)):
        lines.append(probing_lora_line(one))
    if one := results.get(("lora_ranking", 4_000)):
        lines.append(ranking_line(one))
    if one := results.get(("news_by_gold", 10_000)):
        said = "; ".join(
            f"{many} rows {own['measured']:.3f}, DSIR's settings {own['dsir_per_ngram']:.3f} per n-gram and {own['dsir']:.3f} in sum"
            for many, own in ((many, one[f"gold_{many}"]) for many in (100, 500))
        )
        lines.append(f"- News of one class among 10,000 ranked by gold rows of it, AUROC, mean of four classes: {said}.")
    if one := results.get(("grounding", 10_000)):
        plain = ", ".join(f"{n.removeprefix('grounding_').replace('_', ' ')} {v:.3f}" for n, v in one["spearman"].items() if n != "grounding_score")
        panel = one["panel"]
        lines.append(
            f"- Grounding of 360 answers, rank correlation with people's ratings: {plain}; fitted to the ratings, each row by a fit to other contexts, "
            f"{one['spearman']['grounding_score']:.3f}. Of the rows {one['rows_with_a_context']} have a context at all; there trigrams reach "
            f"{one['spearman_with_a_context']['grounding_trigram']:.3f}, the fit {one['spearman_with_a_context']['grounding_score']:.3f}. After 30 ratings by "
            f"hand, AUROC on the other rows, mean of 200 panels: {panel['best_of_panel']:.3f} by the measure that looked best, {panel['all_fitted']:.3f} by "
            "all together."
        )
    if one := results.get(("closed_book", 10_000)):
        said = ", ".join(f"{n.removeprefix('grounding_').replace('_', ' ')} {v:.2f} ({low:.2f}–{high:.2f})" for n, (v, low, high) in one["auroc"].items())
        lines.append(
            f"- Answers without a context ({one['answers']:,}, {one['invented']} invented), AUROC for the sound ones with the question in the context's place: "
            f"{said}. Shared words do not tell what is invented where nothing is given to stand on; Curate measures no grounding there."
        )
    if one := results.get(("machine_written", 10_000)):
        lines.append(machine_written_line(one))
    if one := results.get(("kills", 130)):
        lines.append(kills_line(one))
    if one := results.get(("accelerator", 4096)):
        vectors, losses = one["embedding"], one["perplexity"]
        said = f"embeddings {vectors['rows_s']:,.0f} rows/s against {vectors['default_rows_s']:,.0f}: {vectors['times']:.1f} ×"
        also = f"perplexity {losses['tokens_s']:,.0f} tokens/s against {losses['plain_tokens_s']:,.0f}: {losses['times']:.1f} × ({one['weights']})"
        lines.append(f"- The same on an {one['accelerator']}: {said}; {also}.")
    return lines


def _cell_of(found: Mapping[str, Any], kind: str) -> str:
    """Recall and precision of one type."""
    said = found.get(kind, {"there": 0, "found": 0, "false": 0})
    told = said["found"] + said["false"]
    recall = f"recall {said['found'] / said['there']:.2f}" if said["there"] else "none there"
    return f"{recall}, precision {said['found'] / told:.2f}" if told else f"{recall}, nothing found"


def _personal(results: Results) -> list[str]:
    """Personal data by type; what no pattern finds in one line."""
    one = results.get(("personal", 10_000))
    if one is None:
        return []
    columns = [one[name] for name in ("curate_every_type", "presidio", "presidio_same_threshold")]
    kinds = [k for k in dict.fromkeys(k for found in columns for k in found) if k in one["known"]]
    there, found = (sum(v[name] for v in one["curate"].values()) for name in ("there", "found"))
    shapes = sum(v["there"] for k, v in one["curate"].items() if k in one["types"])
    named = ", ".join(f"{k} {v['there']}" for k, v in columns[0].items() if k not in one["known"])
    rates = f"{one['rows_s']:,.0f} rows a CPU-second against {one['presidio_rows_s']:,.0f}, {one['rows_s'] / one['presidio_rows_s']:.0f} ×"
    lines = [
        f"Personal data in {one['texts']} synthetic texts, beside Presidio's analyzer with a blank spaCy pipeline: {rates}. "
        f"Of the {there} things in them {shapes} are of types that are sought unasked, and {found} are found; {named} need a model (`ner`). "
        "The rule for phone numbers was written with these texts at hand, so its recall is no forecast.",
        "",
        "| type | there | Curate | Presidio | Presidio, findings of .4 and more as here |",
        "|---|---|---|---|---|",
    ]
    for kind in kinds:
        asked, many = "" if kind in one["types"] else ", when asked for", columns[0].get(kind, {}).get("there", 0)
        lines.append(f"| {kind}{asked} | {many} | {' | '.join(_cell_of(said, kind) for said in columns)} |")
    return [*lines, ""]


def report(results: Results) -> str:
    """The section of docs/figures.md between its marks."""
    machines = sorted({f"{one['machine']['cores']} cores of {one['machine']['processor']}" for one in results.values() if "machine" in one})
    head = f"On {' and '.join(machines)}; generated rows, one process a case, CPU-seconds and peak memory. The files in `benchmarks/results` hold each figure."
    cases: Sequence[str] = [case for case in WORK if any((case, rows) in results for rows in SIZES)]
    table = [*HEAD, *(_row(results, case) for case in cases)]
    drawn = ["", "![CPU-seconds by rows](../benchmarks/growth.svg)", ""]
    return "\n".join([head, "", *table, *drawn, *_quick(results), "", *_personal(results), *_beside(results)]).strip()


FIRST = ("load", "near_duplicate", "rensa", "embedding_static", "neighbour", "text_quality", "tokens", "export")


def headline(results: Results) -> str:
    """The section of the README between its marks: a few rows of the same table."""
    return "\n".join([*HEAD, *(_row(results, case) for case in FIRST)])


DRAWN = {
    "load": "load",
    "exact_duplicate": "exact duplicates",
    "near_duplicate": "near duplicates",
    "embedding_static": "static embedding",
    "neighbour": "neighbours",
    "semantic_duplicate": "semantic duplicates",
    "projection": "projection",
    "cluster": "clusters",
    "text_quality": "text quality",
    "tokens": "tokens",
    "export": "export",
}


def picture(results: Results) -> str:
    """The growth of Curate's own work as SVG."""
    lines = {name: [(rows, float(results[case, rows]["cpu_seconds"])) for rows in SIZES if (case, rows) in results] for case, name in DRAWN.items()}
    return growth_svg({name: points for name, points in lines.items() if len(points) > 1})


def main() -> None:
    """Write the figures into docs/figures.md and README.md, and growth.svg."""
    PICTURE.write_text(picture(read_results()))
    for file, said in ((FIGURES, report(read_results())), (README, headline(read_results()))):
        before, rest = file.read_text().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        file.write_text(f"{before}{MARKS[0]}\n\n{said}\n\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
