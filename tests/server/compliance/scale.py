"""Measures FinishCheck, GetEvidence and the filters of lists on a real server with many decided checks.

Not a test: it takes minutes, and its figures depend on the machine. One check is scanned and copied. Every
copy has its rows and terms; some also have records and images of their own, which the server opens.

    python -m tests.server.compliance.scale --checks 100000
    python -m tests.server.compliance.scale --checks 1000000 --postgresql
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import Connection, Table, insert, select, text

from facegate_client import ApiKey
from server.domain.evidence_terms import ALL, policy_term, reason_policy_term, term
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.key_files import KeyFiles
from server.keys import KeyFolder
from server.storage import rows
from server.storage.database import open_database
from server.storage.evidence_records import EvidenceRecordRepository, StoredRecord
from server.storage.objects import open_object_store
from server.storage.records import EvidenceEntry, PictureFacts
from server.storage.schema import upgrade
from server.storage.tables import checks, evidence, evidence_records, policies, record_terms
from server.verdict.record import EvidenceRecord
from tests.server.compliance.office import Office, open_office
from tests.server.postgres import postgres_server

_OPENED = 400
_PERIOD = timedelta(days=30)
_BATCH = 20_000
_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "status": {"status": result_pb2.CHECK_STATUS_FAILURE},
    "policy, of 2 % of the checks": {"policy": "rare"},
    "reason SPOOF": {"reason": result_pb2.FAILURE_REASON_SPOOF},
    "attack type": {"attack_type": result_pb2.ATTACK_TYPE_SCREEN_REPLAY},
    "sandbox": {"sandbox": False},
    "policy and status": {"policy": "rare", "status": result_pb2.CHECK_STATUS_SUCCESS},
    "policy, status and reason SPOOF": {
        "policy": "high",
        "status": result_pb2.CHECK_STATUS_FAILURE,
        "reason": result_pb2.FAILURE_REASON_SPOOF,
    },
    "policy and reason that never meet": {"policy": "rare", "reason": result_pb2.FAILURE_REASON_SPOOF},
}


def _outcome(choice: random.Random) -> tuple[str, list[str], str]:
    """Status, reasons and policy of a copy."""
    policy = choice.choices(("test", "high", "rare"), (90, 8, 2))[0]
    if policy == "rare" or choice.random() < 0.8:
        return "SUCCESS", [], policy
    return "FAILURE", [choice.choice(("SPOOF", "NOT_SAME_PERSON"))], policy


def _policies(connection: Connection) -> dict[str, bytes]:
    """Adds the policies of copies; returns the hash of each policy by its name."""
    known = {row.name: row.sha256 for row in connection.execute(select(policies.c.name, policies.c.sha256))}
    for name in ("high", "rare"):
        if name not in known:
            known[name] = secrets.token_bytes(32)
            source = connection.execute(select(policies.c.source).limit(1)).scalar_one()
            values = {"sha256": known[name], "name": name, "version": 1, "source": source}
            connection.execute(insert(policies).values(values))
    return known


def _fill(connection: Connection, template: UUID, *, at: int, count: int, total: int) -> None:
    """Copies rows and terms, with later times than those of earlier calls, as a server would decide them."""
    choice = random.Random(at)
    known = _policies(connection)
    check = dict(connection.execute(select(checks).where(checks.c.check_id == template)).mappings().one())
    of_template = select(evidence_records).where(evidence_records.c.check_id == template)
    record = dict(connection.execute(of_template).mappings().one())
    made: dict[Table, list[dict[str, Any]]] = {checks: [], evidence_records: [], record_terms: []}
    for number in range(at, at + count):
        status, reasons, policy = _outcome(choice)
        own = {
            "check_id": UUID(int=choice.getrandbits(128)),
            "decide_time": check["decide_time"] - _PERIOD * ((total - number) / total),
        }
        made[checks].append(
            {
                **check,
                **own,
                "status": status,
                "reasons": json.dumps(reasons),
                "policy_sha256": known[policy],
            }
        )
        made[evidence_records].append({**record, **own})
        terms = _terms(status, reasons, policy, sandbox=check["sandbox"], subject=str(own["check_id"]))
        made[record_terms] += [{**own, "tenant": check["tenant"], "term": one} for one in terms]
    for table, values in made.items():
        connection.execute(insert(table), values)


def _terms(status: str, reasons: list[str], policy: str, *, sandbox: bool, subject: str) -> list[str]:
    return [
        ALL,
        term("status", status),
        term("policy", policy),
        policy_term(policy, status),
        term("sandbox", "yes" if sandbox else "no"),
        term("subject", subject),
        *(
            word
            for reason in reasons
            for word in (term("reason", reason), reason_policy_term(policy, reason))
        ),
        *(term("attack", "SCREEN_REPLAY") for reason in reasons if reason == "SPOOF"),
    ]


class _Copier:
    """Makes copies of a check that the server can open."""

    def __init__(self, office: Office) -> None:
        settings = office.live.settings
        keys = KeyFolder(KeyFiles(settings.key_folder)).keys
        self._vault = RecordVault(
            wrapping_keys=keys.wrapping_keys,
            tenant_key=keys.memory.of,
            sign=keys.results.sign,
            random=secrets.token_bytes,
        )
        objects = open_object_store(settings.objects_url)
        self._store = EvidenceStore(objects, wrapping_keys=keys.wrapping_keys, random=secrets.token_bytes)

    def open(self, stored: StoredRecord) -> EvidenceRecord:
        return self._vault.open(stored)

    async def images(self, template: UUID, copy: UUID, entries: tuple[EvidenceEntry, ...]) -> list[Any]:
        made = []
        for position, entry in enumerate(entries):
            sealed = await self._store.seal(
                copy,
                tenant="bank",
                kind=entry.kind,
                image=await self._store.load(template, entry, tenant="bank"),
                facts=PictureFacts(
                    attempt=entry.attempt,
                    frame_index=entry.frame_index,
                    rotation=entry.rotation,
                    mirrored=entry.mirrored,
                    media_type=entry.media_type,
                ),
            )
            await self._store.put(sealed)
            made.append({**rows.evidence_row(copy, sealed.entry), "position": position})
        return made

    def rows(self, record: EvidenceRecord, copy: UUID) -> dict[str, Any]:
        sealed = self._vault.seal(replace(record, outcome=replace(record.outcome, check_id=copy))).sealed
        return {
            "check_id": copy,
            "tenant": record.tenant,
            "version": record.version,
            "decide_time": record.times.decide,
            "ciphertext": sealed.ciphertext,
            "wrapped_key": sealed.wrapped_key,
            "key_id": sealed.key_id,
        }


async def _copies(office: Office, template: UUID, count: int) -> list[UUID]:
    database = open_database(office.live.settings.database_url, patient=True)
    began = time.monotonic()
    for at in range(0, count, _BATCH):
        await database.write(_fill, template, at=at, count=min(_BATCH, count - at), total=count)
    await database.write(lambda connection: connection.execute(text("analyze")).rowcount)
    copier = _Copier(office)
    stored = await EvidenceRecordRepository(database).find(template)
    assert stored is not None
    record, entries = copier.open(stored), await office.live.evidence(str(template))
    made = [uuid4() for _ in range(_OPENED)]

    def write(connection: Connection, copy: UUID, images: list[Any]) -> None:
        row = connection.execute(select(checks).where(checks.c.check_id == template)).mappings().one()
        connection.execute(insert(checks).values({**row, "check_id": copy}))
        connection.execute(insert(evidence_records).values(copier.rows(record, copy)))
        connection.execute(insert(evidence), images)

    for copy in made:
        await database.write(write, copy, await copier.images(template, copy, entries))
    await database.close()
    print(f"filled in {time.monotonic() - began:.0f} s")
    return made


async def _measured(name: str, calls: list[Callable[[], Awaitable[object]]]) -> None:
    times = []
    for call in calls:
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1000)
    centiles = statistics.quantiles(times, n=100, method="inclusive")
    print(
        f"{name:36} median {centiles[49]:6.1f} ms, 95 % {centiles[94]:6.1f}, 99 % {centiles[98]:6.1f}, "
        f"longest {max(times):6.1f} ({len(times)} calls)",
        flush=True,
    )


async def _measure(office: Office, template: UUID, made: list[UUID]) -> None:
    reader, metadata = office.of("reader"), ApiKey(office.keys["backend"]).metadata

    def finish(check_id: UUID) -> Callable[[], Awaitable[object]]:
        request = service_pb2.FinishCheckRequest(check_id=str(check_id))
        return lambda: office.live.service.FinishCheck(request, metadata=metadata)

    def listed(fields: Mapping[str, Any]) -> Callable[[], Awaitable[object]]:
        return lambda: reader.list_checks(evidence_pb2.ListChecksRequest(page_size=50, **fields))

    await _measured("(warm-up)", [finish(made[0])] * 20)
    await _measured("FinishCheck, first", [finish(check_id) for check_id in made[1:]])
    await _measured("FinishCheck, repeated", [finish(check_id) for check_id in made[1:]])
    await _measured("GetEvidence", [lambda: reader.get_evidence(str(template))] * 100)
    for name, fields in _FILTERS.items():
        await _measured(f"list: {name}", [listed(fields)] * 30)
    await _measured("list: subject", [listed({"subject_reference": "scale-1"})] * 30)


async def _main(count: int, *, postgresql: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facegate-scale-")))
        storage = {}
        if postgresql:
            url = await stack.enter_context(postgres_server()).new_database()
            await upgrade(url)
            storage = {"storage": {"database_url": url}}
        async with open_office(folder, **storage) as office:
            template = UUID(await office.check("scale-1", scanned=True))
            made = await _copies(office, template, count)
            print(
                f"{count:,} checks, {'PostgreSQL' if postgresql else 'SQLite'}, load {os.getloadavg()[0]:.1f}"
            )
            await _measure(office, template, made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=100_000)
    parser.add_argument("--postgresql", action="store_true")
    given = parser.parse_args()
    asyncio.run(_main(given.checks, postgresql=given.postgresql))
