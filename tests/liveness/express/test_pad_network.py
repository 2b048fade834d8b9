import pytest

from liveness.express.interface import PadScore
from liveness.express.pad_network import PadNetworks, network_means
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import scan


def _score(scores: list[PadScore]) -> float | None:
    return PadNetworks(scores).assess(scan(), ExpressSettings()).score


def test_without_a_network_nothing_is_assessed() -> None:
    assert _score([]) is None


def test_one_odd_frame_decides_nothing() -> None:
    steady = [PadScore(index, "n", 0.95) for index in range(7)]
    assert _score([*steady, PadScore(7, "n", 0.0)]) == pytest.approx(0.95)
    assert _score([PadScore(0, "n", 0.2)]) == pytest.approx(0.2)


def test_every_network_counts_alike_however_many_frames_it_saw() -> None:
    many = [PadScore(index, "a", 1.0) for index in range(8)]
    assert _score([*many, PadScore(0, "b", 0.0)]) == pytest.approx(0.5)
    found = PadNetworks([*many, PadScore(0, "b", 0.0)]).assess(scan(), ExpressSettings())
    assert "a 1.00" in found.detail
    assert "b 0.00" in found.detail


def test_each_network_has_its_own_mean_for_the_fusion() -> None:
    scores = [PadScore(index, "b", value) for index, value in enumerate([0.0, 0.9, 0.9, 0.9, 1.0])]
    assert network_means([*scores, PadScore(0, "a", 0.2)]) == pytest.approx({"a": 0.2, "b": 0.9})
    assert network_means([]) == {}
