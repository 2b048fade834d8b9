"""Measures FinishCheck, GetEvidence and the filters of lists on a real server with many decided checks.

Not a test: its figures depend on the machine. One check is scanned and delivered. While no server runs, the
database is filled with copies of its rows that nobody opens, whose records are short
(``tests.server.compliance.scale``): the figures are of tables and indexes with that many rows, not with that
many bytes. 400 further copies have sealed records and images of their own; the measured calls open these.

Times are of the wall clock at the client. CPU time is the mean of a call in this process, which holds client,
server and SQLite, but not PostgreSQL; it depends less on what else the machine does.

    python -m tests.server.compliance.scale --checks 100000
    python -m tests.server.compliance.scale --checks 1000000 --postgresql

With ``--store``, SQLite, keys and images stay in a folder. A later call with the same folder measures them
again without filling; within a day, as no result is delivered after that.

    python -m tests.server.compliance.scale --checks 1000000 --store build/scale"""

import argparse
import asyncio
import json
import logging
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import CollectorRegistry
from sqlalchemy import (
    Connection,
    Table,
    insert,
    select,
    text,
    update,
)

from facegate_client import ApiKey
from server.audit import AuditAction
from server.domain.terms import ALL, HOLD, CheckStatus, FailureReason, pair_terms, term
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.check_rows import entry_row
from server.storage.database import Database, open_database
from server.storage.engine import is_sqlite
from server.storage.evidence_records import EvidenceRecordRepository, StoredRecord
from server.storage.objects import open_object_store
from server.storage.records import EvidenceEntry
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from server.storage.tables import (
    attempts,
    audit_events,
    audit_heads,
    checks,
    evidence,
    evidence_records,
    holds,
    policies,
    record_terms,
)
from server.telemetry.metrics import Metrics
from server.verdict.record import EvidenceRecord
from tests.server.compliance.office import Office, open_office
from tests.server.databases import postgres_server
from tests.server.raw_device import Ended

_OPENED = 400
_SCANS = 10


def _ago(*, days: int) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) - timedelta(days=days))
    return moment


_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "status": {"status": result_pb2.CHECK_STATUS_FAILURE},
    "policy, of 2 % of the checks": {"policy": "rare"},
    "device sign": {"device_sign": "virtual_camera"},
    "on hold": {"on_hold": True},
    "subject": {"subject_reference": "scale-1"},
    "subject without checks": {"subject_reference": "nobody"},
    "decided 15 days ago or earlier": {"decided_before": _ago(days=15)},
    "a day and status": {
        "status": result_pb2.CHECK_STATUS_FAILURE,
        "decided_since": _ago(days=16),
        "decided_before": _ago(days=15),
    },
    "policy and status": {"policy": "rare", "status": result_pb2.CHECK_STATUS_SUCCESS},
    "policy, status and reason SPOOF": {
        "policy": "high",
        "status": result_pb2.CHECK_STATUS_FAILURE,
        "reason": result_pb2.FAILURE_REASON_SPOOF,
    },
    "policy and reason that never meet": {"policy": "rare", "reason": result_pb2.FAILURE_REASON_SPOOF},
    "status and reason that never meet": {
        "status": result_pb2.CHECK_STATUS_SUCCESS,
        "reason": result_pb2.FAILURE_REASON_SPOOF,
    },
    "policy and on hold": {"policy": "rare", "on_hold": True},
}


class _Copier:
    """Makes copies of a check that the server can open."""

    def __init__(self, office: Office) -> None:
        settings = office.live.settings
        keys = KeyFolder(KeyFiles(settings.key_folder)).keys
        self._vault = RecordVault(
            wrapping_keys=keys.wrapping_keys,
            tenant_key=keys.memory.tenant_key,
            sign=keys.results.sign,
        )
        objects = open_object_store(settings.objects_url)
        self._store = EvidenceStore(
            objects,
            wrapping_keys=keys.wrapping_keys,
            metrics=Metrics(CollectorRegistry()),
        )

    def open(self, stored: StoredRecord) -> EvidenceRecord:
        return self._vault.open(stored)

    async def images(self, template: UUID, copy: UUID, entries: tuple[EvidenceEntry, ...]) -> list[Any]:
        made = []
        for position, entry in enumerate(entries):
            sealed, ciphertext = await self._store.seal(
                copy,
                tenant="bank",
                kind=entry.facts.purpose,
                image=await self._store.load(template, entry, tenant="bank"),
                media_type=entry.facts.media_type,
                attempt=entry.facts.attempt,
                frame_index=entry.facts.frame_index,
                rotation=entry.facts.rotation,
                mirrored=entry.facts.mirrored,
            )
            await self._store.put(sealed, ciphertext)
            made.append({**entry_row(sealed), "check_id": copy, "position": position})
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


async def _scanned(office: Office) -> UUID:
    """Scan a check. On a busy machine the server may end a scan before its frames come."""
    for left in reversed(range(_SCANS)):
        with suppress(*(() if left == 0 else (Ended,))):
            return UUID(await office.check("scale-1", scanned=True))
    raise AssertionError("the last scan ends with its result or its error")


