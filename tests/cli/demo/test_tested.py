import tomllib
from pathlib import Path

import pytest

from cli.demo.tested import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, open_tested
from cli.errors import PlatformUnusable
from cli.test_devices import POLICY_NAME
from server.access.api_keys import load_api_keys
from server.policies import load_policies


def test_the_shipped_policies_are_served_beside_its_own(tmp_path: Path) -> None:
    tested = open_tested(tmp_path / "platform")
    settings = tomllib.loads(tested.settings)
    served = load_policies(Path(settings["policies"]["folder"])).names
    assert {POLICY, FLASH_POLICY, FLASH_ALONE_POLICY, POLICY_NAME} <= set(served)
    root = settings["device_integrity"]["test_roots"]["android_spki_sha256"]
    assert root == [tested.platform.android_root_sha256.hex()]


def test_a_page_on_this_machine_may_scan(tmp_path: Path) -> None:
    settings = tomllib.loads(open_tested(tmp_path / "platform", page="http://localhost:8447").settings)
    assert settings["device_integrity"]["web"] == {"rp_id": "localhost", "origins": ["http://localhost:8447"]}


def test_one_of_its_callers_is_a_sandbox_caller(tmp_path: Path) -> None:
    tested = open_tested(tmp_path / "platform")
    settings = tomllib.loads(tested.settings)
    keys = load_api_keys(Path(settings["listeners"]["service"]["api_keys_file"]))
    found = [keys.find(caller.key_file.read_text().strip()) for caller in (tested.sandbox, tested.real)]
    assert [entry is not None and entry.caller.sandbox for entry in found] == [True, False]
    assert None not in found


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformUnusable):
        open_tested(tmp_path / "file" / "platform")
