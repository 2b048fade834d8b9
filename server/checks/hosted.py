"""Scans on the server's own page: the link that a person opens, and the hand-over to a phone.

The secret of a link is derived from the check (``ScanTokens``), so none is stored. The first browser that
opens it gets a secret in a cookie, and no other browser can open it from then on. That browser may show a
code, which one phone can open for a short time. The phone shows a number, and gets the scan token only once
the person has repeated that number in the first browser: whoever photographs the code cannot.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NoReturn
from uuid import UUID

import structlog

from server.access.sessions import SECRET_BYTES, secret_hash
from server.base.errors import invalid_field
from server.checks.progress import ProgressState, progress_state
from server.configuration.hosted import HostedSettings, expect_return_url
from server.domain.terms import CheckState, FailureReason
from server.keyring.keys import KeyRing
from server.storage.hosted import HostedRepository, HostedScan
from server.storage.records import CheckRecord
from server.storage.repository import CheckRepository

CODE_SECONDS: Final = 180
"""How long a code can be opened: long enough to find the phone, too short to be passed on by mail."""
_CODE_BYTES: Final = 16
_MOST_CODES: Final = 10
"""Codes of one check, each of which is one guess at a number of two digits."""
_LOCALE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedRequest:
    """What an orchestrator asks for; see ``facegate.v1.HostedScan``."""

    return_url: str
    locale: str
    expire_seconds: int


@dataclass(frozen=True, slots=True)
class HostedOffer:
    """Makes the links of new checks, if the settings have a page."""

    settings: HostedSettings | None
    keys: KeyRing

    def expect_allowed(self, request: HostedRequest) -> None:
        """Test whether the page may serve a request.

        Raises:
            Refusal: There is no page, or it may not return there (INVALID_FIELD).
        """
        settings = self.settings
        if settings is None:
            raise invalid_field("hosted", "this server has no page of its own: set listeners.web.hosted")
        if request.locale and _LOCALE.fullmatch(request.locale) is None:
            raise invalid_field("hosted.locale", "hosted.locale is no BCP 47 tag, such as pt-BR")
        if not request.return_url:
            return
        try:
            expect_return_url(request.return_url)
        except ValueError as error:
            raise invalid_field("hosted.return_url", f"hosted.return_url is refused: {error}") from error
        if not settings.may_return_to(request.return_url):
            raise invalid_field(
                "hosted.return_url",
                "hosted.return_url is not below one of the addresses in listeners.web.hosted.return_urls",
            )

    def scan(
        self, request: HostedRequest, check_id: UUID, *, now: datetime, deadline: datetime
    ) -> HostedScan:
        """Return what is stored of a new check.

        Args:
            deadline: When its scan must be over.
        """
        asked = now + timedelta(seconds=request.expire_seconds) if request.expire_seconds else deadline
        return HostedScan(check_id=check_id, return_url=request.return_url, expire_time=min(asked, deadline))

    def link(self, request: HostedRequest, check_id: UUID) -> str:
        """Return the address that the person opens. Browsers keep its fragment to themselves."""
        origin = "" if self.settings is None else self.settings.origin
        language = f"&lang={request.locale}" if request.locale else ""
        return f"{origin}/scan#link={self.keys.links.issue(check_id)}{language}"


class HostedProblem(StrEnum):
    """Why the page cannot go on; it has a text for each."""

    UNKNOWN = "unknown"
    """The link or the browser belongs to no check, or not any more."""
    USED = "used"
    """Another browser opened the link."""
    EXPIRED = "expired"
    """The time for the link, or for the scan, is over."""
    CLOSED = "closed"
    """The check was decided or cancelled."""
    CODE_UNKNOWN = "code_unknown"
    """The code was replaced, refused, or never made."""
    CODE_USED = "code_used"
    """Another device opened the code."""
    CODE_EXPIRED = "code_expired"
    """The time for the code is over."""
    NOT_CONFIRMED = "not_confirmed"
    """The phone is not confirmed."""
    WRONG_NUMBER = "wrong_number"
    """It is not the number that the phone shows."""
    HANDED_OVER = "handed_over"
    """The confirmed phone has the scan token, which nobody can take back from it."""
    TOO_MANY = "too_many"
    """Too many codes were shown."""


class HostedRefused(Exception):
    """The page cannot go on.

    Attributes:
        problem: Why.
    """

    def __init__(self, problem: HostedProblem) -> None:
        """Set the cause."""
        super().__init__(problem.value)
        self.problem = problem


class HostedStage(StrEnum):
    """The state of a check, as the page shows it: it says nothing about the result."""

    WAITING = "waiting"
    SCANNING = "scanning"
    INTERRUPTED = "interrupted"
    DONE = "done"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_STAGES: Final = {
    ProgressState.WAITING: HostedStage.WAITING,
    ProgressState.SCANNING: HostedStage.SCANNING,
    ProgressState.INTERRUPTED: HostedStage.INTERRUPTED,
    ProgressState.DECIDED: HostedStage.DONE,
    ProgressState.CLOSED: HostedStage.DONE,
    ProgressState.EXPIRED: HostedStage.EXPIRED,
}
_OVER: Final = {
    HostedStage.DONE: HostedProblem.CLOSED,
    HostedStage.CANCELLED: HostedProblem.CLOSED,
    HostedStage.EXPIRED: HostedProblem.EXPIRED,
}


class HandOver(StrEnum):
    """The state of a hand-over."""

    NONE = "none"
    SHOWN = "shown"
    """A code is shown, and can be opened."""
    LAPSED = "lapsed"
    """Nobody opened it in time."""
    ASKING = "asking"
    """A phone opened it, and waits for the person to repeat its number."""
    CONFIRMED = "confirmed"
    """The phone may scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedView:
    """What a browser may know.

    Attributes:
        phone: Whether it is the phone of a hand-over; otherwise it is the browser that opened the link.
        return_url: Where it returns the person; empty for nowhere. The phone returns nowhere.
        number: The number that the phone shows until it is confirmed.
        code_reopened: Whether a second device opened the code.
    """

    check_id: UUID
    phone: bool
    stage: HostedStage
    return_url: str
    hand_over: HandOver
    number: int | None = field(default=None, repr=False)
    code_reopened: bool = False


