"""Webhooks by the convention Standard Webhooks: verified, and read."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from facegate_client.errors import CredentialsError, ServerNotTrustedError

_PREFIX: Final = "whsec_"
_LEAST_BYTES: Final = 24
"""The least of the convention. Those that Facegate makes have 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """An event, verified. Nothing in it refers to the person.

    Attributes:
        event_id: The same in every delivery: remember it, and act once.
        kind: Such as ``check.decided``. Ignore one that you do not know.
        time: When it happened.
        check_id: Empty for ``subject.erased``.
        sequence: Rises with each event of a check; 0 without a check.
        sandbox: Whether a sandbox caller created the check.
        status: ``SUCCESS``, ``FAILURE`` or ``NOT_DECIDED``, for information: fetch the result by
            `Orchestrator.finish_check`, and believe that. Empty if the event states none.
        data: Everything that the event states, by name.
    """

    event_id: str
    kind: str
    time: datetime
    tenant: str
    check_id: str
    sequence: int
    sandbox: bool
    status: str
    data: Mapping[str, Any]

    @classmethod
    def _read(cls, event_id: str, body: Mapping[str, Any]) -> Self:
        data = body["data"]
        texts = (body["type"], data["tenant"], data.get("check_id", ""), data.get("status", ""))
        if not all(isinstance(one, str) for one in texts):
            raise ValueError("the body is not that of an event")
        return cls(
            event_id=event_id,
            kind=body["type"],
            time=datetime.fromisoformat(body["timestamp"]),
            tenant=data["tenant"],
            check_id=data.get("check_id", ""),
            sequence=data.get("sequence", 0),
            sandbox=data.get("sandbox", False),
            status=data.get("status", ""),
            data=data,
        )


def verify_webhook(body: bytes | str, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """Verify a webhook's signature and time, and return its event.

    Args:
        body: As it arrived, not parsed.
        headers: Of the same request; the case of their names does not matter.
        secret: The endpoint's, ``whsec_…``.

    Raises:
        CredentialsError: The secret is not one.
        ServerNotTrustedError: The body is not signed with the secret, or is older than 5 minutes. Answer 400.
    """
    try:
        secret = secret.strip()
        if len(b64decode(secret.removeprefix(_PREFIX))) < _LEAST_BYTES or not secret.startswith(_PREFIX):
            raise ValueError
        verifier = Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise CredentialsError(
            f"the secret of a webhook is {_PREFIX} and {_LEAST_BYTES} bytes or more in Base64"
        ) from error
    given = {name.lower(): value for name, value in headers.items()}
    try:
        verifier.verify(body, given, json_parse=False)
        return WebhookEvent._read(given["webhook-id"], json.loads(body))
    except (WebhookVerificationError, ValueError, TypeError, KeyError) as error:
        raise ServerNotTrustedError(f"the webhook is not the server's: {error}") from error
