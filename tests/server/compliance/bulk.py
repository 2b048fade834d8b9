"""Fills a database with copies of one decided check, in statements that the database runs by itself.

A copy has rows in every table that calls look up: the check, its attempt, its first image, its record, its
terms and an entry of the audit log. Nobody can open a copy: its portrait report and its record are 256 bytes
that mean nothing, its image has no object, and the entries form no chain. The tables and indexes get their
true number of rows, and less than their true number of bytes.

The identifiers of copies ascend, so that the database fills its indexes from one end to the other, which is a
few times faster. They are spread over all identifiers; those of later checks fall between them.
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import product
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Uuid,
    and_,
    case,
    insert,
    literal,
    null,
    select,
    text,
    true,
    update,
)

from server.audit import AuditAction
from server.domain.terms import ALL, HOLD, pair_terms, term
from server.storage.database import Database
from server.storage.tables import (
    UtcTime,
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

__all__ = ["fill"]

_PERIOD: Final = timedelta(days=30)
_BATCH: Final = 50_000
_SHORT: Final = literal(bytes(256), LargeBinary)
_DELIVERED: Final = AuditAction.RESULT_DELIVERED.value
_POLICIES: Final = ("high", "rare")
_KINDS: Final = (
    ("rare", "SUCCESS", ""),
    *((policy, "SUCCESS", "") for policy in ("test", "high")),
    *((policy, "FAILURE", reason) for policy in ("test", "high") for reason in ("SPOOF", "NOT_SAME_PERSON")),
)

_copies = Table(
    "copies",
    MetaData(),
    Column("number", BigInteger),
    Column("check_id", Uuid),
    Column("dashed", String),
    Column("decide_time", UtcTime),
    Column("time_us", BigInteger),
    Column("policy", String),
    Column("status", String),
    Column("reason", String),
    prefixes=["TEMPORARY"],
)

# 90 % of the copies have the policy "test", 8 % "high" and 2 % "rare"; a fifth fails, but none with "rare".
_DRAW: Final = """
    INSERT INTO copies
    WITH {numbers} drawn AS MATERIALIZED (
        SELECT number, {uuid} AS check_id, {percent} AS of_policy, {percent} AS of_status,
            CAST(:since AS {real}) + number * CAST(:step AS {real}) AS seconds
        FROM {series}
    )
    SELECT number, check_id, {dashed}, {time}, CAST(seconds * 1000000 AS bigint),
        CASE WHEN of_policy >= 10 THEN 'test' WHEN of_policy >= 2 THEN 'high' ELSE 'rare' END,
        CASE WHEN of_policy >= 2 AND of_status < 20 THEN 'FAILURE' ELSE 'SUCCESS' END,
        CASE WHEN of_policy < 2 OR of_status >= 20 THEN ''
            WHEN of_status < 10 THEN 'SPOOF' ELSE 'NOT_SAME_PERSON' END
    FROM drawn
"""
_DIALECTS: Final[Mapping[str, Mapping[str, str]]] = {
    "sqlite": {
        "numbers": """RECURSIVE numbers(number) AS (
            SELECT :first UNION ALL SELECT number + 1 FROM numbers WHERE number < :last
        ),""",
        "series": "numbers",
        "uuid": "printf('%08x', number * CAST(:apart AS integer)) || lower(hex(randomblob(12)))",
        "percent": "abs(random() % 100)",
        "real": "real",
        "dashed": """substr(check_id, 1, 8) || '-' || substr(check_id, 9, 4) || '-' || substr(check_id, 13, 4)
            || '-' || substr(check_id, 17, 4) || '-' || substr(check_id, 21)""",
        "time": "strftime('%Y-%m-%d %H:%M:%f000', seconds, 'unixepoch')",
    },
    "postgresql": {
        "numbers": "",
        "series": "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS series(number)",
        "uuid": """CAST(lpad(to_hex(number * CAST(:apart AS bigint)), 8, '0')
            || substr(md5(random()::text), 1, 24) AS uuid)""",
        "percent": "floor(random() * 100)",
        "real": "double precision",
        "dashed": "check_id::text",
        "time": "to_timestamp(seconds)",
    },
}


async def fill(database: Database, template: UUID, count: int, *, report: Callable[[str], None]) -> None:
    """Adds copies of a check, with decision times spread evenly over the 30 days before it.

    Args:
        database: The database, which nobody else uses.
        template: A check with the policy ``test`` that succeeded, and whose result was delivered.
        count: The number of copies.
        report: Called with a line about the progress after each 50,000 copies.
    """
    began = time.monotonic()
    head = await database.write(_prepare, template)
    for first in range(1, count + 1, _BATCH):
        last = min(first + _BATCH - 1, count)
        await database.write(_add, template, first=first, last=last, count=count, head=head)
        report(f"{last:,} of {count:,} copies after {time.monotonic() - began:.0f} s")


def _prepare(connection: Connection, template: UUID) -> int:
    """Adds the policies of copies; returns the number of entries in the tenant's audit log."""
    check = connection.execute(select(checks).where(checks.c.check_id == template)).one()
    source = connection.execute(select(policies).where(policies.c.sha256 == check.policy_sha256)).one()
    for number, name in enumerate(_POLICIES):
        row = {"sha256": bytes([number]) * 32, "name": name, "version": 1, "source": source.source}
        connection.execute(insert(policies).values(row))
    query = select(audit_heads.c.sequence).where(audit_heads.c.tenant == check.tenant)
    return int(connection.execute(query).scalar_one())


