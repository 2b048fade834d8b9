"""The client of an earlier commit passes its checks against the server of today."""

import asyncio
import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.tuning import Tuning
from tests.packs import real_pack
from tests.server.live import LiveServer, portrait, serving, settings_for

_HERE = Path(__file__).resolve().parent
_ARCHIVE = _HERE / "client-8bc137d.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The earlier commit's code, unpacked."""
    folder = tmp_path_factory.mktemp("old-client")
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder.resolve()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def today(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Today's server as an operator runs it, with the shipped policies."""
    folder = tmp_path_factory.mktemp("today")
    settings = settings_for(
        folder, sandbox=False, policies={"folder": folder / "policies", "default": "standard"}
    )
    async with serving(settings, pack=real_pack(), tuning=Tuning()) as server:
        yield server


async def _check(old: Path, today: LiveServer, mode: str, folder: Path) -> dict[str, Any]:
    picture = folder / "portrait.jpg"
    picture.write_bytes(portrait())
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_HERE / "old_check.py"), mode, str(picture),
        today.server.device_target, today.server.service_target, str(today.server.admin_port),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(old), str(old / "protos")))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors.decode()
    answer: dict[str, Any] = json.loads(output)
    assert answer["code"] == [str(old), str(old / "protos")]
    return answer


def _succeeded(answer: dict[str, Any]) -> bool:
    return (answer["status"], answer["told"]) == ("CHECK_STATUS_SUCCESS", "SCAN_STATUS_SUCCESS")


@pytest.mark.slow
async def test_an_express_check_succeeds(old: Path, today: LiveServer, tmp_path: Path) -> None:
    answer = await _check(old, today, "express", tmp_path)
    assert _succeeded(answer), answer
    assert answer["reasons"] == []
    assert (answer["mode"], answer["liveness"]) == ("MODE_EXPRESS", "LIVENESS_VERDICT_LIVE")
    assert answer["same_person"]
    assert answer["evidence"]


@pytest.mark.slow
async def test_a_check_raised_to_dynamic_succeeds(old: Path, today: LiveServer, tmp_path: Path) -> None:
    answer = await _check(old, today, "dynamic", tmp_path)
    assert _succeeded(answer), answer
    assert (answer["mode"], answer["liveness"]) == ("MODE_DYNAMIC", "LIVENESS_VERDICT_LIVE")
    assert "PLAN_FLASH" in answer["plans"]
