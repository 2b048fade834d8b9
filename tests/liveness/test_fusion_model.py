import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import FusionModelError
from liveness.express.judge import express_signals
from liveness.express.settings import ExpressSettings
from liveness.fusion_model import (
    DecisionLines,
    Motion,
    NetworkCalibration,
    SignalGroup,
    Trace,
    Traces,
    load_fusion_model,
    parse_fusion_model,
)
from research.liveness_fusion.fit import model_text
from research.liveness_fusion.parts import CUES, MOTION, OWN, PUBLIC, sets_of
from tests.liveness.builders import scan

_NETWORKS = """
[{name}.none]
bias = 0.0
weight = 0.0
motion_for = 1.1
[{name}.default]
bias = 0.1
weight = 0.7
motion_for = 0.0
[{name}.minifas_v2se]
bias = -0.2
weight = 0.9
motion_for = 0.3
[{name}."minifas_v2se + minifasnet_v2"]
bias = -0.4
weight = 1.2
motion_for = 0.0
"""
_GOOD = f"""
version = "t"
[motion]
most_against = 3.5
[motion.weights]
planar_motion = 1
[traces]
most_against = 2.5
[traces.signals.medium_border]
begins = 0.5
full = -1.5
strength = 2.0
{_NETWORKS.format(name="scan_networks")}
{_NETWORKS.format(name="still_networks")}
[still_networks.minifas_v2se.cues]
bias = 0.0
most_for = 0.4
most_against = 1.5
[still_networks.minifas_v2se.cues.weights]
moire = 0.3
[still_networks.minifas_v2se.cues.neutral]
moire = 1.2
[decision]
telling = 0.4
alone_share = 0.6
injected_score = 2
no_evidence_score = 48.0
[[reliability.scan]]
predicted = 0.25
live = 2
count = 5
lower = 0.1
upper = 0.8
[record]
command = "none"
"""


def test_the_shipped_model_names_existing_signals_and_its_origin() -> None:
    model = load_fusion_model()
    names = {signal.name for signal in express_signals(scan(), (), None, ExpressSettings())}
    assert set(model.motion.weights) == set(MOTION)
    assert set(MOTION) <= names
    assert model.motion.weights["planar_motion"] > 0
    assert model.motion.most_against > 0
    assert set(model.traces.signals) <= names
    for calibration in model.still_networks.known.values():
        assert calibration.cues is not None
        assert set(calibration.cues.weights) == set(CUES)
        assert calibration.cues.most_for < calibration.cues.most_against
    assert set(CUES) <= names
    assert not set(model.traces.signals) & set(CUES)
    assert {"commands", "data", "limits", "decision"} <= set(model.record)


def test_the_shipped_model_calibrates_every_set_of_public_networks_and_our_own_network() -> None:
    model = load_fusion_model()
    sets = {frozenset(), *sets_of([*PUBLIC, OWN])}
    assert len(sets) == 9
    assert set(model.scan_networks.known) == set(model.still_networks.known) == sets
    for names in sets - {frozenset()}:
        on_scans, on_stills = (
            model.scan_networks.calibration_for(names),
            model.still_networks.calibration_for(names),
        )
        assert on_scans.weight > on_stills.weight > 0
        assert on_scans.weight >= model.scan_networks.unknown.weight > 0
        assert on_stills.weight >= model.still_networks.unknown.weight > 0


def test_only_several_public_networks_are_ever_sure() -> None:
    model = load_fusion_model()
    for known in (model.scan_networks.known, model.still_networks.known):
        sure = {names for names, one in known.items() if one.sure is not None}
        assert frozenset(PUBLIC) in sure
        assert all(len(names) > 1 for names in sure)
    assert model.scan_networks.unknown.sure is None
    assert model.still_networks.unknown.sure is None


def test_cues_count_only_for_still_images_of_the_shipped_model() -> None:
    model = load_fusion_model()
    assert {one.cues for one in model.scan_networks.known.values()} == {None}
    assert model.scan_networks.unknown.cues is None


def test_in_the_shipped_model_a_sign_of_life_counts_only_without_a_strong_network() -> None:
    networks = load_fusion_model().scan_networks
    # Without a network it is enough for the policy "standard" (70), and not for "high" (80).
    assert 70 <= 100 / (1 + math.exp(-networks.calibration_for(()).motion_for)) < 80
    assert networks.calibration_for(()).weight == 0
    assert {names for names, one in networks.known.items() if one.motion_for} == {
        frozenset(),
        frozenset({OWN}),
    }
    assert networks.unknown.motion_for == 0


def test_the_shipped_model_has_its_reliability_curves() -> None:
    model = load_fusion_model()
    shown = [*PUBLIC, OWN, " + ".join(sorted(PUBLIC))]
    expected = {f"{kind}_{networks}" for kind in ("scan", "still") for networks in shown}
    assert set(model.reliability) == expected | {"scan_without_network"}
    for bins in model.reliability.values():
        assert bins
        for one in bins:
            assert one.lower <= one.live / one.count <= one.upper


