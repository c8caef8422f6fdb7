"""Paths into the document, and the names that may have been meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.paths import Part, did_you_mean, join, row_parts, split
from tests.config.documents import patient

_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("gateway.hostname", ["gateway", "hostname"]),
        ('destinations."partner.example".tls', ["destinations", "partner.example", "tls"]),
        ("destinations.'partner.example'.tls", ["destinations", "partner.example", "tls"]),
        ("listeners.A.sender_groups[2].senders[0]", ["listeners", "A", "sender_groups", 2, "senders", 0]),
        (r'a."q\"\\\u00fc"', ["a", 'q"\\ü']),
    ],
)
def test_paths_are_toml_keys_and_places(path: str, parts: list[Part]) -> None:
    assert split(path) == parts


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a b", 'a."b', "a[x]", '"a"b', r'a."\q"'])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        split(path)


@patient
@given(_KEYS, st.lists(st.one_of(_KEYS, st.integers(0, 99)), max_size=5))
def test_every_path_that_is_written_reads_back(first: str, rest: list[Part]) -> None:
    assert split(join([first, *rest])) == [first, *rest]


def test_rows_go_by_name_unless_it_is_missing_or_stands_twice() -> None:
    assert row_parts(["A", "B", "A", "", None, 3]) == [0, "B", 2, 3, 4, 5]


def test_meant_names() -> None:
    assert did_you_mean("portt", ["port", "policy"]) == "did you mean port?"
    assert did_you_mean("x", ["port", "policy"]) == "there is port, policy"
    assert did_you_mean("x", []) == "there is none yet"
    assert did_you_mean("x", map(str, range(30))).endswith("19, ...")
