"""Two replicas over one PostgreSQL share their state."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from facegate.v1 import result_pb2

from server.domain.terms import AttemptOutcome
from server.running.app import FacegateServer
from server.storage.errors import SchemaOutdated
from server.storage.schema import upgrade
from tests.server.live import pictures, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.postgres import PostgresServer
from tests.server.raw_device import RawDevice


@pytest.mark.slow
async def test_any_replica_answers_for_a_check(postgres: PostgresServer, tmp_path: Path) -> None:
    url = await postgres.new_database()
    settings = settings_for(tmp_path, storage={"database_url": url})
    early = FacegateServer(settings, pack=remembering_pack())
    with pytest.raises(SchemaOutdated, match="facegate db upgrade"):
        await early.start()
    await early.stop()
    await upgrade(url)

    async with serving(settings) as first, serving(settings) as second:
        request_id = str(uuid4())
        uploads = await asyncio.gather(
            *(replica.upload(request_id=request_id) for replica in (first, second) for _ in range(4))
        )
        assert len({(upload.check_id, upload.scan_token) for upload in uploads}) == 1
        upload = uploads[0]

        # The device loses its first replica in the middle of an attempt, and reconnects to the other.
        device = RawDevice(first.device, upload)
        lost = await device.open()
        await lost.begin()
        await lost.send_frames(pictures()[:10])
        device.rebind(second.device)
        stream = await device.resume()
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        refusal = await lost.outcome()
        assert refusal is not None
        # It notices either the loss of its lease or the decision first.
        assert refusal.reason in {"SUPERSEDED", "CHECK_CLOSED"}
        attempts = await first.attempts(upload.check_id)
        assert [attempt.outcome for attempt in attempts] == [
            AttemptOutcome.INTERRUPTED,
            AttemptOutcome.DECIDED,
        ]

        answers = await asyncio.gather(*(r.finish(upload.check_id) for r in (first, second, first)))
        assert {answer.result.status for answer in answers} == {result_pb2.CHECK_STATUS_SUCCESS}
        # The signatures differ, because ECDSA draws a number for each; the signed bytes do not.
        assert len({answer.result.SerializeToString(deterministic=True) for answer in answers}) == 1
        assert len({answer.result_jws.split(".")[1] for answer in answers}) == 1
        assert answers[0].evidence_frame.image in {picture.jpeg for picture in pictures()}
        assert not (tmp_path / "data" / "facegate.db").exists()
    await postgres.drop_database(url)
