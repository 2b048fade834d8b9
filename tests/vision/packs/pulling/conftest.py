"""Fixtures for pulls."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from tests.vision.packs.pulling.mirror_server import Mirror, mirror_server
from tests.vision.packs.pulling.pulling import CONTENTS
from vision.packs.pulling import sources


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of these tests are on loopback, whatever proxies the environment sets; soon asked again.

    A busy machine's server may be silent for long.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)
    monkeypatch.setattr(sources, "STALL_SECONDS", 60.0)
    monkeypatch.setattr(sources, "PAUSE_SECONDS", 0.01)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The authority of the mirror's certificate."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The authority in a file that the environment names."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield path


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The mirror's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
async def mirror(tls: ssl.SSLContext, trusted: Path) -> AsyncIterator[Mirror]:
    """A server with the files of the simulated pack."""
    async with mirror_server(CONTENTS, tls=tls) as served:
        yield served
