"""The exceptions of device integrity, raised when it cannot decide.

::

    DeviceIntegrityError
    ├── ReferenceDataMalformed  a revocation list or token keys of the operator that cannot be read
    ├── PlayDecoderUnavailable  Google's decoder of Play Integrity tokens did not answer
    ├── ReceiptExchangeUnavailable  Apple's server for receipts of App Attest did not answer
    └── EvidenceMalformed   bytes that a device sent as evidence and that cannot be read as such
        ├── CborMalformed   not one CBOR item within the limits, or not of the expected shape
        ├── CertificateMalformed     a certificate, or a chain of them, that cannot be read
        ├── KeyDescriptionMalformed  an Android attestation extension that cannot be read
        └── PlayTokenMalformed       a Play Integrity token that cannot be decrypted, verified or read
"""


class DeviceIntegrityError(Exception):
    """Base class of the exceptions of this package."""


class EvidenceMalformed(DeviceIntegrityError):
    """Bytes that a device sent as evidence cannot be read as what they claim to be."""


class CborMalformed(EvidenceMalformed):
    """Bytes are not one CBOR item within the limits, or the item is not of the expected shape."""


class CertificateMalformed(EvidenceMalformed):
    """A certificate, or a chain of them, cannot be read or is beyond the limits."""


class KeyDescriptionMalformed(EvidenceMalformed):
    """Android's attestation extension, or its provisioning extension, does not follow its specification."""


class PlayTokenMalformed(EvidenceMalformed):
    """A Play Integrity token cannot be decrypted, verified or read, or Google refused to decode it."""


class ReferenceDataMalformed(DeviceIntegrityError):
    """A revocation list or token keys, which the operator provides, cannot be read."""


class PlayDecoderUnavailable(DeviceIntegrityError):
    """Google's decoder of Play Integrity tokens could not be reached, or did not answer properly."""


class ReceiptExchangeUnavailable(DeviceIntegrityError):
    """Apple's server could not be reached, or returned no App Attest receipt in exchange for the one sent."""
