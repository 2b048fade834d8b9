"""Evidence by keys that outlive a scan (App Attest and WebAuthn): enrolled once and used in later scans."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from device_integrity import Assurance, DeviceCheck, DeviceFinding, Manipulation, ReceiptExchangeUnavailable
from device_integrity.apple import (
    AttestedKey,
    Environment,
    KeyOwner,
    ReceiptExchange,
    ReceiptResult,
    check_key_use,
    check_risk,
    exchange_unavailable,
    parse_receipt,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from device_integrity.policy import AttestedFacts
from device_integrity.stream import key_mark
from device_integrity.web import (
    EnrolledCredential,
    WebAuthnResult,
    verify_authentication,
    verify_registration,
)
from server.base.worker_pool import WorkerPool
from server.device.evidence import (
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    EvidenceContext,
    EvidenceFinding,
    WebAuthnEvidence,
)
from server.device.trust import DeviceTrust
from server.storage.devices import DeviceRepository, EnrolledKey, HeldReceipt
from server.storage.records import KeyKind

_MAX_AGE: Final = timedelta(minutes=5)
"""The age that Apple recommends as the maximum for a receipt that was just received."""
_UNTIL_NEXT: Final = timedelta(days=1)
_AFTER_FAILURE: Final = timedelta(hours=1)
_MOST_KEYS_MADE: Final = 10
"""Keys that one device makes for the app in 30 days, by Apple's count, before it looks like a farm that sells
scans. Apple states no limit; an app makes a key when it is installed."""


class ReceiptKeeper:
    """Verifies receipts, keeps the newest of each key, and exchanges it. Safe for concurrent streams.

    The first receipt comes with an App Attest attestation, and Apple exchanges it for newer ones. A receipt
    can only raise doubt: it never raises the assurance of a device. A missing receipt, for example because
    Apple did not answer, does not lower it.
    """

    def __init__(
        self,
        *,
        trust: DeviceTrust,
        devices: DeviceRepository,
        workers: WorkerPool,
        now: Callable[[], datetime],
    ) -> None:
        """Initialises the keeper.

        Args:
            trust: The trusted roots, keys and apps.
        """
        self._trust = trust
        self._devices = devices
        self._workers = workers
        self._now = now

    async def first(
        self, key: AttestedKey, context: EvidenceContext
    ) -> tuple[tuple[DeviceCheck, ...], HeldReceipt | None]:
        """Verifies the receipt of an attestation; returns its tests and the receipt to store with the key."""
        result = await self._verified(
            key.receipt,
            public_key=key.public_key,
            app_id=key.app_id,
            environment=key.environment,
            client_data_hash=context.challenge,
            sandbox=context.sandbox,
        )
        if not _holds(result):
            return result.checks, None
        now = self._now()
        return result.checks, HeldReceipt(data=key.receipt, time=now, due=now)

    async def risk(self, key: EnrolledKey, context: EvidenceContext) -> tuple[DeviceCheck, ...]:
        """Returns the test ``app_attest_receipt.risk`` of the newest receipt.

        The receipt is exchanged first if that is due.

        Raises:
            StorageUnavailable: The database failed.
        """
        held = None if key.receipt is None else parse_receipt(key.receipt.data).receipt
        known = check_risk(held, most_keys=_MOST_KEYS_MADE, now=self._now())
        exchange = self._trust.receipt_exchange_of(sandbox=context.sandbox)
        if exchange is None or not context.asks_apple:
            return (known,)
        if key.receipt is None or held is None or not held.may_be_exchanged(self._now()):
            return (known,)
        now = self._now()
        if key.receipt.due > now or not await self._devices.claim_exchange(
            key, now=now, until=now + _AFTER_FAILURE
        ):
            return (known,)
        try:
            result = await self._exchanged(exchange, key, key.receipt, context)
        except ReceiptExchangeUnavailable as error:
            return (known, exchange_unavailable(str(error)))
        return tuple(check for check in result.checks if check.name == known.name)

    async def _exchanged(
        self,
        exchange: ReceiptExchange,
        key: EnrolledKey,
        held: HeldReceipt,
        context: EvidenceContext,
    ) -> ReceiptResult:
        environment = Environment(key.environment)
        answer = await exchange.exchange(held.data, environment=environment)
        result = await self._verified(
            answer,
            public_key=key.public_key,
            app_id=key.app,
            environment=environment,
            client_data_hash=None,
            sandbox=context.sandbox,
        )
        if result.receipt is None or not _holds(result):
            failed = next(check for check in result.checks if check.outcome is DeviceFinding.FAIL)
            raise ReceiptExchangeUnavailable(f"Apple's answer is not valid: {failed.reason}")
        now = self._now()
        due = max(now + _UNTIL_NEXT, result.receipt.not_before or now)
        await self._devices.keep_receipt(key, HeldReceipt(data=answer, time=now, due=due))
        return result

    async def _verified(
        self,
        receipt: bytes,
        *,
        public_key: bytes,
        app_id: str,
        environment: Environment,
        client_data_hash: bytes | None,
        sandbox: bool,
    ) -> ReceiptResult:
        return await self._workers.run(
            verify_receipt,
            receipt=receipt,
            public_key=public_key,
            app_id=app_id,
            environment=environment,
            client_data_hash=client_data_hash,
            max_age=_MAX_AGE,
            most_keys=_MOST_KEYS_MADE,
            anchors=self._trust.apple_roots(sandbox=sandbox),
            now=self._now(),
        )


def _holds(result: ReceiptResult) -> bool:
    return not any(check.outcome is DeviceFinding.FAIL and not check.soft for check in result.checks)


class EnrolledKeyVerifier:
    """Verifies and enrols keys and advances their counters. Safe for concurrent streams.

    Every method may raise ``StorageUnavailable``.
    """

    def __init__(
        self,
        *,
        trust: DeviceTrust,
        devices: DeviceRepository,
        workers: WorkerPool,
        tenant_key: Callable[[str], bytes],
        hash_subject: Callable[[str, str], str],
        now: Callable[[], datetime],
    ) -> None:
        """Initialises the verifier.

        Args:
            trust: The trusted roots, keys and apps.
            hash_subject: Hashes the subject reference of a scope (``MemoryKey.subject_hash``).
        """
        self._trust = trust
        self._devices = devices
        self._workers = workers
        self._tenant_key = tenant_key
        self._hash_subject = hash_subject
        self._now = now
        self._receipts = ReceiptKeeper(trust=trust, devices=devices, workers=workers, now=now)

    async def app_attest(self, evidence: AppAttestEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verifies an attestation and enrols its key if it holds."""
        known = await self._devices.find_key(context.scope, KeyKind.APP_ATTEST, evidence.key_id)
        result = await self._workers.run(
            verify_attestation,
            key_id=evidence.key_id,
            attestation_object=evidence.attestation_object,
            client_data_hash=context.challenge,
            app_ids=self._trust.apple_app_ids,
            environment=self._trust.apple_environment,
            key_use=_key_use(known, self._subject(context)),
            anchors=self._trust.apple_roots(sandbox=context.sandbox),
            now=self._now(),
        )
        if (key := result.key) is None:
            return EvidenceFinding(verifier="app_attest", checks=result.checks)
        receipt_checks, receipt = await self._receipts.first(key, context)
        enrolled = EnrolledKey(
            tenant=context.scope,
            kind=KeyKind.APP_ATTEST,
            key_id=key.key_id,
            public_key=key.public_key,
            counter=key.counter,
            app=key.app_id,
            environment=key.environment.value,
            ceiling=Assurance.HIGH,
            for_tests=context.sandbox,
            subject_hash=self._subject(context),
            check_id=context.check_id,
            use_time=self._now(),
            receipt=receipt,
        )
        await self._devices.enrol(enrolled)
        newer = () if receipt is None else await self._receipts.risk(enrolled, context)
        replaced = {check.name for check in newer}
        return EvidenceFinding(
            verifier="app_attest",
            checks=(
                *result.checks,
                *(check for check in receipt_checks if check.name not in replaced),
                *newer,
            ),
            facts=AttestedFacts(app_id=_bundle(key.app_id)),
            lasting_key=self._mark(key.public_key, context),
        )

    async def assertion(
        self, evidence: AppAttestAssertionEvidence, context: EvidenceContext
    ) -> EvidenceFinding:
        """Verifies an assertion of an enrolled key. A counter that does not rise indicates a replay."""
        verifier = "app_attest_assertion"
        key = await self._devices.find_key(context.scope, KeyKind.APP_ATTEST, evidence.key_id)
        enrolment = self._enrolment(key, context)
        if key is None or enrolment.outcome is not DeviceFinding.PASS:
            return EvidenceFinding(verifier=verifier, checks=(enrolment,))
        result = await self._workers.run(
            verify_assertion,
            assertion=evidence.assertion,
            client_data=context.challenge,
            public_key=key.public_key,
            app_id=key.app,
            stored_counter=key.counter,
        )
        checks = (enrolment, check_key_use(verifier, _key_use(key, self._subject(context))), *result.checks)
        if result.counter is None:
            return EvidenceFinding(verifier=verifier, checks=checks)
        if not await self._advanced(key, result.counter):
            return EvidenceFinding(verifier=verifier, checks=_replayed(checks, f"{verifier}.counter"))
        return EvidenceFinding(
            verifier=verifier,
            checks=(*checks, *await self._receipts.risk(key, context)),
            facts=AttestedFacts(app_id=_bundle(key.app)),
            lasting_key=self._mark(key.public_key, context),
        )

    def _enrolment(self, key: EnrolledKey | None, context: EvidenceContext) -> DeviceCheck:
        name = "app_attest_assertion.enrolment"
        if key is None or (key.for_tests and not context.sandbox):
            return DeviceCheck(
                name=name,
                outcome=DeviceFinding.UNAVAILABLE,
                reason="KEY_NOT_ENROLLED",
                detail="The key is not enrolled here; the app has to make and attest a new one.",
            )
        if key.app not in self._trust.apple_app_ids or key.environment != self._trust.apple_environment.value:
            return DeviceCheck(
                name=name,
                outcome=DeviceFinding.FAIL,
                reason="ENROLMENT_NOT_ALLOWED",
                detail="The key was enrolled for an app or an environment that is not allowed any more.",
                sign_of=Manipulation.CODE_MODIFICATION,
            )
        return DeviceCheck(
            name=name,
            outcome=DeviceFinding.PASS,
            reason="KEY_ENROLLED",
            detail="The key was attested in an earlier scan.",
        )

    async def web_authn(self, evidence: WebAuthnEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verifies a registration, which enrols a credential, or the use of an enrolled credential."""
        verifier = "web_authn"
        site = self._trust.relying_party
        if site is None:
            return no_site(verifier)
        if evidence.attestation_object:
            made = await self._workers.run(
                verify_registration,
                credential_id=evidence.credential_id,
                client_data_json=evidence.client_data_json,
                attestation_object=evidence.attestation_object,
                challenge=context.challenge,
                relying_party=site,
                header_origin=context.header_origin,
            )
            return await self._registered(made, context)
        key = await self._devices.find_key(context.scope, KeyKind.WEB_AUTHN, evidence.credential_id)
        if key is None or (key.for_tests and not context.sandbox):
            check = DeviceCheck(
                name=f"{verifier}.credential",
                outcome=DeviceFinding.UNAVAILABLE,
                reason="CREDENTIAL_NOT_ENROLLED",
                detail="The credential is not enrolled here; the page has to register a new one.",
            )
            return EvidenceFinding(verifier=verifier, checks=(check,))
        result = await self._workers.run(
            verify_authentication,
            credential_id=evidence.credential_id,
            client_data_json=evidence.client_data_json,
            authenticator_data=evidence.authenticator_data,
            signature=evidence.signature,
            challenge=context.challenge,
            relying_party=site,
            header_origin=context.header_origin,
            enrolled=EnrolledCredential(
                credential_id=evidence.credential_id,
                public_key=key.public_key,
                sign_count=key.counter,
                ceiling=key.ceiling,
            ),
        )
        if result.credential is None:
            return EvidenceFinding(verifier=verifier, checks=result.checks, ceiling=result.ceiling)
        if not await self._advanced(key, result.credential.sign_count):
            return EvidenceFinding(verifier=verifier, checks=_replayed(result.checks, f"{verifier}.counter"))
        return self._credential(result, result.credential, context)

    async def _registered(self, result: WebAuthnResult, context: EvidenceContext) -> EvidenceFinding:
        if (made := result.credential) is None:
            return EvidenceFinding(verifier="web_authn", checks=result.checks, ceiling=result.ceiling)
        new = await self._devices.enrol(
            EnrolledKey(
                tenant=context.scope,
                kind=KeyKind.WEB_AUTHN,
                key_id=made.credential_id,
                public_key=made.public_key,
                counter=made.sign_count,
                app="",
                environment="",
                ceiling=made.ceiling,
                for_tests=context.sandbox,
                subject_hash=self._subject(context),
                check_id=context.check_id,
                use_time=self._now(),
            )
        )
        if not new:
            return EvidenceFinding(
                verifier="web_authn", checks=_replayed(result.checks, "web_authn.credential")
            )
        return self._credential(result, made, context)

    def _credential(
        self, result: WebAuthnResult, credential: EnrolledCredential, context: EvidenceContext
    ) -> EvidenceFinding:
        return EvidenceFinding(
            verifier="web_authn",
            checks=result.checks,
            ceiling=result.ceiling,
            lasting_key=self._mark(credential.public_key, context),
        )

    async def _advanced(self, key: EnrolledKey, counter: int) -> bool:
        return await self._devices.advance_counter(
            key.tenant, key.kind, key.key_id, expected=key.counter, counter=counter, now=self._now()
        )

    def _subject(self, context: EvidenceContext) -> str:
        return self._hash_subject(context.scope, context.subject)

    def _mark(self, public_key: bytes, context: EvidenceContext) -> bytes:
        return key_mark(public_key, tenant_key=self._tenant_key(context.scope))


def no_site(verifier: str) -> EvidenceFinding:
    """Returns the finding on a page's evidence if the settings name no site."""
    check = DeviceCheck(
        name=f"{verifier}.origin",
        outcome=DeviceFinding.UNAVAILABLE,
        reason="NO_SITE",
        detail="The server's settings name no site whose pages may scan.",
    )
    return EvidenceFinding(verifier=verifier, checks=(check,))


def _replayed(checks: tuple[DeviceCheck, ...], name: str) -> tuple[DeviceCheck, ...]:
    """Returns the tests with the named one failed, because the evidence or identifier was used before."""
    return tuple(
        replace(
            check,
            outcome=DeviceFinding.FAIL,
            reason="USED_BEFORE",
            detail="The evidence or its key was used before, or at the same time.",
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        )
        if check.name == name
        else check
        for check in checks
    )


def _key_use(known: EnrolledKey | None, subject: str) -> KeyOwner | None:
    if known is None:
        return KeyOwner.NEW
    if not known.subject_hash or not subject:
        return None
    return KeyOwner.SAME_SUBJECT if known.subject_hash == subject else KeyOwner.OTHER_SUBJECT


def _bundle(app_id: str) -> str:
    """Returns the bundle identifier without the team, as devices state their app."""
    return app_id.partition(".")[2]
