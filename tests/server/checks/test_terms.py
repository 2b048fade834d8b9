"""Words with an order."""

from server.checks.terms import Assurance, Mode


def test_modes_and_assurances_are_in_order() -> None:
    assert Mode.EXPRESS.strength < Mode.DYNAMIC.strength
    assert [a.level for a in (Assurance.NONE, Assurance.LOW, Assurance.MEDIUM, Assurance.HIGH)] == [
        0,
        1,
        2,
        3,
    ]
