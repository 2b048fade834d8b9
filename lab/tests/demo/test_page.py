import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from facegate.v1 import feedback_pb2, result_pb2
from joserfc.jwk import ECKey
from rich.console import Console

from cli.errors import CommandError
from facegate_client import load_key_set
from lab.demo.command import conclude
from lab.demo.pack import ChosenPack
from lab.demo.page import matcher_sentence, render_page, write_files
from lab.demo.printing import DemoDisplay, summary_table
from lab.demo.scenarios import SCENARIOS, DemoRecord
from lab.tests.demo.builders import (
    CALIBRATION,
    CHECK_ID,
    JPEG,
    PACK,
    all_as_expected,
    judged,
    refused,
    result,
    scenario,
)
from tests.server.pages.reading import Page

_INCONCLUSIVE = result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE


def render(records: tuple[DemoRecord, ...]) -> str:
    return render_page(
        records,
        ChosenPack(spec=PACK.name, pack=PACK, policy="evaluation", why="it is the <best>"),
        made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=61.0,
    )


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(all_as_expected()))


def test_the_page_is_well_formed_and_needs_nothing_else(page: Page) -> None:
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert page.without_words == []
    assert {link.partition(":")[0] for link in page.links if not link.startswith("#")} == {"data"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"https?:|url\(|@import|\{[a-z_]+\}", page.source)
    assert "script" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]


def test_device_failures_are_shown_if_evidence_was_requested() -> None:
    records = {record.scenario.key: record for record in all_as_expected()}
    assert "Device: it was &lt;repackaged&gt;." in render((records["device-repackaged"],))
    unasked = replace(records["same-person"], response=records["device-repackaged"].response)
    assert "Device: it was" not in render((unasked,))


def test_every_check_is_on_it(page: Page) -> None:
    text = " ".join(page.text.split())
    for one in SCENARIOS:
        assert one.title in text
        assert one.shown in text
        assert one.key in page.ids
    assert "20 of 20 outcomes as expected" in text
    assert text.count("The device left before an attempt decided the check.") == 3
    assert "1 attack passed" in text
    assert "Verified challenge bits" in text
    assert text.count("2 signals without a weight") == 10
    assert "This attack passed" in text
    assert "1 blink in 4.0 s." in text
    assert "The eyes are 60 pixels apart." in text
    assert "This pack judged because it is the <best>." in text
    assert "for evaluation only" in text
    assert "not assessed" in render(all_as_expected())
    assert bytes(32).hex() in text
    assert text.count("verified") >= 17


def test_text_of_the_server_cannot_become_markup() -> None:
    hostile = '<script>alert("1")</script><img src=x onerror=alert(1)>'
    records = (
        judged("same-person", result(detail=hostile)),
        refused('X"><script>', hostile),
    )
    page = Page(render(records))
    assert "script" not in page.tags
    assert "onerror" not in page.attributes
    assert hostile in page.text


def test_an_unexpected_outcome_and_an_unverified_signature_are_reported() -> None:
    wrong = judged("same-person", result(result_pb2.FAILURE_REASON_SPOOF))
    text = Page(render((wrong, judged("screen-replay")))).text
    assert "0 of 1 outcomes as expected" in text
    assert "not as expected" in text
    assert "NOT VERIFIED" in Page(render((judged("same-person", signature_verified=False),))).text


def test_the_matcher_is_described_by_its_record_where_it_judged() -> None:
    said = matcher_sentence(CALIBRATION, (judged("same-person"),))
    for number in ("89 persons", "1,974 genuine", "82,555 impostor", "1 %", "12.3 %", "0.2 %"):
        assert number in said
    assert "FNMR" not in matcher_sentence(CALIBRATION, (refused("FACE_NOT_FOUND"),))


KEYS = load_key_set({"keys": [ECKey.generate_key("P-256", parameters={"kid": "a"}).as_dict(private=True)]})


def test_everything_lies_beside_the_page(tmp_path: Path) -> None:
    page = write_files(tmp_path, records=(judged("same-person"),), page="<p>ä", keys=KEYS)
    assert page == tmp_path / "index.html"
    assert page.read_text(encoding="utf-8") == "<p>ä"
    folder = tmp_path / "same-person"
    assert sorted(path.name for path in folder.iterdir()) == [
        "evidence.jpg",
        "portrait.jpg",
        "result.json",
        "result.jws",
    ]
    assert (folder / "evidence.jpg").read_bytes() == JPEG
    assert json.loads((folder / "result.json").read_text())["check_id"] == CHECK_ID


