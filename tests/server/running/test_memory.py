"""When memory counts as short, where it is read, and what a server does then."""

import json
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.running.memory import MemoryUse, MemoryWatch, is_short, read_memory
from tests.server.live import serving, settings_for
from tests.server.raw_device import RawDevice

_MIB = 1024 * 1024


@given(st.integers(0, 200), st.booleans(), st.floats(0, 100))
def test_memory_is_short_above_the_high_mark_until_it_is_below_the_low_one(
    used: int, was_short: bool, calm: float
) -> None:
    short = is_short(MemoryUse(used, 100), was_short=was_short, calm_seconds=calm)
    if used >= 85:
        assert short
    elif used < 70 or calm >= 30:
        assert not short
    else:
        assert short is was_short


def _files(root: Path, **contents: str) -> None:
    for path, text in contents.items():
        file = root / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _group(folder: Path, limit: str, used: int, stat: str, *, names: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


_V2 = ("memory.max", "memory.current")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_the_limit_of_a_container_counts_without_its_cached_files(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="0::/\n")
    _group(tmp_path / "sys/fs/cgroup", "1000", 900, "anon 300\ninactive_file 500\n", names=_V2)
    assert read_memory(None, root=tmp_path) == MemoryUse(400, 1000)


def test_the_group_nearest_to_its_limit_counts(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="0::/system.slice/facegate.service\n")
    mount = tmp_path / "sys/fs/cgroup"
    _group(mount / "system.slice/facegate.service", "max", 100, "inactive_file 0\n", names=_V2)
    _group(mount / "system.slice", "1000", 900, "inactive_file 0\n", names=_V2)
    _group(mount, "100000", 1000, "inactive_file 0\n", names=_V2)
    assert read_memory(None, root=tmp_path) == MemoryUse(900, 1000)


def test_version_1_is_read_where_the_container_sees_it(tmp_path: Path) -> None:
    _files(tmp_path, proc__self__cgroup="5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n")
    _group(tmp_path / "sys/fs/cgroup/memory", "1000", 700, "total_inactive_file 100\n", names=_V1)
    assert read_memory(None, root=tmp_path) == MemoryUse(600, 1000)


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "0", "?"])
def test_a_group_without_a_limit_limits_nothing(tmp_path: Path, limit: str) -> None:
    _files(tmp_path, proc__self__cgroup="0::/\n4:memory:/\n")
    for names, folder in ((_V2, "sys/fs/cgroup"), (_V1, "sys/fs/cgroup/memory")):
        _group(tmp_path / folder, limit, 700, "", names=names)
    assert read_memory(None, root=tmp_path) is None


def test_a_system_that_shows_nothing_limits_nothing(tmp_path: Path) -> None:
    assert read_memory(None, root=tmp_path) is None
    assert read_memory(1000, root=tmp_path) is None


def test_a_limit_of_the_settings_is_compared_with_this_process() -> None:
    use = read_memory(1 << 40)
    assert use is not None
    assert use.limit == 1 << 40
    assert 10 * _MIB < use.used < 1 << 40


async def test_the_watch_reports_each_change_once() -> None:
    used = [50, 86, 80, 71, 69, 80]
    told: list[bool] = []
    watch = MemoryWatch(lambda: MemoryUse(used.pop(0), 100), told.append, trim=lambda: None)
    for _ in range(6):
        await watch.look()
    assert told == [True, False]
    assert await watch.is_enough()


async def test_the_watch_stays_quiet_without_a_limit() -> None:
    told: list[bool] = []
    watch = MemoryWatch(lambda: None, told.append, trim=lambda: None)
    await watch.look()
    assert not told


async def test_memory_that_grew_is_given_back() -> None:
    trimmed: list[None] = []
    watch = MemoryWatch(lambda: None, lambda _: None, trim=lambda: trimmed.append(None))
    await watch.look()
    assert not trimmed
    held = b"\1" * (96 * _MIB)
    await watch.look()
    assert len(trimmed) == 1
    await watch.look()
    assert len(trimmed) == 1
    assert len(held) == 96 * _MIB


async def test_a_server_short_of_memory_refuses_scans_and_is_not_ready(tmp_path: Path) -> None:
    # No server is that small: it is short from its first look.
    async with serving(settings_for(tmp_path, limits={"memory_mib": 256})) as live:
        address = f"http://127.0.0.1:{live.server.admin_port}"
        async with aiohttp.ClientSession(address) as session:
            while True:
                async with session.get("/readyz") as response:
                    parts = json.loads(await response.read())["parts"]
                    if not parts["memory"]:
                        break
            assert response.status == 503
            async with session.get("/metrics") as metrics:
                assert "facegate_memory_short 1.0" in await metrics.text()
        upload = await live.upload()
        refusal = await RawDevice(live.device, upload).refusal()
        assert refusal.reason == "OVERLOADED"
        assert refusal.retry_seconds
