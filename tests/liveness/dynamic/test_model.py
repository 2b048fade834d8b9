from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.model import load_flash_model, parse_flash_model
from liveness.errors import FlashModelError
from tests.liveness.dynamic.flash_scans import judged
from tests.liveness.dynamic.synthetic import RenderedKind

TEXT = files("liveness.dynamic").joinpath("flash_model.toml").read_text(encoding="utf-8")


def test_every_signal_has_a_weight() -> None:
    names = {signal.name for signal in judged(RenderedKind.GENUINE).signals}
    assert names == set(load_flash_model().judge.weights)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("margin = 2.0", "margin = true"),
        ("margin = 2.0", 'margin = "4"'),
        ("margin = 2.0", "margin = nan"),
        ("margin = 2.0", "margin = inf"),
        ("margin = 2.0\n", ""),
        ("margin = 2.0", "margin = 2.0\nother = 1.0"),
        ("least_frames = 3", "least_frames = 3.5"),
        ("[glare]", "[glimmer]"),
        ("bend_degree = 5", "bend_degree = 5.5"),
        ("no_depth = 0.25\n", ""),
        ("[movement.came_closer]", "[movement.came_nearer]"),
        ("[record]", "[other]"),
        ('version = "14"', "version = 3"),
        ('version = "14"', ""),
        ("[judge.weights]", "[judge.weight]"),
        ("[lag]", "[lag"),
    ],
)
def test_a_broken_model_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(FlashModelError):
        parse_flash_model(TEXT.replace(old, new, 1))


@pytest.mark.usefixtures("without_collection")
def test_a_model_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(FlashModelError):
        parse_flash_model("a = " + "[" * 5000)


@given(text=st.text())
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(FlashModelError):
        parse_flash_model(text)