def test_a_good_text_is_read() -> None:
    model = parse_fusion_model(_GOOD)
    assert model.version == "t"
    assert model.motion == Motion(most_against=3.5, weights={"planar_motion": 1.0})
    assert set(model.scan_networks.known) == {
        frozenset(),
        frozenset({"minifas_v2se"}),
        frozenset({"minifas_v2se", "minifasnet_v2"}),
    }
    assert model.scan_networks.calibration_for(["minifas_v2se"]) == NetworkCalibration(
        bias=-0.2, weight=0.9, motion_for=0.3
    )
    assert model.still_networks.calibration_for(["minifas_v2se"]).cues == SignalGroup(
        bias=0.0, most_for=0.4, most_against=1.5, weights={"moire": 0.3}, neutral={"moire": 1.2}
    )
    assert model.traces == Traces(2.5, {"medium_border": Trace(begins=0.5, full=-1.5, strength=2.0)})
    assert model.decision == DecisionLines(
        telling=0.4, alone_share=0.6, injected_score=2.0, no_evidence_score=48.0
    )
    assert model.reliability["scan"][0].count == 5


def test_the_calibration_of_networks_is_that_of_exactly_their_set() -> None:
    networks = parse_fusion_model(_GOOD).scan_networks
    assert networks.calibration_for(()).motion_for == 1.1
    assert networks.calibration_for(["minifas_v2se"]).weight == 0.9
    assert networks.calibration_for({"minifasnet_v2": 0.1, "minifas_v2se": 0.9}).weight == 1.2
    for names in (["minifasnet_v2"], ["minifas_v2se", "other"], ["none"], ["default"]):
        assert networks.calibration_for(names) is networks.unknown
    assert networks.unknown == NetworkCalibration(bias=0.1, weight=0.7)


def test_a_model_is_written_as_it_is_read() -> None:
    for model in (parse_fusion_model(_GOOD), load_fusion_model()):
        assert parse_fusion_model(model_text(model)) == model


def test_a_reliability_curve_of_several_networks_is_written_as_it_is_read() -> None:
    model = parse_fusion_model(_GOOD)
    named = replace(model, reliability={"scan_a + b": model.reliability["scan"]})
    assert parse_fusion_model(model_text(named)) == named


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ('version = "t"', "version = 3"),
        ("most_against = 3.5", "most_against = 0"),
        ("most_against = 3.5", "most_against = nan"),
        ("most_against = 3.5", ""),
        ("planar_motion = 1", "planar_motion = -1"),
        ("planar_motion = 1", 'planar_motion = "1"'),
        ("planar_motion = 1", "planar_motion = true"),
        ("[motion.weights]", "[motion.wrong]"),
        ("[motion]", "[temporal]"),
        ("weight = 0.7", ""),
        ("weight = 0.7", "weight = -0.7"),
        ("bias = 0.1", "bias = inf"),
        ("[scan_networks.default]", "[scan_networks.other]"),
        ("[scan_networks.none]", "[scan_networks.other]"),
        ("motion_for = 1.1", ""),
        ("motion_for = 1.1", "motion_for = -1.1"),
        ("motion_for = 1.1", "motion_for = inf"),
        ("[still_networks.minifas_v2se.cues]", "[still_networks.minifas_v2se.cues.more]"),
        ("[still_networks.minifas_v2se.cues.weights]", "[still_networks.minifas_v2se.cues.wait]"),
        ("most_for = 0.4", "most_for = 0"),
        ("most_against = 1.5", "most_against = -1.5"),
        ("moire = 0.3", "moire = -0.3"),
        ("moire = 1.2", "moire = nan"),
        ("most_against = 2.5", "most_against = 0"),
        ("full = -1.5", "full = 0.5"),
        ("full = -1.5", "full = 1.5"),
        ("full = -1.5", ""),
        ("begins = 0.5\nfull = -1.5", "begins = 1e308\nfull = -1e308"),
        ("strength = 2.0", "strength = -2.0"),
        ("strength = 2.0", "strength = inf"),
        ("[traces.signals.medium_border]", "[traces.wrong.medium_border]"),
        ("[traces.signals.medium_border]", "[[traces.signals.medium_border]]"),
        ("telling = 0.4", "telling = 0"),
        ("telling = 0.4", ""),
        ("alone_share = 0.6", "alone_share = 1.1"),
        ("injected_score = 2", "injected_score = -1"),
        ("no_evidence_score = 48.0", "no_evidence_score = 101"),
        ("[decision]", "[decisions]"),
        ("live = 2", "live = 6"),
        ("live = 2", "live = 2.0"),
        ("lower = 0.1", "lower = 0.9"),
        ("[[reliability.scan]]", "[reliability.scan]"),
        ('command = "none"', "command = 1"),
        ("[record]", "[records]"),
        ("version", "="),
    ],
)
def test_a_wrong_text_is_refused(part: str, instead: str) -> None:
    assert part in _GOOD
    with pytest.raises(FusionModelError):
        parse_fusion_model(_GOOD.replace(part, instead, 1))


_SCORES = st.floats(0, 1)


@given(begins=st.floats(-8, 8), width=st.floats(0.1, 5), score=_SCORES, other=_SCORES)
def test_a_trace_is_seen_from_where_it_begins_and_the_more_the_lower_its_score(
    begins: float, width: float, score: float, other: float
) -> None:
    trace = Trace(begins=begins, full=begins - width, strength=1.0)
    assert 0 <= trace.clearness(score) <= 1
    low, high = sorted((score, other))
    assert trace.clearness(low) >= trace.clearness(high)
    assert trace.clearness(1 / (1 + math.exp(-begins - 0.01))) == 0
    assert trace.clearness(1 / (1 + math.exp(width + 0.01 - begins))) == 1


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(FusionModelError):
        parse_fusion_model(text)
