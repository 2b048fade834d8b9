"""The requests for gestures, over the wire: which devices show them, when they come, and their effect."""

import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from facegate_client import FlashScreen
from facegate_protocol.texts import VERDICTS
from liveness import VerdictReason
from server.configuration.settings import Settings
from server.running.assembly import Tuning
from server.scan.attempt import AttemptClocks
from simulator import AmbientPreset, FlashKind
from tests.packs import real_pack, shared_pack
from tests.server.flash_phone import WatchedScreen, Wire, phone, scan
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream, opened
from vision.packs import Pack

_MOUTH, _TURN = scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD
_HINT = feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH
_SIDES = (feedback_pb2.FEEDBACK_CODE_TURN_LEFT, feedback_pb2.FEEDBACK_CODE_TURN_RIGHT)
_RATE, _WAIT = 10.0, 5.0
_NETWORK = 1.0
"""How much longer the server waits by its own clock."""


@pytest.fixture(scope="module", autouse=True)
def rendered() -> None:
    """Render the pictures before a stream is open: a busy machine takes longer than the server waits."""
    assert [len(pictures(count=count)) for count in (17, 36, 140)] == [17, 36, 140]


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends no attempt by the clock: a busy machine takes longer for so many frames."""
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)


def _pack(assets: Path) -> Pack:
    """The embedded pack, whose match fits the tests' persons, with landmarks that measure the mouth."""
    return replace(real_pack(), landmarker=shared_pack(f"open:{assets / 'models'}").landmarker)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that takes frames as fast as they come."""
    # Rendered now, because an attempt has its time.
    assert len(pictures(count=140))
    async with serving(_settings(tmp_path_factory.mktemp("mouth")), pack=_pack(assets)) as server:
        yield server


def _settings(folder: Path) -> Settings:
    settings = settings_for(folder)
    assert settings.policies.folder is not None
    for name, demands in (
        ("mouth", "open_mouth = true"),
        ("turn", "turn_head = true"),
        ("both", "open_mouth = true\nturn_head = true"),
    ):
        path = settings.policies.folder / f"{name}.toml"
        write_policy(settings.policies.folder, name, maximum=1, attempt_seconds=40)
        asked = f"[challenge]\n{demands}\n[challenge.raised]\nblink = false\ndepth = false\n"
        path.write_text(f"{path.read_text()}\n{asked}")
    return settings


def _asked(stream: RawStream, codes: Collection[int] = (_HINT,)) -> list[int]:
    """The frames that the requests refer to."""
    hints = [message.feedback for message in stream.seen if message.WhichOneof("message") == "feedback"]
    return [hint.frame_index for hint in hints if hint.code in codes]


def _assert_waited(stream: RawStream, asked: list[int], *, since: float) -> None:
    """Assert that the request was repeated, and ended after its time by the camera's clock or the server's.

    The server's comes first where a busy machine takes longer for the frames than the camera took.
    """
    waited = (stream.frames - asked[0]) / _RATE
    assert waited < _WAIT + 1.5
    if time.monotonic() - since < _WAIT + _NETWORK:
        assert waited >= _WAIT
        assert len(asked) >= 3


@pytest.mark.parametrize("mode", [scan_pb2.MODE_EXPRESS, scan_pb2.MODE_DYNAMIC])
async def test_a_device_that_does_not_show_the_request_is_refused_and_the_check_waits(
    real: LiveServer, mode: scan_pb2.Mode.ValueType
) -> None:
    device = RawDevice(real.device, await real.upload(policy="mouth", mode=mode))
    refusal = await device.refusal(capabilities=[scan_pb2.CAPABILITY_FLASH])
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CAPABILITY_MISSING")
    assert refusal.metadata == {"capability": "OPEN_MOUTH", "mode": scan_pb2.Mode.Name(mode)[5:]}
    stream = await device.open(capabilities=[scan_pb2.CAPABILITY_FLASH, _MOUTH])
    assert stream.challenge.budget.max_attempt_duration.seconds == 25
    assert stream.challenge.budget.max_frames_per_attempt == 500
    await stream.vanish()


async def test_a_policy_that_does_not_demand_it_asks_nobody(real: LiveServer) -> None:
    _, _, stream = await opened(real, {"capabilities": [_MOUTH]}, policy="once")
    assert stream.challenge.budget.max_attempt_duration.seconds == 20
    result = await stream.run_attempt(pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert _asked(stream) == []


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
async def test_who_does_not_open_the_mouth_is_asked_for_five_seconds_and_not_judged_live(
    real: LiveServer,
) -> None:
    check_id, _, stream = await opened(real, {"capabilities": [_MOUTH]}, policy="mouth")
    began = time.monotonic()
    result = await stream.run_attempt(pictures(count=140))
    asked = _asked(stream)
    assert stream.complete
    _assert_waited(stream, asked, since=began)
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert _HINT in result.feedback
    await _assert_not_opened(real, check_id)


@pytest.mark.parametrize(("frames", "asks"), [(17, False), (36, True)])
async def test_a_device_that_leaves_at_the_request_or_before_does_not_succeed(
    real: LiveServer, frames: int, asks: bool
) -> None:
    check_id, _, stream = await opened(real, {"capabilities": [_MOUTH]}, policy="mouth")
    result = await stream.run_attempt(pictures(count=frames))
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert bool(_asked(stream)) is asks
    await _assert_not_opened(real, check_id)


async def test_a_turn_needs_a_device_that_shows_the_sides(real: LiveServer) -> None:
    device = RawDevice(real.device, await real.upload(policy="both"))
    refusal = await device.refusal(capabilities=[_MOUTH])
    assert refusal.metadata == {"capability": "TURN_HEAD", "mode": "EXPRESS"}
    stream = await device.open(capabilities=[_MOUTH, _TURN])
    assert stream.challenge.budget.max_attempt_duration.seconds == 32
    await stream.vanish()


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
async def test_who_does_not_turn_the_head_is_asked_for_one_side_for_five_seconds(real: LiveServer) -> None:
    check_id, _, stream = await opened(real, {"capabilities": [_TURN]}, policy="turn")
    began = time.monotonic()
    result = await stream.run_attempt(pictures(count=140))
    left, right = (_asked(stream, [side]) for side in _SIDES)
    assert bool(left) is not bool(right), "the side is drawn once for an attempt"
    _assert_waited(stream, left or right, since=began)
    assert (_SIDES[0] if left else _SIDES[1]) in result.feedback
    answer = (await real.finish(check_id)).result
    assert answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert list(answer.liveness.explanations) == [VERDICTS[VerdictReason.HEAD_NOT_TURNED]]


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
async def test_once_the_first_gesture_is_missing_the_second_is_not_requested(real: LiveServer) -> None:
    check_id, _, stream = await opened(real, {"capabilities": [_MOUTH, _TURN]}, policy="both")
    await stream.run_attempt(pictures(count=140))
    assert bool(_asked(stream)) is not bool(_asked(stream, _SIDES))
    answer = (await real.finish(check_id)).result
    assert answer.status == result_pb2.CHECK_STATUS_FAILURE
    names = [signal.name for signal in answer.liveness.signals if signal.HasField("score")]
    assert ("mouth_opened" in names) is not ("head_turned" in names)


async def _assert_not_opened(real: LiveServer, check_id: str) -> None:
    answer = (await real.finish(check_id)).result
    assert answer.status == result_pb2.CHECK_STATUS_FAILURE
    assert answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert list(answer.liveness.explanations) == [VERDICTS[VerdictReason.MOUTH_NOT_OPENED]]


class _Unread(WatchedScreen):
    """The screen of a person who does everything that it says, but does not open the mouth."""

    def __init__(self, screen: FlashScreen, claims: list[int]) -> None:
        super().__init__(screen, claims)
        self.capabilities = tuple({*screen.capabilities, _MOUTH})

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        if feedback.code != _HINT:
            super().show_hint(feedback)


class _Reversed(WatchedScreen):
    """The screen of a person who confuses left and right, or of a film of the other turn."""

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        if feedback.code in _SIDES:
            other = next(side for side in _SIDES if side != feedback.code)
            feedback = feedback_pb2.Feedback(code=other)
        super().show_hint(feedback)


# -- whole scans of a phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server as an operator runs it."""
    settings = _settings(tmp_path_factory.mktemp("lived"))
    async with serving(settings, pack=_pack(assets), tuning=Tuning()) as server:
        yield server