@dataclass(frozen=True, slots=True)
class HostedTicket:
    """What a device needs to scan.

    Attributes:
        challenge_key_sha256: SHA-256 of the SubjectPublicKeyInfo of the key that signs the Challenge.
    """

    token: str = field(repr=False)
    challenge_key_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedScans:
    """Serves the page. A browser is known by the secret in its cookie."""

    repository: HostedRepository
    checks: CheckRepository
    keys: KeyRing
    now: Callable[[], datetime]

    async def open_link(self, link: str, secret: str | None) -> tuple[HostedView, str]:
        """Bind a link to a browser, also when the check is over: the browser still gets the way back.

        Args:
            secret: The secret in the browser's cookie, if it has one. It is used if it is that of another
                check; the browser may have invented it.

        Returns:
            What the browser may know, and its secret.

        Raises:
            HostedRefused: UNKNOWN, USED or EXPIRED.
        """
        check_id = self.keys.links.check_id_of(link)
        if check_id is None:
            _refuse(HostedProblem.UNKNOWN)
        record, now = await self._record(check_id), self.now()
        secret = await self._known_or_new(secret)
        digest = secret_hash(secret)

        def bind(scan: HostedScan) -> HostedScan:
            if scan.browser_sha256 == digest:
                return scan
            if scan.browser_sha256 is not None:
                _log.warning("hosted_link_reopened", check_id=str(check_id))
                _refuse(HostedProblem.USED)
            if now >= scan.expire_time and _stage(record, now) not in _OVER:
                _refuse(HostedProblem.EXPIRED)
            return replace(scan, browser_sha256=digest)

        return _view(await self._changed(check_id, bind), record, digest, now), secret

    async def open_code(self, code: str, secret: str | None) -> tuple[HostedView, str]:
        """Bind the code of a hand-over to a phone; see ``open_link``.

        Raises:
            HostedRefused: UNKNOWN, EXPIRED, CLOSED, CODE_UNKNOWN, CODE_USED or CODE_EXPIRED.
        """
        code_sha256 = secret_hash(code)
        found = await self.repository.find_by_code(code_sha256)
        if found is None:
            _refuse(HostedProblem.CODE_UNKNOWN)
        record, now = await self._record(found.check_id), self.now()
        secret = await self._known_or_new(secret)
        digest = secret_hash(secret)
        number = 10 + secrets.randbelow(90)

        def bind(scan: HostedScan) -> HostedScan:
            if digest in (scan.browser_sha256, scan.phone_sha256):
                return scan
            if scan.code_sha256 != code_sha256 or scan.code_expire_time is None:
                _refuse(HostedProblem.CODE_UNKNOWN)
            if scan.phone_sha256 is not None:
                return replace(scan, code_reopened=True)
            _expect_waiting(record, now)
            if now >= scan.code_expire_time:
                _refuse(HostedProblem.CODE_EXPIRED)
            return replace(scan, phone_sha256=digest, phone_number=number)

        scan = await self._changed(found.check_id, bind)
        if digest not in (scan.browser_sha256, scan.phone_sha256):
            # The change is stored, so that the first browser sees it.
            _log.warning("hosted_code_reopened", check_id=str(found.check_id))
            _refuse(HostedProblem.CODE_USED)
        return _view(scan, record, digest, now), secret

    async def view(self, check_id: UUID, secret: str | None) -> HostedView:
        """Return what a browser may know.

        Raises:
            HostedRefused: The check is not this browser's, or is erased (UNKNOWN).
        """
        scan, record, digest = await self._own(check_id, secret)
        return _view(scan, record, digest, self.now())

    async def ticket(self, check_id: UUID, secret: str | None) -> HostedTicket:
        """Return what a browser needs to scan.

        Raises:
            HostedRefused: UNKNOWN, EXPIRED, CLOSED, or NOT_CONFIRMED for a phone.
        """
        _, record, digest = await self._own(check_id, secret)
        _expect_open(record, self.now())

        def give(scan: HostedScan) -> HostedScan:
            if digest == scan.browser_sha256:
                return scan
            if digest != scan.phone_sha256:
                _refuse(HostedProblem.UNKNOWN)
            if not scan.phone_confirmed:
                _refuse(HostedProblem.NOT_CONFIRMED)
            return replace(scan, phone_ticket=True)

        await self._changed(check_id, give)
        return HostedTicket(
            token=self.keys.tokens.issue(check_id),
            challenge_key_sha256=record.challenge_key_sha256,
        )

    async def show_code(self, check_id: UUID, secret: str | None) -> str:
        """Return a new code for a phone; an earlier one, and its phone, count no more.

        Raises:
            HostedRefused: UNKNOWN, EXPIRED, CLOSED, HANDED_OVER or TOO_MANY.
        """
        _, record, digest = await self._own(check_id, secret)
        now = self.now()
        _expect_waiting(record, now)
        code = secrets.token_urlsafe(_CODE_BYTES)

        def begin(scan: HostedScan) -> HostedScan:
            _expect_browser(scan, digest)
            if scan.phone_ticket:
                _refuse(HostedProblem.HANDED_OVER)
            if scan.codes >= _MOST_CODES:
                _refuse(HostedProblem.TOO_MANY)
            return replace(
                _without_phone(scan),
                codes=scan.codes + 1,
                code_sha256=secret_hash(code),
                code_expire_time=min(now + timedelta(seconds=CODE_SECONDS), record.scan_deadline),
            )

        await self._changed(check_id, begin)
        return code

    async def answer(self, check_id: UUID, secret: str | None, number: int | None) -> HostedView:
        """Confirm the phone whose number the person repeats; any other answer sends it away.

        Args:
            number: The number; ``None`` if the person has no such phone.

        Raises:
            HostedRefused: UNKNOWN, or WRONG_NUMBER.
        """
        _, record, digest = await self._own(check_id, secret)

        def settle(scan: HostedScan) -> HostedScan:
            _expect_browser(scan, digest)
            if scan.phone_sha256 is None or scan.phone_confirmed:
                return scan
            if number is not None and number == scan.phone_number:
                return replace(scan, phone_confirmed=True)
            return _without_phone(scan)

        scan = await self._changed(check_id, settle)
        if number is not None and not scan.phone_confirmed:
            _log.warning("hosted_phone_refused", check_id=str(check_id))
            _refuse(HostedProblem.WRONG_NUMBER)
        return _view(scan, record, digest, self.now())

    async def _record(self, check_id: UUID) -> CheckRecord:
        record = await self.checks.get(check_id)
        if record is None or record.state is CheckState.ERASED:
            _refuse(HostedProblem.UNKNOWN)
        return record

    async def _own(self, check_id: UUID, secret: str | None) -> tuple[HostedScan, CheckRecord, bytes]:
        scan = await self.repository.find(check_id)
        digest = secret_hash(secret or "")
        if scan is None or not secret or digest not in (scan.browser_sha256, scan.phone_sha256):
            _refuse(HostedProblem.UNKNOWN)
        return scan, await self._record(check_id), digest

    async def _changed(self, check_id: UUID, change: Callable[[HostedScan], HostedScan]) -> HostedScan:
        scan = await self.repository.change(check_id, change)
        if scan is None:
            _refuse(HostedProblem.UNKNOWN)
        return scan

    async def _known_or_new(self, secret: str | None) -> str:
        if secret and await self.repository.knows_browser(secret_hash(secret)):
            return secret
        return secrets.token_urlsafe(SECRET_BYTES)


