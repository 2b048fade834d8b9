"""Files of the operator that are read again."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.running.housekeeping import FileWatch
from server.telemetry.metrics import Metrics
from tests.server.live import until

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


class _Read:
    """Represents one of the files that are read again."""

    seconds_to_next_expiry = 60.0
    not_after = NOW + timedelta(days=3)
    max_age = timedelta(days=2)
    signing_since: ClassVar = {"results": NOW - timedelta(days=4), "audit": None}

    def __init__(self, name: str, *, fails: bool, usable: bool) -> None:
        self.name = name
        self.times = 0
        self._fails, self._usable = fails, usable

    def refresh(self, now: datetime = NOW) -> bool:
        assert now == NOW
        self.times += 1
        if self._fails:
            raise RuntimeError(self.name)
        return self._usable

    def age(self, now: datetime) -> timedelta:
        assert now == NOW
        return timedelta(hours=7)


_NAMES = ["callers", "device", "keys", "server_keys", "revocation"]


class _Scene:
    def __init__(self, *, fails: tuple[str, ...] = (), unusable: tuple[str, ...] = ()) -> None:
        self.read: dict[str, Any] = {
            name: _Read(name, fails=name in fails, usable=name not in unusable) for name in _NAMES
        }
        self.registry = CollectorRegistry()
        self.watch = FileWatch(
            callers=self.read["callers"],
            tls={"device": self.read["device"]},
            keys=self.read["keys"],
            server_keys=self.read["server_keys"],
            revocation=self.read["revocation"],
            metrics=Metrics(self.registry),
            now=lambda: NOW,
            seconds=0.001,
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("name", _NAMES)
def test_one_that_fails_keeps_no_other_from_being_read(name: str) -> None:
    scene = _Scene(fails=(name,))
    with capture_logs() as logs:
        scene.watch.refresh()
    assert [entry["event"] for entry in logs] == ["file_watch_failed"]
    assert {read.times for read in scene.read.values()} == {1}


def test_metrics_report_the_state_of_the_files() -> None:
    scene = _Scene(unusable=("device", "keys"))
    scene.watch.refresh()
    assert scene.metric("facegate_tls_certificate_seconds_to_expiry", listener="device") == 3 * 86_400
    assert scene.metric("facegate_tls_files_unusable", listener="device") == 1
    assert scene.metric("facegate_keys_unusable") == 1
    assert scene.metric("facegate_signing_key_age_seconds", purpose="results") == 4 * 86_400
    assert math.isnan(scene.metric("facegate_signing_key_age_seconds", purpose="audit") or 0.0)
    scene = _Scene()
    scene.watch.refresh()
    assert scene.metric("facegate_tls_files_unusable", listener="device") == 0


async def test_the_watch_repeats_until_it_is_stopped() -> None:
    scene = _Scene(fails=("server_keys",))
    scene.watch.start()

    async def looked_thrice() -> bool:
        return bool(scene.read["revocation"].times >= 3)

    await until(looked_thrice)
    await scene.watch.stop()
    # A read that a thread had begun may still end.
    looked = scene.read["revocation"].times
    await asyncio.sleep(0.05)
    assert scene.read["revocation"].times <= looked + 1
