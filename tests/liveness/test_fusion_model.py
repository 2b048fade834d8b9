import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import FusionModelError
from liveness.express.judge import express_signals
from liveness.express.settings import ExpressSettings
from liveness.fusion import load_fusion_model
from liveness.fusion_model import parse_fusion_model
from tests.liveness.builders import scan

_GOOD = """
version = "t"
temporal_limit = 4.0
[temporal]
bias = -0.5
[temporal.weights]
planar_motion = 1
[pad_network]
bias = 0.1
weight = 0.7
[record]
command = "none"
"""


def test_the_shipped_model_weighs_signals_that_exist_and_says_where_it_is_from() -> None:
    model = load_fusion_model()
    names = {signal.name for signal in express_signals(scan(), (), None, ExpressSettings())}
    assert set(model.temporal_weights) <= names
    assert model.temporal_weights["planar_motion"] > 0
    assert model.network_weight > 0
    assert {"command", "temporal_data", "temporal_check", "network_data", "limits"} <= set(model.record)


def test_a_good_text_is_read() -> None:
    model = parse_fusion_model(_GOOD)
    assert (model.version, model.temporal_limit, model.temporal_bias) == ("t", 4.0, -0.5)
    assert dict(model.temporal_weights) == {"planar_motion": 1.0}
    assert (model.network_bias, model.network_weight) == (0.1, 0.7)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ('version = "t"', "version = 3"),
        ("temporal_limit = 4.0", "temporal_limit = 0"),
        ("temporal_limit = 4.0", "temporal_limit = nan"),
        ("planar_motion = 1", "planar_motion = -1"),
        ("planar_motion = 1", 'planar_motion = "1"'),
        ("planar_motion = 1", "planar_motion = true"),
        ("[temporal.weights]", "[temporal.wrong]"),
        ("weight = 0.7", ""),
        ("bias = 0.1", "bias = inf"),
        ('command = "none"', "command = 1"),
        ("[record]", "[records]"),
        ("[pad_network]", "[[pad_network]]"),
        ("version", "="),
    ],
)
def test_a_wrong_text_is_refused(part: str, instead: str) -> None:
    assert part in _GOOD
    with pytest.raises(FusionModelError):
        parse_fusion_model(_GOOD.replace(part, instead, 1))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(FusionModelError):
        parse_fusion_model(text)
