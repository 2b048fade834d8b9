"""A test platform in a folder, and the servers that accept or refuse it."""

import json
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CommandError
from cli.main import app
from lab.simulate import opened_device, write_platform
from lab.simulator.devices import POLICY_NAME, SETTINGS_FILE, DeviceKind, read_platform
from lab.simulator.devices.device import AppAttestAssertion, AppAttestEnrolment, Evidence
from lab.simulator.errors import SimulatorError
from server.configuration.loading import load_settings
from server.policies import load_policies

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BINDING = bytes(32)


def test_two_platforms_have_different_keys_and_the_secret_is_the_owners(tmp_path: Path) -> None:
    one, other = (write_platform(tmp_path / name, now=NOW) for name in "ab")
    read = read_platform(tmp_path / "a").platform
    assert read.android_root_sha256 == one.platform.android_root_sha256
    assert read.apple.root.der == one.platform.apple.root.der
    assert one.platform.android_root_sha256 != other.platform.android_root_sha256
    assert stat.S_IMODE((tmp_path / "a" / "platform.json").stat().st_mode) == 0o600
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be"):
        write_platform(tmp_path / "file" / "below", now=NOW)


def test_written_again_it_is_valid_longer_and_has_the_same_keys(tmp_path: Path) -> None:
    before = write_platform(tmp_path, now=NOW).platform
    after = write_platform(tmp_path, now=NOW + timedelta(days=300)).platform
    assert after.android_root_sha256 == before.android_root_sha256
    assert after.iphone_key.public_key == before.iphone_key.public_key
    assert after.valid[1] - before.valid[1] == timedelta(days=300)


def test_its_settings_are_a_whole_file_for_a_server(tmp_path: Path) -> None:
    folder = tmp_path / 'with "quotes" and ünicode'
    stored = write_platform(folder, now=NOW)
    settings = load_settings(folder / SETTINGS_FILE).settings
    device = settings.device_integrity
    assert not device.for_tests
    assert settings.listeners.service.local_sandbox
    assert device.test_roots.android_spki_sha256 == (stored.platform.android_root_sha256.hex(),)
    assert settings.data_dir == folder.resolve() / "data"
    policy = load_policies(settings.policies.folder).get(settings.policies.default).policy
    assert policy.name == POLICY_NAME
    assert "standard" in load_policies(settings.policies.folder).names


def test_a_device_remembers_its_count_in_the_folder(tmp_path: Path) -> None:
    write_platform(tmp_path, now=NOW)
    shown: list[Evidence] = []
    for _ in range(3):
        with opened_device(tmp_path / "iphone") as opened:
            shown += opened.device.evidence(BINDING, now=NOW)
    assert [type(piece) for piece in shown] == [AppAttestEnrolment, AppAttestAssertion, AppAttestAssertion]
    assert read_platform(tmp_path).device(DeviceKind.IPHONE).use.counter == 2
    # The thief has the same key, and the same stored state.
    assert read_platform(tmp_path).device(DeviceKind.COUNTER_REPLAY).use.counter == 2


def test_an_unknown_kind_is_refused_with_the_known_kinds(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandError, match=r"nokia names.*android.*perfect-timing"),
        opened_device(tmp_path / "nokia"),
    ):
        pass


def test_a_state_that_cannot_be_stored_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    write_platform(tmp_path, now=NOW)
    opened = opened_device(tmp_path / "iphone")
    opened.__enter__().device.evidence(BINDING, now=NOW)
    shutil.rmtree(tmp_path)
    tmp_path.write_bytes(b"")
    with pytest.raises(CommandError, match=str(tmp_path)):
        opened.__exit__(None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b'{"console": "NES"}',
        b'{"seed": 1, "made": "2026-11-20T12:00:00+00:00"}',
        b'{"seed": "a", "made": 5}',
    ],
    ids=["missing", "empty", "array", "console", "seed", "made"],
)
def test_a_folder_without_a_platform_is_reported(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "platform.json").write_bytes(content)
    with pytest.raises(SimulatorError, match=r"platform\.json"):
        read_platform(tmp_path)
    if content is not None and b'"seed": "' not in content:
        # Existing files are not overwritten, because they may be something else.
        with pytest.raises(CommandError):
            write_platform(tmp_path, now=NOW)


def test_a_damaged_count_is_reported(tmp_path: Path) -> None:
    stored = write_platform(tmp_path, now=NOW)
    (tmp_path / "app_attest_count.json").write_text(json.dumps({"counter": "many"}))
    with pytest.raises(SimulatorError, match="count"):
        stored.device(DeviceKind.IPHONE)


def test_a_platform_is_made_and_the_next_commands_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    result = CliRunner().invoke(app, ["attest", "test-platform", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"facegate serve --config {folder / SETTINGS_FILE}" in result.stdout
    assert f"--test-device {folder / 'android'}" in result.stdout
    assert read_platform(folder).folder == folder
