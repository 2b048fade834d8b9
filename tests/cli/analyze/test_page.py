import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.analyze.figures import exif_words
from cli.analyze.page import explained_file, page_html
from cli.analyze.report import ExplainedFile, FileKind
from formats.exif import ExifState, ExifTags
from tests.cli.analyze.samples import (
    NETWORK,
    Network,
    image_study,
    picture_finding,
    problem_finding,
    video_finding,
    video_study,
)
from tests.cli.demo.builders import PACK
from tests.server.pages.reading import Page

EXIF = ExifTags(
    state=ExifState.READ,
    make="Maker",
    model="Model 7",
    f_number=1.8,
    exposure_seconds=0.02,
    software=("GIMP <2>",),
)


def rendered(*explained: ExplainedFile) -> Page:
    pack = replace(PACK, pad_networks=(Network(),))
    files = [explained_file(each, pack, number=number) for number, each in enumerate(explained, start=1)]
    html = page_html(
        files,
        [each.finding for each in explained],
        pack=pack,
        policy="standard",
        mode="full",
        version="0.1.0",
        made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    return Page(html)


@pytest.fixture(scope="module")
def page() -> Page:
    return rendered(
        ExplainedFile(finding=picture_finding(full=True), image=image_study(), exif=EXIF),
        ExplainedFile(finding=video_finding(), video=video_study()),
        ExplainedFile(finding=problem_finding()),
    )


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert page.without_words == []
    assert not re.search(r"\{[a-z_]+\}", page.source)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page.source)


def test_the_page_needs_nothing_else(page: Page) -> None:
    assert {link.partition(":")[0] for link in page.links if not link.startswith("#")} == {"data"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", page.source))
    assert not {"script", "link", "iframe", "form", "object"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "default-src 'none'" in page.source


def test_the_page_states_that_it_contains_biometric_data(page: Page) -> None:
    assert "This page contains biometric data" in page.text


def test_every_section_is_there(page: Page) -> None:
    for title in (
        "At a glance",
        "The fusion of all signals",
        "The sum of the eight signals",
        "The image",
        "Skin micro-texture (lbp_texture)",
        "Frequencies (fft_deepfake)",
        "Regular patterns (moire)",
        "Crops of the networks",
        "Tags of the camera (exif_metadata)",
        "Timeline",
        "Selected frames",
        "Properties of the file",
    ):
        assert title in page.text, title
    # An image: itself, its face, two maps with their inputs, the pattern on the face, two crops.
    # A video: two frames, the same pattern, two crops.
    assert page.pictures == (2 + 4 + 1 + 2) + (2 + 1 + 2)
    assert f"{NETWORK}: real with probability 0.750" in page.text
    assert "Maker Model 7" in page.text
    assert "screen replay" in page.text
    assert (
        "3 files: 1 INCONCLUSIVE, 1 SPOOF, 1 NO VERDICT (deepfakes and injected recordings were not assessed)"
    ) in page.text
    assert page.text.count("Deepfakes were not assessed.") == 2
    assert "INVALID_REQUEST (IMAGE_EMPTY) It is empty." in page.text
    assert "1 signal could not be assessed" in page.text


def test_the_gauge_shows_where_verdicts_change(page: Page) -> None:
    assert 'class="band" x="54%" y="-30%" width="8%"' in page.source
    assert 'class="mark" x1="58%" x2="58%"' in page.source


def test_one_file_needs_no_overview() -> None:
    page = rendered(ExplainedFile(finding=picture_finding(), image=image_study(), exif=ExifTags()))
    assert "At a glance" not in page.text
    assert "selfie.jpg: LIVE" in page.text


def test_text_of_a_file_cannot_become_markup() -> None:
    hostile = '<script>alert("1")</script><img src=x onerror=alert(1)>'
    finding = replace(
        picture_finding(detail=hostile), files=(Path(hostile.replace("/", "")),), facts={"format": hostile}
    )
    page = rendered(
        ExplainedFile(finding=finding, image=image_study(), exif=replace(EXIF, make=hostile)),
        ExplainedFile(finding=problem_finding(code=hostile, message=hostile)),
    )
    assert "script" not in page.tags
    assert "onerror" not in page.attributes
    assert page.open == []


def test_a_picture_without_a_face_is_shown_all_the_same() -> None:
    study = replace(image_study(), faces=(), landmarks=None, pad_scores=())
    page = rendered(ExplainedFile(finding=problem_finding(code="NO_FACE_DETECTED"), image=study, exif=EXIF))
    assert "No face was found in 240 x 256 pixels." in page.text
    assert "Skin micro-texture" not in page.text


def test_still_frames_have_an_order_and_no_times() -> None:
    page = rendered(
        ExplainedFile(finding=replace(video_finding(), kind=FileKind.STILLS), video=video_study())
    )
    assert "Frames in order" in page.text
    assert "The times of still frames are unknown, so no movement is measured." in page.text


def test_only_tags_that_are_there_are_reported() -> None:
    assert exif_words(ExifTags()) == {"EXIF": "absent"}
    words = exif_words(EXIF)
    assert words["F-stop"] == "f/1.8"
    assert words["Exposure"] == "1/50 s"
    assert words["Software"] == "GIMP <2>"
    assert "Place" not in words
