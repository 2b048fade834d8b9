import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import FusionModelError
from liveness.express.judge import express_signals
from liveness.express.settings import ExpressSettings
from liveness.fusion_model import DecisionLines, Trace, Traces
from liveness.fusion_model_file import load_fusion_model, parse_fusion_model
from research.liveness_fusion.model_text import model_text
from tests.liveness.builders import scan

_NETWORKS = """
[{name}.default]
bias = 0.1
weight = 0.7
[{name}.minifas_v2se]
bias = -0.2
weight = 0.9
"""
_CUES = """
[{name}]
bias = 0.0
most_for = 0.4
most_against = 1.5
[{name}.weights]
moire = 0.3
[{name}.neutral]
moire = 1.2
"""
_GOOD = f"""
version = "t"
[temporal]
bias = -0.5
most_for = 2.0
most_against = 4.0
[temporal.weights]
planar_motion = 1
[temporal.neutral]
{_CUES.format(name="cues")}
[traces]
most_against = 2.5
[traces.signals.medium_border]
begins = 0.5
full = -1.5
strength = 2.0
{_NETWORKS.format(name="scan_networks")}
{_NETWORKS.format(name="still_networks")}
{_CUES.format(name="still_networks.minifas_v2se.cues")}
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


def test_the_shipped_model_weighs_signals_that_exist_and_says_where_it_is_from() -> None:
    model = load_fusion_model()
    names = {signal.name for signal in express_signals(scan(), (), None, ExpressSettings())}
    beside = [one.cues for one in model.still_networks.known.values() if one.cues is not None]
    assert beside
    cues = [model.cues, *beside]
    for group in (model.temporal, *cues):
        assert set(group.weights) <= names
        assert group.most_for < group.most_against
    assert set(model.traces.signals) <= names
    assert all(not set(model.traces.signals) & set(group.weights) for group in cues)
    assert model.temporal.weights["planar_motion"] > 0
    assert set(model.scan_networks.known) == set(model.still_networks.known)
    for name, calibration in model.scan_networks.known.items():
        assert 1.25 >= calibration.weight >= model.still_networks.known[name].weight > 0
    assert {"commands", "data", "limits"} <= set(model.record)


def test_the_shipped_model_has_its_reliability_curves() -> None:
    model = load_fusion_model()
    expected = {f"{kind}_{network}" for kind in ("scan", "still") for network in model.still_networks.known}
    assert set(model.reliability) == expected | {"scan_without_network"}
    for bins in model.reliability.values():
        assert bins
        for one in bins:
            assert one.lower <= one.live / one.count <= one.upper


def test_a_good_text_is_read() -> None:
    model = parse_fusion_model(_GOOD)
    assert (model.version, model.temporal.bias, model.temporal.most_for) == ("t", -0.5, 2.0)
    assert dict(model.temporal.weights) == {"planar_motion": 1.0}
    assert model.scan_networks.known["minifas_v2se"].weight == 0.9
    assert model.cues.neutral == {"moire": 1.2}
    assert model.still_networks.of("minifas_v2se").cues == model.cues
    assert model.still_networks.of("unheard_of") is model.still_networks.unknown
    assert model.still_networks.unknown.cues is None
    assert model.traces == Traces(2.5, {"medium_border": Trace(begins=0.5, full=-1.5, strength=2.0)})
    assert (model.still_networks.unknown.bias, model.still_networks.unknown.weight) == (0.1, 0.7)
    assert model.decision == DecisionLines(
        telling=0.4, alone_share=0.6, injected_score=2.0, no_evidence_score=48.0
    )
    assert model.reliability["scan"][0].count == 5


def test_the_shipped_model_is_written_as_it_is_read() -> None:
    model = load_fusion_model()
    assert parse_fusion_model(model_text(model)) == model


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ('version = "t"', "version = 3"),
        ("most_for = 2.0", "most_for = 0"),
        ("most_for = 2.0", "most_for = nan"),
        ("planar_motion = 1", "planar_motion = -1"),
        ("planar_motion = 1", 'planar_motion = "1"'),
        ("planar_motion = 1", "planar_motion = true"),
        ("[temporal.weights]", "[temporal.wrong]"),
        ("weight = 0.7", ""),
        ("weight = 0.7", "weight = -0.7"),
        ("bias = 0.1", "bias = inf"),
        ("[scan_networks.default]", "[scan_networks.other]"),
        ("[cues]", "[queues]"),
        ("[still_networks.minifas_v2se.cues]", "[still_networks.minifas_v2se.cues.more]"),
        ("[still_networks.minifas_v2se.cues.weights]", "[still_networks.minifas_v2se.cues.wait]"),
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
    assert 0 <= trace.seen(score) <= 1
    low, high = sorted((score, other))
    assert trace.seen(low) >= trace.seen(high)
    assert trace.seen(1 / (1 + math.exp(-begins - 0.01))) == 0
    assert trace.seen(1 / (1 + math.exp(width + 0.01 - begins))) == 1


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(FusionModelError):
        parse_fusion_model(text)