async def _check(
    lived: LiveServer,
    mode: scan_pb2.Mode.ValueType,
    *,
    seed: int,
    reads: bool,
    kind: FlashKind = FlashKind.GENUINE,
) -> tuple[result_pb2.CheckResult, Wire]:
    upload = await lived.upload(policy="mouth", mode=mode)
    device, wire = phone(lived.world, kind, ambient=AmbientPreset.INDOOR, seed=seed), Wire()
    screen = wire.watched(device) if reads else _Unread(device, wire.claims)
    await scan(lived.device_channel, upload, device, screen=screen, wire=wire)
    return (await lived.finish(upload.check_id)).result, wire


@pytest.mark.slow
@pytest.mark.long
async def test_the_last_colour_stays_while_the_mouth_is_to_be_opened(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, scan_pb2.MODE_DYNAMIC, seed=seed, reads=False)
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
        # About one draw of colours in ten is not conclusive by itself.
        if result.liveness.explanations[0] == VERDICTS[VerdictReason.MOUTH_NOT_OPENED]:
            break
    else:
        raise AssertionError("no flash was conclusive")
    last, before = wire.steps[-1]
    assert last.last
    named = wire.claims[len(before) :]
    first = named.index(last.step)
    assert set(named[first:]) == {last.step}
    assert len(named[first:]) >= _WAIT * 8, "eight frames a second are the least"
    assert _HINT in wire.results[0].feedback
    assert wire.hints.count("OPEN_MOUTH") >= 3
    assert result.liveness.verified_bits >= result.liveness.required_bits


