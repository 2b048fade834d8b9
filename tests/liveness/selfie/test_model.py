import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.errors import SelfieModelError
from liveness.selfie import SIGNAL_NAMES, load_selfie_model, parse_selfie_model

_WEIGHTS = dict.fromkeys(SIGNAL_NAMES, 0.1) | {"lbp_texture": 0.3}


def _text(weights: dict[str, object] | None = None, *, version: str = '"7"', record: str = 'by = "x"') -> str:
    lines = [f"{name} = {value}" for name, value in (weights or dict(_WEIGHTS)).items()]
    return f"version = {version}\n[weights]\n" + "\n".join(lines) + f"\n[record]\n{record}\n"


def test_the_shipped_weights_sum_to_1_and_record_their_origin() -> None:
    model = load_selfie_model()
    assert tuple(model.weights) == SIGNAL_NAMES
    assert math.isclose(math.fsum(model.weights.values()), 1, abs_tol=1e-9)
    assert max(model.weights, key=lambda name: model.weights[name]) == "lbp_texture"
    assert {"command", "data", "figures", "limits"} <= set(model.record)


def test_a_good_text_is_read() -> None:
    model = parse_selfie_model(_text())
    assert (model.version, dict(model.weights), dict(model.record)) == ("7", _WEIGHTS, {"by": "x"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = ", "not TOML"),
        ("x = " + "9" * 5000, "not TOML"),
        ("version = '1'", "must hold"),
        (_text(version="7"), "must be text"),
        (_text(record="by = 1"), "must be text"),
        ("version = '1'\nweights = 1\nrecord = 2", "must be a table"),
        (_text({**_WEIGHTS, "extra": 0.1}), "must be of"),
        (_text({name: weight for name, weight in _WEIGHTS.items() if name != "head_pose"}), "must be of"),
        (_text({**_WEIGHTS, "head_pose": 0.2}), "sum to 1"),
        (_text({**_WEIGHTS, "head_pose": 0.0, "sharpness": 0.2}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": "true"}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": "nan"}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": '"0.1"'}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": 0.2, "lbp_texture": 0.2}), "highest"),
    ],
)
def test_a_bad_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(SelfieModelError, match=words):
        parse_selfie_model(text)


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_no_text_gives_another_error(text: str) -> None:
    with pytest.raises(SelfieModelError):
        parse_selfie_model(text)
