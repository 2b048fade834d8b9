"""The verification of devices' evidence: fetches the inputs of the pure verifiers and applies their findings.

Keys are enrolled, counters raised and tokens used up as soon as their evidence is verified, whatever the
outcome of the scan, so that nothing can be used twice.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from device_integrity import (
    DeviceCheck,
    DeviceFinding,
    Manipulation,
    PlayDecoderUnavailable,
    PlayTokenMalformed,
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
from device_integrity.policy import AttestedFacts
from device_integrity.stream import key_mark
from device_integrity.web import verify_web_crypto
from facegate_protocol import attestation_message
from server.base.worker_pool import WorkerPool
from server.device.enrolled_keys import EnrolledKeyVerifier, no_site
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
from server.storage.devices import DeviceRepository

_ANDROID_VERSION_UNIT: Final = 10_000
"""The osVersion of KeyDescription is MMmmss in decimal digits."""


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
        """Initialises the verifier.

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
        self._enrolled = EnrolledKeyVerifier(
            trust=trust,
            devices=devices,
            workers=workers,
            tenant_key=tenant_key,
            hash_subject=hash_subject,
            now=now,
        )

    async def verify(self, evidence: DeviceEvidence, context: EvidenceContext) -> EvidenceFinding:
        """Verifies one piece of evidence. No evidence from a device causes an exception.

        Raises:
            StorageUnavailable: The database failed.
        """
        match evidence:
            case AndroidKeyEvidence():
                return await self._android_key(evidence, context)
            case PlayEvidence():
                return await self._play(evidence, context)
            case AppAttestEvidence():
                return await self._enrolled.app_attest(evidence, context)
            case AppAttestAssertionEvidence():
                return await self._enrolled.assertion(evidence, context)
            case WebAuthnEvidence():
                return await self._enrolled.web_authn(evidence, context)
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
        """Returns the mark of the attesting key if it belongs to this device alone.

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
        """Returns the package whose token Google is asked to open; it is always one of the operator's own."""
        packages = [app.package for app in self._trust.play.apps]
        if context.app_id in packages:
            return context.app_id
        return packages[0] if len(packages) == 1 and not context.app_id else None

    async def _web_crypto(self, evidence: WebCryptoEvidence, context: EvidenceContext) -> EvidenceFinding:
        site = self._trust.relying_party
        if site is None:
            return no_site("web_crypto")
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
    check = DeviceCheck(name="attestation.evidence", outcome=outcome, reason=reason, detail=detail)
    return EvidenceFinding(verifier=verifier, checks=(check,))


def _used_once(*, fresh: bool) -> DeviceCheck:
    return DeviceCheck(
        name="play_integrity.one_time",
        outcome=DeviceFinding.PASS if fresh else DeviceFinding.FAIL,
        reason="FIRST_USE" if fresh else "TOKEN_USED_BEFORE",
        detail="The token was not used before." if fresh else "The token was used before.",
        sign_of=None if fresh else Manipulation.MAN_IN_THE_MIDDLE,
    )
