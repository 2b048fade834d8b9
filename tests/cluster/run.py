"""A run: devices arrive, faults befall the cluster, and afterwards every verdict is looked for."""

import asyncio
import itertools
import math
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from facegate.v1 import scan_pb2

from facegate_client import ClientError
from tests.cluster.devices import Backend, Film, Phase, Visit, crowd, visit
from tests.cluster.servers import FAULTS, Cluster, running_cluster
from tests.cluster.soak import Sample, growth, sample
from tests.server.process.server_process import run_facegate

Say = Callable[[str], None]

_STUCK_SECONDS = 900.0
"""After which a check counts as stuck. Every wait of it is bounded by far less."""
_OVERLOAD = 1.5
_AT_ONCE = 8
_AUDIT_IMAGES = 2
_SAMPLES = 120
_TOLD = {scan_pb2.SCAN_STATUS_SUCCESS: {"SUCCESS"}, scan_pb2.SCAN_STATUS_FAILURE: {"FAILURE", "NOT_DECIDED"}}
"""The verdicts that agree with the status a device received; COMPLETED agrees with all."""
_GONE = {"ABANDONED", "CANCELLED", "EXPIRED"}
"""Reasons of a check whose device left, as it says itself."""
_UNSEEN = {"CHALLENGE_BITS_TOO_FEW", "CONDITIONS", "LIVENESS_INCONCLUSIVE"}
"""Reasons of a person of whom too few frames were seen."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens.

    Attributes:
        minutes: The least length.
        faults: Names of ``FAULTS``, in order.
        away_s: For how long each takes a part away, seconds.
        scans: Scans that each server holds; ``None`` for as many as it takes by itself.
        pack: The pack of the servers.
        soak: Whether the load stays within capacity, and growth is looked for.
        busy: Whether the machine has other work, so that people may not have been seen well enough.
    """

    minutes: float
    faults: tuple[str, ...] = tuple(FAULTS)
    away_s: float = 20.0
    scans: int | None = None
    pack: str = "embedded"
    soak: bool = False
    busy: bool = False


