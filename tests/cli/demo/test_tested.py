import tomllib
from pathlib import Path

import pytest

from cli.demo.tested import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, open_tested
from cli.test_devices.errors import PlatformUnusable
from cli.test_devices.settings_text import POLICY_NAME
from server.policies import load_policies


def test_its_policies_are_for_tests_and_otherwise_what_is_shipped(tmp_path: Path) -> None:
    tested = open_tested(tmp_path / "platform")
    settings = tomllib.loads(tested.settings)
    own = load_policies(Path(settings["policies"]["folder"]), shipped=False)
    assert own.names == tuple(sorted((POLICY, FLASH_POLICY, FLASH_ALONE_POLICY, POLICY_NAME)))
    for name in (POLICY, FLASH_POLICY, FLASH_ALONE_POLICY):
        shipped = load_policies(None).get(name).policy
        assert own.get(name).policy == shipped.model_copy(update={"for_tests": True})
    root = settings["device_integrity"]["test_roots"]["android_spki_sha256"]
    assert root == [tested.platform.android_root_sha256.hex()]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformUnusable):
        open_tested(tmp_path / "file" / "platform")
