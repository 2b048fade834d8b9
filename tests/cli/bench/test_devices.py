from pathlib import Path

import pytest

from cli.bench import devices as module
from cli.bench.devices import DeviceJob, make_scans, open_devices, run_job
from cli.errors import CommandError
from tests.ports import held_port


def job(target: str, frames: Path, tickets: int) -> DeviceJob:
    return DeviceJob(
        target=target,
        frames=str(frames),
        frames_per_second=15.0,
        tickets=tuple((f"token-{number}", "00" * 32) for number in range(tickets)),
    )


def test_a_scan_without_frames_reports_the_reason(tmp_path: Path) -> None:
    with held_port() as port:
        times = run_job(job(f"127.0.0.1:{port}", tmp_path, 2))
    assert len(times) == 2
    assert all("SourceError" in scan.error and scan.seconds_to_result is None for scan in times)


@pytest.mark.slow
async def test_the_process_answers_every_job(tmp_path: Path) -> None:
    with open_devices() as devices:
        first = await make_scans(devices, job("127.0.0.1:1", tmp_path, 1))
        second = await make_scans(devices, job("127.0.0.1:1", tmp_path, 3))
    assert [len(first), len(second)] == [1, 3]
    assert all(scan.error for scan in (*first, *second))


async def test_a_process_that_does_not_answer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_JOB_SECONDS", 0.001)
    with open_devices() as devices, pytest.raises(CommandError, match="did not answer"):
        await make_scans(devices, job("127.0.0.1:1", tmp_path, 1))
