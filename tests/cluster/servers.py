"""Two servers, PostgreSQL, an S3 and HAProxy with the shipped file, and what befalls them."""

import asyncio
import json
import os
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import aiohttp
from sqlalchemy import text

from facegate_client import KeySet, TlsSettings, fetch_key_set
from lab.conformance.endpoint import Relay
from server.storage.engine import open_postgresql
from server.storage.objects import ObjectStore, open_object_store
from server.storage.schema import upgrade
from tests.deploy.edge import Edge, EdgeFiles
from tests.ports import held_port
from tests.server.certificates import client_certificate
from tests.server.databases import PostgresServer, postgres_server
from tests.server.live import write_policies
from tests.server.object_stores import running_s3
from tests.server.policy_files import write_policy
from tests.server.process.server_process import DataFolder, ServerProcess

POLICY = "cluster"
"""Of all checks: the lines of the shipped policies, and a match that every pack supports."""
_PROGRAM = (sys.executable, "-m", "tests.server.process.tuned", "5")
"""``facegate`` with a lease that is shorter than the patience of a device."""
_BUCKET = "evidence"
_TEMPORARY = "temporary"
_SERVED_WITHIN = 120.0
_NAMES = ("one", "two")
_SCANS = re.compile(r'^facegate_places_limit\{kind="scans"\} (\S+)$', re.MULTILINE)


class Replica:
    """A server process of the cluster, which comes back at the same ports."""

    def __init__(self, name: str, home: DataFolder, cores: frozenset[int]) -> None:
        self.name = name
        self.home = home
        self._program: tuple[str, ...] = _PROGRAM
        if shutil.which("taskset"):
            self._program = ("taskset", "-c", ",".join(map(str, sorted(cores))), *_PROGRAM)
        self._stack = AsyncExitStack()
        self.server: ServerProcess | None = None

    @property
    def running(self) -> ServerProcess:
        """Its process."""
        assert self.server is not None, f"replica {self.name} does not run"
        return self.server

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        self.server = await self._stack.enter_async_context(self.home.serving(program=self._program))

    async def stop(self, *, kill: bool = False) -> None:
        """SIGTERM, and what runs goes on until the drain is over; or SIGKILL."""
        server = self.running
        if kill:
            await server.kill()
        else:
            server.terminate()
            code = await server.ended()
            assert code == 0, f"replica {self.name} ended with {code} after SIGTERM: {server.log}"
        self.server = None
        await self._stack.aclose()

    async def holds(self) -> int:
        """The scans that it takes at once, as its metrics say."""
        url = f"http://127.0.0.1:{self.running.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            found = _SCANS.search(await answer.text())
        assert found is not None, "the metrics have no limit of scans"
        return int(float(found[1]))

    async def close(self) -> None:
        """Make sure that it has ended."""
        self.server = None
        await self._stack.aclose()


class Cluster:
    """What runs.

    Attributes:
        replicas: The servers behind it.
        keys: With which results are verified.
        temporary: The servers' folder for temporary files.
    """

    def __init__(
        self,
        *,
        files: EdgeFiles,
        edge: Edge,
        replicas: tuple[Replica, ...],
        postgres: PostgresServer,
        s3: tuple[Relay, int],
        keys: KeySet,
        database_url: str,
    ) -> None:
        self.files = files
        self.edge = edge
        self.replicas = replicas
        self.keys = keys
        self.database_url = database_url
        self.temporary = files.folder / _TEMPORARY
        self._postgres = postgres
        self._s3, self._s3_target = s3

    @property
    def phone_tls(self) -> TlsSettings:
        """As a phone connects to the proxy."""
        return TlsSettings(root_certificates=self.files.ca, server_name="scan.example.com")

    @property
    def backend_tls(self) -> TlsSettings:
        """As a backend connects through the proxy."""
        own = client_certificate(common="backend")
        return TlsSettings(
            root_certificates=self.files.ca,
            client_certificate=own.pem,
            client_key=own.key_pem,
            server_name="backends.example.com",
        )

    def objects(self) -> ObjectStore:
        """The bucket of the evidence."""
        return open_object_store(f"s3://{_BUCKET}")

    async def select(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        engine = open_postgresql(self.database_url)
        try:
            async with engine.connect() as connection:
                return [tuple(row) for row in (await connection.execute(text(query))).all()]
        finally:
            await engine.dispose()

    def logged(self, event: str) -> set[str]:
        """The checks of which a server logged an event."""
        logs = (log for replica in self.replicas for log in replica.home.folder.glob("run-*.log"))
        lines = (line for log in logs for line in log.read_text().splitlines() if f'"{event}"' in line)
        return {json.loads(line)["check_id"] for line in lines}

    async def rolling_restart(self, away_s: float) -> None:
        """Every server ends by SIGTERM and comes back, one after the other."""
        for replica in self.replicas:
            await replica.stop()
            await replica.start()
            # As long as HAProxy needs to see that it is back.
            await asyncio.sleep(min(away_s, 6.0))

    async def kill(self, away_s: float) -> None:
        """A server is killed, and comes back."""
        await self.replicas[0].stop(kill=True)
        await asyncio.sleep(away_s)
        await self.replicas[0].start()

    async def database_restart(self, away_s: float) -> None:
        """The database ends at once, with all connections, and comes back."""
        await asyncio.to_thread(self._postgres.stop)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self._postgres.start)

    async def object_store_outage(self, away_s: float) -> None:
        """The S3 refuses connections, and comes back with its objects."""
        port = self._s3.port
        await self._s3.close()
        await asyncio.sleep(away_s)
        self._s3 = Relay(port=port)
        await self._s3.start(self._s3_target)

    async def certificates_renewed(self, away_s: float) -> None:
        """The servers' certificate is renewed on disk; both show the new one without a restart."""
        self.files.issue("server")
        renewed = ssl.PEM_cert_to_DER_cert(
            (self.files.folder / "server.pem").read_text().partition("-----END CERTIFICATE-----")[0]
            + "-----END CERTIFICATE-----\n"
        )

        async def shown() -> bool:
            targets = [replica.running.device_target for replica in self.replicas]
            return {await asyncio.to_thread(_certificate, target) for target in targets} == {renewed}

        await eventually(shown, "both servers show the renewed certificate")

    async def close(self) -> None:
        """End what the cluster itself started."""
        await asyncio.gather(*(replica.close() for replica in self.replicas))
        await self._s3.close()


