"""The order of the demo's checks, what runs beside each, and when its phones leave."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import scan_pb2

from facegate_client import load_key_set, open_channel
from lab.demo import runner as module
from lab.demo.local_server import open_tested
from lab.demo.pack import ChosenPack
from lab.demo.runner import CaptureWatcher, CheckRunner, in_turn
from lab.demo.scenarios import SCENARIOS, DemoRecord, Scenario
from lab.demo.stage import Stage, StagedScan
from lab.simulator.phone import TapedAttempt, TapedPhone
from lab.tests.demo.builders import JPEG, PACK, judged, scenario
from tests.client.fake_server import RETRY, SUCCESS, FakeServer, StreamPlan, serving
from tests.packs import real_photo


class Watcher(CaptureWatcher):
    """Looks away."""

    def rendered(self, share: float) -> None: ...

    def hint(self, code: int, progress: float) -> None: ...

    def deciding(self, frames: int) -> None: ...


def made_runner(
    channel: grpc.aio.Channel, fake: FakeServer, folder: Path, *, kind: type[CheckRunner] = CheckRunner
) -> CheckRunner:
    return kind(
        service=channel,
        device=channel,
        keys=load_key_set(fake.jwks),
        chosen=ChosenPack(spec=PACK.name, pack=PACK, policy="evaluation", why=""),
        tested=open_tested(folder / "platform"),
    )


async def test_genuine_persons_come_first_and_flashes_next() -> None:
    begun: list[Scenario] = []

    async def check(one: Scenario) -> None:
        begun.append(one)
        await asyncio.sleep(0)

    await in_turn(SCENARIOS, check)
    ranks = [(not one.genuine, not one.genuine and not one.flashes) for one in begun]
    assert ranks == sorted(ranks)
    assert sorted(one.key for one in begun) == sorted(one.key for one in SCENARIOS)


async def test_a_check_that_cannot_be_made_ends_the_others() -> None:
    ended: list[str] = []

    async def check(one: Scenario) -> None:
        if one.key == "flash-print":
            raise LookupError(one.key)
        try:
            await asyncio.sleep(0 if one.genuine else 3600)
        finally:
            ended.append(one.key)

    with pytest.raises(LookupError, match="flash-print"):
        await in_turn(SCENARIOS, check)
    assert len(ended) > len([one for one in SCENARIOS if one.genuine])


@dataclass
class Work:
    """What is under way, and every combination that ever was."""

    running: list[tuple[str, str]] = field(default_factory=list)
    seen: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def of(self, kind: str, key: str) -> Iterator[None]:
        with self.lock:
            self.running.append((kind, key))
            self.seen.append(tuple(self.running))
        yield
        with self.lock:
            self.running.remove((kind, key))


_MOMENT = 0.01


class QuickAttempt(TapedAttempt):
    """An attempt that knows its scenario."""

    key = ""


class QuickPhone(TapedPhone):
    """A phone that recorded an attempt of a scenario."""

    def __init__(self, key: str) -> None:
        attempt = QuickAttempt()
        attempt.key = key
        self.attempts = [attempt]


async def test_nothing_runs_beside_a_genuine_person_and_little_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()

    class QuickStage(Stage):
        def portrait(self, scenario: Scenario) -> bytes:
            return JPEG

        def phone(self, scenario: Scenario) -> TapedPhone | None:
            return QuickPhone(scenario.key) if scenario.flashes else None

        def scan(self, scenario: Scenario, **_: Any) -> StagedScan | None:
            with work.of("render", scenario.key):
                time.sleep(_MOMENT)
            return None if scenario.flashes else StagedScan(frames=iter(()), strip=())

    class QuickRunner(CheckRunner):
        async def run(self, scenario: Scenario, **_: Any) -> DemoRecord:
            with work.of("scan", scenario.key):
                await asyncio.sleep(3 * _MOMENT)
            return judged(scenario.key)

    def drawn(attempts: list[QuickAttempt], *_: Any, **__: Any) -> None:
        with work.of("draw", attempts[0].key):
            time.sleep(_MOMENT)

    monkeypatch.setattr(module, "flash_strip", drawn)
    async with open_channel("127.0.0.1:1") as channel:
        runner = made_runner(channel, FakeServer(), tmp_path, kind=QuickRunner)
        stage = QuickStage(photos={})
        made: dict[str, DemoRecord] = {}

        async def check(one: Scenario) -> None:
            made[one.key], _ = await runner.check(stage, one, watcher=Watcher())

        await in_turn(SCENARIOS, check)
    assert made.keys() == {one.key for one in SCENARIOS}
    for together in work.seen:
        kinds = [kind for kind, _ in together]
        assert kinds.count("scan") <= 2
        assert kinds.count("render") + kinds.count("draw") <= 1
        assert len(together) == 1 or not any(scenario(key).genuine for _, key in together)


@pytest.mark.parametrize(
    ("key", "attempts"),
    [("flash-screen-replay", 1), ("flash-same-person", 3), ("screen-replay", 1), ("same-person", 3)],
)
async def test_attackers_leave_after_an_undecided_attempt(key: str, attempts: int, tmp_path: Path) -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], frames_wanted=2))
    async with serving(fake) as target, open_channel(target) as channel:
        runner = made_runner(channel, fake, tmp_path)
        stage = Stage(photos={"astronaut": real_photo("astronaut")})
        await runner.check(stage, scenario(key), watcher=Watcher())
    assert fake.violations == []
    assert [end.cause for end in fake.ends] == [scan_pb2.AttemptEndBody.CAUSE_COMPLETE] * attempts
    assert fake.half_closed == 1
