"""Verifies evidence about a device: attestations, camera metadata, run-time reports and the frame stream.

The package imports no other room but ``formats``, does no input or output and reads no clock. Every verifier
takes keyword arguments, among them the policy, the keys or roots, and the present time. It returns a result
whose ``checks`` list each test with its finding, and does not raise for what a device sends. ``android``,
``apple`` and ``web`` verify platform evidence, ``camera`` and ``stream`` what the frames show, and ``policy``
turns findings into signs and assurance.

For example, verify the credential that a browser registers for a scan::

    from device_integrity import DeviceFinding
    from device_integrity.web import RelyingParty, verify_registration

    result = verify_registration(
        credential_id=credential_id,
        client_data_json=client_data_json,
        attestation_object=attestation_object,
        challenge=binding_hash,
        relying_party=RelyingParty(
            rp_id="bank.example",
            origins=frozenset({"https://verify.bank.example"}),
        ),
        header_origin="https://verify.bank.example",
    )
    failed = [check.name for check in result.checks if check.outcome is DeviceFinding.FAIL]
    print(failed or "every test passed")
"""

from device_integrity.cbor import decode_cbor
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest, Manipulation, passed_test
from device_integrity.errors import (
    CborMalformed,
    DeviceIntegrityError,
    EvidenceMalformed,
    PlayDecoderUnavailable,
    PlayTokenMalformed,
    ReceiptExchangeUnavailable,
    ReferenceDataMalformed,
)
from device_integrity.runtime import (
    MAX_NAME_CHARACTERS,
    RUNTIME_VERIFIER,
    RuntimeFinding,
    RuntimeKind,
    RuntimeReport,
    check_runtime,
)

__all__ = [
    "MAX_NAME_CHARACTERS",
    "RUNTIME_VERIFIER",
    "Assurance",
    "CborMalformed",
    "DeviceFinding",
    "DeviceIntegrityError",
    "DeviceTest",
    "EvidenceMalformed",
    "Manipulation",
    "PlayDecoderUnavailable",
    "PlayTokenMalformed",
    "ReceiptExchangeUnavailable",
    "ReferenceDataMalformed",
    "RuntimeFinding",
    "RuntimeKind",
    "RuntimeReport",
    "check_runtime",
    "decode_cbor",
    "passed_test",
]
