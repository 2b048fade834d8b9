"""``facegate checks hold`` and ``release``: place and release legal holds."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.checks.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    PurposeOption,
    ServiceOption,
    call_server,
)
from cli.checks.views import approval_words, time_words
from cli.error_reporting import PENDING

__all__ = ["hold_command", "release_command"]

_CheckArgument = Annotated[str, typer.Argument(metavar="CHECK", help="Identifier of the check.")]
_ReferenceOption = Annotated[
    str, typer.Option(help="Reference of the hold. At most 128 bytes, such as the number of a case.")
]


def hold_command(
    check_id: _CheckArgument,
    *,
    reference: _ReferenceOption,
    reason: Annotated[
        str, typer.Option(help="Reason for the hold. At most 256 bytes, without personal data.")
    ],
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Place a legal hold: until it is released, no caller and no retention erases the check.

    For example:

        facegate checks hold CHECK --reference case-17 --reason "court order"

        facegate checks hold CHECK --reference case-17 --reason order --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    hold = call_server(
        connection, lambda compliance: compliance.place_hold(check_id, reference=reference, reason=reason)
    )
    Console().print(
        escape(f"{check_id} is on hold {hold.reference}, since {time_words(hold.place_time)} UTC by ")
        + escape(f"{hold.placed_by}, because: {hold.reason}"),
        highlight=False,
        soft_wrap=True,
    )


def release_command(
    check_id: _CheckArgument,
    *,
    reference: _ReferenceOption,
    purpose: PurposeOption,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Release a legal hold.

    The settings may demand that a second person does the same. For example:

        facegate checks release 8366b788-9c1b-42af-b63f-d9078de4adac --reference case-17 --purpose closed

        facegate checks release CHECK --reference case-17 --purpose closed --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0, 3 until a second person confirms, or 2 for an error.
    """
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    response = call_server(
        connection, lambda compliance: compliance.release_hold(check_id, reference=reference, purpose=purpose)
    )
    if response.HasField("approval"):
        Console().print(escape(approval_words(response.approval)), highlight=False, soft_wrap=True)
        raise typer.Exit(PENDING)
    left = response.remaining_holds
    kept = (
        "no hold keeps the check" if not left else f"{left} more {'keeps' if left == 1 else 'keep'} the check"
    )
    Console().print(escape(f"The hold {reference} is released; {kept}."), highlight=False, soft_wrap=True)