async def _fill(office: Office, template: UUID, count: int) -> None:
    """Fill the database, which no server uses."""
    database = open_database(office.live.settings.database_url, patient=True)
    await fill(database, template, count, report=partial(print, flush=True))
    if not is_sqlite(office.live.settings.database_url):
        # PostgreSQL does it by itself after a while; SQLite never does.
        await database.write(lambda connection: connection.execute(text("ANALYZE")).rowcount)
    await database.close()


async def _add_copies(office: Office, template: UUID) -> list[UUID]:
    """Add copies that a server can open, and that nobody has received yet."""
    database = open_database(office.live.settings.database_url, patient=True)
    copier = _Copier(office)
    stored = await EvidenceRecordRepository(database).find(template)
    assert stored is not None
    record, entries = copier.open(stored), await CheckRepository(database).evidence(template)
    made = [uuid4() for _ in range(_OPENED)]

    def write(connection: Connection, copy: UUID, images: list[Any]) -> None:
        row = connection.execute(select(checks).where(checks.c.check_id == template)).mappings().one()
        connection.execute(
            insert(checks).values({**row, "check_id": copy, "finish_time": None, "images_until": None})
        )
        connection.execute(insert(evidence_records).values(copier.rows(record, copy)))
        connection.execute(insert(evidence), images)
        for table in (attempts, record_terms):
            of_template = connection.execute(select(table).where(table.c.check_id == template)).mappings()
            connection.execute(insert(table), [{**one, "check_id": copy} for one in of_template])

    for copy in made:
        await database.write(write, copy, await copier.images(template, copy, entries))
    await database.close()
    return made


