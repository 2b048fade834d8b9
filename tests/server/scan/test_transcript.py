"""The transcript of a stream: every change, omission, swap, repetition or splice is refused."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import MacChain, attempt_end_message, resume_message, sha256, sign
from server.base.errors import Reason, Refusal
from server.scan.messages import AttemptEndMessage, EndCause, FrameMessage
from server.scan.transcript import ClockLimits, StreamTranscript
from tests.server.scan.records import frame_message

KEY, BINDING, NONCE = bytes(range(32)), bytes(range(32, 64)), bytes(16)
SESSION_KEY = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
FRAMES = 5


def _transcript(*, ahead_seconds: float = 1.0) -> StreamTranscript:
    transcript = StreamTranscript(
        key=KEY,
        binding=BINDING,
        session_key=SESSION_KEY.public_key(),
        clocks=ClockLimits(ahead_seconds=ahead_seconds),
    )
    transcript.start_attempt(attempt=1, nonce=NONCE, time=0.0)
    return transcript


def _chain() -> MacChain:
    chain = MacChain(key=KEY, binding=BINDING)
    chain.mark_attempt(attempt=1, nonce=NONCE)
    return chain


def _signed(chain: MacChain, frame: FrameMessage) -> FrameMessage:
    return replace(frame, mac=chain.add_frame(header=frame.header, image=frame.image))


def _good(count: int = FRAMES) -> tuple[list[FrameMessage], bytes]:
    chain = _chain()
    frames = [_signed(chain, frame_message(index)) for index in range(count)]
    return frames, chain.value


def _end(count: int, last_mac: bytes, *, binding: bytes = BINDING) -> AttemptEndMessage:
    body = b"body %d" % count
    return AttemptEndMessage(
        body=body,
        signature=sign(SESSION_KEY, attempt_end_message(binding=binding, body=body)),
        attempt=1,
        frame_count=count,
        last_mac=last_mac,
        dropped_count=0,
        cause=EndCause.COMPLETE,
    )


def _take(transcript: StreamTranscript, frames: list[FrameMessage]) -> None:
    for frame in frames:
        transcript.accept_frame(frame, arrival=frame.capture_time_us / 1e6)


def _whole(frames: list[FrameMessage], end: AttemptEndMessage) -> None:
    transcript = _transcript()
    _take(transcript, frames)
    transcript.end_attempt(end)


def test_a_whole_attempt_is_accepted() -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    assert transcript.frames == FRAMES
    assert transcript.final_mac_sha256 == sha256(last_mac)
    transcript.end_attempt(_end(FRAMES, last_mac))


def test_the_chain_continues_over_attempts() -> None:
    chain = _chain()
    transcript = _transcript()
    _take(transcript, [_signed(chain, frame_message(0, dropped_before=3))])
    assert transcript.dropped == 3
    transcript.start_attempt(attempt=2, nonce=bytes(16), time=1.0)
    chain.mark_attempt(attempt=2, nonce=bytes(16))
    assert (transcript.frames, transcript.dropped) == (0, 0)
    frame = frame_message(0, attempt=2, capture_time_us=9_000_000)
    transcript.accept_frame(_signed(chain, frame), arrival=9.0)
    assert transcript.frames == 1


@given(data=st.data())
def test_any_change_drop_swap_repeat_or_splice_is_refused(data: st.DataObject) -> None:
    frames, last_mac = _good()
    place = data.draw(st.integers(0, FRAMES - 1))
    other = data.draw(st.integers(0, FRAMES - 1).filter(lambda o: o != place))
    kind = data.draw(st.sampled_from(["header", "image", "mac", "drop", "swap", "repeat", "splice"]))
    tampered = list(frames)
    frame = frames[place]
    if kind in {"header", "image", "mac"}:
        value = bytearray(getattr(frame, kind))
        value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        changes: dict[str, Any] = {kind: bytes(value)}
        tampered[place] = replace(frame, **changes)
    elif kind == "drop":
        del tampered[place]
    elif kind == "swap":
        tampered[place], tampered[other] = tampered[other], tampered[place]
    elif kind == "repeat":
        tampered.insert(place, frame)
    else:
        foreign = MacChain(key=KEY, binding=bytes(32))
        foreign.mark_attempt(attempt=1, nonce=NONCE)
        tampered[place] = _signed(foreign, frame)
    with pytest.raises(Refusal) as caught:
        _whole(tampered, _end(FRAMES, last_mac))
    assert caught.value.reason in {
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.ATTEMPT_END_INVALID,
    }


@pytest.mark.parametrize("index", [1, 2**32 - 1])
def test_an_index_out_of_order_is_refused_before_its_mac_is_verified(index: int) -> None:
    with pytest.raises(Refusal) as caught:
        _transcript().accept_frame(frame_message(index), arrival=0.0)
    assert caught.value.reason is Reason.FRAME_OUT_OF_ORDER
    assert caught.value.details["expectedFrameIndex"] == 0


@pytest.mark.parametrize("step_us", [0, -1, -1_000_000])
def test_a_clock_that_does_not_rise_is_refused(step_us: int) -> None:
    chain, transcript = _chain(), _transcript()
    first = frame_message(0, capture_time_us=5_000_000)
    transcript.accept_frame(_signed(chain, first), arrival=0.0)
    second = frame_message(1, capture_time_us=5_000_000 + step_us)
    with pytest.raises(Refusal) as caught:
        transcript.accept_frame(_signed(chain, second), arrival=60.0)
    assert caught.value.reason is Reason.FRAME_TIME_INVALID


@given(
    passed=st.floats(0, 100),
    captured=st.integers(1, 200_000_000),
    ahead=st.floats(0, 10),
)
def test_capture_time_may_run_ahead_by_the_limit_and_no_further(
    passed: float, captured: int, ahead: float
) -> None:
    chain, transcript = _chain(), _transcript(ahead_seconds=ahead)
    transcript.accept_frame(_signed(chain, frame_message(0, capture_time_us=0)), arrival=0.0)
    second = _signed(chain, frame_message(1, capture_time_us=captured))
    if captured / 1e6 - passed > ahead:
        with pytest.raises(Refusal) as caught:
            transcript.accept_frame(second, arrival=passed)
        assert caught.value.reason is Reason.FRAME_TIME_INVALID
    else:
        transcript.accept_frame(second, arrival=passed)


@pytest.mark.parametrize(
    ("captured_us", "refused"), [(4_500_000, False), (6_000_000, False), (6_200_000, True)]
)
def test_a_slow_first_frame_is_not_a_fast_clock(captured_us: int, refused: bool) -> None:
    chain, transcript = _chain(), _transcript()
    transcript.accept_frame(_signed(chain, frame_message(0, capture_time_us=0)), arrival=5.0)
    second = _signed(chain, frame_message(1, capture_time_us=captured_us))
    if refused:
        with pytest.raises(Refusal) as caught:
            transcript.accept_frame(second, arrival=5.1)
        assert caught.value.reason is Reason.FRAME_TIME_INVALID
    else:
        transcript.accept_frame(second, arrival=5.1)


def test_a_forged_frame_does_not_move_the_clock() -> None:
    chain, transcript = _chain(), _transcript()
    with pytest.raises(Refusal):
        transcript.accept_frame(frame_message(0, capture_time_us=2**60), arrival=0.0)
    transcript.accept_frame(_signed(chain, frame_message(0)), arrival=0.0)


def test_dropped_images_are_counted_up_to_the_wire_limit() -> None:
    chain, transcript = _chain(), _transcript()
    for index in range(3):
        frame = frame_message(index, dropped_before=2**32 - 1)
        transcript.accept_frame(_signed(chain, frame), arrival=index)
    assert transcript.dropped == 2**31 - 1


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 2},
        {"frame_count": FRAMES - 1},
        {"frame_count": FRAMES + 1},
        {"last_mac": bytes(32)},
        {"last_mac": b""},
        {"signature": b""},
        {"signature": bytes(81)},
        {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
        {"body": b"another body"},
    ],
)
def test_an_end_that_differs_from_the_received_frames_is_refused(change: dict[str, Any]) -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    with pytest.raises(Refusal) as caught:
        transcript.end_attempt(replace(_end(FRAMES, last_mac), **change))
    assert caught.value.reason is Reason.ATTEMPT_END_INVALID


def test_an_end_signed_in_another_stream_is_refused() -> None:
    frames, last_mac = _good()
    transcript = _transcript()
    _take(transcript, frames)
    with pytest.raises(Refusal) as caught:
        transcript.end_attempt(_end(FRAMES, last_mac, binding=bytes(32)))
    assert caught.value.reason is Reason.ATTEMPT_END_INVALID


def test_an_attempt_without_frames_ends_with_the_markers_mac() -> None:
    transcript = _transcript()
    transcript.end_attempt(_end(0, _chain().value))


def test_a_proof_is_of_this_stream_and_this_key() -> None:
    transcript = _transcript()
    transcript.prove_resume(sign(SESSION_KEY, resume_message(binding=BINDING)))
    for wrong in (
        sign(SESSION_KEY, resume_message(binding=bytes(32))),
        sign(ec.generate_private_key(ec.SECP256R1()), resume_message(binding=BINDING)),
        sign(SESSION_KEY, attempt_end_message(binding=BINDING, body=b"")),
        b"",
        bytes(81),
    ):
        with pytest.raises(Refusal) as caught:
            transcript.prove_resume(wrong)
        assert caught.value.reason is Reason.RESUME_PROOF_INVALID