@pytest.mark.slow
async def test_a_person_who_opens_the_mouth_after_the_colours_passes(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, scan_pb2.MODE_DYNAMIC, seed=seed, reads=True)
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            assert "OPEN_MOUTH" in wire.hints
            assert "mouth_opened" in {signal.name for signal in result.liveness.signals}
            return
    raise AssertionError("no scan of the person passed")


@pytest.mark.slow
@pytest.mark.long
async def test_a_mask_with_living_eyes_does_not_pass(lived: LiveServer) -> None:
    """The flash accepts the mask, so that only its mouth stops it."""
    for seed in (5, 6, 7):
        result, wire = await _check(
            lived, scan_pb2.MODE_DYNAMIC, seed=seed, reads=True, kind=FlashKind.MASK_WITH_EYES
        )
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        if list(result.liveness.explanations) == [VERDICTS[VerdictReason.MOUTH_NOT_OPENED]]:
            assert "OPEN_MOUTH" in wire.hints
            return
    raise AssertionError("nothing but the mouth should have stopped one of the masks")


async def _turn(
    lived: LiveServer, policy: str, *, seed: int, confused: bool = False
) -> tuple[result_pb2.CheckResult, Wire]:
    upload = await lived.upload(policy=policy)
    device, wire = phone(lived.world, FlashKind.GENUINE, ambient=AmbientPreset.INDOOR, seed=seed), Wire()
    screen = _Reversed(device, wire.claims) if confused else wire.watched(device)
    await scan(lived.device_channel, upload, device, screen=screen, wire=wire)
    return (await lived.finish(upload.check_id)).result, wire


@pytest.mark.slow
async def test_a_person_who_makes_both_gestures_passes(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _turn(lived, "both", seed=seed)
        assert wire.plans == [scan_pb2.PLAN_EXPRESS]
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            assert "OPEN_MOUTH" in wire.hints
            assert {"TURN_LEFT", "TURN_RIGHT"} & set(wire.hints)
            assert {"mouth_opened", "head_turned"} <= {signal.name for signal in result.liveness.signals}
            return
    raise AssertionError("no scan of the person passed")


@pytest.mark.slow
async def test_a_head_that_turns_to_the_other_side_ends_the_attempt(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _turn(lived, "turn", seed=seed, confused=True)
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        if list(result.liveness.explanations) == [VERDICTS[VerdictReason.HEAD_NOT_TURNED]]:
            assert wire.hints.count("TURN_LEFT") + wire.hints.count("TURN_RIGHT") < 5, "it does not wait"
            return
    raise AssertionError("nothing but the turn should have stopped one of the scans")