async def _measured(name: str, calls: list[Callable[[], Awaitable[object]]]) -> None:
    times, cpu = [], time.process_time()
    for call in calls:
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - cpu) * 1000 / len(calls)
    centiles = statistics.quantiles(times, n=100, method="inclusive")
    print(
        f"{name:39} least {min(times):6.1f} ms, median {centiles[49]:6.1f}, 95 % {centiles[94]:6.1f}, "
        f"99 % {centiles[98]:6.1f}; CPU {cpu:5.1f}; {len(calls)} calls, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


async def _finish(office: Office, check_id: UUID) -> None:
    request = service_pb2.FinishCheckRequest(check_id=str(check_id))
    await office.live.service.FinishCheck(request, metadata=ApiKey(office.keys["backend"]).metadata)


async def _measure(office: Office, made: list[UUID]) -> None:
    reader = office.of("reader")

    def listed(fields: Mapping[str, Any]) -> Callable[[], Awaitable[object]]:
        return lambda: reader.list_checks(evidence_pb2.ListChecksRequest(page_size=50, **fields))

    await _measured("(warm-up)", [partial(_finish, office, made[0])] * 20)
    await _measured("FinishCheck, first", [partial(_finish, office, check_id) for check_id in made[1:]])
    await _measured("FinishCheck, repeated", [partial(_finish, office, check_id) for check_id in made[1:]])
    await _measured("GetEvidence", [partial(reader.get_evidence, str(check_id)) for check_id in made])
    for name, fields in _FILTERS.items():
        await _measured(f"list: {name}", [listed(fields)] * 30)


async def _main(count: int, *, store: Path | None, postgresql: bool) -> None:
    with ExitStack() as stack:
        folder = store or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facegate-scale-")))
        storage: dict[str, Any] = {}
        if postgresql:
            url = await stack.enter_context(postgres_server()).new_database()
            await upgrade(url)
            storage = {"storage": {"database_url": url}}
        filled = folder / "filled.json"
        if filled.exists():
            facts = json.loads(filled.read_text())
            count, template = facts["checks"], UUID(facts["template"])
        else:
            async with open_office(folder, **storage) as office:
                template = await _scanned(office)
                await _finish(office, template)
            await _fill(office, template, count)
            filled.write_text(json.dumps({"checks": count, "template": str(template)}))
        async with open_office(folder, **storage) as office:
            made = await _add_copies(office, template)
            print(
                f"{count:,} checks, {'PostgreSQL' if postgresql else 'SQLite'}, {os.cpu_count()} cores",
                flush=True,
            )
            await _measure(office, made)


# Fills a database with copies of one decided check.
#
# A copy has rows in every table that calls look up: the check, its attempt, its first image, its record,
# its terms and an entry of the audit log. Nobody can open a copy: its portrait report and its record are 256
# bytes that mean nothing, its image has no object, and the entries form no chain. The tables and indexes get
# their true number of rows, and less than their true number of bytes.
#
# The identifiers of copies ascend, so that the database fills its indexes from one end to the other, which is
# a few times faster. They are spread over all identifiers; those of later checks fall between them.

_PERIOD: Final = timedelta(days=30)
_BATCH: Final = 10_000
_POLICIES: Final = {"high": b"\0" * 32, "rare": b"\1" * 32}
"""Besides ``test``, by the hash that they have here."""
_KINDS: Final = {
    ("test", "SUCCESS", ""): 72,
    ("test", "FAILURE", "SPOOF"): 9,
    ("test", "FAILURE", "NOT_SAME_PERSON"): 9,
    ("high", "SUCCESS", ""): 6.4,
    ("high", "FAILURE", "SPOOF"): 0.8,
    ("high", "FAILURE", "NOT_SAME_PERSON"): 0.8,
    ("rare", "SUCCESS", ""): 2,
}
"""Policy, status and reason of copies, with their percentage."""


async def fill(database: Database, template: UUID, count: int, *, report: Callable[[str], None]) -> None:
    """Add copies of a check, with decision times spread evenly over the 30 days before it.

    Args:
        database: The database, which nobody else uses.
        template: A check with the policy ``test`` that succeeded, and whose result was delivered.
        report: Called with a line about the progress after each 10,000 copies.
    """
    began = time.monotonic()
    head = await database.write(_add_policies, template)
    for first in range(1, count + 1, _BATCH):
        numbers = range(first, min(first + _BATCH, count + 1))
        await database.write(_add, template, numbers, count=count, head=head)
        report(f"{numbers[-1]:,} of {count:,} copies after {time.monotonic() - began:.0f} s")


def _add_policies(connection: Connection, template: UUID) -> int:
    """Add the policies of copies; return the number of entries in the tenant's audit log."""
    check = connection.execute(select(checks).where(checks.c.check_id == template)).one()
    source = connection.execute(select(policies).where(policies.c.sha256 == check.policy_sha256)).one()
    for name, sha256 in _POLICIES.items():
        row = {"sha256": sha256, "name": name, "version": 1, "source": source.source}
        connection.execute(insert(policies).values(row))
    query = select(audit_heads.c.sequence).where(audit_heads.c.tenant == check.tenant)
    return int(connection.execute(query).scalar_one())


def _add(connection: Connection, template: UUID, numbers: range, *, count: int, head: int) -> None:
    entry = (audit_events.c.check_id == str(template)) & (
        audit_events.c.action == AuditAction.RESULT_DELIVERED
    )
    image = (evidence.c.check_id == template) & (evidence.c.position == 0)
    of_template: dict[Table, dict[str, Any]] = {
        table: dict(connection.execute(select(table).where(where)).mappings().one())
        for table, where in (
            (checks, checks.c.check_id == template),
            (evidence_records, evidence_records.c.check_id == template),
            (attempts, attempts.c.check_id == template),
            (evidence, image),
            (audit_events, entry),
        )
    }
    check = of_template[checks]
    consent = connection.execute(
        select(record_terms.c.term).where(
            record_terms.c.check_id == template, record_terms.c.term.startswith("consent:")
        )
    ).scalar_one()
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in (*of_template, record_terms, holds)}
    for number in numbers:
        copy = UUID(int=number * (2**128 // (count + 1)) + random.getrandbits(64))
        moment = check["decide_time"] - _PERIOD + number * _PERIOD / (count + 1)
        policy, status, reason = random.choices(list(_KINDS), [*_KINDS.values()])[0]
        own = {"check_id": copy, "decide_time": moment}
        changes: dict[Table, dict[str, Any]] = {
            checks: own
            | {
                "policy_sha256": _POLICIES.get(policy, check["policy_sha256"]),
                "status": CheckStatus(status),
                "reasons": (FailureReason(reason),) if reason else (),
                "finish_time": moment,
                "images_until": None,
                "portrait_report": bytes(256),
            },
            evidence_records: own | {"ciphertext": bytes(256)},
            attempts: {"check_id": copy},
            evidence: {"check_id": copy, "object_key": str(copy)},
            audit_events: {
                "sequence": head + number,
                "time_us": int(moment.timestamp() * 1_000_000),
                "check_id": str(copy),
                "pseudonym": str(copy),
            },
        }
        for table, row in of_template.items():
            rows[table].append(row | changes[table])
        held = number % 1000 == 0
        # The same text of consent for everybody.
        terms = [term("subject", str(copy)), consent, *([HOLD] if held else [])]
        terms += _words(policy, status, reason, signed=number % 100 == 0)
        rows[record_terms] += [{"tenant": check["tenant"], "term": one, **own} for one in terms]
        if held:
            values = {"reference": "case", "reason": "a case", "placed_by": "anna", "place_time": moment}
            rows[holds].append({"check_id": copy, "tenant": check["tenant"], **values})
    for table, of_copies in rows.items():
        if of_copies:
            connection.execute(insert(table), of_copies)
    heads = update(audit_heads).where(audit_heads.c.tenant == check["tenant"])
    connection.execute(heads.values(sequence=head + numbers[-1]))


def _words(policy: str, status: str, reason: str, *, signed: bool) -> list[str]:
    """The terms of a copy, except those of its references and its hold."""
    words = [("status", status), ("policy", policy), ("sandbox", "no")]
    words += [("reason", reason)] if reason else []
    words += [("attack", "SCREEN_REPLAY")] if reason == "SPOOF" else []
    words += [("sign", "virtual_camera")] if signed else []
    return [ALL, *(term(name, word) for name, word in words), *pair_terms(words)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=100_000, help="ignored if the store is filled")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--postgresql", action="store_true")
    where.add_argument("--store", type=Path)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(_main(given.checks, store=given.store, postgresql=given.postgresql))
