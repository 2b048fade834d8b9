"""The content that a whole server logs, and that it never logs."""

import io
import json
from pathlib import Path

import pytest
from facegate.v1 import result_pb2, scan_pb2

from tests.canaries import Canaries
from tests.server.live import pictures, portrait, serving, settings_for
from tests.server.raw_device import Ended, RawDevice


async def test_a_whole_check_leaves_nothing_biometric_and_no_secret_in_the_log(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload(subject_reference="subject-quetzal", consent_reference="consent-quetzal")
        device = RawDevice(live.device, upload)
        stream = await device.open()
        result = await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
        answer = await live.finish(upload.check_id, audit_images=4)
        assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
        broken = RawDevice(live.device, upload)
        broken.token = "B" + broken.token[1:]
        with pytest.raises(Ended, match="TOKEN_INVALID"):
            await broken.open()
        secrets = {path.name: path.read_bytes() for path in (tmp_path / "data" / "keys").iterdir()}
    written = log.getvalue()
    assert "serving" in written
    assert "call_refused" in written
    assert "quetzal" not in written
    canaries = Canaries()
    canaries.plant("token", upload.scan_token)
    canaries.plant("end of the token", upload.scan_token[30:])
    canaries.plant("signature", answer.result_jws[-40:])
    for name, secret in secrets.items():
        canaries.plant(name, secret)
    for number, image in enumerate([portrait(), *(picture.jpeg for picture in pictures())]):
        canaries.plant(f"image {number}", image)
    assert canaries.leaks(written) == []
    for line in written.splitlines():
        entry = json.loads(line)
        assert all(isinstance(value, str | int | float | bool | list | None) for value in entry.values()), (
            entry
        )
        assert len(line) < 20_000
