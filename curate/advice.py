"""When more rows would help and when better ones: sentences that rest on what was measured and judged, each with its numbers, and none without.

The arithmetic is that of effective information: rows × (1 - noise rate). It takes a bad row to be worth nothing and says nothing of harm.
"""

from __future__ import annotations

from curate.rate import Rate, more_to_halve

__all__ = ["advice"]

WIDE = 0.1
"""An interval of a noise rate wider than this decides little."""
MANY = 0.05
"""A share of copies from which on new rows of the same kind are likely to be copies too."""


def advice(kept: int, noise: Rate | None, rows: int, copies: int | None) -> list[str]:
    """Sentences on what to do next, most pressing first; empty where nothing was measured or judged.

    kept: rows that stay. noise: the noise rate among them, None where no sample was drawn. rows: of the dataset. copies: rows that give way to a twin, None
    where duplicates are not measured.
    """
    said = []
    if noise is not None and noise.value is not None:
        rate = f"{noise.value:.1%} of the kept rows are bad (95 % interval {noise.low:.1%} to {noise.high:.1%}, {noise.judged:,} judged)"
        more = more_to_halve(noise)
        if noise.high - noise.low > WIDE and more:
            said.append(f"Judge more rows first: {rate}; {more:,} more would halve the interval.")
        if noise.value < 1 and noise.low > 0:
            cleaned, equal = kept * noise.value, kept * noise.value / (1 - noise.value)
            said.append(
                f"Cleaner rows: {rate}. Mending or replacing about {cleaned:,.0f} of {kept:,} rows brings as much effective information as "
                f"{equal:,.0f} new rows of the same noise."
            )
        elif noise.bad == 0:
            said.append(f"More rows rather than cleaner ones: none of {noise.judged:,} judged rows is bad, and at most {noise.high:.1%} are (95 %).")
    if copies is not None and rows:
        share = copies / rows
        if share >= MANY:
            said.append(
                f"Other rows, not more of these: {copies:,} of {rows:,} rows ({share:.1%}) give way to a twin, so new rows of this kind may be copies too."
            )
        elif copies:
            said.append(f"Duplicates cost little: {copies:,} of {rows:,} rows ({share:.1%}) give way to a twin.")
        else:
            said.append(f"No row of {rows:,} gives way to a twin: duplicates do not speak against more rows of this kind.")
    return said
