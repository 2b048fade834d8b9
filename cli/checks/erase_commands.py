"""``facegate checks delete`` and ``erase``: erase the evidence of a check, or a person."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final

import typer
from facegate.v1 import evidence_service_pb2
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
from cli.checks.views import approval_words, residue_words, time_words
from cli.error_reporting import PENDING
from cli.shown import printable as shown
from facegate_client import CallRefusedError, Compliance

__all__ = ["delete_command", "erase_command"]

_MOST_COUNTED: Final = 1_000
_YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask. Erasure cannot be undone.")]


class ErasureWord(StrEnum):
    """Why a person is erased."""

    REQUEST = "request"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    OTHER = "other"


def delete_command(
    check_id: Annotated[str, typer.Argument(metavar="CHECK", help="Identifier of the check.")],
    *,
    purpose: PurposeOption,
    yes: _YesOption = False,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Erase the evidence of a check before its retention ends. A hold prevents it.

    For example:

        facegate checks delete 8366b788-9c1b-42af-b63f-d9078de4adac --purpose "created by mistake"

        facegate checks delete CHECK --purpose mistake --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 3 until a second person confirms; 2 for an error.
    """
    _confirm(f"Erase the evidence of the check {check_id}? This cannot be undone.", yes=yes)
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    response = call_server(
        connection, lambda compliance: compliance.delete_evidence(check_id, purpose=purpose)
    )
    if response.HasField("approval"):
        _print(approval_words(response.approval))
        raise typer.Exit(PENDING)
    _print(f"The evidence of {check_id} was erased at {time_words(response.erase_time)} UTC.")
    _print_residues(response.residues)


def erase_command(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Subject reference of the person.")],
    *,
    reason: Annotated[
        ErasureWord,
        typer.Option(metavar="REASON", help="Why the person is erased. request, consent-withdrawn or other."),
    ],
    purpose: PurposeOption,
    yes: _YesOption = False,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Erase a person.

    Erases all checks without a hold, device keys, and the pseudonym in the audit log. A call that failed may
    be repeated. For example:

        facegate checks erase customer-4711 --reason request --purpose "letter 9"

        facegate checks erase customer-4711 --reason request --purpose "letter 9" --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if a hold keeps checks, or there is nothing of the person; 3 until a second person
    confirms; 2 for an error.
    """
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    if not yes:
        _confirm(
            f"Erase {shown(subject)}: {_decided_checks(connection, subject)}, those that are still open, and "
            "the keys of the person's devices? This cannot be undone.",
            yes=False,
        )
    wire = evidence_service_pb2.ErasureReason.Value(f"ERASURE_REASON_{reason.name}")
    response = call_server(
        connection, lambda compliance: compliance.erase_subject(subject, reason=wire, purpose=purpose)
    )
    if response.HasField("approval"):
        _print(approval_words(response.approval))
        raise typer.Exit(PENDING)
    if not (response.erased_checks or response.forgotten_device_rows or response.held_check_ids):
        _print(f"There is nothing of {shown(subject)}: nothing was erased. Is the reference right?")
        raise typer.Exit(1)
    _print(
        f"Erased {response.erased_checks} checks, and {response.forgotten_device_rows} device keys, key uses "
        "and scan memories."
    )
    _print_residues(response.residues)
    if response.held_check_ids:
        held = len(response.held_check_ids)
        _print(f"{held} checks are on hold and stay; release their holds and call again:")
        for check_id in response.held_check_ids:
            _print(f"- {check_id}")
        raise typer.Exit(1)


def _decided_checks(connection: Connection, subject: str) -> str:
    """Returns the number of a person's decided checks in words; who may erase need not be able to list."""
    request = evidence_service_pb2.ListChecksRequest(subject_reference=subject, page_size=200)

    async def count(compliance: Compliance) -> str:
        try:
            found = [check async for check in compliance.all_checks(request, most=_MOST_COUNTED)]
        except CallRefusedError as error:
            if error.refusal.reason != "PERMISSION_DENIED":
                raise
            return "the decided checks (your credentials may not count them)"
        at_least = "at least " if len(found) == _MOST_COUNTED else ""
        return f"{at_least}{len(found)} decided check{'s' * (len(found) != 1)}"

    return call_server(connection, count)


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _print_residues(residues: Iterable[evidence_service_pb2.Residue]) -> None:
    _print("What may still contain the data:")
    for line in residue_words(residues):
        _print(line)


def _print(text: str) -> None:
    Console().print(escape(text), highlight=False, soft_wrap=True)
