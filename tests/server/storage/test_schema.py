import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, select, text

from server.evidence.records import record_terms as terms_of
from server.keys import MemoryKey
from server.storage.database import open_database
from server.storage.devices import DeviceRepository, KeyKind
from server.storage.engine import database_file
from server.storage.errors import SchemaOutdated, StorageUnavailable
from server.storage.repository import CheckRepository
from server.storage.schema import current_revision, expect_usable, needed_revision, prepare_database, upgrade
from server.storage.tables import device_key_uses, metadata, record_terms, scan_memories
from tests.canaries import Canaries
from tests.server.databases import take_back
from tests.server.storage.samples import NOW, decision, enrolled_key, new_check, sealed_record
from tests.server.verdict.samples import OUTCOME, camera_sign


async def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    await upgrade(url)
    database = open_database(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await database.read(differences) == []
    await database.close()


async def test_the_database_reports_its_revision(url: str) -> None:
    database = open_database(url, make=True)
    assert await current_revision(database) is None
    await upgrade(url)
    assert await current_revision(database) == needed_revision()
    await database.close()


async def test_upgrades_at_once_are_one(url: str) -> None:
    await asyncio.gather(*(upgrade(url) for _ in range(6)))
    database = open_database(url)
    assert await current_revision(database) == needed_revision()
    await database.close()


async def test_a_database_of_a_newer_version_is_refused_untouched(url: str) -> None:
    await upgrade(url)
    await _execute(url, "update alembic_version set version_num = '9999'")
    await _execute(url, "update schema_floor set revision = '9999'")
    for refused in (upgrade, prepare_database):
        with pytest.raises(SchemaOutdated, match="newer version"):
            await refused(url)


async def test_a_database_that_a_newer_version_only_expanded_is_used_as_it_is(url: str) -> None:
    await upgrade(url)
    await _execute(url, "update alembic_version set version_num = '9999'")
    await prepare_database(url)
    with pytest.raises(SchemaOutdated, match="newer version"):
        await upgrade(url)
    database = open_database(url, expect=expect_usable)
    assert await current_revision(database) == "9999"
    await _execute(url, "update schema_floor set revision = '9999'")
    for transaction in (database.read, database.write):
        with pytest.raises(SchemaOutdated, match="newer version"):
            await transaction(lambda _: None)
    await database.close()


async def test_a_failed_migration_changes_nothing(url: str) -> None:
    # The last table of the migration exists already.
    await _execute(url, "create table evidence (x integer)")
    with pytest.raises(StorageUnavailable):
        await upgrade(url)
    assert await _tables(url) == {"evidence"}


async def test_a_started_server_does_not_change_a_database_that_others_may_use(postgres_url: str) -> None:
    with pytest.raises(SchemaOutdated, match="facegate db upgrade"):
        await prepare_database(postgres_url)
    assert await _tables(postgres_url) == set()
    await upgrade(postgres_url)
    await prepare_database(postgres_url)


async def test_a_started_server_upgrades_its_own_file(sqlite_url: str) -> None:
    await prepare_database(sqlite_url)
    assert await _tables(sqlite_url) == {*metadata.tables, "alembic_version"}


async def _execute(url: str, statement: str) -> None:
    database = open_database(url, make=True)
    await database.write(lambda connection: connection.execute(text(statement)))
    await database.close()


async def _tables(url: str) -> set[str]:
    database = open_database(url)
    names = await database.read(lambda connection: inspect(connection).get_table_names())
    await database.close()
    return set(names)


async def test_a_file_that_is_no_database_is_unavailable(sqlite_url: str) -> None:
    file = database_file(sqlite_url)
    assert file is not None
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but long enough to be looked at" * 100)
    with pytest.raises(StorageUnavailable):
        await prepare_database(sqlite_url)


_OLDER_PAIRS = ("reason_policy:", "status_policy:")
_TABLES = ("enrolled_keys", "device_key_uses", "scan_memories")


async def test_references_of_an_older_version_are_hashed_in_place(url: str) -> None:
    await _with_references_in_clear(url)
    with pytest.raises(SchemaOutdated, match="where the key folder is"):
        await upgrade(url)
    assert await _values(url, "subject") == {"customer-4711-canary", ""}
    key = MemoryKey(bytes(32))
    await upgrade(url, hash_subject=key.subject_hash)
    assert await _values(url, "subject_hash") == {key.subject_hash("default", "customer-4711-canary"), ""}
    file = database_file(url)
    if file is not None:
        canaries = Canaries()
        canaries.plant("subject", "customer-4711-canary")
        beside = (one for one in file.parent.iterdir() if one.is_file())
        assert [leak for one in beside for leak in canaries.leaks(one.read_bytes())] == []
    database = open_database(url)
    enrolled = await DeviceRepository(database).find_key("default", KeyKind.APP_ATTEST, b"k" * 32)
    assert enrolled is not None
    assert enrolled.subject_hash == key.subject_hash("default", "customer-4711-canary")
    hashes = key.subject_hashes("default", "customer-4711-canary")
    assert (
        await DeviceRepository(database).forget_subject("default", "customer-4711-canary", hashes=hashes) == 3
    )
    await database.close()
    assert await _values(url, "subject_hash") == {""}


async def test_a_database_without_references_is_upgraded_without_keys(url: str) -> None:
    await upgrade(url)
    await take_back(url, "0007")
    await upgrade(url)
    database = open_database(url)
    assert await current_revision(database) == needed_revision()
    await database.close()


async def test_records_of_an_older_version_get_the_terms_of_reason_and_policy(url: str) -> None:
    await upgrade(url)
    database = open_database(url)
    repository = CheckRepository(database)
    for terms in (("policy:high", "reason:SPOOF", "reason:CONDITIONS"), ("policy:low",), ("reason:SPOOF",)):
        record = await repository.create(new_check(), None)
        await repository.decide(
            record.check_id, epoch=None, decision=replace(decision(), record=sealed_record(terms=terms))
        )
    await take_back(url, "0008")
    before = await _terms(url)
    await upgrade(url)
    assert await _terms(url) - before == {"reason_policy:SPOOF:high", "reason_policy:CONDITIONS:high"}
    await take_back(url, "0008")
    assert await _terms(url) == before
    await database.close()


async def test_records_of_an_older_version_get_the_terms_of_pairs(url: str) -> None:
    await upgrade(url)
    database = open_database(url)
    repository, written = CheckRepository(database), set()
    for number, policy in enumerate(("high", "low")):
        verdict = replace(OUTCOME.verdict, reasons=OUTCOME.verdict.reasons[number:])
        device = replace(OUTCOME.device, signs=(camera_sign(1.0),))
        outcome = replace(OUTCOME, policy_name=policy, sandbox=number > 0, verdict=verdict, device=device)
        terms = terms_of(outcome, tenant_key=bytes(32))
        written |= set(terms)
        record = await repository.create(new_check(), None)
        sealed = replace(sealed_record(), terms=terms)
        await repository.decide(record.check_id, epoch=None, decision=replace(decision(), record=sealed))
    assert await _terms(url) == written
    await take_back(url, "0009")
    before = {one for one in written if "_" not in one.partition(":")[0] or one.startswith(_OLDER_PAIRS)}
    assert await _terms(url) == before
    await upgrade(url)
    assert await _terms(url) == written
    await database.close()


async def _terms(url: str) -> set[str]:
    database = open_database(url)
    terms = await database.read(lambda connection: set(connection.scalars(select(record_terms.c.term))))
    await database.close()
    return terms


async def _with_references_in_clear(url: str) -> None:
    """A person's rows, and those of a check without a reference, as revision 0007 stored them."""
    await upgrade(url)
    database = open_database(url)
    devices = DeviceRepository(database)
    for letter in (b"k", b"n"):
        check_id = (await CheckRepository(database).create(new_check(), None)).check_id
        await devices.enrol(enrolled_key(check_id, key_id=letter * 32, app=letter.decode(), subject_hash=""))
        await database.write(_insert_rows, check_id)
    await database.close()
    await take_back(url, "0007")
    named = "(select check_id from enrolled_keys where app = 'k')"
    for table in _TABLES:
        await _execute(
            url,
            f"update {table} set subject = 'customer-4711-canary' where check_id in {named}",  # noqa: S608
        )


def _insert_rows(connection: Connection, check_id: UUID) -> None:
    common = {"tenant": "default", "check_id": check_id, "subject_hash": "", "time": NOW}
    sealed = {"ciphertext": b"c", "wrapped_key": b"w", "key_id": "k"}
    connection.execute(insert(device_key_uses).values({**common, "key": bytes(32)}))
    connection.execute(insert(scan_memories).values({**common, **sealed}))


async def _values(url: str, column: str) -> set[str]:
    def work(connection: Connection) -> set[str]:
        queries = (text(f"select {column} from {table}") for table in _TABLES)  # noqa: S608
        return {value for query in queries for value in connection.scalars(query)}

    database = open_database(url)
    found = await database.read(work)
    await database.close()
    return found