@dataclass
class Report:
    """What came of it.

    Attributes:
        visits: Every check.
        problems: Why the run fails; none if it passes.
        seconds: Its length.
        capacity: Scans that the servers hold together.
        orphans: Objects without a row, which the sweep removes within the hour.
        unkept: Checks that failed while the object store was away, whose images could not be kept.
        samples: What a soak measured.
    """

    folder: Path
    visits: list[Visit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    capacity: int = 0
    orphans: int = 0
    unkept: int = 0
    samples: list[Sample] = field(default_factory=list)

    def table(self) -> list[dict[str, object]]:
        """Rows by kind, and then by what befell the cluster."""
        kinds = dict.fromkeys(visit.device.kind for visit in self.visits)
        phases = dict.fromkeys(phase for visit in self.visits for phase, _ in visit.waits)
        rows = []
        for kind in kinds:
            these = [visit for visit in self.visits if visit.device.kind == kind]
            row: dict[str, object] = {"of": kind, "checks": len(these)}
            row |= {
                name: sum(v.status == name for v in these) for name in ("SUCCESS", "FAILURE", "NOT_DECIDED")
            }
            row |= {"left": sum(bool(v.left) for v in these), "resumed": sum(v.streams > 1 for v in these)}
            rows.append(row | _spread([wait for visit in these for _, wait in visit.waits]))
        for phase in phases:
            waits = [wait for visit in self.visits for when, wait in visit.waits if when == phase]
            rows.append({"of": f"during: {phase}", **_spread(waits)})
        return rows

    def document(self) -> dict[str, object]:
        """What was counted."""
        refusals = [refusal for visit in self.visits for refusal in visit.refusals]
        asked = [asked for asked, _ in refusals]
        return {
            "seconds": round(self.seconds),
            "capacity": self.capacity,
            "checks": len(self.visits),
            "verdicts": dict(Counter(visit.status for visit in self.visits)),
            "reasons": dict(Counter(reason for visit in self.visits for reason in visit.reasons)),
            "left": dict(Counter(visit.left for visit in self.visits if visit.left)),
            "refusals": len(refusals),
            "refusal_seconds": _spread([took for _, took in refusals]),
            "retry_seconds": [min(asked), max(asked)] if asked else [],
            "lost_connections": sum(visit.lost for visit in self.visits),
            "resumed": sum(visit.streams > 1 for visit in self.visits),
            "orphans": self.orphans,
            "images_not_kept": self.unkept,
        }


def _spread(values: Sequence[float]) -> dict[str, object]:
    ordered = sorted(values)
    if not ordered:
        return {"results": 0}

    def quantile(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 3)

    return {"results": len(ordered), "p50": quantile(0.5), "p95": quantile(0.95), "max": quantile(1.0)}


class _Run:
    def __init__(
        self, plan: Plan, report: Report, say: Say, *, cluster: Cluster, backend: Backend, film: Film
    ) -> None:
        self._plan = plan
        self._cluster = cluster
        self._backend = backend
        self._report = report
        self._say = say
        self._film = film
        self._phase = Phase()
        self._stop = asyncio.Event()
        self._next = itertools.cycle(crowd())
        self._open = 0
        self._stuck = False
        self._arrived = asyncio.Event()

    async def go(self) -> None:
        capacity = self._report.capacity = await self._capacity()
        devices = capacity if self._plan.soak else math.ceil(_OVERLOAD * capacity)
        self._say(f"{capacity} scans fit, {devices} devices come")
        began = time.monotonic()
        coming = [asyncio.create_task(self._come()) for _ in range(devices)]
        telling = asyncio.create_task(self._tell(began))
        try:
            await self._befall(began + 60 * self._plan.minutes)
            await self._each_kind_had_its_verdict()
            self._stop.set()
            self._phase.name = "end"
            await asyncio.gather(*coming)
        finally:
            for task in (*coming, telling):
                task.cancel()
            await asyncio.gather(*coming, telling, return_exceptions=True)
            self._report.seconds = time.monotonic() - began

    async def _capacity(self) -> int:
        return sum([await replica.holds() for replica in self._cluster.replicas])

    async def _come(self) -> None:
        while not self._stop.is_set():
            device = next(self._next)
            self._open += 1
            try:
                async with asyncio.timeout(_STUCK_SECONDS):
                    done = await visit(
                        device,
                        cluster=self._cluster,
                        backend=self._backend,
                        film=self._film,
                        phase=self._phase,
                    )
            except Exception:  # noqa: BLE001 - reported, and the others go on
                self._stuck = True
                self._fail(f"{device.kind}, during {self._phase.name}: {traceback.format_exc()}")
                await asyncio.sleep(1.0)
            else:
                self._report.visits.append(done)
                for problem in problems_of(done, busy=self._plan.busy):
                    self._fail(problem)
            finally:
                self._open -= 1
                self._arrived.set()

    async def _befall(self, until: float) -> None:
        """Each fault in its own part of the time; between two of them the cluster is left alone."""
        faults = self._plan.faults
        part = max(0.0, until - time.monotonic()) / (len(faults) + 1)
        if self._plan.soak:
            await self._sample(until)
            return
        await self._each_kind_had_its_verdict()
        for number, fault in enumerate(faults, start=1):
            await asyncio.sleep(max(0.0, until - part * (len(faults) + 1 - number) - time.monotonic()))
            self._phase.name = fault
            self._say(f"{fault}: begins")
            try:
                await FAULTS[fault](self._cluster, self._plan.away_s)
            except Exception:  # noqa: BLE001 - reported with all that follows from it
                self._fail(f"{fault}: {traceback.format_exc()}")
                return
            self._say(f"{fault}: over")
            await self._verdicts_come()
            self._phase.name = "steady"
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _verdicts_come(self) -> None:
        """Wait until as many checks are decided as scans fit: the cluster has recovered."""
        wanted = len(self._report.visits) + self._report.capacity
        await self._until(lambda: len(self._report.visits) >= wanted)

    async def _each_kind_had_its_verdict(self) -> None:
        kinds = {device.kind for device in crowd()}
        await self._until(lambda: kinds <= {visit.device.kind for visit in self._report.visits})

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for what follows from verdicts, unless none may come any more."""
        while not condition() and not self._stuck:
            self._arrived.clear()
            await self._arrived.wait()

    async def _sample(self, until: float) -> None:
        every = max(10.0, 60 * self._plan.minutes / _SAMPLES)
        while time.monotonic() < until:
            await asyncio.sleep(every)
            self._report.samples.append(await sample(self._cluster, checks=len(self._report.visits)))
        for problem in growth(self._report.samples):
            self._fail(problem)

    async def _tell(self, began: float) -> None:
        while True:
            await asyncio.sleep(10.0)
            visits = self._report.visits
            statuses = Counter(visit.status for visit in visits)
            counts = ", ".join(f"{number} {status}" for status, number in sorted(statuses.items()))
            minutes, seconds = divmod(round(time.monotonic() - began), 60)
            self._say(
                f"{minutes:02d}:{seconds:02d} {self._phase.name}: {counts or 'no verdict yet'}; "
                f"{self._open} open, "
                f"{sum(len(visit.refusals) for visit in visits)} refusals, "
                f"{sum(visit.streams > 1 for visit in visits)} resumed, {len(self._report.problems)} problems"
            )

    def _fail(self, problem: str) -> None:
        self._report.problems.append(problem)
        self._say(f"PROBLEM: {problem}")


def problems_of(done: Visit, *, busy: bool) -> Iterable[str]:
    """What may not be so of one check."""
    name = f"{done.device.kind} ({done.check_id}, during {done.phase})"
    for fault in done.faults:
        yield f"{name}: {fault}"
    if done.told in _TOLD and done.status not in _TOLD[done.told]:
        told = scan_pb2.ScanStatus.Name(done.told)
        yield f"{name}: the device received {told}, but the verdict is {done.status}"
    if done.device.attack and done.status == "SUCCESS":
        yield f"{name}: an attacker succeeded"
    allowed = (_GONE if done.left else set()) | (_UNSEEN if busy else set())
    if not done.device.attack and done.status == "FAILURE" and not set(done.reasons) <= allowed:
        reasons = ", ".join(done.reasons)
        yield f"{name}: a genuine person failed: {reasons}; the device says: {done.left or 'nothing'}"


async def _verify(cluster: Cluster, backend: Backend, report: Report) -> None:
    """Look for every acknowledged verdict, and for what is there without one."""
    problems = report.problems
    # What speaks against a person stands although the object store is away (docs/threat_model.md): the
    # server says at once that it could not keep the images.
    unkept = cluster.logged("picture_not_kept")
    report.unkept = len(unkept)
    for start in range(0, len(report.visits), _AT_ONCE):
        some = report.visits[start : start + _AT_ONCE]
        for found in await asyncio.gather(*(_again(done, backend, unkept=unkept) for done in some)):
            problems += found

    async def none(what: str, query: str) -> None:
        found = await cluster.select(query)
        if found:
            problems.append(f"{what}: {len(found)}, such as {found[0]}")

    known = {done.check_id for done in report.visits}
    rows = {str(row[0]) for row in await cluster.select("SELECT check_id FROM checks")}
    if known - rows:
        problems.append(f"acknowledged checks without a row: {known - rows}")
    if len(known) != len(report.visits):
        problems.append("two uploads were given one check")
    if rows - known and not any("Traceback" in problem for problem in problems):
        problems.append(f"checks that nobody was given: {rows - known}")
    await none("checks that are not over", "SELECT check_id, state FROM checks WHERE state != 'finished'")
    await none("checks with a lease", "SELECT check_id FROM checks WHERE lease_until > now()")
    await none("attempts without an outcome", "SELECT check_id, number FROM attempts WHERE outcome IS NULL")
    await none(
        "verdicts that were not delivered once",
        "SELECT c.check_id, count(a.check_id) FROM checks c LEFT JOIN audit_events a"
        " ON a.check_id = CAST(c.check_id AS text) AND a.action = 'result.delivered'"
        " GROUP BY c.check_id HAVING count(a.check_id) != 1",
    )
    await none(
        "verdicts without one record",
        "SELECT c.check_id FROM checks c LEFT JOIN evidence_records r USING (check_id)"
        " WHERE r.check_id IS NULL",
    )
    await _verify_objects(cluster, report, unkept=unkept)
    config = str(cluster.replicas[0].home.config)
    with patch.dict(os.environ, {"FACEGATE_CONFIG": config}):
        code, told, messages = await run_facegate("audit", "verify")
    if code:
        problems.append(f"the audit log is not whole: {told}{messages}")


async def _again(done: Visit, backend: Backend, *, unkept: set[str]) -> list[str]:
    """What is wrong with an acknowledged verdict, asked for again."""
    assert done.response is not None
    named = f"{done.device.kind} ({done.check_id})"
    try:
        again = await backend.finish(done, images=_AUDIT_IMAGES)
    except ClientError as error:
        return [f"{named}: an acknowledged verdict is lost: {error}"]
    problems = []
    if again.result != done.response.result:
        problems.append(f"{named}: the verdict is another one than was acknowledged")
    lost = [image.kind for image in again.evidence_problems]
    if done.status != "SUCCESS" and done.check_id in unkept:
        return problems
    if lost or len(again.audit_images) != len(again.result.audit_images):
        problems.append(f"{named}: evidence images cannot be read: {lost}")
    return problems


async def _verify_objects(cluster: Cluster, report: Report, *, unkept: set[str]) -> None:
    listed = await cluster.select("SELECT object_key, check_id FROM evidence")
    rows = {str(key) for key, _ in listed}
    keys = {info.key async for info in cluster.objects().list("evidence")}
    report.orphans = len(keys - rows)
    lost = {str(key) for key, check_id in listed if str(check_id) not in unkept} - keys
    if lost:
        report.problems.append(f"evidence without an object: {len(lost)}, such as {min(lost)}")
    interrupted = any(v.left or v.lost or "NOT_DECIDED" in v.status for v in report.visits)
    if keys - rows and not interrupted:
        report.problems.append(f"objects without a row, although nothing was interrupted: {keys - rows}")


async def run(plan: Plan, folder: Path, say: Say) -> Report:
    """Run a plan; what it writes, logs among it, lies in ``folder``."""
    report = Report(folder)
    this = asyncio.current_task()
    assert this is not None
    # As with Ctrl-C, everything that was started ends.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    say(f"logs: {folder}")
    film = Film(folder / "film")
    await asyncio.to_thread(film.make, crowd())
    async with (
        running_cluster(folder, scans=plan.scans, pack=plan.pack) as cluster,
        Backend.open(cluster) as backend,
    ):
        await _Run(plan, report, say, cluster=cluster, backend=backend, film=film).go()
        say("looking for every verdict")
        await _verify(cluster, backend, report)
    return report