FAULTS: dict[str, Callable[[Cluster, float], Awaitable[None]]] = {
    "rolling restart": Cluster.rolling_restart,
    "kill -9": Cluster.kill,
    "database restart": Cluster.database_restart,
    "S3 outage": Cluster.object_store_outage,
    "certificates": Cluster.certificates_renewed,
}
"""The faults of a cluster, by name; the argument is the length of an outage, seconds."""


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something holds that does not depend on how busy the machine is."""
    try:
        async with asyncio.timeout(_SERVED_WITHIN):
            while not await condition():  # noqa: ASYNC110 - another process answers
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise AssertionError(f"it did not come about that {what}") from error


def _certificate(target: str) -> bytes | None:
    host, _, port = target.rpartition(":")
    try:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port)), timeout=10))
    except OSError:
        return None


@asynccontextmanager
async def running_cluster(folder: Path, *, scans: int | None, pack: str) -> AsyncIterator[Cluster]:
    """Run a cluster until the block ends; its logs lie in ``folder``.

    Args:
        folder: For everything that it writes.
        scans: Scans that each server holds; ``None`` for as many as it takes by itself.
    """
    files = EdgeFiles(folder, sandbox=True)
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        database_url = await postgres.new_database()
        await upgrade(database_url)
        s3 = stack.enter_context(running_s3(folder))
        s3.make_bucket(_BUCKET)
        way, target = Relay(), int(s3.endpoint.rpartition(":")[2])
        await way.start(target)
        environment = s3.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{way.port}"}
        temporary = folder / _TEMPORARY
        temporary.mkdir()
        stack.enter_context(patch.dict(os.environ, environment | {"TMPDIR": str(temporary)}))
        cores = sorted(os.sched_getaffinity(0))
        share = max(1, len(cores) // len(_NAMES))
        replicas = tuple(
            Replica(
                name,
                DataFolder(
                    folder / name,
                    pack=pack,
                    storage={"database_url": database_url, "objects_url": f"s3://{_BUCKET}"},
                    keys={"folder": str(folder / "keys")},
                    listeners={
                        kind: listener | {"port": stack.enter_context(held_port())}
                        for kind, listener in files.listeners.items()
                    },
                    device_integrity=files.integrity,
                    limits={} if scans is None else {"max_scans": scans},
                    runtime={"workers": share},
                    log={"level": "info"},
                ),
                frozenset(cores[number * share : (number + 1) * share] or cores),
            )
            for number, name in enumerate(_NAMES)
        )
        for replica in replicas:
            stack.push_async_callback(replica.close)
            write_policies(replica.home.folder / "policies")
            write_policy(
                replica.home.folder / "policies",
                POLICY,
                maximum=5,
                reconnects=10,
                resume_seconds=30,
                # A scan may wait for a server that is away.
                attempt_seconds=30,
                tables="[challenge.raised]\nblink = false\ndepth = false\n",
            )
            # One after the other: the first makes the keys.
            await replica.start()
        first, *others = (replica.running for replica in replicas)
        changed = {"src 192.0.2.0/24": "src 127.0.0.0/8"}
        edge = await stack.enter_async_context(files.edge("haproxy", first, changed=changed, others=others))
        keys = await fetch_key_set(f"http://127.0.0.1:{first.admin_port}/.well-known/jwks.json")
        cluster = Cluster(
            files=files,
            edge=edge,
            replicas=replicas,
            postgres=postgres,
            s3=(way, target),
            keys=keys,
            database_url=database_url,
        )
        stack.push_async_callback(cluster.close)
        yield cluster
