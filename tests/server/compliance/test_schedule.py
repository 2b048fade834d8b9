"""The retention schedule says of every table what the settings and the policies say."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.compliance.schedule import RetentionSchedule, ScheduledDatum, retention_schedule, span
from server.configuration.settings import Settings
from server.policies import Policy, load_policies
from server.storage.tables import metadata

_DAY = 86_400
_STANDARD = load_policies().get("standard").policy


def _schedule(retention: dict[str, Any], **tables: Any) -> RetentionSchedule:
    values = _STANDARD.model_dump() | {"retention": retention}
    policy = Policy.model_validate(values)
    return retention_schedule(Settings.model_validate({"data_dir": Path("data")} | tables), (policy,))


def _datum(schedule: RetentionSchedule, begin: str) -> ScheduledDatum:
    (found,) = [
        datum for datum in (*schedule.policies[0].data, *schedule.others) if datum.name.startswith(begin)
    ]
    return found


def test_every_table_of_the_database_has_a_line() -> None:
    schedule = retention_schedule(Settings(), (_STANDARD,))
    places = " ".join(
        place for datum in (*schedule.policies[0].data, *schedule.others) for place in datum.places
    )
    assert set(metadata.tables) - set(re.findall(r"[a-z_]+", places)) == set()


def test_the_times_are_those_of_the_policy() -> None:
    schedule = _schedule(
        {"evidence_seconds": 90 * _DAY, "images_seconds": 7 * _DAY, "audit_images": 3, "portrait": "bytes"}
    )
    for begin, kept in {
        "Trusted image as": "7 days from the decision",
        "Template of": "until the decision, at the latest 3 minutes after the upload",
        "Measurements of": "until the decision, at the latest 3 minutes after the upload",
        "Evidence frame and at most 3": "7 days from the decision",
        "Keyed hashes of frames": "90 days from the decision",
        "Result": "90 days from the decision",
    }.items():
        assert _datum(schedule, begin).kept.startswith(kept), begin
    # Marks of a recording are made from the face, and are there as long as the record.
    assert schedule.policies[0].biometric_seconds == 90 * _DAY
    assert "90 days from the decision" in schedule.policies[0].summary


def test_what_retention_erases_a_hold_keeps() -> None:
    for datum in _schedule({"portrait": "bytes"}).policies[0].data:
        if datum.seconds:
            assert datum.hold.startswith("Keeps it"), datum.name
            assert "Retention." in datum.destroyed_by, datum.name


def test_nothing_is_erased_before_the_deadline_of_the_result() -> None:
    schedule = _schedule({"evidence_seconds": 60, "audit_images": 0})
    assert (
        _datum(schedule, "Result").kept
        == "1 day from the upload, and 1 minute from the decision if that is later"
    )
    assert schedule.policies[0].biometric_seconds == _DAY
    assert _datum(schedule, "Evidence frame").kept in schedule.policies[0].summary
    nothing = _schedule({"evidence_seconds": 0, "portrait": "bytes"})
    assert nothing.policies[0].summary.startswith("Biometric data are kept at most 1 day from the upload,")
    for begin in ("Trusted image as", "Evidence frame"):
        assert _datum(nothing, begin).kept == "1 day from the upload"
    assert _datum(_schedule({"evidence_seconds": 0}), "Result").kept == "1 day from the upload"
    assert _datum(_schedule({"evidence_seconds": 0}), "Keyed hashes of frames").kept == "not kept"


def test_a_policy_without_biometrics_says_so() -> None:
    schedule = _schedule({"biometrics": False, "audit_images": 0, "portrait": "none"})
    (policy,) = schedule.policies
    assert policy.biometric_seconds == 0
    assert policy.summary == "No biometric datum outlives the decision."
    for begin in (
        "Evidence frame",
        "Keyed hashes of frames",
        "SHA-256 of each frame",
        "SHA-256 of the trusted",
    ):
        datum = _datum(schedule, begin)
        assert (datum.kept, datum.destroyed_by, datum.hold) == ("not kept", "-", "None."), begin
    assert _datum(schedule, "Result").kept == "30 days from the decision"


def test_an_enrolled_frame_has_a_time_of_its_own() -> None:
    values = _STANDARD.model_dump() | {"consent": "required", "enrolment": {"retention_seconds": 7 * _DAY}}
    schedule = retention_schedule(Settings(), (Policy.model_validate(values),))
    datum = _datum(schedule, "Evidence frame of a SUCCESS")
    assert (datum.kept, datum.seconds, datum.biometric) == ("7 days from the decision", 7 * _DAY, True)


@pytest.mark.parametrize(
    ("days", "laws"), [(365, ()), (366, ("CUBI",)), (3 * 365, ("CUBI",)), (3 * 365 + 1, ("CUBI", "BIPA"))]
)
def test_a_time_beyond_that_of_a_law_is_said(days: int, laws: tuple[str, ...]) -> None:
    summary = _schedule({"evidence_seconds": days * _DAY}).policies[0].summary
    assert {law for law in ("CUBI", "BIPA") if law in summary} == set(laws)


def test_a_required_consent_is_said() -> None:
    (policy,) = _schedule({}).policies
    assert "does not require" in policy.consent
    assert "is refused" in replace(policy, consent_required=True).consent


def test_the_times_of_no_policy_are_those_of_the_settings() -> None:
    schedule = _schedule(
        {}, limits={"failures": {"remember_days": 44}}, device_integrity={"remembered_scans": 1234}
    )
    assert _datum(schedule, "Keyed hashes of subject, trusted").kept == "44 days from the decision"
    assert _datum(schedule, "Public keys").kept == "400 days without use"
    assert _datum(schedule, "Requests that wait").kept == "1 day"
    assert "1,234 scans" in _datum(schedule, "Keyed hashes of frames").destroyed_by


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (180, "3 minutes"),
        (_DAY, "1 day"),
        (3_650 * _DAY, "3,650 days"),
    ],
)
def test_a_span_is_exact(seconds: int, text: str) -> None:
    assert span(seconds) == text
