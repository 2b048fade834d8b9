"""Seals the template of a portrait for its check, and opens it for the comparison."""

from collections.abc import Callable
from uuid import UUID

import numpy as np

from server.domain.terms import SealedKind
from server.errors import Reason, Refusal
from server.sealing import Sealed, WrappingKeys, context, seal, unseal
from server.storage.records import CheckRecord
from vision.packs import Template

_LITTLE_ENDIAN_FLOAT32 = np.dtype("<f4")
_MAGIC = b"FGT1"
_LENGTH_BYTES = 2


def seal_template(
    template: Template,
    *,
    tenant: str,
    check_id: UUID,
    wrapping_keys: WrappingKeys,
    random: Callable[[int], bytes],
) -> Sealed:
    """Seals a template, with its template id, for its check."""
    form = template.form_id.encode()
    return seal(
        _MAGIC
        + len(form).to_bytes(_LENGTH_BYTES, "big")
        + form
        + template.vector.astype(_LITTLE_ENDIAN_FLOAT32).tobytes(),
        wrapping_keys=wrapping_keys,
        aad=context(tenant=tenant, check_id=check_id, kind=SealedKind.PORTRAIT_TEMPLATE),
        random=random,
    )


def open_template(record: CheckRecord, *, wrapping_keys: WrappingKeys) -> Template:
    """Returns the portrait's template of a check that is not decided.

    Raises:
        Refusal: The check is decided, and its template is erased (CHECK_CLOSED); or an older version of the
            server stored the template without its template id (PACK_CHANGED).
        SealError: The seal cannot be opened with these keys.
    """
    if record.portrait_template is None:
        raise Refusal(Reason.CHECK_CLOSED, "the check accepts no more scans; create a new check")
    aad = context(tenant=record.tenant, check_id=record.check_id, kind=SealedKind.PORTRAIT_TEMPLATE)
    plain = unseal(record.portrait_template, wrapping_keys=wrapping_keys, aad=aad)
    if not plain.startswith(_MAGIC):
        raise Refusal(
            Reason.PACK_CHANGED,
            "an older version of the server made the portrait's template, without the id of its form; ask "
            "the orchestrator for a new check",
            details={"packVersion": record.pack_version},
        )
    start = len(_MAGIC) + _LENGTH_BYTES
    end = start + int.from_bytes(plain[len(_MAGIC) : start], "big")
    vector = np.frombuffer(plain[end:], dtype=_LITTLE_ENDIAN_FLOAT32).astype(np.float32)
    return Template(vector, plain[start:end].decode())
