"""A set of networks is sure only if no attack that it was not fitted to looks surely alive."""

import pytest

from liveness import FusionModel, load_fusion_model
from research.liveness_fusion.left_out import RowDecisions, decide_unseen, sure_counts, with_sure
from research.liveness_fusion.parts import OWN, PUBLIC
from research.liveness_fusion.rows import Row, RowKind

_SEVERAL = frozenset(PUBLIC)
_ALONE = frozenset({PUBLIC[0]})


def _row(real: float, *, live: bool = False, species: str = "screen", kind: RowKind = RowKind.CLIP) -> Row:
    """A row of which every network says the same; nothing else was measured."""
    networks = dict.fromkeys((*PUBLIC, OWN), real)
    return Row(kind, "row", "source", "" if live else species, live, {"micro_motion": 0.9}, networks)


def _decided(rows: list[Row]) -> list[RowDecisions]:
    return decide_unseen(rows, load_fusion_model(), [_SEVERAL, _ALONE, frozenset({OWN})])


def _sure(rows: list[Row]) -> FusionModel:
    return with_sure(load_fusion_model(), _decided(rows))


def test_several_networks_are_sure_unless_an_attack_scan_reaches_the_line() -> None:
    assert _sure([_row(0.9), _row(0.01)]).scan_networks.known[_SEVERAL].sure == 98.0
    assert _sure([_row(0.9), _row(0.9999)]).scan_networks.known[_SEVERAL].sure is None


def test_a_network_alone_and_our_own_are_never_sure() -> None:
    known = _sure([_row(0.01)]).scan_networks.known
    assert known[_ALONE].sure is None
    assert known[frozenset({OWN})].sure is None


def test_without_an_attack_nothing_is_known_and_nothing_is_sure() -> None:
    model = _sure([_row(0.9999, live=True)])
    assert {one.sure for one in model.scan_networks.known.values()} == {None}


def test_a_deepfake_shows_no_medium_and_does_not_count() -> None:
    rows = [_row(0.01), _row(0.9999, species="deepfake")]
    assert _sure(rows).scan_networks.known[_SEVERAL].sure == 98.0


@pytest.mark.parametrize(("reached", "sure"), [(1, 97.0), (2, None)])
def test_a_twentieth_of_the_attack_pictures_may_reach_the_line(reached: int, sure: float | None) -> None:
    rows = [_row(0.9999, kind=RowKind.PICTURE)] * reached
    rows += [_row(0.01, kind=RowKind.PICTURE)] * (20 - reached)
    model = _sure(rows)
    assert model.still_networks.known[_SEVERAL].sure == sure
    assert model.scan_networks.known[_SEVERAL].sure is None


def test_the_record_states_how_many_reach_the_line() -> None:
    counted = sure_counts(_decided([_row(0.9999, live=True), _row(0.9, live=True), _row(0.5)]), _SEVERAL)
    assert counted["scans"].startswith("1 of 2 live, 0 of 1 attack (the highest 5")
    assert counted["scans"].endswith("from 98")
    assert counted["pictures"] == "0 of 0 live, 0 of 0 attack (the highest 0.0) from 97"
