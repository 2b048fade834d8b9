"""Seals the template of a portrait for its check, and opens it for the comparison."""

from collections.abc import Callable
from uuid import UUID

import numpy as np

from server.errors import Reason, Refusal
from server.sealing import Sealed, WrappingKeys, context, seal, unseal
from server.storage.records import CheckRecord
from vision.face import Embedding

_KIND = "PORTRAIT_TEMPLATE"
_LITTLE_ENDIAN_FLOAT32 = np.dtype("<f4")


def seal_template(
    template: Embedding, *, check_id: UUID, wrapping_keys: WrappingKeys, random: Callable[[int], bytes]
) -> Sealed:
    """Seals a template for its check."""
    return seal(
        template.astype(_LITTLE_ENDIAN_FLOAT32).tobytes(),
        wrapping_keys=wrapping_keys,
        aad=context(check_id, _KIND),
        random=random,
    )


def open_template(record: CheckRecord, *, wrapping_keys: WrappingKeys) -> Embedding:
    """Opens the template of a check that is not decided.

    Raises:
        Refusal: The check is decided, and its template is erased (CHECK_CLOSED).
        SealError: The template cannot be opened.
    """
    if record.portrait_template is None:
        raise Refusal(Reason.CHECK_CLOSED, "the check accepts no more scans; create a new check")
    plain = unseal(record.portrait_template, wrapping_keys=wrapping_keys, aad=context(record.check_id, _KIND))
    template: Embedding = np.frombuffer(plain, dtype=_LITTLE_ENDIAN_FLOAT32).astype(np.float32)
    return template
