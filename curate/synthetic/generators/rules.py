"""Edits by rule: no model, no network, nothing to pay. The right answer stays the parent's own, so what is edited is what was asked.

Three ways, in turn: a *template* puts the parent's prompt into a sentence of the file `rules.md`; *words* replaces words by others that stand between the same
neighbours elsewhere in the data, backing off from both neighbours to one (n-grams, Katz 1987), and are near in static word vectors; *cross* joins the first
half of the sentences of one row to the second half of another's, where both have several sentences, one label and no response (Luque 2019, "Atalaya at TASS":
instance crossover). Numbers, names, negations, code and words in quotes stay. What it misses: it says nothing new, and a word's neighbour may be its opposite;
most edits stay near their parent, and the gate refuses those above its limits.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from curate.errors import InputError
from curate.synthetic.generator import Ask, Generator, Opened, Options, Written
from curate.synthetic.limits import Purse, Stop
from curate.synthetic.prompt import HOLE

__all__ = ["GENERATOR", "Words", "edit"]

WORD = re.compile(r"`[^`]*`|\"[^\"]*\"|[^\W\d_]+(?:['’][^\W\d_]+)?|\S", re.UNICODE)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_STAYS = (
    "not no nor never none neither nobody nothing without cannot don't doesn't didn't isn't aren't wasn't won't can't must should only all every any some "
    "more most less least before after above below under over first last true false and or but if then else than with from into onto"
    " the a an of to in on at by for is are was were be been am do does did has have had this that these those it its i you he she we they my your "
    "his her our their what which who whom whose when where why how"
)
STAYS = frozenset(_STAYS.split())
SHARE, NEAR, KNOWN, LONG = 0.5, 0.35, 30_000, 4
"""Words that may be replaced and are; least cosine of a word to the one that it replaces; words that are known; letters of the shortest that is replaced."""


@dataclass(frozen=True)
class Words:
    """What stands between which words in some texts. texts: whose words are learnt, nothing else."""

    texts: tuple[str, ...]

    @cached_property
    def _counted(self) -> tuple[dict[tuple[str, str], Counter[str]], dict[str, Counter[str]], list[str]]:
        both: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        left: dict[str, Counter[str]] = defaultdict(Counter)
        every: Counter[str] = Counter()
        for text in self.texts:
            words = ["", *(w.lower() for w in WORD.findall(text)), ""]
            for a, word, b in zip(words, words[1:], words[2:], strict=False):
                if len(word) >= LONG and word.isalpha() and word not in STAYS:
                    both[a, b][word] += 1
                    left[a][word] += 1
                    every[word] += 1
        return both, left, [word for word, _ in every.most_common(KNOWN)]

    @cached_property
    def _vectors(self) -> Mapping[str, object]:
        import numpy as np

        from curate.models import embedding_model

        words = self._counted[2]
        if not words:
            return {}
        found = np.asarray(embedding_model("wordllama").encode(words), np.float32)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
        return dict(zip(words, found, strict=True))

    def instead(self, before: str, word: str, after: str) -> list[str]:
        """Words that may stand for `word` between two others, the most frequent there first; those between the same two before those after the same one."""
        both, left, _ = self._counted
        own = self._vectors.get(word)
        if own is None:
            return []
        ranked = dict.fromkeys(w for held in (both.get((before, after)), left.get(before)) if held for w, _ in held.most_common())
        return [w for w in ranked if w != word and w in self._vectors and not _same(w, word) and float(own @ self._vectors[w]) >= NEAR]  # type: ignore[operator]


def _same(a: str, b: str) -> bool:
    """Whether words are forms of one: the first four letters are alike."""
    return a[:LONG] == b[:LONG]


def paraphrase(text: str, words: Words, chance: random.Random) -> str:
    """The text with up to half of the words that may be replaced, replaced."""
    found = list(WORD.finditer(text))
    said = ["", *(m[0].lower() for m in found), ""]
    may = [i for i, m in enumerate(found) if len(m[0]) >= LONG and m[0].isalpha() and m[0].islower() and m[0] not in STAYS]
    chance.shuffle(may)
    changed: dict[int, str] = {}
    for i in may:
        if len(changed) >= max(1, round(SHARE * len(may))):
            break
        near = words.instead(said[i], said[i + 1], said[i + 2])
        if near:
            changed[i] = chance.choice(near[:3])
    out, at = [], 0
    for i, m in enumerate(found):
        out += [text[at : m.start()], changed.get(i, m[0])]
        at = m.end()
    return "".join([*out, text[at:]])


def _sentences(text: str | None) -> list[str]:
    return SENTENCE.split(text.strip()) if text else []


def _cross(ask: Ask, field: str) -> str:
    """The first half of one row's sentences and the second half of another's."""
    head, tail = (_sentences(getattr(p, field)) for p in ask.parents[:2])
    return " ".join([*head[: -(-len(head) // 2)], *tail[len(tail) // 2 :]])


def _ways(ask: Ask) -> list[str]:
    """Rules that suit an ask."""
    field, parents = ask.fields[0], ask.parents[:2]
    ways = ["template", "words"] if field == "prompt" and "response" in ask.fields else ["words"]
    whole = len(parents) > 1 and all(p.label is not None and p.label == parents[0].label and len(_sentences(getattr(p, field))) > 1 for p in parents)
    return [*ways, "cross"] if whole and len(ask.fields) == 1 else ways


def templates(ask: Ask) -> list[str]:
    """Lines of the prompt file that begin with a dash. Raises InputError where none has {{parent}}."""
    found = [line[2:].strip() for line in ask.prompt.text.splitlines() if line.startswith("- ") and "parent" in HOLE.findall(line)]
    if not found:
        raise InputError(f"{ask.prompt.name}.md", "has no line such as '- Tell me: {{parent}}'", "Write one, or delete the file: then it is written anew")
    return found


def edit(ask: Ask, words: Words) -> Written:
    """One edited row. failed: where no rule changes anything."""
    begun, chance, parent = time.perf_counter(), random.Random(ask.seed), ask.parents[0]
    texts = {name: str(getattr(parent, name) or "") for name in ask.fields}
    field, ways = ask.fields[0], _ways(ask)
    way = ways[ask.number % len(ways)]
    made = _cross(ask, field) if way == "cross" else paraphrase(texts[field], words, chance)
    if way == "template":
        template = chance.choice(templates(ask))
        made = HOLE.sub(lambda hole: made if hole[1] == "parent" else ask.value, template)
    seconds = time.perf_counter() - begun
    if " ".join(made.split()).lower() in {" ".join(str(getattr(p, field) or "").split()).lower() for p in ask.parents}:
        return Written(failed=f"the rule {way} changed nothing", seconds=seconds)
    return Written({**texts, field: made}, seconds=seconds, starts=2 if way == "cross" else 1)


def _open(options: Options, texts: Callable[[], Iterable[str]]) -> Opened:
    if options.model:
        raise InputError("--model", "the generator rules has no model", "Leave it out, or choose --generator endpoint or local")
    words = Words(tuple(texts()))

    def write(asks: Sequence[Ask], purse: Purse, stop: Stop) -> list[Written]:
        del purse
        stop.wait(0)
        return [edit(ask, words) for ask in asks]

    return Opened("", write, batch=64)


GENERATOR = Generator(
    "rules",
    "Edits of rows by templates, by words that stand in the same place elsewhere, and by crossing rows of one label",
    dict.fromkeys(("label", "source", "cluster", "gap", "any"), "rules"),
    _open,
    shots=2,
    asks=False,
)
