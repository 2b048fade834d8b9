"""The reference pages match the schemas and the code."""

import pytest

from docs.make_audit import PAGE as AUDIT
from docs.make_audit import audit_page
from docs.make_reference import REFERENCE, ReferenceField, policies_page, reference_fields, settings_page
from docs.make_timers import PAGE, timers_page
from server.configuration.settings import Settings
from server.policies.schema import Policy


def _by_name(fields: list[ReferenceField]) -> dict[tuple[str, str], ReferenceField]:
    return {(field.table, field.name): field for field in fields}


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (REFERENCE / "settings.md").read_text() == settings_page(), "run: make reference"


def test_the_page_of_policies_is_up_to_date() -> None:
    assert (REFERENCE / "policies.md").read_text() == policies_page(), "run: make reference"


def test_the_page_of_audit_actions_is_up_to_date() -> None:
    assert AUDIT.read_text() == audit_page(), "run: make reference"


def test_the_page_of_timers_is_up_to_date() -> None:
    assert PAGE.read_text() == timers_page(), "run: make reference"


def test_a_long_description_is_written_once() -> None:
    page = policies_page()
    assert page.count("A blind guess of a whole script") == 1
    assert "- `required_bits = 12.0`: As in `[challenge]`." in page


def test_a_field_shows_its_default_or_that_it_is_required() -> None:
    lines = settings_page().splitlines()
    assert "- `port = 8443` (0 to 65,535): TCP port; 0 for any free one." in lines
    assert "- `certificate` (path; required): PEM file: the certificate, then its chain." in lines
    assert (
        "- `drain_seconds = 30.0` (0 to 3,600): How long running scans may continue after SIGTERM." in lines
    )


@pytest.mark.parametrize("model", [Settings, Policy])
def test_every_field_has_a_description(model: type[Settings] | type[Policy]) -> None:
    assert [field for field in reference_fields(model) if not field.description] == []


def test_the_values_of_a_list_are_named_once() -> None:
    assert (
        '- `order = ["flash", "movement", "gestures"]` (1 or more entries): The challenges' in policies_page()
    )


def test_ranges_defaults_and_tables_are_named() -> None:
    settings = _by_name(reference_fields(Settings))
    assert settings["limits", "max_uploads"] == ReferenceField(
        table="limits",
        name="max_uploads",
        kind="integer, 1 to 1,000",
        default="4",
        required=False,
        description="Maximum number of trusted images that are decoded and judged at once, and of selfies "
        "beside them. One of 50 million pixels takes about 300 MB.",
    )
    assert settings["listeners.device.tls", "certificate"].required
    assert ("[device_integrity.android.apps]", "package") in settings


def test_tables_of_one_schema_share_a_section() -> None:
    policy = _by_name(reference_fields(Policy))
    assert (
        policy["device.demands.<android, ios, web, desktop, unspecified>", "camera"].default == '"advisory"'
    )
    assert policy["portrait.requirements.<name>", "minimum_score"].default is None
