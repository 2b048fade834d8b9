"""Ten thousand bad inputs leave no rows, files, handles, threads, processes or memory."""

import asyncio
import base64
import ctypes
import functools
import gc
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from attempt.analyst import FrameAnalyst
from attempt.frame import FrameLimits, FrameUnusable
from matcher.persons import SCAN_SUBJECT
from tests.canaries import Canaries
from tests.fuzz.engine import case_bytes
from tests.fuzz.targets import TARGETS
from tests.hostile.files import CASES
from tests.hostile.refusals import assert_documented, raw_stream, raw_unary
from tests.hostile.storage import Kept, Storage
from tests.packs import real_pack
from tests.server.live import LiveServer, Traces, serving, settings_for, until
from tests.server.refusals import refused
from tests.server.scan.records import frame_message

_INPUTS = 10_000
_WARM_UP = 1_000
_AT_ONCE = 8
_ROUNDS = 6
"""After the warm-up. Memory in use varies by 10 MB with the images that were just refused, without a trend,
so the smallest values of the last three rounds and of the three before are compared."""
_MOST_ROUNDS = 12
"""Threads that a busy machine starts late take memory once: three rounds later both sides have it."""
_GROWN_BYTES = 9_000_000
"""Maximum growth of the process in three rounds; a leak of 2 kB an input is more, however many follow."""
_LARGEST = 200_000
_SEED = 77
_MORE_THREADS = 24
"""Pools and the transport start threads when calls wait, more of them on a busy machine. One for every fourth
of a hundred inputs is more."""
_TASKS = Path("/proc/self/task")


@dataclass(frozen=True, slots=True)
class _State:
    """The resources that must not grow."""

    kept: Kept
    traces: Traces
    threads: int
    children: int
    resident: int


def _children() -> int:
    return sum(len((task / "children").read_text().split()) for task in _TASKS.iterdir())


async def _fewer_children(than: _State) -> None:
    """Wait until the numbers fall; a decoder that is being replaced exists twice for a moment."""

    async def few() -> bool:
        return _children() <= than.children and _threads() <= than.threads + _MORE_THREADS

    await until(few)


def _threads() -> int:
    return len(list(_TASKS.iterdir()))


def _state(live: LiveServer, storage: Storage) -> _State:
    gc.collect()
    # Freed memory is returned to the system; otherwise an earlier test would influence the measurement.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return _State(
        kept=storage.kept(),
        traces=live.traces(),
        threads=_threads(),
        children=_children(),
        resident=pages * os.sysconf("SC_PAGE_SIZE"),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with the real pack, because the other tests' pack caches every image, and so grows."""
    async with serving(settings_for(tmp_path_factory.mktemp("server")), pack=real_pack()) as server:
        yield server


async def _upload(live: LiveServer, data: bytes) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=data))
    assert_documented(refused(caught.value))


async def _raw_upload(live: LiveServer, data: bytes) -> None:
    end = await raw_unary(live.service_channel, "UploadTrustedImage", data)
    assert end.refused is not None
    assert_documented(end.refused)


async def _stream(live: LiveServer, message: bytes) -> None:
    end = await raw_stream(live.device_channel, message)
    assert end.refused is not None
    assert_documented(end.refused)


async def _frame(_: LiveServer, image: bytes) -> None:
    """A frame in the server's pool; a stream for each would leave a check for each."""
    analyst = _analyst()
    watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
    with pytest.raises(FrameUnusable):
        await asyncio.to_thread(analyst.measure_frame, frame_message(image=image), 0.0, watcher=watcher)


@functools.cache
def _analyst() -> FrameAnalyst:
    return FrameAnalyst(pack=real_pack(), limits=FrameLimits())


async def _start(live: LiveServer, raw: bytes) -> None:
    await _stream(live, scan_pb2.ScanFaceRequest(start=raw).SerializeToString())


def _inputs(live: LiveServer) -> Iterator[Awaitable[None]]:
    """Endless bad inputs of every kind."""
    rng = random.Random(_SEED)
    small = [data for case in CASES if len(data := case.make()) <= _LARGEST]
    kinds: tuple[tuple[str, Callable[[LiveServer, bytes], Awaitable[None]]], ...] = (
        ("png", _upload),
        ("jpeg", _upload),
        ("png", _upload),
        ("jpeg", _upload),
        ("jpeg", _frame),
        ("png", _frame),
        ("scan-codec", _stream),
        ("start", _start),
    )
    seeds = {name: tuple(TARGETS[name].seeds()) for name, _ in kinds}
    number = 0
    while True:
        number += 1
        for name, send in kinds:
            yield send(live, case_bytes(name, _SEED, number, seeds[name]))
        yield _upload(live, rng.choice(small))
        yield _raw_upload(live, rng.randbytes(rng.randrange(1, 2000)) + b"\xff")
        if not number % 8:
            other = case_bytes("other-images", _SEED, number, tuple(TARGETS["other-images"].seeds()))
            yield _upload(live, other)


async def _send(inputs: Iterator[Awaitable[None]], count: int) -> None:
    for _ in range(0, count, _AT_ONCE):
        await asyncio.gather(*(next(inputs) for _ in range(_AT_ONCE)))


def _growth(resident: list[int]) -> int:
    """The growth from the three rounds before the last three to these."""
    return min(resident[-3:]) - min(resident[-6:-3])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_ten_thousand_bad_inputs_leave_nothing_behind(live: LiveServer, storage: Storage) -> None:
    inputs = _inputs(live)
    await _send(inputs, _WARM_UP)
    await live.unattended()
    await live.decoders_ready()
    first = _state(live, storage)
    resident: list[int] = []
    while len(resident) < _ROUNDS or (_growth(resident) >= _GROWN_BYTES and len(resident) < _MOST_ROUNDS):
        await _send(inputs, (_INPUTS - _WARM_UP) // _ROUNDS)
        await live.unattended()
        resident.append(_state(live, storage).resident)
    await live.settled(first.traces)
    await _fewer_children(first)
    last = _state(live, storage)
    assert last.kept == first.kept
    assert last.kept.rows["checks"] == 0
    assert last.threads <= first.threads + _MORE_THREADS
    assert _growth(resident) < _GROWN_BYTES, resident


async def test_a_hundred_bad_inputs_leave_nothing_behind(live: LiveServer, storage: Storage) -> None:
    await live.decoders_ready()
    before = _state(live, storage)
    await _send(_inputs(live), 104)
    await live.unattended()
    await live.settled(before.traces)
    after = _state(live, storage)
    assert after.kept == before.kept
    await _fewer_children(before)


# The search for planted values finds them in every form.


_SECRET = os.urandom(600)


@pytest.mark.parametrize("around", [b"", b"'", b'"', b"'\""])
def test_quotes_hide_no_value(around: bytes) -> None:
    canaries = Canaries()
    canaries.plant("secret", b"it's a \\' secret")
    assert canaries.leaks(repr(around + b"it's a \\' secret" + around))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex, repr, bytes])
def test_a_value_is_found_in_every_form(before: int, encode: object) -> None:
    canaries = Canaries()
    canaries.plant("secret", _SECRET)
    encoded = encode(os.urandom(before) + _SECRET)  # type: ignore[operator]
    text = encoded if isinstance(encoded, str | bytes) else str(encoded)
    assert canaries.leaks(text)
    assert not canaries.leaks(os.urandom(4096))
