"""Allowed targets of redirects, and the certificates that count."""

import asyncio
import ssl
import sys
from pathlib import Path

import pytest
import trustme
from yarl import URL

from cli.errors import (
    TransferFailed,
)
from cli.models.http_source import Patience, _target
from cli.models.install import pull_pack
from tests.cli.models.builders import CONTENTS, make_pack, snapshot
from tests.cli.models.mirror_server import (
    Mirror,
    cut_after,
    mirror_server,
    redirect,
)

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


@pytest.mark.parametrize("relative", [True, False])
async def test_redirects_are_followed(
    mirror: Mirror, tmp_path: Path, hasty: Patience, relative: bool
) -> None:
    mirror.files["store/a%2Fb"] = mirror.files["store/a/b"] = DATA
    mirror.script[NAME] = [redirect(("" if relative else mirror.base) + "/store/a%2Fb?sig=a%2Fb")]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS


async def test_after_a_redirect_a_broken_download_goes_on(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.files["store"] = DATA
    mirror.script[NAME] = [redirect("/store?sig=1"), redirect("/store?sig=2")]
    mirror.script["store"] = [cut_after(300_000)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges["store"] == [None, "bytes=300000-"]


@pytest.mark.parametrize("there", ["/loop", "/embedder.onnx", "/embedder.onnx#again"])
async def test_a_redirect_loop_is_refused(
    mirror: Mirror, tmp_path: Path, hasty: Patience, there: str
) -> None:
    mirror.script[NAME] = [redirect(there)] * 10
    mirror.script["loop"] = [redirect(f"/{NAME}")] * 10
    with pytest.raises(TransferFailed, match="loop"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests(NAME) == 1


async def test_a_long_chain_of_redirects_is_refused(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [redirect("/hop0")]
    for number in range(20):
        mirror.script[f"hop{number}"] = [redirect(f"/hop{number + 1}")]
    with pytest.raises(TransferFailed, match="more than 5 times"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests("hop5") == 0


@pytest.mark.parametrize("there", ["", "file:///etc/passwd", "ftp://host/file", "http://[x/"])
async def test_a_redirect_to_nowhere_is_refused(
    mirror: Mirror, tmp_path: Path, hasty: Patience, there: str
) -> None:
    mirror.script[NAME] = [redirect(there)]
    with pytest.raises(TransferFailed, match="redirects to"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)


def test_https_is_never_redirected_to_http() -> None:
    here = URL("https://a.example/x")
    with pytest.raises(TransferFailed, match=r"from https to http://b\.example/y, "):
        _target(here, here, "http://b.example/y?token=secret")
    plain = URL("http://a.example/x")
    assert _target(plain, plain, "https://b.example/y") == URL("https://b.example/y")


@pytest.mark.slow
async def test_only_a_trusted_certificate_will_do(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    async with mirror_server(CONTENTS, tls=tls) as mirror, mirror_server(CONTENTS) as plain:
        status, output = await _pull(mirror.base, tmp_path / "m", None)
        assert status == 2
        assert "no secure connection" in output
        mirror.script[NAME] = [redirect(f"{plain.base}/{NAME}")]
        status, output = await _pull(mirror.base, tmp_path / "m", pem)
        assert status == 2
        assert "redirects from https to http" in output
        status, output = await _pull(mirror.base, tmp_path / "m", pem)
        assert status == 0, output
    assert snapshot(tmp_path / "m/toy") == CONTENTS


async def _pull(source: str, models_dir: Path, authorities: Path | None) -> tuple[int, str]:
    """In a separate process, because the trusted certificates are fixed when it starts."""
    environment = {} if authorities is None else {"SSL_CERT_FILE": str(authorities)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli.models.pull_process", source, str(models_dir)),
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(output.decode().split())
