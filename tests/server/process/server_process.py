"""A server in a separate process, which can be killed."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import grpc
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from server.storage.database import open_database
from server.storage.records import AttemptRecord, CheckRecord
from server.storage.repository import CheckRepository
from tests.server.live import pictures, portrait, write_policies
from tests.server.policy_files import write_patient_policy
from tests.server.private_files import private
from tests.server.refusals import refused

if TYPE_CHECKING:
    from facegate.v1.verification_service_pb2_grpc import VerificationServiceAsyncStub

_START_SECONDS = 240
_SERVES = re.compile(r"Facegate serves: device (\S+), service (\S+), admin port (\d+)(?:, web (\S+))?")


class ServerProcess:
    """One run of ``facegate serve`` over a data folder."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.device_target = self.service_target = self.web_target = ""
        self.admin_port = 0
        self._device: grpc.aio.Channel | None = None
        self._service: grpc.aio.Channel | None = None

    async def ready(self) -> None:
        """Wait until it serves."""
        for _ in range(_START_SECONDS * 20):
            found = _SERVES.search(await self.written())
            if found:
                self._device = grpc.aio.insecure_channel(found[1])
                self._service = grpc.aio.insecure_channel(found[2])
                self.device_target, self.service_target = found[1], found[2]
                self.admin_port = int(found[3])
                self.web_target = found[4] or ""
                return
            assert self.process.returncode is None, await self.written()
            await asyncio.sleep(0.05)
        raise AssertionError(await self.written())

    async def written(self) -> str:
        """Its log so far."""
        return await asyncio.to_thread(self.log.read_text)

    @property
    def device(self) -> "VerificationServiceAsyncStub":
        assert self._device is not None
        return VerificationServiceStub(self._device)

    @property
    def service_channel(self) -> grpc.aio.Channel:
        assert self._service is not None
        return self._service

    @property
    def service(self) -> "VerificationServiceAsyncStub":
        return VerificationServiceStub(self.service_channel)

    async def upload(
        self,
        request_id: str,
        *,
        policy: str = "once",
        mode: "scan_pb2.Mode.ValueType" = scan_pb2.MODE_UNSPECIFIED,
    ) -> service_pb2.UploadTrustedImageResponse:
        # Rendered now: during an attempt, the time that it takes would be the device's.
        len(pictures())
        return await self.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                image=portrait(), policy=policy, mode=mode, request_id=request_id
            )
        )

    async def finish(self, check_id: str) -> service_pb2.FinishCheckResponse:
        return await self.service.FinishCheck(
            service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=4)
        )

    async def finished(self, check_id: str) -> service_pb2.FinishCheckResponse:
        """The result, after the lease of the stream of a dead server has ended."""
        for _ in range(600):
            try:
                return await self.finish(check_id)
            except grpc.aio.AioRpcError as error:
                refusal = refused(error)
                assert refusal.reason == "SCAN_IN_PROGRESS"
                assert refusal.retry_seconds
            await asyncio.sleep(0.1)
        raise AssertionError("the lease of a dead server never ended")

    @asynccontextmanager
    async def stopped_for(self, seconds: float) -> AsyncIterator[None]:
        """SIGSTOP now and SIGCONT after these seconds, whatever the block does; ends after the SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)

        async def go_on() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                self.process.send_signal(signal.SIGCONT)

        going_on = asyncio.create_task(go_on())
        try:
            yield
        except BaseException:
            going_on.cancel()
            raise
        finally:
            await asyncio.wait([going_on])

    async def kill(self) -> None:
        """SIGKILL: no clean-up runs."""
        self.process.send_signal(signal.SIGKILL)
        assert await self.process.wait() == -signal.SIGKILL
        await self._hang_up()

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(90):
            code = await self.process.wait()
        await self._hang_up()
        return code

    async def close(self) -> None:
        """Make sure that it has ended."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._hang_up()

    async def _hang_up(self) -> None:
        for channel in (self._device, self._service):
            if channel is not None:
                await channel.close()
        self._device = self._service = None


class DataFolder:
    """The state that outlives a server: its settings, data and policies."""

    def __init__(self, folder: Path, *, lease_seconds: float = 2.0, **tables: object) -> None:
        self._lease_seconds = lease_seconds
        folder.mkdir(parents=True, exist_ok=True)
        write_policies(folder / "policies", write=write_patient_policy)
        self.folder = folder
        self.data = folder / "data"
        self._runs = 0
        free = {"port": 0}
        settings = {
            "data_dir": str(self.data),
            "allow_evaluation_pack": True,
            "drain_seconds": 20.0,
            "runtime": {"workers": 2},
            "policies": {"folder": str(folder / "policies"), "default": "once"},
            "listeners": {"device": free, "service": free | {"local_sandbox": True}, "admin": free},
            "log": {"level": "debug", "format": "json"},
        } | tables
        self.config = private(folder / "facegate.toml", _toml(settings))

    @asynccontextmanager
    async def serving(
        self,
        *,
        open_files: tuple[int, int] | None = None,
        umask: int = -1,
        program: Sequence[str] | None = None,
    ) -> AsyncIterator[ServerProcess]:
        """Start a server over the folder; at the end of the block it has ended.

        Args:
            open_files: Its soft and hard limit on open file handles; those of this process by default.
            umask: The one that it starts with; that of this process by default.
            program: The program and its first arguments; by default ``facegate`` with the folder's lease.
        """
        self._runs += 1
        log = self.folder / f"run-{self._runs}.log"
        tuned = (sys.executable, "-m", "tests.server.process.tuned", str(self._lease_seconds))
        command = [*(program or tuned), "serve", "--config", str(self.config)]
        if open_files is not None:
            limits = f"ulimit -S -n {open_files[0]} && ulimit -H -n {open_files[1]}"
            command = ["sh", "-c", f'{limits} && exec "$@"', "sh", *command]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=output, stderr=output, umask=umask
            )
        server = ServerProcess(process, log)
        try:
            await server.ready()
            yield server
        finally:
            await server.close()

    def key_files(self) -> dict[str, bytes]:
        """Every file of the key folder."""
        return {path.name: path.read_bytes() for path in (self.data / "keys").iterdir()}

    def objects(self) -> set[str]:
        """Every file of the object folder but those of the audit log's witness."""
        folder = self.data / "objects"
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        return {file for file in files if not file.startswith("audit-witness/")}

    @asynccontextmanager
    async def database(self) -> AsyncIterator["Database"]:
        """Access to the database."""
        database = open_database(f"sqlite:///{self.data / 'facegate.db'}")
        try:
            yield Database(CheckRepository(database))
        finally:
            await database.close()


class Database:
    """Reads the data that a server wrote."""

    def __init__(self, repository: CheckRepository) -> None:
        self.repository = repository

    async def record(self, check_id: str) -> CheckRecord:
        record = await self.repository.get(UUID(check_id))
        assert record is not None
        return record

    async def attempts(self, check_id: str) -> tuple[AttemptRecord, ...]:
        return await self.repository.attempts(UUID(check_id))


def _toml(table: dict[str, object]) -> str:
    plain = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    nested = [f"{key} = {_inline(value)}" for key, value in table.items() if isinstance(value, dict)]
    return "\n".join([*plain, *nested]) + "\n"


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


# The ``facegate`` command in a process of its own.

FACEGATE = str(Path(sys.executable).with_name("facegate"))


async def run_facegate(*arguments: str) -> tuple[int, str, str]:
    """Run the command; its exit status, output and messages."""
    process = await asyncio.create_subprocess_exec(
        FACEGATE, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, messages = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), messages.decode()
