"""The types of columns that convert, also what they read after somebody altered a value in the database."""

from typing import Any

import pytest
from sqlalchemy import TypeDecorator
from sqlalchemy.dialects import sqlite

from server.domain.terms import CheckStatus, FailureReason
from server.storage.tables import Word, Words

_DIALECT = sqlite.dialect()


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Word(CheckStatus, 16), CheckStatus.FAILURE, "FAILURE"),
        (Word(CheckStatus, 16), None, None),
        (Words(str), ("a", "b"), '["a", "b"]'),
        (Words(FailureReason), (FailureReason.SPOOF,), '["SPOOF"]'),
        (Words(FailureReason), (), "[]"),
    ],
)
def test_a_value_comes_back(kind: TypeDecorator[Any], value: object, stored: object) -> None:
    assert kind.process_bind_param(value, _DIALECT) == stored
    if stored is not None:
        assert kind.process_result_value(stored, _DIALECT) == value


@pytest.mark.parametrize("stored", ["NO_STATUS", b"FAILURE", 7])
def test_a_word_that_is_no_member_is_none_only_where_that_is_expected(stored: object) -> None:
    assert Word(CheckStatus, 16, alterable=True).process_result_value(stored, _DIALECT) is None
    with pytest.raises(ValueError, match="is not a valid CheckStatus"):
        Word(CheckStatus, 16).process_result_value(stored, _DIALECT)


@pytest.mark.parametrize("stored", [None, 7, "7", "no JSON", '["NO_REASON"]', "[" * 100_000])
def test_a_list_of_other_words_is_none_only_where_that_is_expected(stored: object) -> None:
    assert Words(FailureReason, alterable=True).process_result_value(stored, _DIALECT) is None
    with pytest.raises((TypeError, ValueError, RecursionError)):
        Words(FailureReason).process_result_value(stored, _DIALECT)


def test_a_word_that_is_no_member_is_not_stored() -> None:
    with pytest.raises(ValueError, match="is not a valid CheckStatus"):
        Word(CheckStatus, 16).process_bind_param("NO_STATUS", _DIALECT)  # type: ignore[arg-type]
