"""Learning curves: planted ones are recovered, intervals hold the truth, what cannot be told is refused in words, prices and rules, and a whole run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.planted_curves import LAWS, SIZES, planted
from curate.__main__ import main
from curate.probes.learning_curve import Estimate, Measured, curve, curves_of, learning_curve_plan
from curate.probes.plan import EVERY, Price, Stop
from curate.probes.power_law import EXPONENT, fit
from curate.probes.run import open_run
from curate.probes.stopping import (
    bought,
    break_even,
    break_even_of_rate,
    clean_equivalent,
    curve_words,
    headline,
    noise_words,
    numbers,
    pair_words,
    stop_at,
    verdict,
)
from curate.rate import wilson
from tests import probed

ROWS = np.array([100, 300, 1000, 3000, 10_000], np.float64)


def _exact(a: float, b: float, c: float, arm: str = EVERY, sizes: np.ndarray = ROWS) -> Measured:
    """Errors on the curve, the same for every seed and validation row."""
    errors = a + b * sizes**-c
    return Measured(arm, False, "3 epochs", sizes, 100_000, np.repeat(np.tile(errors, (3, 1))[:, :, None], 5, 2), np.ones(5), 100.0, "points", sizes / 3600)


@given(st.floats(0, 0.5), st.floats(0.1, 50), st.floats(*EXPONENT))
@settings(max_examples=60, deadline=None)
def test_an_exact_curve_is_found_again(a: float, b: float, c: float) -> None:
    error = (a + b * ROWS**-c)[None]
    law = fit(ROWS, error, np.ones(5))
    told = np.concatenate([law.error(n) for n in ROWS])
    assert np.abs(told - error[0]).max() < 1e-4 * max(1, b)


def test_parameters_of_a_plain_curve() -> None:
    law = fit(ROWS, (0.1 + 3 * ROWS**-0.5)[None], np.ones(5))
    assert [float(p[0]) for p in (law.a, law.b, law.c)] == pytest.approx([0.1, 3.0, 0.5], rel=1e-3)
    assert law.rows(np.array([0.1 + 3 * 2000**-0.5]))[0] == pytest.approx(2000, rel=1e-3)
    assert law.rows(np.array([0.05]))[0] == np.inf


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_the_fit_is_no_worse_than_brute_force(errors: list[float], heavy: int) -> None:
    rows, y, w = np.array([100.0, 200, 400, 800]), np.array(errors), np.ones(4)
    w[heavy] = 5.0
    law = fit(rows, y[None], w)

    def miss(a: float, b: float, c: float) -> float:
        return float((w * np.square(a + b * (rows / 300) ** -c - y)).sum())

    own = miss(float(law.a[0]), float(law.b[0] * 300 ** -law.c[0]), float(law.c[0]))
    tried = [miss(a, b, c) for a in np.linspace(0, 1, 11) for b in np.linspace(0, 1, 11) for c in np.geomspace(*EXPONENT, 11)]
    assert law.a[0] >= 0
    assert law.b[0] >= 0
    assert own <= min(tried) + 1e-9


@pytest.mark.parametrize("name", list(LAWS))
def test_intervals_hold_the_truth(name: str) -> None:
    a, b, c = LAWS[name]
    last, held = SIZES[-1], 0
    for seed in range(8):
        found = curve(planted(LAWS[name], 100 + seed, 3, rows=500), 100)
        if found.refused:
            continue
        level, gain = found.error(2 * last), found.gain(last, last)
        true = a + b * (2 * last) ** -c
        held += int(level.low <= true <= level.high) + int(gain.low <= a + b * last**-c - true <= gain.high)
    assert held >= 13  # of 16; the benchmark planted_curves counts them over 100 runs


def test_what_cannot_be_told_is_refused_in_words() -> None:
    whole = planted(LAWS["steep"], 0, 3, rows=500)
    assert "3 sizes from 100 to 400 rows are trained" in curve(whole.first(3)).refused
    assert "one seed cannot tell" in curve(dataclasses.replace(whole, wrong=whole.wrong[:1])).refused
    rising = dataclasses.replace(whole, wrong=whole.wrong[:, ::-1])
    assert curve(rising).refused.startswith("no gain seen from 100 to 6,400 rows: ten times the rows buy -")
    assert curve_words(curve(rising), Price(), Stop(rows=6400, gain=1.0))[-1].startswith("Stop: ")
    flat = curve(planted((0.3, 0.0, 0.5), 1, 3, rows=500))
    assert flat.refused.startswith("no gain seen")
    assert curve_words(flat, Price(), Stop(rows=6400))[0] == f"N{flat.refused[1:]}."
    gain = verdict(flat, Stop(rows=6400))[1]
    assert gain is not None
    assert gain.low <= 0 <= gain.high
    clean = curve(_exact(0.1, 3, 0.5, "clean labels", SIZES))
    flat_at = 0.3
    assert clean_equivalent(dataclasses.replace(flat, resampled=np.full((401, 1), flat_at)), clean).value == pytest.approx(225, rel=1e-2)
    assert "no number of further rows" in pair_words(flat, clean, Price())[1]


def _small_sizes_that_differ() -> Measured:
    """Errors of real noisy news at six sizes, five seeds that differ much at the small ones, and little at the large."""
    sizes, error, spread = (
        np.array([100, 200, 400, 800, 1600, 2999.0]),
        [0.288, 0.264, 0.204, 0.1785, 0.1797, 0.1828],
        [0.06, 0.038, 0.0097, 0.0036, 0.0031, 0.0014],
    )
    off = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])[:, None] * np.array(spread)
    wrong = np.random.default_rng(0).random(1500) < (np.array(error) + off)[:, :, None]
    return Measured(EVERY, False, "3 epochs", sizes, 3000, wrong.astype(np.float64), np.ones(1500), 100.0, "points", sizes / 1e5)


def test_a_gain_of_small_sizes_that_differ_much_is_seen_and_flattens() -> None:
    found = curve(_small_sizes_that_differ())
    assert not found.refused
    assert found.flat is not None
    assert 400 <= found.flat[0] <= 800, "not from 200 on, where a tenth of the errors goes"
    said = curve_words(found, Price(annotation=30), Stop(rows=1000, gain=1.0))
    assert any(line.startswith("Saturated from about ") for line in said)
    assert any("per 100 USD" in line for line in said)
    assert said[-1].startswith("Stop: ")
    assert "no further gain is seen" in headline([found])
    flat = [curve(planted((0.3, 0.0, 0.5), seed, 3, rows=500), 100) for seed in range(12)]
    assert all(one.refused for one in flat), "what is flat throughout has no gain"
    assert any(line.startswith("The next 1,000 rows buy") for line in curve_words(flat[0], Price(), Stop())), "prices are told all the same"


def test_without_a_common_row_there_is_no_curve() -> None:
    found = curve(Measured("a", False, "3 epochs", ROWS, 100, np.zeros((3, 5, 0)), np.zeros(0), 1.0, "nats", np.ones(5)))
    assert "no validation row was measured by every training" in found.refused
    assert numbers([found], Price(), Stop())[0]["errors"] == [None] * 5


def test_how_far_a_curve_may_be_read_and_which_shape_fits() -> None:
    found = curve(_exact(0.1, 3, 0.5))
    assert found.reach == 40_000
    assert curve(_exact(0.1, 3, 0.5, sizes=np.array([1000.0, 1500, 2500, 4000]))).reach == 8000
    assert min(found.missed, key=lambda n: found.missed[n]) == "power law"
    straight = dataclasses.replace(_exact(0.1, 3, 0.5), wrong=np.tile((0.9 - 0.1 * np.log10(ROWS))[None, :, None], (3, 1, 5)))
    assert min(curve(straight).missed, key=lambda n: curve(straight).missed[n]) == "a line in log rows"


def test_sizes_below_which_no_power_law_goes_are_left_out() -> None:
    """Where few rows teach nothing at all, the curve is flat at first."""
    whole = planted((0.05, 8.0, 0.6), 0, 3)
    flat = dataclasses.replace(whole, wrong=np.concatenate([whole.wrong[:, 2:3]] * 2 + [whole.wrong[:, 2:]], 1))
    found = curve(flat)
    assert found.start == SIZES[2]
    assert "from 400 rows on" in curve_words(found, Price(), Stop())[0]


def test_prices_and_the_rule() -> None:
    found = curve(_exact(0.1, 3, 0.5))
    price = Price(hour=2.0, annotation=30.0, rows=100.0, speed=500.0)
    gain = 100 * 3 * (10_000**-0.5 - 11_000**-0.5)
    one = bought(found, price)
    assert one.per_thousand.value == pytest.approx(gain, rel=1e-3)
    assert (one.machine_hours, one.annotation_hours, one.cost) == (2.0, 10.0, 304.0)
    assert one.per_annotation_hour.value == pytest.approx(gain / 10, rel=1e-3)
    assert one.per_machine_hour.value == pytest.approx(gain / 2, rel=1e-3)
    assert one.per_cost is not None
    assert one.per_cost.value == pytest.approx(gain * 100 / 304, rel=1e-3)
    assert bought(found, Price()).machine_hours == pytest.approx(1000 / (3600 * 10_000 / (10_000 / 3600)))
    assert bought(found, Price()).per_cost is None
    ten = 100 * 3 * (10_000**-0.5 - 20_000**-0.5)
    assert verdict(found, Stop(rows=10_000, gain=ten * 1.01))[0] == "stop"
    assert verdict(found, Stop(rows=10_000, gain=ten * 0.99))[0] == "go on"
    assert verdict(found, Stop(rows=10_000))[0] == "not told"
    assert verdict(found, Stop(rows=31_000, gain=1)) == ("not told", None)
    met = stop_at(found, Stop(rows=10_000, gain=ten))
    assert met is not None
    assert met.value == pytest.approx(10_000, rel=1e-2)
    assert stop_at(found, Stop()) is None
    noisy = curve(planted(LAWS["slow"], 3, 3, rows=500))
    _, between = verdict(noisy, Stop(rows=6400))
    assert between is not None
    assert verdict(noisy, Stop(rows=6400, gain=(between.low + between.high) / 2))[0] == "not sure"
    assert "lie beyond 40,000" in curve_words(found, price, Stop(rows=31_000))[-1]


def test_the_clean_equivalent_size_and_the_break_even() -> None:
    noisy, clean = curve(_exact(0.1, 3, 0.5)), curve(_exact(0.1, 1.5, 0.5, "clean labels"))
    assert clean_equivalent(noisy, clean).value == pytest.approx(2500, rel=1e-2)  # half the excess at every size: a quarter of the rows
    gain, more = break_even(noisy, clean)
    assert gain.value == pytest.approx(1.5, rel=1e-3)
    assert more.value == pytest.approx(30_000, rel=1e-2)
    said = pair_words(noisy, clean, Price(rows=100))
    assert "takes 100 annotation hours and buys 1.50" in said[1]
    assert "cleaning is cheaper" in said[1]
    floor = curve(_exact(0.2, 3, 0.5))
    assert break_even(floor, clean)[1].value == np.inf
    assert "no number of" in pair_words(floor, clean, Price())[1]
    assert "outside the sizes" in pair_words(curve(_exact(0.3, 3, 0.5)), clean, Price())[0]
    assert "no difference seen" in pair_words(noisy, curve(_exact(0.1, 3, 0.5, "clean labels")), Price())[1]


def test_the_break_even_of_a_judged_rate() -> None:
    found = curve(_exact(0.1, 3, 0.5))
    more = break_even_of_rate(found, wilson(20, 100))
    assert more.value == pytest.approx(2500)
    assert more.low < 2500 < more.high
    assert "20.0% of rows judged bad" in noise_words(found, wilson(20, 100))
    with pytest.raises(ValueError, match="judged"):
        break_even_of_rate(found, wilson(0, 0))


def test_pairs_of_curves_share_their_draws() -> None:
    """A curve against itself differs by nothing in any draw, so the interval of the difference has no width."""
    one = curve(planted(LAWS["steep"], 0, 3, rows=500))
    gain, _ = break_even(one, one)
    assert gain == Estimate(0.0, 0.0, 0.0)


def test_the_preset() -> None:
    plan = learning_curve_plan(1000, "head", "gt")
    assert plan.sizes == (100, 200, 400, 800, 1000)
    assert [arm.name for arm in plan.arms] == [EVERY, "clean labels"]
    assert learning_curve_plan(50, "words").sizes == (50,)


def test_a_run_tells_its_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, words = np.random.default_rng(0), {"x": ("river", "boat", "fish", "lake"), "y": ("engine", "wheel", "brake", "road")}
    rows = []
    for i in range(400):
        label = "xy"[i % 2]
        said = [str(rng.choice(words[label if rng.random() < 0.7 else "xy"[1 - i % 2]])) for _ in range(5)]
        rows.append({"text": f"{' '.join(said)} {i}", "label": label})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "r.yaml").write_text(
        f"dataset: {{path: {tmp_path}/rows.jsonl, roles: {{prompt: text, label: label}}}}\nsignals: {{embedding: {{model: wordllama}}}}\n"
    )
    plan = "probe: head\narms: [{name: all rows, rows: all}]\nsizes: [20, 40, 80, 160]\namounts: [{epochs: 3}]\nseeds: 2\nlooks: 1\n"
    (tmp_path / "plan.yaml").write_text(f"{plan}validation: {{share: 0.4}}\nprice: {{annotation: 10}}\nstop: {{rows: 100, gain: 50}}\n")
    args = ["probe", str(tmp_path / "r.yaml"), "--plan", str(tmp_path / "plan.yaml"), "--workspace", str(tmp_path / "w")]
    assert main(args) == 0
    told = capsys.readouterr().out
    assert "all rows, 3 epochs: Error = " in told or "No gain seen" in told
    (tmp_path / "plan.yaml").write_text((tmp_path / "plan.yaml").read_text().replace("gain: 50", "gain: 60"))
    assert main([*args, "--json"]) == 0
    (folder,) = (tmp_path / "w" / "probes").iterdir()
    assert open_run(folder).plan.stop.gain == 60  # the same run, and what the plan says of prices now
    (one,) = json.loads(capsys.readouterr().out)["curves"]
    assert one["sizes"] == [20, 40, 80, 160]
    assert one["refused"] or one["stop"] == "stop"


def test_a_training_without_a_number_takes_its_size_or_its_seed_alone(tmp_path: Path) -> None:
    sizes = [10, 20, 40, 80, 160]
    plan = {"probe": "words", "arms": [{"name": EVERY, "rows": "all"}], "sizes": sizes, "seeds": 3, "looks": 1}
    run = probed.made(tmp_path, {**plan, "amounts": [{"epochs": 1}], "validation": {"share": 0.3}})

    def lose(*places: tuple[int, int]) -> Measured:
        for cell in (c for c in run.cells if (c.size, c.seed) in places):
            path = run.cell_folder(cell) / "rows.parquet"
            pl.read_parquet(path).with_columns(loss=pl.lit(float("nan"), pl.Float32)).write_parquet(path)
        return curves_of(run)[0].measured

    whole = lose()
    assert (whole.error.shape, whole.left) == ((3, 5), "")
    one = lose((40, 1))
    assert one.sizes.tolist() == [10, 20, 80, 160]
    assert np.array_equal(one.error, whole.error[:, [0, 1, 3, 4]])
    assert one.left == "1 training gave no number (40 rows with seed 1): the curve is told without 40 rows"
    assert curve_words(curve(one), Price(), Stop())[0] == f"{one.left}."
    assert numbers([curve(one)], Price(), Stop())[0]["left"] == one.left
    assert "by every training" not in curve(one).refused
    two = lose((80, 1))
    assert np.array_equal(two.error, whole.error[[0, 2]]), "without 40 and 80 rows three sizes would be left, too few"
    assert two.left.endswith("without seed 1")
    none = lose(*((size, seed) for size in sizes for seed in range(3)))
    assert "they gave no number" in curve(none).refused
