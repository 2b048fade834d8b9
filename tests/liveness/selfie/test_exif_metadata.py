import pytest

from formats.exif import ExifState, ExifTags, parse_exif
from liveness.selfie import SelfieSettings
from liveness.selfie.judge import SPOOF_KEYWORDS, ExifMetadata, spoof_keyword
from tests.formats.tiff_samples import phone
from tests.liveness.selfie.builders import faceless, subject

_SIGNAL, _SETTINGS = ExifMetadata(), SelfieSettings()


@pytest.mark.parametrize(
    ("tags", "score"),
    [
        (ExifTags(), 0.50),
        (ExifTags(state=ExifState.MALFORMED), 0.50),
        (ExifTags(state=ExifState.MALFORMED, make="Maker", iso=100), 0.50),
        (ExifTags(state=ExifState.READ), 0.55),
        (ExifTags(state=ExifState.READ, iso=100, has_gps=True), 0.55),
        (ExifTags(state=ExifState.READ, software=("15.2",)), 0.55),
        (ExifTags(state=ExifState.READ, make="Maker"), 0.75),
        (ExifTags(state=ExifState.READ, model="Phone", software=("15.2",)), 0.75),
        (ExifTags(state=ExifState.READ, make="Maker", f_number=1.8), 0.80),
        (ExifTags(state=ExifState.READ, make="Maker", f_number=1.8, iso=100), 0.85),
        (parse_exif(phone()), 1.00),
        (parse_exif(phone(software="Adobe Photoshop 25.0")), 0.10),
        (ExifTags(software=("gnome-screenshot",)), 0.10),
    ],
)
def test_the_score_follows_the_seeds_table(tags: ExifTags, score: float) -> None:
    found = _SIGNAL.assess(subject(exif=tags), _SETTINGS)
    assert found.score == pytest.approx(score)
    assert found.passed == (score >= 0.5)


def test_the_keywords_are_the_seeds() -> None:
    listed = "screenshot · screen capture · snipping · obs · bandicam · photoshop · gimp · preview · snagit"
    assert " · ".join(SPOOF_KEYWORDS) == listed


@pytest.mark.parametrize(
    ("software", "keyword"),
    [(keyword, keyword) for keyword in SPOOF_KEYWORDS]
    + [(keyword.upper() + " 7.1", keyword) for keyword in SPOOF_KEYWORDS]
    + [
        ("ScreenCapture", "screen capture"),
        ("screen_capture", "screen capture"),
        ("Screen-Capture 2", "screen capture"),
        ("OBS-Studio 30.0", "obs"),
        ("obs64.exe", "obs"),
        ("Windows Snipping Tool", "snipping"),
    ],
)
def test_a_keyword_is_found_in_any_case(software: str, keyword: str) -> None:
    assert spoof_keyword(ExifTags(software=("17.1", software))) == keyword


@pytest.mark.parametrize("software", ["Jobs 3", "obsidian", "HDR+ 1.0", "iOS 17.1", "Screen", "capture"])
def test_other_programs_are_no_keyword(software: str) -> None:
    assert spoof_keyword(ExifTags(software=(software,))) is None


def test_a_comment_only_reveals_screenshots() -> None:
    assert spoof_keyword(ExifTags(comment="Screenshot")) == "screenshot"
    assert spoof_keyword(ExifTags(comment="a preview of my photoshop course")) is None


def test_the_detail_never_repeats_the_file() -> None:
    tags = ExifTags(state=ExifState.READ, make="<b>Maker", model="Phone", software=("my GIMP of Jane",))
    assert "Jane" not in _SIGNAL.assess(subject(exif=tags), _SETTINGS).detail
    without = ExifTags(state=ExifState.READ, make="<b>Maker", comment="Jane")
    detail = _SIGNAL.assess(subject(exif=without), _SETTINGS).detail
    assert "Maker" not in detail
    assert "Jane" not in detail


def test_the_signal_needs_no_face() -> None:
    assert _SIGNAL.assess(faceless(), _SETTINGS).score == 0.5
