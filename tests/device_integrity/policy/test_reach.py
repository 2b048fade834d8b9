import pytest

from device_integrity.camera import Platform
from device_integrity.check import Assurance
from device_integrity.policy import ATTESTATIONS, Demand, DemandTable, Evidence, Shortfall, find_shortfall

_KEY, _PLAY, _WEB = Evidence.ANDROID_KEY, Evidence.PLAY_INTEGRITY, Evidence.WEB_KEY


def _found(
    row: dict[Evidence, Demand],
    *verifiable: Evidence,
    platform: Platform = Platform.ANDROID,
    least: Assurance = Assurance.NONE,
) -> Shortfall | None:
    table = DemandTable({platform: row}, floor=least)
    return find_shortfall(
        platform, demands=table, verifiable=verifiable, ceilings={Evidence.WEB_KEY: Assurance.LOW}
    )


def test_required_evidence_has_to_be_verifiable() -> None:
    row = {_KEY: Demand.REQUIRED, Evidence.SERVER_KEY: Demand.REQUIRED, _PLAY: Demand.ADVISORY}
    assert _found(row) == Shortfall(missing=(_KEY, Evidence.SERVER_KEY))
    assert _found(row, _KEY) == Shortfall(missing=(Evidence.SERVER_KEY,))
    assert _found(row, _KEY, Evidence.SERVER_KEY) is None


def test_observations_need_nothing_of_the_server() -> None:
    observations = {evidence for evidence in Evidence if not evidence.raises_assurance} - {
        Evidence.SERVER_KEY
    }
    assert _found(dict.fromkeys(observations, Demand.REQUIRED), least=Assurance.LOW) is None


@pytest.mark.parametrize(
    ("least", "verifiable", "one_of"),
    [
        (Assurance.LOW, (), None),
        (Assurance.MEDIUM, (), (_KEY, _PLAY)),
        (Assurance.MEDIUM, (_PLAY,), None),
        (Assurance.HIGH, (_PLAY,), (_KEY,)),
        (Assurance.HIGH, (_KEY,), None),
    ],
)
def test_an_assurance_takes_evidence_that_reaches_it(
    least: Assurance, verifiable: tuple[Evidence, ...], one_of: tuple[Evidence, ...] | None
) -> None:
    expected = None if one_of is None else Shortfall(one_of=one_of)
    assert _found({}, *verifiable, least=least) == expected


def test_ignored_evidence_reaches_nothing() -> None:
    ignored = dict.fromkeys(ATTESTATIONS[Platform.ANDROID], Demand.IGNORED)
    found = _found(ignored, *Evidence, least=Assurance.MEDIUM)
    assert found is not None
    assert "MEDIUM" in found.impossible
    # Consistent claims reach LOW, except for ignored ones.
    assert _found(ignored, least=Assurance.LOW) is None
    assert _found(ignored | {Evidence.STREAM: Demand.IGNORED}, least=Assurance.LOW) is not None


@pytest.mark.parametrize(
    ("platform", "row", "least"),
    [
        (Platform.WEB, {_WEB: Demand.REQUIRED}, Assurance.MEDIUM),
        (Platform.WEB, {Evidence.SERVER_KEY: Demand.REQUIRED}, Assurance.NONE),
        (Platform.IOS, {_KEY: Demand.REQUIRED}, Assurance.NONE),
        (Platform.DESKTOP, {}, Assurance.MEDIUM),
    ],
)
def test_an_impossible_demand_is_reported_as_impossible(
    platform: Platform, row: dict[Evidence, Demand], least: Assurance
) -> None:
    found = _found(row, *Evidence, platform=platform, least=least)
    assert found is not None
    assert found == Shortfall(impossible=found.impossible)
    assert found.impossible
