import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.camera.tokens import contains_run, mixes_scripts, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("OBS Virtual Camera", ("obs", "virtual", "camera")),
        ("  OBS-Camera2 (v4l2)", ("obs", "camera2", "v4l2")),
        ("\uff2f\uff22\uff33 Camera", ("obs", "camera")),
        ("O\u200bBS\u00ad Camera", ("obs", "camera")),
        ("Dummy video device (0x0000)", ("dummy", "video", "device", "0x0000")),
        ("V\u00edrtual Came\u0301ra", ("virtual", "camera")),
        ("\u0411\u0430\u0439", ("\u0431\u0430\u0438",)),
        ("V\u1dc0irtu\u20ddal\ufe0f", ("virtual",)),
        # Kana are other letters without their marks.
        ("\u30ab\u30cf\u3099", ("\u30ab", "\u30d0")),
        ("...", ()),
        ("", ()),
    ],
)
def test_text_becomes_plain_words(text: str, tokens: tuple[str, ...]) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("text", "run", "found"),
    [
        ("e2eSoft VCam #2", "vcam", True),
        ("OBSVirtualCamera", "obs virtual camera", True),
        ("OBS Camera3", "obs camera", True),
        ("Vcamera HD", "vcam", False),
        ("UVCamera HD", "vcam", False),
        ("Jobs Camera", "obs camera", False),
        ("V-Cam 2", "v cam", True),
        ("V5 Cam", "v cam", False),
        ("camera obs", "obs camera", False),
    ],
)
def test_runs_are_found_whole_and_in_order(text: str, run: str, found: bool) -> None:
    assert contains_run(tokens_of(text), tokens_of(run)) is found


@pytest.mark.parametrize(
    ("text", "run", "found"),
    [
        ("VCamSample Source", ("vcam*",), True),
        ("vcam", ("vcam*",), True),
        ("UVCamera", ("vcam*",), False),
        ("My Virtual Camera", ("virtual", "cam*"), True),
        ("VirtualCamFilter", ("virtual", "cam*"), True),
        ("Virtual HD Cam", ("virtual", "cam*"), False),
        ("virtual", ("virtual", "cam*"), False),
    ],
)
def test_the_last_token_of_a_run_may_be_a_beginning(text: str, run: tuple[str, ...], found: bool) -> None:
    assert contains_run(tokens_of(text), run) is found


def test_homoglyphs_within_a_word_are_detected() -> None:
    assert mixes_scripts("\u041eBS Camera")
    assert not mixes_scripts("\u041a\u0430\u043c\u0435\u0440\u0430 HD")
    assert not mixes_scripts("Integrated Camera")


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    tokens = tokens_of(text)
    assert all(tokens)
    assert contains_run(tokens, tokens[:1]) is bool(tokens) or not tokens
    assert mixes_scripts(text) in {True, False}
