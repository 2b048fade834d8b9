"""The early look over the wire: it ends a clear scan, and leaves every other as it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from facegate.v1 import scan_pb2

from attempt import AttemptJudgement, judge_attempt
from attempt.placement import CapturePlan
from liveness import DoubtTerms, FusionModel, Verdict, VerdictReason, load_fusion_model
from server.scan.attempt import AttemptClocks, AttemptRun
from server.scan.judging import AttemptJudge
from tests.server.live import (
    FAST,
    LiveServer,
    Picture,
    encoded_anew,
    fresh_pictures,
    pictures,
    serving,
    settings_for,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import Ended, RawDevice, opened

_PLAN = CapturePlan(frames=30, seconds=3.0, early_seconds=2.0, motion_seconds=0.0)
_SUCCESS = scan_pb2.SCAN_STATUS_SUCCESS


def _model(line: float) -> FusionModel:
    """The model with which the packaged network is sure, and from this confidence in an early look."""
    model = load_fusion_model()
    known = dict(model.scan_networks.known)
    names = frozenset({"facegate_pad_v1"})
    known[names] = replace(known[names], sure=60.0, sure_early=line)
    return replace(model, scan_networks=replace(model.scan_networks, known=MappingProxyType(known)))


@dataclass
class _Judged:
    """What was judged: the terms, and the seconds that the judge saw."""

    terms: list[DoubtTerms | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def judge(self, **given: Any) -> AttemptJudgement:
        self.terms.append(given["doubt"])
        self.seconds.append(given["scan"].duration)
        return judge_attempt(**given)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends no attempt by the clock: on a busy machine frames may come late."""
    monkeypatch.setattr(AttemptClocks, "require_activity", lambda *_: None)
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> _Judged:
    judged = _Judged()
    monkeypatch.setattr("server.scan.judging.judge_attempt", judged.judge)
    return judged


