from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import ConfigurationError
from server.running.timestamps import TimestampAuthority, TimestampFailed, TimestampRoots
from tests.server.authority import LocalAuthority, local_authority

_MESSAGE = b"a checkpoint"


@pytest_asyncio.fixture(scope="module")
async def authority(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAuthority]:
    async with local_authority(tmp_path_factory.mktemp("tsa") / "authority") as served:
        yield served


@pytest.fixture(scope="module")
def roots(authority: LocalAuthority) -> TimestampRoots:
    return TimestampRoots(authority.roots)


async def test_a_time_stamp_proves_the_time_of_a_message(
    authority: LocalAuthority, roots: TimestampRoots
) -> None:
    timestamp = await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)
    assert abs(roots.verify(timestamp, _MESSAGE) - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(TimestampFailed):
        roots.verify(timestamp, _MESSAGE + b".")


async def test_another_authority_is_not_believed(
    authority: LocalAuthority, roots: TimestampRoots, tmp_path: Path
) -> None:
    async with local_authority(tmp_path / "other") as other:
        with pytest.raises(TimestampFailed):
            await TimestampAuthority(other.url, roots).stamp(_MESSAGE)
        timestamp = await TimestampAuthority(other.url, TimestampRoots(other.roots)).stamp(_MESSAGE)
    with pytest.raises(TimestampFailed):
        roots.verify(timestamp, _MESSAGE)


async def test_the_answer_to_another_request_is_refused(
    authority: LocalAuthority, roots: TimestampRoots
) -> None:
    earlier = await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)
    authority.answer = web.Response(body=earlier)
    with pytest.raises(TimestampFailed, match=r"[Nn]once"):
        await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (302, b""), (200, b""), (200, b"0" * 65_537), (200, b"<html>")]
)
async def test_other_answers_are_no_time_stamps(
    authority: LocalAuthority, roots: TimestampRoots, status: int, body: bytes
) -> None:
    authority.answer = web.Response(status=status, body=body)
    with pytest.raises(TimestampFailed):
        await TimestampAuthority(authority.url, roots).stamp(_MESSAGE)


async def test_an_authority_that_is_not_there(roots: TimestampRoots) -> None:
    with pytest.raises(TimestampFailed):
        await TimestampAuthority("http://127.0.0.1:1/tsa", roots).stamp(_MESSAGE)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(roots: TimestampRoots, content: bytes) -> None:
    with pytest.raises(TimestampFailed):
        roots.verify(content, _MESSAGE)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_file_of_no_roots_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="timestamp_roots"):
        TimestampRoots(file)
