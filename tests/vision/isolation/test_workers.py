"""Decoders that crash, loop, eat memory, lie or attack: the file is refused and the next one works."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import ImageFault
from tests.sampling import some_fast
from tests.vision.isolation.hostile import HEADER, HEIGHT, QUICK, WIDTH, hostile_command, wait_for_more
from tests.vision.isolation.hostile_worker import REFUSED
from vision.errors import DecoderUnavailable, ImageError
from vision.isolation.pool import DecoderPool
from vision.isolation.protocol import HEADER_BYTES, NUMBERS, Message, MessageKind, read_exactly
from vision.isolation.workers import LossCause


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(limits=QUICK, command=hostile_command) as pool:
        yield pool


def _losses(pool: DecoderPool) -> dict[LossCause, int]:
    return dict(pool.states["stills"].losses)


def _works(pool: DecoderPool) -> None:
    assert pool.decode_still(b"fine", header=HEADER).shape == (HEIGHT, WIDTH)


LOSSES = {
    b"crash": LossCause.CRASHED,
    b"abort": LossCause.CRASHED,
    b"exit": LossCause.CRASHED,
    b"loop": LossCause.CPU_LIMIT,
    b"memory": LossCause.MEMORY_LIMIT,
    b"garbage": LossCause.BROKEN_ANSWER,
    b"too many bytes": LossCause.BROKEN_ANSWER,
    b"another size": LossCause.BROKEN_ANSWER,
    b"another kind": LossCause.BROKEN_ANSWER,
    b"another mode": LossCause.BROKEN_ANSWER,
    b"unknown refusal": LossCause.BROKEN_ANSWER,
    b"connect": LossCause.FORBIDDEN_CALL,
    b"execute": LossCause.FORBIDDEN_CALL,
    b"fork": LossCause.FORBIDDEN_CALL,
    b"signal server": LossCause.FORBIDDEN_CALL,
    b"write file": LossCause.FORBIDDEN_CALL,
    b"limit server": LossCause.FORBIDDEN_CALL,
    b"kill itself": LossCause.FORBIDDEN_CALL,
}
_FILTERED = {LossCause.FORBIDDEN_CALL}


@pytest.mark.timeout(700)  # A second of CPU time: see QUICK.
@pytest.mark.parametrize("deed", some_fast(LOSSES, step=3), ids=lambda deed: deed.decode().replace(" ", "-"))
def test_the_file_is_refused_and_the_next_one_works(pool: DecoderPool, deed: bytes) -> None:
    if LOSSES[deed] in _FILTERED and pool.states["stills"].filter_errno:
        pytest.skip("this kernel does not filter system calls")
    before = _losses(pool)
    with pytest.raises(ImageError) as caught:
        pool.decode_still(deed, header=HEADER)
    assert caught.value.reason is ImageFault.MALFORMED
    assert dict(caught.value.details) == {"format": "JP2"}
    after = _losses(pool)
    assert {cause for cause in after if after[cause] != before.get(cause, 0)} == {LOSSES[deed]}
    _works(pool)


@pytest.mark.parametrize("deed", REFUSED)
def test_forbidden_calls_of_harmless_code_fail_without_harm(pool: DecoderPool, deed: bytes) -> None:
    if pool.states["stills"].filter_errno:
        pytest.skip("this kernel does not filter system calls")
    before = _losses(pool)
    # The worker answers ones for a refused call, and zeros for an allowed one.
    assert pool.decode_still(deed, header=HEADER).min() == 1
    assert _losses(pool) == before


def test_a_second_answer_is_never_that_of_the_next_job(pool: DecoderPool) -> None:
    before = _losses(pool).get(LossCause.BROKEN_ANSWER, 0)
    try:
        pool.decode_still(b"two answers", header=HEADER)
    except ImageError:
        pass  # The second came with the first.
    else:
        wait_for_more(pool, "stills")
    with pytest.raises(ImageError, match="do not decode"):
        pool.decode_still(b"polite refusal", header=HEADER)
    assert _losses(pool)[LossCause.BROKEN_ANSWER] == before + 1


def test_a_refusal_costs_no_worker(pool: DecoderPool) -> None:
    before = pool.states["stills"]
    with pytest.raises(ImageError, match="do not decode"):
        pool.decode_still(b"polite refusal", header=HEADER)
    after = pool.states["stills"]
    assert after.processes == before.processes
    assert after.losses == before.losses


def test_the_workers_environment_holds_nothing_of_ours(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_SECRET", "hidden")
    with DecoderPool(limits=QUICK, command=hostile_command) as fresh:
        assert fresh.decode_still(b"environment", header=HEADER).max() == 1


def test_a_worker_killed_between_two_jobs_is_not_noticed(pool: DecoderPool) -> None:
    _works(pool)
    before = _losses(pool)
    (victim,) = pool.states["stills"].processes
    os.kill(victim, signal.SIGKILL)
    _works(pool)
    assert _losses(pool)[LossCause.KILLED] == before.get(LossCause.KILLED, 0) + 1
    assert victim not in pool.states["stills"].processes


def test_a_worker_is_replaced_when_it_is_worn() -> None:
    limits = replace(QUICK, jobs_per_worker=2)
    lost: list[LossCause] = []
    jobs: list[str] = []
    with DecoderPool(limits=limits, command=hostile_command, on_loss=lost.append, on_job=jobs.append) as pool:
        for _ in range(5):
            _works(pool)
    assert lost == [LossCause.WORN, LossCause.WORN]
    assert jobs == ["decoded"] * 5


def test_an_image_that_takes_too_long_is_refused() -> None:
    limits = replace(QUICK, wall_seconds=0.3)
    with DecoderPool(limits=limits, command=hostile_command) as pool:
        with pytest.raises(ImageError, match="too long"):
            pool.decode_still(b"sleep", header=HEADER)
        assert _losses(pool) == {LossCause.TIME_LIMIT: 1}


def test_jobs_wait_for_a_worker_but_not_for_ever() -> None:
    limits = replace(QUICK, wait_seconds=0.3)
    jobs: list[str] = []
    with DecoderPool(limits=limits, command=hostile_command, on_job=jobs.append) as pool:

        def occupy() -> None:
            with pytest.raises(ImageError, match="crashed"):
                pool.decode_still(b"sleep", header=HEADER)

        busy = threading.Thread(target=occupy)
        busy.start()
        while pool.states["stills"].processes and pool.states["stills"].lent != 1:
            time.sleep(0.01)
        with pytest.raises(DecoderUnavailable, match="busy") as caught:
            pool.decode_still(b"fine", header=HEADER)
        assert busy.is_alive(), "it waited for the worker"
        assert caught.value.retry_after == 0.3
        (process,) = pool.states["stills"].processes
        os.kill(process, signal.SIGTERM)
        busy.join()
        assert jobs == ["no_worker", "lost"]
        assert _losses(pool) == {LossCause.CRASHED: 1}


def test_many_threads_share_two_workers() -> None:
    errors: list[BaseException] = []
    deeds = [b"fine", b"polite refusal", b"crash", b"fine", b"too many bytes", b"fine"]

    def work(deed: bytes) -> None:
        try:
            for _ in range(4):
                if deed == b"fine":
                    _works(shared)
                else:
                    with pytest.raises(ImageError):
                        shared.decode_still(deed, header=HEADER)
        except BaseException as error:  # noqa: BLE001 - raised by the test's own thread
            errors.append(error)

    with DecoderPool(still_workers=2, limits=QUICK, command=hostile_command) as shared:
        threads = [threading.Thread(target=work, args=(deed,)) for deed in deeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert shared.states["stills"].losses[LossCause.CRASHED] == 4


@pytest.mark.parametrize(
    "command", [(sys.executable, "-I", "-c", "raise SystemExit(3)"), ("/nowhere/python",)]
)
def test_a_worker_that_cannot_start_is_reported_at_once(command: tuple[str, ...]) -> None:
    pool = DecoderPool(command=lambda *_, **__: command)
    with pytest.raises(DecoderUnavailable, match="none can be started"):
        pool.start()
    with pytest.raises(DecoderUnavailable):
        pool.decode_still(b"fine", header=HEADER)


def test_a_closed_pool_leaves_no_process() -> None:
    pool = DecoderPool(still_workers=2, limits=QUICK, command=hostile_command)
    pool.start()
    _works(pool)
    processes = pool.states["stills"].processes
    pool.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
    with pytest.raises(DecoderUnavailable, match="shut down"):
        pool.decode_still(b"fine", header=HEADER)


_PARENT = """
import sys
sys.path.insert(0, {root!r})
import threading, time
from tests.vision.isolation.hostile import HEADER, QUICK, hostile_command
from vision.isolation.workers import DecoderLimits
from vision.isolation.pool import DecoderPool
limits = DecoderLimits(cpu_seconds=100, wall_seconds=100)
pool = DecoderPool(still_workers=2, limits=limits, command=hostile_command)
pool.start()
threading.Thread(target=lambda: pool.decode_still(b"loop", header=HEADER), daemon=True).start()
while len(pool.states["stills"].processes) < 2 or not pool.states["stills"].lent:
    time.sleep(0.01)
