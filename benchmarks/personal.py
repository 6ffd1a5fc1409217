"""Personal data with exact truth (Presidio's own synthetic texts): precision and recall by type, and CPU-seconds, beside Presidio's analyzer as it comes.

The rule for phone numbers was written with these texts at hand, so its recall here is no forecast. The other rules are Presidio's own checks.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.cases import Work
from benchmarks.news import SHARED

__all__ = ["case_personal"]

Place = tuple[str, int, int]
SAME = {"DOMAIN_NAME": "URL"}
SPEED = 5_000  # texts, the hundred repeated
PEER_SPEED = 500


def _scored(truth: Sequence[Sequence[Place]], found: Sequence[Sequence[Place]]) -> dict[str, dict[str, float]]:
    """By type: how many there are, how many were found (a place of that type that overlaps), how many findings are none; and how many have the exact place."""
    there, hit, exact, false = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for own, said in zip(truth, found, strict=True):
        for kind, start, end in own:
            there[kind] += 1
            hit[kind] += any(k == kind and a < end and b > start for k, a, b in said)
            exact[kind] += (kind, start, end) in said
        for kind, start, end in said:
            false[kind] += not any(k == kind and a < end and b > start for k, a, b in own)
    return {k: {"there": there[k], "found": hit[k], "exact": exact[k], "false": false[k]} for k in sorted({*there, *false}, key=lambda k: (-there[k], k))}


def _peer() -> Callable[[str, float], list[Place]]:
    """Presidio's analyzer with its own recognisers and a blank spaCy pipeline."""
    import presidio_analyzer.predefined_recognizers.generic.email_recognizer as email
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from tldextract import TLDExtract

    blank = SpacyNlpEngine(ner_model_configuration=NerModelConfiguration(labels_to_ignore=[]))
    blank.nlp = {"en": spacy.blank("en")}
    email.tldextract = SimpleNamespace(extract=TLDExtract(cache_dir=None, suffix_list_urls=()))  # nothing is fetched
    engine = AnalyzerEngine(nlp_engine=blank)
    return lambda text, least: [(f.entity_type, f.start, f.end) for f in engine.analyze(text, "en", score_threshold=least)]


def case_personal(rows: int, folder: Path) -> Work:
    """Every known type on the hundred texts, and the speed of the default types on those repeated."""
    del folder
    shared = SHARED / "presidio-synth"
    if rows != 10_000 or not shared.exists():
        return lambda: {"skipped": "it is one set of 100 texts, beside the project"}
    import polars as pl

    from curate.recogniser import KNOWN, REGIONS, TYPES
    from curate.signals.pii import find

    read = json.loads((shared / "generated_small.json").read_text(encoding="utf-8"))
    texts = [row["full_text"] for row in read]
    truth = [[(SAME.get(s["entity_type"], s["entity_type"]), s["start_position"], s["end_position"]) for s in row["spans"]] for row in read]
    peer = _peer()
    many = pl.Series("text", [texts[i % len(texts)] + f" {i}" for i in range(SPEED)])
    peer(texts[0], 0)
    find(many[:100], TYPES, 0.4, REGIONS)

    def ours(types: Sequence[str]) -> list[list[Place]]:
        return [[(f.type, f.start, f.end) for f in row or ()] for row in find(pl.Series("text", texts), types, 0.4, REGIONS)]

    def rate(work: Callable[[], object], done: int) -> float:
        start = time.process_time()
        work()
        return round(done / (time.process_time() - start))

    def work() -> dict[str, Any]:
        return {
            "texts": len(texts),
            "types": list(TYPES),
            "known": list(KNOWN),
            "curate": _scored(truth, ours(TYPES)),
            "curate_every_type": _scored(truth, ours(KNOWN)),
            "presidio": _scored(truth, [peer(text, 0) for text in texts]),
            "presidio_same_threshold": _scored(truth, [peer(text, 0.4) for text in texts]),
            "rows_s": rate(lambda: find(many, TYPES, 0.4, REGIONS), SPEED),
            "presidio_rows_s": rate(lambda: [peer(text, 0) for text in many[:PEER_SPEED]], PEER_SPEED),
        }

    return work
