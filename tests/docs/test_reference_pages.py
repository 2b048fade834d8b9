"""The reference pages match the schemas."""

from pathlib import Path

import pytest

from docs.make_reference import ReferenceField, policies_page, reference_fields, settings_page
from server.configuration.settings import Settings
from server.policies.schema import Policy

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def _by_name(fields: list[ReferenceField]) -> dict[tuple[str, str], ReferenceField]:
    return {(field.table, field.name): field for field in fields}


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (_DOCS / "settings.md").read_text() == settings_page()


def test_the_page_of_policies_is_up_to_date() -> None:
    assert (_DOCS / "policies.md").read_text() == policies_page()


@pytest.mark.parametrize("model", [Settings, Policy])
def test_every_field_has_a_description(model: type[Settings] | type[Policy]) -> None:
    assert [field for field in reference_fields(model) if not field.description] == []


def test_ranges_defaults_and_tables_are_named() -> None:
    settings = _by_name(reference_fields(Settings))
    assert settings["limits", "max_scans"] == ReferenceField(
        table="limits",
        name="max_scans",
        kind="integer, at least 1, at most 10,000",
        default="32",
        required=False,
        description="Maximum number of scans at once.",
    )
    assert settings["listeners.device.tls", "certificate"].required
    assert ("[device_integrity.android.apps]", "package") in settings


def test_tables_of_one_schema_share_a_section() -> None:
    policy = _by_name(reference_fields(Policy))
    assert (
        policy["device.demands.<android, ios, web, desktop, unspecified>", "camera"].default == '"advisory"'
    )
    assert policy["portrait.requirements.<name>", "minimum_score"].default is None
