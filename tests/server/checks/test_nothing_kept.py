"""A whole check under a policy with ``retention.biometrics = false``: no trace of a face is left.

The search opens every seal with the server's own keys. Other tests of this file prove that it finds what a
policy keeps.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import select

from server.checks.templates import OpenedPortrait, open_template
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.keyring.sealing import Context, Sealed, WrappingKeys, unseal
from server.storage.database import open_database
from server.storage.objects import open_object_store
from server.storage.tables import checks, evidence
from server.storage.wrapped_keys import PLACES
from server.verdict.record import record_from_bytes
from tests.server.live import LiveServer, Picture, fresh_pictures, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice

_JPEG = re.compile(rb"\xff\xd8\xff\xe0..JFIF", re.DOTALL)


def _database_file(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def _cells(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield every value of every column of every table, those of no migration too."""
    with closing(sqlite3.connect(f"file:{_database_file(settings)}?mode=ro", uri=True)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in named:
            rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of the database
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if value is not None:
                        yield f"{table}.{name}", value if isinstance(value, bytes) else str(value).encode()


async def _opened(settings: Settings, keys: WrappingKeys) -> list[tuple[str, bytes]]:
    """Return the content of every seal, in rows and in objects."""
    database = open_database(settings.database_url)
    objects = open_object_store(settings.objects_url)
    found = []
    for place in PLACES:
        query = select(
            place.table,
            place.kind.label("of_kind"),
            place.version.label("of_version"),
            place.tenant.label("of_tenant"),
        ).where(place.wrapped_key.is_not(None))
        if place.table is not checks:
            query = query.join(checks, checks.c.check_id == place.table.c.check_id)
        for row in await database.read(lambda connection, q=query: connection.execute(q).mappings().all()):  # type: ignore[misc]
            if place.table is evidence:
                ciphertext = await objects.get(row["object_key"])
            else:
                ciphertext = row["template_ciphertext" if place.table is checks else "ciphertext"]
            sealed = Sealed(ciphertext, row[place.wrapped_key.name], row[place.key_id.name])
            aad = Context(
                tenant=row["of_tenant"],
                check_id=row["check_id"],
                kind=str(row["of_kind"]),
                version=row["of_version"],
            )
            found.append((f"sealed {place.name}", unseal(sealed, wrapping_keys=keys, aad=aad)))
    await database.close()
    return found


def _leaves(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)


def _views(content: bytes) -> Iterator[bytes | list[float]]:
    """Yield a content, and what it has in base64, in JSON and as numbers in JSON."""
    yield content
    try:
        document = json.loads(content)
    except ValueError:
        return
    for leaf in _leaves(document):
        if isinstance(leaf, str):
            for part in leaf.split("."):
                with suppress(ValueError):
                    yield base64.urlsafe_b64decode(part.encode() + b"==")
        elif isinstance(leaf, list) and all(isinstance(each, float) for each in leaf):
            yield leaf


def _has_embedding(view: bytes | list[float], length: int) -> bool:
    """Whether a view has a vector of norm 1 and of the length of an embedding, as 32-bit floats or JSON."""
    if isinstance(view, list):
        return len(view) >= length
    for offset in range(4):
        numbers = np.frombuffer(view[offset : offset + (len(view) - offset) // 4 * 4], "<f4")
        if len(numbers) < length:
            continue
        with np.errstate(all="ignore"):
            squares = np.lib.stride_tricks.sliding_window_view(np.square(numbers.astype(np.float64)), length)
            dense = np.lib.stride_tricks.sliding_window_view(np.abs(numbers) > 1e-9, length)
            if np.any((np.abs(squares.sum(axis=1) - 1) < 1e-4) & (dense.mean(axis=1) > 0.5)):
                return True
    return False


async def _search(
    settings: Settings,
    sent: tuple[Picture, ...],
    opened: OpenedPortrait,
    clear: Mapping[str, bytes],
    keys: WrappingKeys,
) -> dict[str, set[str]]:
    """Return the places of each trace of a face, by the kind of trace; only kinds that were found.

    Args:
        clear: What the row of an open check has in clear, by the kind of trace.
    """
    assert opened.trusted is not None
    vector = opened.template.vector
    known = {
        "image": [portrait(), *(picture.jpeg for picture in sent)],
        "aligned face": [opened.trusted.chip.tobytes()],
        "embedding": [vector.astype("<f4").tobytes(), vector.astype("<f8").tobytes()],
        "hash": [sha256(image).digest() for image in (portrait(), *(picture.jpeg for picture in sent))],
    } | {kind: [trace] for kind, trace in clear.items()}
    files = [
        (str(file.relative_to(settings.data_dir)), file.read_bytes())
        for file in settings.data_dir.rglob("*")
        if file.is_file()
    ]
    store = open_object_store(settings.objects_url)
    objects = [(info.key, await store.get(info.key)) async for info in store.list("evidence")]
    cells = list(_cells(settings))
    found: dict[str, set[str]] = {}
    readable = [*cells, *await _opened(settings, keys)]
    for place, content in (*files, *objects, *readable):
        for view in _views(content):
            if isinstance(view, bytes):
                for kind, traces in known.items():
                    if any(trace in view for trace in traces):
                        found.setdefault(kind, set()).add(place)
                if _JPEG.search(view):
                    found.setdefault("JPEG", set()).add(place)
    for place, content in readable:
        if any(_has_embedding(view, len(vector)) for view in _views(content)):
            found.setdefault("embedding", set()).add(place)
    found["object"] = {key for key, _ in objects}
    found["scan memory"] = {place for place, _ in cells if place.startswith(("scan_memories", "scan_marks"))}
    return {kind: places for kind, places in found.items() if places}


def _settings(folder: Path) -> Settings:
    # No sandbox, in which the aligned face of the portrait is not kept.
    settings = settings_for(folder, sandbox=False)
    write_policy(folder / "policies", "kept", portrait="bytes", audit_images=4)
    write_policy(folder / "policies", "unkept", portrait="none", audit_images=0, biometrics=False)
    return settings


class _Checked:
    """A check that is decided, what its device sent, and what was found before and after the decision."""

    def __init__(self, live: LiveServer) -> None:
        self.live = live
        self.keys = KeyFolder(KeyFiles(live.settings.key_folder)).keys.wrapping_keys
        self.clear: dict[str, bytes] = {}

    async def open(self, policy: str) -> service_pb2.UploadTrustedImageResponse:
        """Upload the portrait, and look at the open check."""
        live = self.live
        upload = await live.upload(policy=policy)
        record = await live.record(upload.check_id)
        assert record.portrait_template is not None
        self.template_row = record.portrait_template
        self.clear["measurements"] = record.portrait_report
        self.opened = open_template(record, wrapping_keys=self.keys)
        self.sent = fresh_pictures()
        self.before = await self.search()
        return upload

    async def run(self, policy: str) -> None:
        live, upload = self.live, await self.open(policy)
        stream = await RawDevice(live.device, upload).open()
        session_key = (await live.record(upload.check_id)).session_key
        assert session_key is not None
        self.clear["session key"] = session_key
        assert "checks.session_key" in (await self.search())["session key"]
        await stream.run_attempt(self.sent)
        assert await stream.outcome() is None
        self.after = await self.search()
        self.answer: service_pb2.FinishCheckResponse = await live.finish(upload.check_id, audit_images=4)
        self.check_id = UUID(upload.check_id)

    async def search(self) -> Mapping[str, set[str]]:
        return await _search(self.live.settings, self.sent, self.opened, self.clear, self.keys)

    @property
    def files_with_template(self) -> set[str]:
        """The files that have the sealed template of the portrait, or its wrapped key."""
        return {
            file.name
            for file in self.live.settings.data_dir.rglob("*")
            if file.is_file()
            for content in [file.read_bytes()]
            if self.template_row.ciphertext in content or self.template_row.wrapped_key in content
        }


async def test_the_search_finds_everything_that_a_policy_keeps(tmp_path: Path) -> None:
    async with serving(_settings(tmp_path)) as live:
        checked = _Checked(live)
        await checked.run("kept")
        assert {"aligned face", "embedding"} <= set(checked.before)
        assert "sealed templates" in checked.before["embedding"] & checked.before["aligned face"]
        assert checked.files_with_template
        # SQLite's log has overwritten cells until it is cleaned: at once if the policy keeps no biometrics.
        log = "facegate.db-wal"
        after = {kind: places for kind, places in checked.after.items() if places != {log}}
        assert set(after) == {"image", "JPEG", "hash", "object", "scan memory"}
        assert "sealed images" in after["image"] & after["JPEG"]
        assert "sealed records" in after["hash"]
        # The portrait, the evidence frame and audit images.
        assert len(after["object"]) >= 3
        assert checked.answer.HasField("evidence_frame")


async def test_a_policy_without_biometrics_keeps_the_result_alone(tmp_path: Path) -> None:
    async with serving(_settings(tmp_path)) as live:
        checked = _Checked(live)
        await checked.run("unkept")
        # While the check is open, the portrait's template is there, sealed, and the search finds it.
        assert set(checked.before) == {"aligned face", "embedding", "measurements"}
        assert checked.before["embedding"] == checked.before["aligned face"] == {"sealed templates"}
        assert checked.after == {}
        assert checked.files_with_template == set()

        answer = checked.answer
        assert answer.result.status != result_pb2.CHECK_STATUS_UNSPECIFIED
        assert answer.result.HasField("liveness")
        assert answer.result.match.score > 0
        assert answer.result_jws
        assert not answer.result.HasField("evidence_frame")
        assert not answer.HasField("evidence_frame")
        assert not answer.audit_images
        assert not answer.evidence_problems
        assert answer.audit_image_shortfall == service_pb2.AUDIT_IMAGE_SHORTFALL_POLICY
        assert await checked.search() == {}
        record = record_from_bytes(dict(await _opened(live.settings, checked.keys))["sealed records"])
        assert (record.images, record.frames) == ((), ())
    # Nothing is written when the server stops, either.
    assert await checked.search() == {}


async def test_a_check_that_is_cancelled_after_an_attempt_keeps_no_biometrics(tmp_path: Path) -> None:
    async with serving(_settings(tmp_path)) as live:
        checked = _Checked(live)
        upload = await checked.open("unkept")
        stream = await RawDevice(live.device, upload).open()
        # Too few frames to count.
        await stream.run_attempt(checked.sent[:4])
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
        assert await checked.search() == {}
        assert checked.files_with_template == set()