def test_a_flash_leaves_its_strip(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        write_files(tmp_path / "missing", records=(), page="", keys=KEYS)
    write_files(tmp_path, records=(judged("flash-rigid-mask"),), page="", keys=KEYS)
    strip = (tmp_path / "flash-rigid-mask" / "strip.svg").read_text()
    assert strip.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "A rigid mask" in strip


def test_a_check_without_doubt_says_why_no_colours_followed() -> None:
    sure = replace(judged("doubt"), flash=None)
    unlit = replace(judged("flash-same-person"), flash=None)
    assert "left no doubt: no flash followed" in render((sure,))
    for record in (unlit, replace(sure, response=judged("static-photo", result(_INCONCLUSIVE)).response)):
        shown = render((record,))
        assert "No frame shows a colour of the screen." in shown
        assert "left no doubt" not in shown


def test_only_public_keys_are_written(tmp_path: Path) -> None:
    write_files(tmp_path, records=(), page="", keys=KEYS)
    (key,) = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert {"kty", "crv", "x", "y", "kid"} <= set(key)
    assert "d" not in key


def test_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / "eyes-too-close"
    stale.mkdir()
    (stale / "evidence.jpg").write_bytes(b"old")
    write_files(tmp_path, records=(refused("EYE_DISTANCE_TOO_SMALL"),), page="", keys=KEYS)
    assert [path.name for path in stale.iterdir()] == ["portrait.jpg"]


def test_lines_of_two_checks_stay_together_and_each_hint_is_printed_once() -> None:
    sink = io.StringIO()
    with DemoDisplay(Console(file=sink, width=120), checks=2) as display:
        view, other = display.begin(scenario("same-person")), display.begin(scenario("screen-replay"))
        view.rendered(1.0)
        for code in (1, 1, 5, 5, 1):
            view.hint(code, 0.5)
            other.hint(1, 0.5)
        view.deciding(60)
        view.end(judged("same-person"))
        other.end(judged("screen-replay"))
    lines = [line.split()[0] for line in sink.getvalue().splitlines() if line.startswith("      ")]
    assert lines == ["GOOD", "MOVE_BACK", "GOOD", "GOOD"]
    assert "1/2 EXPRESS: The same person" in sink.getvalue()
    assert "✓ SUCCESS" in sink.getvalue()
    assert "the attack passed" in sink.getvalue()


def printed(width: int) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(summary_table(all_as_expected()))
    return sink.getvalue()


def test_the_summary_contains_every_outcome() -> None:
    text = " ".join(printed(160).split())
    assert text.count("✓") == 20
    assert "eye distance too small" in text
    assert "not same person" in text
    assert "the attack passed" in text
    assert "97 LIVE" in text
    assert text.index("EXPRESS") < text.index("DOUBT") < text.index("DYNAMIC") < text.index("ATTESTED")
    assert text.count("spoof or undecided") == 7
    assert text.count("! ") == 1
    assert "20 of 20 results have a signature that verifies." in text


def test_attackers_that_left_undecided_are_not_called_recognised() -> None:
    console = Console(file=(sink := io.StringIO()), width=300)
    conclude(console, all_as_expected(), page=Path("index.html"), seconds=90)
    (said,) = [line for line in sink.getvalue().splitlines() if line.startswith("Not let in")]
    for title in ("A replay on a screen (DYNAMIC)", "An injected clean video", "A rigid mask"):
        assert title in said
    assert "A hand-waved print" not in said
    assert "left after one attempt" in said
    conclude(
        console := Console(file=(sink := io.StringIO())), (judged("same-person"),), page=Path(), seconds=9
    )
    assert "Not let in" not in sink.getvalue()


def test_a_machine_that_is_too_busy_is_said() -> None:
    undecided = result(result_pb2.FAILURE_REASON_CONDITIONS)
    undecided.attempts[0].feedback.append(feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW)
    late = judged("same-person", undecided)
    plain = judged("same-person", result(result_pb2.FAILURE_REASON_CONDITIONS))
    for record, said in ((late, True), (plain, False)):
        console = Console(file=(sink := io.StringIO()), width=80)
        conclude(console, (*all_as_expected(), record), page=Path("index.html"), seconds=200)
        text = sink.getvalue()
        assert ("late frames" in text) is said
        assert ("this machine is too busy for scans in real time" in text.replace("\n", " ")) is said
