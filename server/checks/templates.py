"""Seals the template of a portrait for its check, and opens it for the comparison.

The aligned face of the portrait is sealed with it, so that a scan of the image itself is found.
"""

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from liveness import TrustedFace
from server.base.errors import Reason, Refusal
from server.domain.terms import SealedKind
from server.keyring.sealing import Context, Sealed, WrappingKeys, seal, unseal
from server.storage.records import CheckRecord
from vision.geometry import CHIP_SHAPE
from vision.packs import Template

_LITTLE_ENDIAN_FLOAT32 = np.dtype("<f4")
_MAGIC = b"FGT2"
_LENGTH_BYTES = 2
_NO_FACE, _FACE, _FACE_OF_DOCUMENT = b"\0", b"\1", b"\2"
_CHIP_BYTES = CHIP_SHAPE[0] * CHIP_SHAPE[1]


@dataclass(frozen=True, slots=True)
class OpenedPortrait:
    """What a check keeps of its portrait.

    Attributes:
        trusted: The aligned face; ``None`` in a sandbox.
    """

    template: Template
    trusted: TrustedFace | None


def seal_template(
    template: Template,
    *,
    trusted: TrustedFace | None,
    tenant: str,
    check_id: UUID,
    wrapping_keys: WrappingKeys,
) -> Sealed:
    """Seal a template, with its template id and the aligned face, for its check."""
    form = template.form_id.encode()
    face = _NO_FACE
    if trusted is not None:
        face = (_FACE_OF_DOCUMENT if trusted.document else _FACE) + trusted.chip.tobytes()
    return seal(
        _MAGIC
        + len(form).to_bytes(_LENGTH_BYTES, "big")
        + form
        + face
        + template.vector.astype(_LITTLE_ENDIAN_FLOAT32).tobytes(),
        wrapping_keys=wrapping_keys,
        aad=Context(tenant=tenant, check_id=check_id, kind=SealedKind.PORTRAIT_TEMPLATE),
    )


def open_template(record: CheckRecord, *, wrapping_keys: WrappingKeys) -> OpenedPortrait:
    """Return what is known of the portrait of a check that is not decided.

    Raises:
        Refusal: The check is decided, and its template is erased (CHECK_CLOSED); or another version of the
            server sealed the template in another form (PACK_CHANGED).
        SealError: The seal cannot be opened with these keys.
    """
    if record.portrait_template is None:
        raise Refusal(Reason.CHECK_CLOSED, "the check accepts no more scans; create a new check")
    aad = Context(tenant=record.tenant, check_id=record.check_id, kind=SealedKind.PORTRAIT_TEMPLATE)
    plain = unseal(record.portrait_template, wrapping_keys=wrapping_keys, aad=aad)
    if not plain.startswith(_MAGIC):
        raise Refusal(
            Reason.PACK_CHANGED,
            "another version of the server sealed the portrait's template; ask the orchestrator for a new "
            "check",
            details={"packVersion": record.pack_version},
        )
    start = len(_MAGIC) + _LENGTH_BYTES
    end = start + int.from_bytes(plain[len(_MAGIC) : start], "big")
    form, rest = plain[start:end].decode(), plain[end:]
    kind, rest = rest[:1], rest[1:]
    trusted = None
    if kind != _NO_FACE:
        chip = np.frombuffer(rest[:_CHIP_BYTES], np.uint8).reshape(CHIP_SHAPE)
        trusted, rest = TrustedFace(chip, document=kind == _FACE_OF_DOCUMENT), rest[_CHIP_BYTES:]
    vector = np.frombuffer(rest, dtype=_LITTLE_ENDIAN_FLOAT32).astype(np.float32)
    return OpenedPortrait(Template(vector, form), trusted)
