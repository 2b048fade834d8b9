import secrets
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, LargeBinary, insert, select, update

from server.domain.terms import SealedKind
from server.keyring.sealing import Context, Sealed, WrappingKeys, context, rewrap, seal, unseal
from server.storage.database import Database
from server.storage.repository import CheckRepository
from server.storage.tables import checks, evidence, metadata
from server.storage.wrapped_keys import PLACES, WrappedKey, WrappedKeyRepository
from tests.server.storage import samples

_OLD = WrappingKeys(newest="old", keys={"old": bytes(32)})
_NEW = WrappingKeys(
    newest="new",
    keys={"old": bytes(32), "new": bytes([1]) * 32, "bank": bytes([2]) * 32},
    tenants={"bank": "bank"},
)


def rewrapped(found: WrappedKey) -> tuple[bytes, str] | None:
    if found.key_id == _NEW.key_id_for(found.context.tenant):
        return None
    return rewrap(
        found.wrapped_key,
        key_id=found.key_id,
        wrapping_keys=_NEW,
        aad=found.context,
        random=secrets.token_bytes,
    )


@pytest.fixture
def keys(database: Database) -> WrappedKeyRepository:
    return WrappedKeyRepository(database)


async def with_template(repository: CheckRepository, database: Database, tenant: str) -> tuple[UUID, Context]:
    """Creates a check whose template is sealed under the old key."""
    check_id = (await repository.create(samples.new_check(tenant=tenant), None)).check_id
    aad = context(tenant=tenant, check_id=check_id, kind=SealedKind.PORTRAIT_TEMPLATE)
    sealed = seal(b"template", wrapping_keys=_OLD, aad=aad, random=secrets.token_bytes)

    def work(connection: Connection) -> None:
        values = {
            "template_ciphertext": sealed.ciphertext,
            "template_wrapped_key": sealed.wrapped_key,
            "template_key_id": sealed.key_id,
        }
        connection.execute(update(checks).where(checks.c.check_id == check_id).values(values))

    await database.write(work)
    return check_id, aad


async def template_of(database: Database, check_id: UUID) -> Sealed:
    row: Any = await database.read(
        lambda connection: connection.execute(select(checks).where(checks.c.check_id == check_id)).one()
    )
    return Sealed(row.template_ciphertext, row.template_wrapped_key, row.template_key_id)


def test_every_wrapped_key_has_its_place() -> None:
    found = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("wrapped_key") and isinstance(column.type, LargeBinary)
    }
    assert found == {(place.table.name, place.wrapped_key.name) for place in PLACES}


async def test_every_record_opens_with_the_new_key_alone(
    repository: CheckRepository, database: Database, keys: WrappedKeyRepository
) -> None:
    made = [await with_template(repository, database, tenant) for tenant in ("default",) * 5 + ("bank",) * 2]
    assert (await keys.count())["templates"] == {"old": 7}
    place, after, batches = PLACES[0], None, 0
    while True:
        batch = await keys.rewrap(place, rewrapped, after=after, limit=3)
        batches += 1
        if (after := batch.last) is None:
            break
    assert batches == 3
    assert (await keys.count())["templates"] == {"new": 5, "bank": 2}
    for check_id, aad in made:
        only = WrappingKeys(
            newest=_NEW.key_id_for(aad.tenant),
            keys={_NEW.key_id_for(aad.tenant): _NEW.key(_NEW.key_id_for(aad.tenant))},
        )
        assert unseal(await template_of(database, check_id), wrapping_keys=only, aad=aad) == b"template"


async def test_a_second_run_changes_nothing(
    repository: CheckRepository, database: Database, keys: WrappedKeyRepository
) -> None:
    check_id, _ = await with_template(repository, database, "default")
    assert (await keys.rewrap(PLACES[0], rewrapped, after=None, limit=10)).changed == 1
    before = await template_of(database, check_id)
    again = await keys.rewrap(PLACES[0], rewrapped, after=None, limit=10)
    assert (again.rows, again.changed, again.last) == (1, 0, None)
    assert await template_of(database, check_id) == before


async def test_each_image_opens_in_its_own_context(
    repository: CheckRepository, database: Database, keys: WrappedKeyRepository
) -> None:
    check_id = (await repository.create(samples.new_check(), None)).check_id
    sealed: dict[str, Sealed] = {}
    rows = []
    for position, kind in enumerate(("EVIDENCE_FRAME", "AUDIT_IMAGE")):
        aad = context(tenant="default", check_id=check_id, kind=kind)
        sealed[kind] = seal(kind.encode(), wrapping_keys=_OLD, aad=aad, random=secrets.token_bytes)
        rows.append(
            {
                "check_id": check_id,
                "position": position,
                "kind": kind,
                "object_key": f"evidence/{kind}",
                "sha256": bytes(32),
                "frame_index": 1,
                "attempt": 1,
                "rotation": 0,
                "mirrored": False,
                "media_type": "image/jpeg",
                "wrapped_key": sealed[kind].wrapped_key,
                "key_id": "old",
            }
        )
    await database.write(lambda connection: connection.execute(insert(evidence).values(rows)))
    batch = await keys.rewrap(PLACES[1], rewrapped, after=None, limit=10)
    assert batch.changed == 2
    found = await database.read(lambda connection: connection.execute(select(evidence)).mappings().all())
    for row in found:
        aad = context(tenant="default", check_id=check_id, kind=row["kind"])
        now = Sealed(sealed[row["kind"]].ciphertext, row["wrapped_key"], row["key_id"])
        assert row["key_id"] == "new"
        assert unseal(now, wrapping_keys=_NEW, aad=aad) == row["kind"].encode()