def _add(connection: Connection, template: UUID, *, first: int, last: int, count: int, head: int) -> None:
    check = connection.execute(select(checks).where(checks.c.check_id == template)).one()
    _copies.create(connection)
    step = _PERIOD.total_seconds() / (count + 1)
    since = check.decide_time.timestamp() - _PERIOD.total_seconds()
    draw = text(_DRAW.format(**_DIALECTS[connection.dialect.name]))
    connection.execute(
        draw, {"first": first, "last": last, "since": since, "step": step, "apart": 2**32 // (count + 1)}
    )
    made = _copies.c
    own: dict[str, ColumnElement[Any]] = {"check_id": made.check_id, "decide_time": made.decide_time}
    outcome = {
        "policy_sha256": select(policies.c.sha256).where(policies.c.name == made.policy).scalar_subquery(),
        "status": made.status,
        "reasons": case((made.reason == "", "[]"), else_='["' + made.reason + '"]'),
        "finish_time": made.decide_time,
        "images_until": null(),
        "portrait_report": _SHORT,
    }
    delivery = {
        "sequence": made.number + head,
        "time_us": made.time_us,
        "check_id": made.dashed,
        "pseudonym": made.dashed,
    }
    entry = (audit_events.c.check_id == str(template)) & (audit_events.c.action == _DELIVERED)
    image = (evidence.c.check_id == template) & (evidence.c.position == 0)
    for target, of, values in (
        (checks, checks.c.check_id == template, own | outcome),
        (evidence_records, evidence_records.c.check_id == template, own | {"ciphertext": _SHORT}),
        (attempts, attempts.c.check_id == template, own),
        (evidence, image, own | {"object_key": made.dashed}),
        (audit_events, entry, delivery),
    ):
        _copy(connection, target, of, values)
    heads = update(audit_heads).where(audit_heads.c.tenant == check.tenant)
    connection.execute(heads.values(sequence=head + last))
    _add_terms(connection, check)
    _copies.drop(connection)


def _copy(
    connection: Connection, target: Table, of: ColumnElement[bool], own: Mapping[str, ColumnElement[Any]]
) -> None:
    """Copies a row of a table once for each copy, with other values in some columns."""
    query = select(*(own.get(one.name, one) for one in target.c)).select_from(target.join(_copies, true()))
    connection.execute(insert(target).from_select([one.name for one in target.c], query.where(of)))


def _add_terms(connection: Connection, template: Row[Any]) -> None:
    made, tenant = _copies.c, template.tenant
    of_template = select(record_terms.c.term).where(record_terms.c.check_id == template.check_id)
    consent = connection.execute(of_template.where(record_terms.c.term.startswith("consent:"))).scalar_one()
    subject = literal(term("subject", "")) + made.dashed
    wanted: list[tuple[ColumnElement[str], ColumnElement[bool]]] = [
        (subject, true()),
        # The same text of consent for everybody.
        (literal(consent), true()),
        (literal(HOLD), made.number % 1000 == 0),
    ]
    for (policy, status, reason), signed in product(_KINDS, (False, True)):
        kind = and_(made.policy == policy, made.status == status, made.reason == reason)
        chosen = kind & (made.number % 100 == 0 if signed else made.number % 100 != 0)
        wanted += [(literal(one), chosen) for one in _words(policy, status, reason, signed=signed)]
    names = ["tenant", "term", "decide_time", "check_id"]
    for word, wanted_of in wanted:
        query = select(literal(tenant), word, made.decide_time, made.check_id).where(wanted_of)
        connection.execute(insert(record_terms).from_select(names, query))
    values = {"reference": "case", "tenant": tenant, "reason": "a case", "placed_by": "anna"}
    query = select(made.check_id, *map(literal, values.values()), made.decide_time)
    held = query.where(made.number % 1000 == 0)
    connection.execute(insert(holds).from_select(["check_id", *values, "place_time"], held))


def _words(policy: str, status: str, reason: str, *, signed: bool) -> list[str]:
    """The terms of a copy, except those of its references and its hold."""
    words = [("status", status), ("policy", policy), ("sandbox", "no")]
    words += [("reason", reason)] if reason else []
    words += [("attack", "SCREEN_REPLAY")] if reason == "SPOOF" else []
    words += [("sign", "virtual_camera")] if signed else []
    return [ALL, *(term(name, word) for name, word in words), *pair_terms(words)]
