"""Stand-ins keep the shape and stay valid; equal values have one, two values never."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.recogniser import REGIONS, TYPES, fold
from curate.signals.pii import find
from curate.standin import masked, permuted, stand_in

MAIL, PHONE = "anna.berg@mail.example.com", "+1 415-555-2671"


def _found(text: str) -> list[tuple[str, str]]:
    places = find(pl.Series([text]), TYPES, 0.4, REGIONS)[0] or []
    return [(f.type, text[f.start : f.end]) for f in places]


def test_stand_ins_keep_the_shape_and_stay_valid() -> None:
    values = {
        "EMAIL_ADDRESS": MAIL,
        "PHONE_NUMBER": PHONE,
        "CREDIT_CARD": "4532-2766-4457-7020",
        "IBAN_CODE": "GB82 WEST 1234 5698 7654 32",
        "US_SSN": "531-21-7351",
        "IP_ADDRESS": "203.0.113.9",
        "CRYPTO": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "SECRET": "ghp_" + "a1B2" * 9,
    }
    for kind, value in values.items():
        new = stand_in(kind, value, "curate")
        assert new != value
        assert stand_in(kind, value, "curate") == new
        assert stand_in(kind, value, "other") != new
        assert (kind, new) in _found(f"call or ssn: {new} there"), (kind, new)
        if kind not in ("EMAIL_ADDRESS", "IP_ADDRESS", "CRYPTO"):
            assert re.sub(r"\d", "9", re.sub("[a-z]", "a", re.sub("[A-Z]", "A", new))) == re.sub(r"\d", "9", re.sub("[a-z]", "a", re.sub("[A-Z]", "A", value)))
    assert stand_in("EMAIL_ADDRESS", MAIL.upper(), "s") == stand_in("EMAIL_ADDRESS", MAIL, "s")
    assert len(stand_in("PERSON", "Anna Berg", "s").split()) == 2
    assert stand_in("PERSON", "ANNA", "s").isupper()
    assert stand_in("IP_ADDRESS", "2001:db8::1", "s").startswith("2001:db8:")
    assert stand_in("CREDIT_CARD", "４５３２２７６６４４５７７０２０", "s") == stand_in("CREDIT_CARD", fold("４５３２２７６６４４５７７０２０"), "s")


@pytest.mark.parametrize("size", [2, 3, 10, 26, 1000, 1003])
def test_the_permutation_is_one_and_moves_everything(size: int) -> None:
    there = [permuted(x, size, b"key") for x in range(size)]
    assert sorted(there) == list(range(size))
    assert all(a != b for a, b in enumerate(there))


@given(st.sets(st.integers(0, 999_999), min_size=2, max_size=40))
def test_two_values_never_have_one_stand_in(numbers: set[int]) -> None:
    shapes = {
        "PHONE_NUMBER": "+1 415-{:03d}-{:04d}",
        "PHONE_NUMBER ": "415-5{:02d}-{:04d}x12",
        "US_SSN": "531-{:02d}-{:04d}",
        "EMAIL_ADDRESS": "u{}.{}@x.org",
        "PERSON": "P{} Q{}",
        "SECRET": "k{}x{}",
    }
    for kind, shape in shapes.items():
        values = {shape.format(n // 10_000 % 90 + 1, n % 10_000 or 1) for n in numbers}
        assert len({stand_in(kind.strip(), v, "curate") for v in values}) == len(values)


@given(st.text(max_size=30))
def test_masking_keeps_length_and_hides_all_but_the_first(value: str) -> None:
    out = masked(value)
    assert len(out) == len(value)
    assert sum(c.isalnum() for c in out) <= 1
    assert masked("anna@site.org") == "a***@****.***"
