"""The verification of devices' evidence: fetches the inputs of the pure verifiers and applies their findings.

Keys of App Attest and WebAuthn outlive a scan: they are enrolled once, and used in later scans.

Keys are enrolled, counters raised and tokens used up as soon as their evidence is verified, whatever the
outcome of the scan, so that nothing can be used twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from device_integrity import (
    Assurance,
    DeviceFinding,
    DeviceTest,
    Manipulation,
    PlayDecoderUnavailable,
    PlayTokenMalformed,
    ReceiptExchangeUnavailable,
    passed_test,
)
from device_integrity.android import (
    ChainShape,
    KeyAttestation,
    PlayIntegrity,
    PlayTokenKind,
    Possession,
    open_classic_token,
    parse_payload,
    refused_token,
    unavailable_token,
    verify_key_attestation,
    verify_payload,
)
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
    verify_web_crypto,
)
from facegate_protocol import attestation_message
from server.base.worker_pool import WorkerPool
from server.device.evidence import (
    AndroidKeyEvidence,
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    DeviceEvidence,
    EvidenceContext,
    EvidenceFinding,
    EvidenceUnavailable,
    PlayEvidence,
    UnknownEvidence,
    WebAuthnEvidence,
    WebCryptoEvidence,
)
from server.device.revocation import RevocationFile
from server.device.trust import DeviceTrust
from server.storage.devices import DeviceRepository, EnrolledKey, HeldReceipt
from server.storage.records import KeyKind

_ANDROID_VERSION_UNIT: Final = 10_000
"""The osVersion of KeyDescription is MMmmss in decimal digits."""


_MAX_AGE: Final = timedelta(minutes=5)
"""The age that Apple recommends as the maximum for a receipt that was just received."""
_UNTIL_NEXT: Final = timedelta(days=1)
_AFTER_FAILURE: Final = timedelta(hours=1)
_MOST_KEYS_MADE: Final = 10
"""Keys that one device makes for the app in 30 days, by Apple's count, before it looks like a farm that sells
scans. Apple states no limit; an app makes a key when it is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKeeper:
    """Verifies receipts, keeps the newest of each key, and exchanges it. Safe for concurrent streams.

    The first receipt comes with an App Attest attestation, and Apple exchanges it for newer ones. A receipt
    can only raise doubt: it never raises the assurance of a device. A missing receipt, for example because
    Apple did not answer, does not lower it.

    Attributes:
        trust: The trusted roots, keys and apps.
    """

    trust: DeviceTrust
    devices: DeviceRepository
    workers: WorkerPool
    now: Callable[[], datetime]

    async def first(
        self, key: AttestedKey, context: EvidenceContext
    ) -> tuple[tuple[DeviceTest, ...], HeldReceipt | None]:
        """Verify the receipt of an attestation; return its tests and the receipt to store with the key."""
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
        now = self.now()
        return result.checks, HeldReceipt(data=key.receipt, time=now, due=now)

    async def risk(self, key: EnrolledKey, context: EvidenceContext) -> tuple[DeviceTest, ...]:
        """Return the test ``app_attest_receipt.risk`` of the newest receipt.

        The receipt is exchanged first if that is due.

        Raises:
            StorageUnavailable: The database failed.
        """
        held = None if key.receipt is None else parse_receipt(key.receipt.data).receipt
        known = check_risk(held, most_keys=_MOST_KEYS_MADE, now=self.now())
        exchange = self.trust.receipt_exchange
        if exchange is None or not context.asks_apple:
            return (known,)
        if key.receipt is None or held is None or not held.may_be_exchanged(self.now()):
            return (known,)
        now = self.now()
        if key.receipt.due > now or not await self.devices.claim_exchange(
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
        now = self.now()
        due = max(now + _UNTIL_NEXT, result.receipt.not_before or now)
        await self.devices.keep_receipt(key, HeldReceipt(data=answer, time=now, due=due))
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
        return await self.workers.run(
            verify_receipt,
            receipt=receipt,
            public_key=public_key,
            app_id=app_id,
            environment=environment,
            client_data_hash=client_data_hash,
            max_age=_MAX_AGE,
            most_keys=_MOST_KEYS_MADE,
            anchors=self.trust.apple_roots(sandbox=sandbox),
            now=self.now(),
        )


def _holds(result: ReceiptResult) -> bool:
    return not any(check.outcome is DeviceFinding.FAIL and not check.soft for check in result.checks)


class DeviceVerifier:
    """Verifies evidence of every kind. Safe for concurrent streams."""

    def __init__(
        self,
        *,
        trust: DeviceTrust,
        revocation: RevocationFile,
        devices: DeviceRepository,
        workers: WorkerPool,
        tenant_key: Callable[[str], bytes],
        hash_subject: Callable[[str, str], str],
        now: Callable[[], datetime],
    ) -> None:
        """Initialise the verifier.

        Args:
            trust: The trusted roots, keys and apps.
            devices: Stores keys and tokens.
            hash_subject: Hashes the subject reference of a scope (``MemoryKey.subject_hash``).
        """
        self._trust = trust
        self._revocation = revocation
        self._devices = devices
        self._workers = workers
        self._tenant_key = tenant_key
        self._now = now
        self._hash_subject = hash_subject
        self._receipts = ReceiptKeeper(trust=trust, devices=devices, workers=workers, now=now)

    async def verify(self, evidence: DeviceEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verify one piece of evidence. No evidence from a device causes an exception.

        Raises:
            StorageUnavailable: The database failed.
        """
        match evidence:
            case AndroidKeyEvidence():
                return await self._android_key(evidence, context)
            case PlayEvidence():
                return await self._play(evidence, context)
            case AppAttestEvidence():
                return await self._app_attest(evidence, context)
            case AppAttestAssertionEvidence():
                return await self._assertion(evidence, context)
            case WebAuthnEvidence():
                return await self._web_authn(evidence, context)
            case WebCryptoEvidence():
                return await self._web_crypto(evidence, context)
            case EvidenceUnavailable(reason=reason):
                return _no_evidence(
                    "",
                    DeviceFinding.UNAVAILABLE,
                    "ATTESTATION_UNAVAILABLE",
                    f"The device reports that it cannot attest: {reason}.",
                )
            case UnknownEvidence():
                return _no_evidence(
                    "unknown",
                    DeviceFinding.NOT_EVALUATED,
                    "EVIDENCE_UNKNOWN",
                    "The device sent evidence of a kind that this server version does not know.",
                )

    async def _android_key(self, evidence: AndroidKeyEvidence, context: EvidenceContext) -> EvidenceFinding:
        result = await self._workers.run(
            verify_key_attestation,
            certificate_chain=evidence.certificate_chain,
            challenge=context.challenge,
            possession=Possession(
                message=attestation_message(binding=context.challenge), signature=evidence.signature
            ),
            policy=self._trust.android,
            roots=self._trust.android_roots_of(sandbox=context.sandbox),
            revocation=self._revocation.current,
            now=self._now(),
        )
        facts = AttestedFacts()
        if result.attested_key is not None and result.description is not None:
            enforced = result.description.hardware_enforced
            model = enforced.attestation_id_model
            packages = () if result.application is None else tuple(result.application.packages)
            facts = AttestedFacts(
                android_version=(enforced.os_version or 0) // _ANDROID_VERSION_UNIT or None,
                model=None if model is None else model.decode("utf-8", "replace"),
                # All packages that share a user are attested, so the claimed one may be any of them.
                app_id=packages[0].name if len(packages) == 1 else None,
            )
        return EvidenceFinding(
            verifier="android_key",
            checks=result.checks,
            facts=facts,
            scan_key=None if result.attested_key is None else self._mark(result.attested_key, context),
            lasting_key=self._provisioned_key(result, context),
        )

    def _provisioned_key(self, result: KeyAttestation, context: EvidenceContext) -> bytes | None:
        """Return the mark of the attesting key if it belongs to this device alone.

        A remotely provisioned key belongs to one device and one app for weeks. A factory key is shared by
        thousands of devices and does not distinguish them.
        """
        chain = result.chain
        if result.attested_key is None or chain is None or chain.shape is not ChainShape.REMOTE:
            return None
        return self._mark(chain.attestation.spki, context)

    async def _play(self, evidence: PlayEvidence, context: EvidenceContext) -> EvidenceFinding:
        result = await self._verified_token(evidence, context)
        checks, facts = result.checks, AttestedFacts()
        if result.payload is not None and result.one_time_key is not None:
            fresh = await self._devices.consume_token(
                result.one_time_key,
                check_id=context.check_id,
                expires=self._now() + self._trust.play.max_age + 2 * self._trust.play.clock_skew,
            )
            checks = (*checks, _used_once(fresh=fresh))
            if all(check.outcome is not DeviceFinding.FAIL or check.soft for check in checks):
                facts = AttestedFacts(
                    api_level=result.payload.device.sdk_version, app_id=result.payload.app.package or None
                )
        return EvidenceFinding(verifier="play_integrity", checks=checks, facts=facts)

    async def _verified_token(self, evidence: PlayEvidence, context: EvidenceContext) -> PlayIntegrity:
        trust, kind = self._trust, evidence.kind
        if kind is None:
            return refused_token("the device does not state the kind of the token")
        try:
            if trust.classic_keys is not None and kind is PlayTokenKind.CLASSIC:
                opened = await self._workers.run(open_classic_token, evidence.token, keys=trust.classic_keys)
            elif trust.play_decoder is not None:
                package = self._package(context)
                if package is None:
                    return refused_token("the device names none of the operator's apps")
                opened = await trust.play_decoder.decode(package=package, token=evidence.token)
            else:
                return unavailable_token(f"this server opens no {kind.value} tokens")
            payload = await self._workers.run(parse_payload, opened)
        except PlayTokenMalformed as error:
            return refused_token(str(error))
        except PlayDecoderUnavailable as error:
            return unavailable_token(str(error))
        return verify_payload(
            payload, kind=kind, challenge=context.challenge, policy=trust.play, now=self._now()
        )

    def _package(self, context: EvidenceContext) -> str | None:
        """Return the package whose token Google is asked to open; it is always one of the operator's own."""
        packages = [app.package for app in self._trust.play.apps]
        if context.app_id in packages:
            return context.app_id
        return packages[0] if len(packages) == 1 and not context.app_id else None

    async def _app_attest(self, evidence: AppAttestEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verify an attestation and enrol its key if it holds."""
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

    async def _assertion(
        self, evidence: AppAttestAssertionEvidence, context: EvidenceContext
    ) -> EvidenceFinding:
        """Verify an assertion of an enrolled key. A counter that does not rise indicates a replay."""
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

    def _enrolment(self, key: EnrolledKey | None, context: EvidenceContext) -> DeviceTest:
        name = "app_attest_assertion.enrolment"
        if key is None or (key.for_tests and not context.sandbox):
            return DeviceTest(
                name=name,
                outcome=DeviceFinding.UNAVAILABLE,
                reason="KEY_NOT_ENROLLED",
                detail="The key is not enrolled here; the app has to make and attest a new one.",
            )
        if key.app not in self._trust.apple_app_ids or key.environment != self._trust.apple_environment.value:
            return DeviceTest(
                name=name,
                outcome=DeviceFinding.FAIL,
                reason="ENROLMENT_NOT_ALLOWED",
                detail="The key was enrolled for an app or an environment that is not allowed any more.",
                sign_of=Manipulation.CODE_MODIFICATION,
            )
        return passed_test(name, "KEY_ENROLLED", "The key was attested in an earlier scan.")

    async def _web_authn(self, evidence: WebAuthnEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verify a registration, which enrols a credential, or the use of an enrolled credential."""
        verifier = "web_authn"
        site = self._trust.relying_party
        if site is None:
            return _no_site(verifier)
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
            return _unverified(
                verifier,
                "credential",
                "CREDENTIAL_NOT_ENROLLED",
                "The credential is not enrolled here; the page has to register a new one.",
            )
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

    async def _web_crypto(self, evidence: WebCryptoEvidence, context: EvidenceContext) -> EvidenceFinding:
        site = self._trust.relying_party
        if site is None:
            return _no_site("web_crypto")
        result = await self._workers.run(
            verify_web_crypto,
            public_key=evidence.public_key,
            signature=evidence.signature,
            origin=evidence.origin,
            binding=context.challenge,
            session_public_key=context.session_public_key,
            relying_party=site,
            header_origin=context.header_origin,
        )
        key = result.public_key
        return EvidenceFinding(
            verifier="web_crypto",
            checks=result.checks,
            ceiling=result.ceiling,
            facts=AttestedFacts(app_id=None if key is None else evidence.origin),
            lasting_key=None if key is None else self._mark(key, context),
        )

    def _mark(self, public_key: bytes, context: EvidenceContext) -> bytes:
        return key_mark(public_key, tenant_key=self._tenant_key(context.scope))


def _no_evidence(verifier: str, outcome: DeviceFinding, reason: str, detail: str) -> EvidenceFinding:
    check = DeviceTest(name="attestation.evidence", outcome=outcome, reason=reason, detail=detail)
    return EvidenceFinding(verifier=verifier, checks=(check,))


def _used_once(*, fresh: bool) -> DeviceTest:
    return DeviceTest(
        name="play_integrity.one_time",
        outcome=DeviceFinding.PASS if fresh else DeviceFinding.FAIL,
        reason="FIRST_USE" if fresh else "TOKEN_USED_BEFORE",
        detail="The token was not used before." if fresh else "The token was used before.",
        sign_of=None if fresh else Manipulation.MAN_IN_THE_MIDDLE,
    )


def _no_site(verifier: str) -> EvidenceFinding:
    """Return the finding on a page's evidence if the settings name no site."""
    return _unverified(
        verifier, "origin", "NO_SITE", "The server's settings name no site whose pages may scan."
    )


def _unverified(verifier: str, test: str, reason: str, detail: str) -> EvidenceFinding:
    check = DeviceTest(
        name=f"{verifier}.{test}", outcome=DeviceFinding.UNAVAILABLE, reason=reason, detail=detail
    )
    return EvidenceFinding(verifier=verifier, checks=(check,))


def _replayed(checks: tuple[DeviceTest, ...], name: str) -> tuple[DeviceTest, ...]:
    """Return the tests with the named one failed, because the evidence or identifier was used before."""
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
    """Return the bundle identifier without the team, as devices state their app."""
    return app_id.partition(".")[2]
