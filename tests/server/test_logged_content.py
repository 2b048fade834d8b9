"""The content that a whole server logs, and that it never logs."""

import io
import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from facegate.v1 import result_pb2, scan_pb2

from server.settings import LogLevel, LogSettings
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly
from tests.server.live import pictures, portrait, serving, settings_for
from tests.server.raw_device import Ended, RawDevice


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All log lines, down to debug."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=stream)
    yield stream
    log_plainly()
    root.handlers = handlers
    root.setLevel(level)


async def test_a_whole_check_leaves_nothing_biometric_and_no_secret_in_the_log(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload(subject_reference="subject-4711", consent_reference="consent-4711")
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
        secrets = [path.read_bytes() for path in (tmp_path / "data" / "keys").iterdir()]
    written = log.getvalue()
    assert "serving" in written
    assert "call_refused" in written
    assert upload.scan_token not in written
    assert upload.scan_token[30:] not in written
    assert answer.result_jws[-40:] not in written
    assert "4711" not in written
    for secret in secrets:
        assert secret.hex() not in written
        assert b64encode(secret).decode() not in written
    for image in [portrait(), *(picture.jpeg for picture in pictures())]:
        part = image[500:524]
        assert part.hex() not in written
        assert b64encode(part).decode() not in written
    for line in written.splitlines():
        entry = json.loads(line)
        assert all(isinstance(value, str | int | float | bool | list | None) for value in entry.values()), (
            entry
        )
        assert len(line) < 20_000
