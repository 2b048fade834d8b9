"""docs/errors.md is what the contract says."""

from server.errors import Reason
from tests.server.edge.make_error_table import ADVICE, TABLE, documented_reasons, error_table


def test_the_page_is_up_to_date() -> None:
    assert TABLE.read_text() == error_table(), "run: python -m tests.server.edge.make_error_table"


def test_every_reason_has_advice() -> None:
    reasons = [entry.reason for entry in documented_reasons()]
    assert list(ADVICE) == reasons
    assert set(reasons) == {reason.value for reason in Reason}
