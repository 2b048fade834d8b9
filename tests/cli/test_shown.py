from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.shown import counted, printable, shown_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("selfie ä 照.jpg", "selfie ä 照.jpg"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\rc\x07", r"a\nb\rc\x07"),
        ("a\x9b31m", r"a\x9b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("bad\udcff", r"bad\udcff"),
    ],
)
def test_control_characters_are_escaped(name: str, expected: str) -> None:
    assert printable(name) == expected
    assert shown_name(Path(name)) == expected


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode("utf-8")


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "check", "0 checks"),
        (1, "entry", "1 entry"),
        (1_204, "entry", "1,204 entries"),
        (2, "API key", "2 API keys"),
        (2.0, "processor", "2 processors"),
        (1.5, "processor", "1.5 processors"),
    ],
)
def test_things_are_counted_in_words(number: float, noun: str, expected: str) -> None:
    assert counted(number, noun) == expected