async def _serve(folder: Path, line: float) -> AsyncIterator[LiveServer]:
    settings = settings_for(folder, sandbox=False)
    write_policy(folder / "policies", "asking", challenges=["flash", "movement"], tolerate=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.assembly.load_fusion_model", partial(_model, line))
        async with serving(settings, tuning=replace(FAST, plan=_PLAN)) as server:
            yield server


@pytest_asyncio.fixture(loop_scope="session")
async def early(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server whose network is sure early."""
    async for server in _serve(tmp_path, 60.0):
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def strict(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server whose network could be sure early, but is not of these scans."""
    async for server in _serve(tmp_path, 100.0):
        yield server


def _shown() -> tuple[Picture, ...]:
    return fresh_pictures(pictures(count=36))


async def _scan(live: LiveServer) -> tuple[scan_pb2.ScanResult, str]:
    check_id, _, stream = await opened(live, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    result = await stream.run_attempt(_shown())
    assert await stream.outcome() is None or result.another_attempt
    return result, check_id


async def test_a_clear_scan_ends_early_and_is_judged_once(early: LiveServer, judged: _Judged) -> None:
    result, check_id = await _scan(early)
    assert result.status == _SUCCESS
    assert judged.terms == [DoubtTerms(early=True)]
    assert _PLAN.early_seconds <= judged.seconds[0] < 0.9 * _PLAN.seconds
    assert (await early.finish(check_id)).result.transcript.frames < _PLAN.frames


async def test_what_the_networks_rule_out_is_not_even_looked_at(strict: LiveServer, judged: _Judged) -> None:
    result, _ = await _scan(strict)
    assert result.status == _SUCCESS, "the line of the whole scan is the same"
    assert judged.terms == [DoubtTerms()]
    assert judged.seconds[0] >= _PLAN.seconds


async def test_nothing_remains_of_a_look_that_was_not_clear(
    early: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptJudgement, "clear", property(lambda _: False))
    result, check_id = await _scan(early)
    assert result.status == _SUCCESS
    assert judged.terms == [DoubtTerms(early=True), DoubtTerms()]
    assert judged.seconds[1] >= _PLAN.seconds
    (attempt,) = await early.attempts(check_id)
    assert attempt.doubts == ()


async def test_a_recording_of_an_earlier_scan_is_not_clear(early: LiveServer, judged: _Judged) -> None:
    shown = _shown()
    first = await early.upload(policy="asking")
    stream = await RawDevice(early.device, first).open(capabilities=[scan_pb2.CAPABILITY_FLASH])
    assert (await stream.run_attempt(shown)).status == _SUCCESS
    await stream.outcome()
    await early.unattended()
    upload = await early.upload(policy="asking")
    stream = await RawDevice(early.device, upload).open(capabilities=[scan_pb2.CAPABILITY_FLASH])
    assert (await stream.run_attempt(encoded_anew(shown))).another_attempt
    await stream.vanish()
    (attempt,) = await early.attempts(upload.check_id)
    assert attempt.doubts == (VerdictReason.SIMILAR_TO_EARLIER_SCAN,)
    # Two early looks, and then the whole recording, without and with its doubt.
    assert [terms.early for terms in judged.terms if terms] == [True, True, False, False]


async def test_only_the_first_attempt_of_a_check_may_end_early(early: LiveServer, judged: _Judged) -> None:
    shown = _shown()
    _, device, stream = await opened(early, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    await stream.begin()
    await stream.send_frames(shown[:3])
    await stream.expect("feedback")
    await stream.vanish()
    await early.unattended()
    again = await device.open(resume=True, capabilities=[scan_pb2.CAPABILITY_FLASH])
    await again.prove()
    later = [replace(each, time_us=each.time_us + 10_000_000) for each in _shown()]
    assert (await again.run_attempt(later)).status == _SUCCESS
    # What was left is held to the line of an early look, and nothing else is.
    assert [terms.early for terms in judged.terms if terms] == [True, False]
    assert judged.seconds[-1] >= _PLAN.seconds


async def test_a_device_does_not_choose_how_much_of_a_scan_is_judged(
    strict: LiveServer, judged: _Judged
) -> None:
    check_id, _, stream = await opened(strict, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    await stream.begin()
    # Sure by the line of a whole scan, and ended where the early look would have been.
    await stream.send_frames(_shown()[:22])
    assert not stream.complete
    await stream.send(stream.end())
    result = await stream.result()
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    await stream.vanish()
    (attempt,) = await strict.attempts(check_id)
    assert attempt.verdict is Verdict.INCONCLUSIVE
    assert attempt.doubts == (), "it is no doubt about the person"


async def test_a_cancelled_scan_is_no_success_however_clear_it_looks(
    early: LiveServer, judged: _Judged
) -> None:
    _, _, stream = await opened(early, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    await stream.begin()
    await stream.send_frames(_shown())
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_RETRY
    assert judged.terms == [DoubtTerms(early=True)]
    await stream.vanish()


async def test_a_device_that_leaves_during_the_look_gets_no_other(
    early: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, gone = asyncio.Event(), asyncio.Event()
    look_early = AttemptJudge.look_early

    async def look(judge: AttemptJudge, run: AttemptRun) -> bool:
        looking.set()
        await gone.wait()
        return await look_early(judge, run)

    monkeypatch.setattr(AttemptJudge, "look_early", look)
    _, device, stream = await opened(early, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    await stream.begin()
    shown = _shown()
    sending = asyncio.create_task(stream.send_frames(shown))
    await looking.wait()
    again = await device.open(resume=True, capabilities=[scan_pb2.CAPABILITY_FLASH])
    await again.prove()
    gone.set()
    # The server may notice before it has all frames.
    with suppress(Ended):
        await sending
    await stream.send(stream.end())
    refused = await stream.outcome()
    assert refused is not None
    assert refused.reason == "SUPERSEDED"
    assert judged.terms[0] == DoubtTerms(early=True)
    judged.terms.clear()
    later = [replace(each, time_us=each.time_us + 10_000_000) for each in fresh_pictures(shown)]
    await again.run_attempt(later)
    assert judged.terms
    assert not [terms for terms in judged.terms if terms and terms.early]
    await again.vanish()


async def test_a_time_limit_does_not_make_a_part_of_a_scan_enough(
    strict: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[bool] = []
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: bool(late))
    _, _, stream = await opened(strict, {"capabilities": [scan_pb2.CAPABILITY_FLASH]}, policy="asking")
    await stream.begin()
    shown = _shown()
    await stream.send_frames(shown[:21])
    # Its clock stands still until the time is up.
    late.append(True)
    await stream.send_frames(shown[21:22])
    await stream.wait_complete()
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_RETRY
    await stream.vanish()