print(*pool.states["stills"].processes, flush=True)
time.sleep(60)
"""


def test_no_worker_outlives_a_server_that_is_killed() -> None:
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT.format(root=root)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
    for _ in range(3000):
        if not any(_runs(pid) for pid in workers):
            return
        time.sleep(0.02)
    raise AssertionError(f"workers outlived their server: {workers}")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    # A zombie only waits for its exit code to be read.
    return state not in "ZX"


@given(
    st.sampled_from(list(MessageKind)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=NUMBERS),
    st.binary(max_size=20),
)
def test_a_message_comes_back(kind: MessageKind, numbers: list[int], payload: bytes) -> None:
    header = Message(kind, tuple(numbers), payload).header()
    assert len(header) == HEADER_BYTES
    read, values, length = Message.parse(header)
    assert (read, length) == (kind, len(payload))
    assert values == (*numbers, *[0] * (NUMBERS - len(numbers)))


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_anything_else_is_no_message(header: bytes) -> None:
    if header[:4] == b"FGI1" and header[4] in set(MessageKind):
        return
    with pytest.raises(ValueError, match=r"magic|Kind"):
        Message.parse(header)


def test_a_pipe_that_ends_between_messages_is_the_end_and_within_one_an_error() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"abcde")
        assert read_exactly(reader, 3) == b"abc"
        os.close(writer)
        with pytest.raises(ValueError, match="within a message"):
            read_exactly(reader, 3)
        assert read_exactly(reader, 3) == b""
    finally:
        os.close(reader)
