import pytest

from matcher.conformance.interface import Component
from matcher.conformance.remedies import REMEDIES, remedy_for
from matcher.conformance.requirement import IntakeCode


def test_every_requirement_has_a_remedy() -> None:
    assert set(REMEDIES) == {*Component, *IntakeCode}


@pytest.mark.parametrize("code", REMEDIES)
def test_a_remedy_is_a_sentence_of_its_own(code: Component | IntakeCode) -> None:
    remedy = REMEDIES[code]
    texts = [remedy.text] if remedy.best is None else [remedy.text, remedy.above]
    for text in texts:
        assert text.endswith(".")
        assert ": " in text
    everything = [text for each in REMEDIES.values() for text in (each.text, each.above) if text]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(
    ("code", "measured", "words"),
    [
        ("luminance_mean", "0.024 fraction", "too dark"),
        ("luminance_mean", "0.912 fraction", "too bright"),
        ("luminance_variance", "0.001 fraction", "too little contrast"),
        ("luminance_variance", "0.200 fraction", "too strong"),
        ("head_pose_yaw", "-12.3 deg", "turned to one side"),
        ("head_size", "0.250 fraction", "too small"),
        ("head_size", "0.500 fraction", "too large"),
        ("inter_eye_distance", "61.0 px", "too few pixels"),
        ("file_size", "2,500,000 bytes", "too large"),
        ("declared_size", "480 x 640 px", "another size"),
        ("luminance_mean", "", "too dark"),
    ],
)
def test_the_remedy_fits_the_measurement(code: str, measured: str, words: str) -> None:
    assert words in remedy_for(code, measured)


def test_the_remedy_of_a_dark_face() -> None:
    remedy = "The face is too dark: retake the portrait in brighter, even light."
    assert remedy_for("luminance_mean", "0.024 fraction") == remedy


def test_a_code_of_a_later_server_has_no_remedy() -> None:
    assert remedy_for("something_new", "1.0 px") == ""
