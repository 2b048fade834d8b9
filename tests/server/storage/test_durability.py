"""Acknowledged transactions survive kill -9 of the writing process in the middle of its work."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from server.domain.terms import CheckState
from server.storage.database import open_database
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from tests.sampling import some_fast
from tests.server.postgres import PostgresServer
from tests.server.storage.samples import after

_REPOSITORY = Path(__file__).resolve().parents[3]
_WRITER = """
import asyncio, sys
from server.storage.database import open_database
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.repository import CheckRepository
from tests.server.storage.samples import SESSION_KEY, after, decision, entry, new_check

async def main(url):
    repository = CheckRepository(open_database(url))
    number = 0
    while True:
        number += 1
        def say(what, check):
            print(what, check.check_id, flush=True)
        check = new_check()
        await repository.create(check, None)
        say("created", check)
        await repository.acquire_lease(
            check.check_id, session_key=SESSION_KEY, proven=False, owner="w", now=after(1), lease_seconds=15
        )
        say("scanning", check)
        await repository.start_attempt(check.check_id, epoch=1, number=1, start_time=after(2))
        say("attempt", check)
        await repository.decide(check.check_id, epoch=1, decision=decision(entry(check.check_id.hex)))
        say("decided", check)
        await repository.finish(check.check_id, after(30))
        say("finished", check)

asyncio.run(main(sys.argv[1]))
"""
_RANK = {
    CheckState.CREATED: 0,
    CheckState.SCANNING: 1,
    CheckState.DECIDED: 3,
    CheckState.FINISHED: 4,
}
_ACKNOWLEDGED = {"created": 0, "scanning": 1, "attempt": 1, "decided": 3, "finished": 4}


@pytest.mark.parametrize("acknowledgements", some_fast([2, 1, 4, 23], step=4))
async def test_nothing_acknowledged_is_lost(url: str, acknowledgements: int) -> None:
    await upgrade(url)
    acknowledged = _run_and_kill(url, acknowledgements)
    assert len(acknowledged) >= acknowledgements

    await upgrade(url)
    await _assert_kept(url, acknowledged)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_with_the_database_server(postgres: PostgresServer) -> None:
    url = await postgres.new_database()
    await upgrade(url)
    acknowledged = _run_and_kill(url, 40, before=postgres.kill)
    postgres.start()
    await _assert_kept(url, acknowledged)
    await postgres.drop_database(url)


async def _assert_kept(url: str, acknowledged: "_Acknowledged") -> None:
    database = open_database(url)
    repository, records = CheckRepository(database), EvidenceRecordRepository(database)
    for check_id, words in acknowledged.items():
        record = await repository.get(check_id)
        assert record is not None, words
        assert _RANK[record.state] >= max(_ACKNOWLEDGED[word] for word in words)
        if "attempt" in words:
            assert len(await repository.attempts(check_id)) == 1
        if "decided" in words:
            kept = await records.find(check_id)
            assert kept is not None
            assert kept.sealed.ciphertext == b"result"
        # A decision is atomic and is never stored without its evidence.
        evidence = await repository.evidence(check_id)
        assert len(evidence) == (1 if record.state in {CheckState.DECIDED, CheckState.FINISHED} else 0)
        if record.state is CheckState.SCANNING:
            assert check_id in {due.check_id for due in await repository.due(after(100_000), 100)}
    await database.close()


def _run_and_kill(
    url: str, acknowledgements: int, *, before: Callable[[], None] | None = None
) -> "_Acknowledged":
    """Calls ``before``, if given, and kills the writer, after this number of acknowledgements."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{_REPOSITORY}{os.pathsep}{_REPOSITORY / 'protos'}"},
    )
    acknowledged = _Acknowledged()
    try:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged.add(line)
            if len(acknowledged) >= acknowledgements:
                break
        if before is not None:
            before()
        writer.send_signal(signal.SIGKILL)
        # Transactions that it acknowledged until it was dead count as well.
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged.add(line)
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout is not None:
            writer.stdout.close()
    assert writer.returncode == -signal.SIGKILL
    return acknowledged


class _Acknowledged(dict[UUID, list[str]]):
    """The transactions that the writer acknowledged, by check; its length is their number."""

    def add(self, line: str) -> None:
        word, check_id = line.split()
        self.setdefault(UUID(check_id), []).append(word)

    def __len__(self) -> int:
        return sum(len(words) for words in self.values())
