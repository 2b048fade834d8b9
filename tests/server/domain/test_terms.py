"""Words with an order."""

from server.domain.terms import Mode


def test_modes_are_in_order() -> None:
    assert Mode.EXPRESS.strength < Mode.DYNAMIC.strength
