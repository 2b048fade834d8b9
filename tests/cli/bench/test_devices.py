import socket
import sys
from pathlib import Path

import pytest

from cli.bench import devices as module
from cli.bench.device_process import run_job
from cli.bench.devices import open_devices
from cli.bench.jobs import DeviceJob
from cli.errors import DeviceProcessFailed


def job(target: str, frames: Path, tickets: int) -> DeviceJob:
    return DeviceJob(
        target=target,
        frames=str(frames),
        frames_per_second=15.0,
        tickets=tuple((f"token-{number}", "00" * 32) for number in range(tickets)),
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_scan_without_frames_reports_the_reason(tmp_path: Path) -> None:
    times = await run_job(job(f"127.0.0.1:{free_port()}", tmp_path, 2))
    assert len(times) == 2
    assert all("SourceError" in scan.error and scan.seconds_to_result is None for scan in times)


@pytest.mark.slow
async def test_the_process_answers_every_job(tmp_path: Path) -> None:
    async with open_devices() as devices:
        first = await devices.scan(job("127.0.0.1:1", tmp_path, 1))
        second = await devices.scan(job("127.0.0.1:1", tmp_path, 3))
    assert [len(first), len(second)] == [1, 3]
    assert all(scan.error for scan in (*first, *second))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit(1)", "ended or gave an invalid answer"),
        ("print('nonsense', flush=True); input()", "ended or gave an invalid answer"),
        ("import time; time.sleep(30)", "did not answer"),
    ],
)
async def test_a_process_that_fails_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr(module, "_COMMAND", (sys.executable, "-c", script))
    monkeypatch.setattr(module, "_JOB_SECONDS", 0.5)
    monkeypatch.setattr(module, "_LEAVE_SECONDS", 0.2)
    with pytest.raises(DeviceProcessFailed, match=said):
        async with open_devices() as devices:
            await devices.scan(job("127.0.0.1:1", tmp_path, 1))
