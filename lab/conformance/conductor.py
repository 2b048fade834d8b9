"""Runs the scenarios one after another, against whatever client connects."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lab.conformance.clients import Client, ClientReport
from lab.conformance.endpoint import Addresses, ClientStream
from lab.conformance.opening import Start, Ticket, read_start
from lab.conformance.rules import Rule, Violation
from lab.conformance.scan import Scan, Scenario, Streams, next_stream
from server.base.errors import Reason, Refusal

_SCRIPT_SECONDS: Final = 100.0
_LEAVE_SECONDS: Final = 15.0


class Verdict(StrEnum):
    """How a scenario ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    """The client does not announce the capability that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one scenario."""

    scenario: Scenario
    verdict: Verdict
    rule: Rule | None = None
    detail: str = ""
    transport: str = ""
    streams: int = 0
    seconds: float = 0.0


class Conductor:
    """Gives each new scan of the client the next scenario."""

    def __init__(self, ticket: Ticket, *, wait_s: float) -> None:
        """Start without streams."""
        self._ticket = ticket
        self._wait_s = wait_s
        self._streams: Streams = asyncio.Queue()
        self._used: set[bytes] = set()

    def add_stream(self, stream: ClientStream) -> None:
        """Take a new stream."""
        self._streams.put_nowait(stream)

    async def run(
        self, scenarios: Iterable[Scenario], addresses: Addresses, client: Client | None
    ) -> AsyncIterator[Outcome]:
        """Run scenarios and yield the outcome of each.

        Args:
            client: Starts the client once for each scan; ``None`` if a person does.
        """
        running: asyncio.Task[ClientReport] | None = None
        start: Start | None = None
        for scenario in scenarios:
            begun = asyncio.get_running_loop().time()
            if client is not None and running is None:
                running = asyncio.create_task(client.scan(self._ticket, addresses))
            try:
                start = start or await self._first(running)
            except Violation as broken:
                yield Outcome(
                    scenario=scenario, verdict=Verdict.FAILED, rule=broken.rule, detail=broken.detail
                )
                await self._leave(running)
                running = None
                continue
            if not scenario.needs <= start.capabilities:
                yield Outcome(scenario=scenario, verdict=Verdict.NOT_APPLICABLE)
                continue
            first, start = start, None
            outcome = await self._play(scenario, first, running)
            running = None
            yield replace(outcome, seconds=asyncio.get_running_loop().time() - begun)
        await self._leave(running)

    async def _first(self, running: "asyncio.Task[ClientReport] | None") -> Start:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_s
        while stream := await next_stream(self._streams, running, within_s=until - loop.time()):
            try:
                start = await read_start(stream, self._ticket)
                if start.message.session_public_key not in self._used:
                    return start
                if not start.message.resume:
                    raise Violation(
                        Rule.SESSION_KEY,
                        "a new scan has the session key of an older one; make a new key pair",
                    )
            except Violation as broken:
                stream.finish(Refusal(broken.rule.reason, broken.detail))
                raise
            stream.finish(_closed())
        if running is not None and running.done():
            said = running.result().said
            raise Violation(Rule.START_IN_TIME, f"the client ended without a scan: {said}")
        raise Violation(Rule.START_IN_TIME, f"no client began a scan within {self._wait_s:g} seconds")

    async def _play(
        self, scenario: Scenario, start: Start, running: "asyncio.Task[ClientReport] | None"
    ) -> Outcome:
        self._used.add(start.message.session_public_key)
        broken: Violation | None = None
        scan = Scan(self._ticket, self._streams, running)
        try:
            await scan.admit(start.stream)
            async with asyncio.timeout(_SCRIPT_SECONDS):
                await scenario.script(scan)
        except Violation as error:
            broken = error
        except TimeoutError:
            broken = Violation(Rule.OUTCOME, f"the scenario took more than {_SCRIPT_SECONDS:g} seconds")
        for stream in scan.streams:
            stream.finish(None if broken is None else Refusal(broken.rule.reason, broken.detail))
        report = await self._leave(running)
        if broken is None and report is not None and report.has_result != scenario.reports_result:
            broken = Violation(Rule.OUTCOME, _wrong(report, scenario))
        return Outcome(
            scenario=scenario,
            verdict=Verdict.PASSED if broken is None else Verdict.FAILED,
            rule=None if broken is None else broken.rule,
            detail="" if broken is None else broken.detail,
            transport=scan.streams[-1].transport,
            streams=len(scan.streams),
        )

    async def _leave(self, running: "asyncio.Task[ClientReport] | None") -> ClientReport | None:
        """Wait until the client has ended. Streams that it still opens are refused."""
        if running is None:
            return None
        loop = asyncio.get_running_loop()
        until = loop.time() + _LEAVE_SECONDS
        while stream := await next_stream(self._streams, running, within_s=until - loop.time()):
            stream.finish(_closed())
        if not running.done():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return ClientReport(has_result=None, said=f"it did not end within {_LEAVE_SECONDS:g} seconds")
        return running.result()


def _closed() -> Refusal:
    return Refusal(Reason.CHECK_CLOSED, "the scenario of this scan is over")


def _wrong(report: ClientReport, scenario: Scenario) -> str:
    if report.has_result is None:
        return f"the client did not report the end of the scan: {report.said}"
    if scenario.reports_result:
        return f"the client reports no result, and the server sent one: {report.said or 'it says nothing'}"
    return "the client reports a result, and the server sent none; it must say why there is none"