def _refuse(problem: HostedProblem) -> NoReturn:
    raise HostedRefused(problem)


def _stage(record: CheckRecord, now: datetime) -> HostedStage:
    stage = _STAGES[progress_state(record, now)]
    cancelled = stage is HostedStage.DONE and FailureReason.CANCELLED in (record.reasons or ())
    return HostedStage.CANCELLED if cancelled else stage


def _expect_open(record: CheckRecord, now: datetime) -> None:
    problem = _OVER.get(_stage(record, now))
    if problem is not None:
        _refuse(problem)


def _expect_waiting(record: CheckRecord, now: datetime) -> None:
    """Refuse a hand-over once a device has begun: only that one may go on."""
    _expect_open(record, now)
    if _stage(record, now) is not HostedStage.WAITING:
        _refuse(HostedProblem.CLOSED)


def _expect_browser(scan: HostedScan, digest: bytes) -> None:
    if scan.browser_sha256 != digest:
        _refuse(HostedProblem.UNKNOWN)


def _without_phone(scan: HostedScan) -> HostedScan:
    return replace(
        scan,
        code_sha256=None,
        code_expire_time=None,
        code_reopened=False,
        phone_sha256=None,
        phone_number=None,
        phone_confirmed=False,
    )


def _view(scan: HostedScan, record: CheckRecord, digest: bytes, now: datetime) -> HostedView:
    phone = digest == scan.phone_sha256
    return HostedView(
        check_id=scan.check_id,
        phone=phone,
        stage=_stage(record, now),
        return_url="" if phone else scan.return_url,
        hand_over=_hand_over(scan, now),
        number=scan.phone_number if phone and not scan.phone_confirmed else None,
        code_reopened=scan.code_reopened,
    )


def _hand_over(scan: HostedScan, now: datetime) -> HandOver:
    if scan.phone_sha256 is not None:
        return HandOver.CONFIRMED if scan.phone_confirmed else HandOver.ASKING
    if scan.code_expire_time is None:
        return HandOver.NONE
    return HandOver.SHOWN if now < scan.code_expire_time else HandOver.LAPSED
