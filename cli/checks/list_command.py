"""``facegate checks list``: finds decided checks."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from facegate.v1 import evidence_service_pb2, result_pb2
from google.protobuf import json_format
from rich.console import Console

from cli.checks.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    ServiceOption,
    call_server,
)
from cli.checks.views import checks_table
from cli.options import JsonOption
from facegate_client import Compliance
from liveness import AttackType
from server.domain.terms import CheckStatus, FailureReason

__all__ = ["list_command"]

_WIDTH = 220
_ANY = "UNSPECIFIED"


class SandboxChoice(StrEnum):
    """Which checks are listed, by the kind of their caller."""

    BOTH = "both"
    ONLY = "only"
    NONE = "none"


_Time = datetime | None
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def list_command(
    *,
    since: Annotated[
        _Time,
        typer.Option(
            formats=_FORMATS,
            metavar="TIME",
            help="Decided at this time or later. UTC unless it has an offset, such as 2027-03-01.",
        ),
    ] = None,
    before: Annotated[
        _Time, typer.Option(formats=_FORMATS, metavar="TIME", help="Decided before this time.")
    ] = None,
    subject: Annotated[str, typer.Option(show_default=False, help="Exact subject reference.")] = "",
    consent: Annotated[str, typer.Option(show_default=False, help="Exact consent reference.")] = "",
    status: Annotated[CheckStatus | None, typer.Option(help="Status.")] = None,
    reason: Annotated[
        FailureReason | None, typer.Option(metavar="REASON", help="One of the reasons, such as SPOOF.")
    ] = None,
    attack: Annotated[
        AttackType | None, typer.Option(metavar="ATTACK", help="Attack type of a SPOOF, such as INJECTION.")
    ] = None,
    policy: Annotated[str, typer.Option(show_default=False, help="Name of the policy.")] = "",
    sign: Annotated[
        str, typer.Option(show_default=False, help="Sign of manipulation, such as virtual_camera.")
    ] = "",
    on_hold: Annotated[bool, typer.Option("--on-hold", help="Only checks on hold.")] = False,
    sandbox: Annotated[SandboxChoice, typer.Option(help="Checks of sandbox callers.")] = SandboxChoice.BOTH,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of checks.")] = 50,
    as_json: JsonOption = False,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """List decided checks, newest first.

    Examples:
      facegate checks list --since 2027-03-01 --before 2027-04-01 --policy high --reason SPOOF

      facegate checks list --subject customer-4711

      facegate checks list --on-hold --service api.example:8444
      --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    request = evidence_service_pb2.ListChecksRequest(
        subject_reference=subject,
        consent_reference=consent,
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{status or _ANY}"),
        reason=result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason or _ANY}"),
        attack_type=result_pb2.AttackType.Value(f"ATTACK_TYPE_{attack or _ANY}"),
        policy=policy,
        device_sign=sign,
        on_hold=on_hold,
        sandbox=None if sandbox is SandboxChoice.BOTH else sandbox is SandboxChoice.ONLY,
        page_size=min(most, 200),
    )
    for name, moment in (("decided_since", since), ("decided_before", before)):
        if moment is not None:
            getattr(request, name).FromDatetime(_utc(moment))
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)

    async def work(compliance: Compliance) -> list[evidence_service_pb2.CheckSummary]:
        return [check async for check in compliance.all_checks(request, most=most)]

    found = call_server(connection, work)
    if as_json:
        for check in found:
            typer.echo(json.dumps(json_format.MessageToDict(check, preserving_proto_field_name=True)))
        return
    messages = Console(stderr=True)
    if not found:
        messages.print("No decided check matches. Erased checks, and those without a record, are not listed.")
        return
    console = Console()
    Console(width=None if console.is_terminal else _WIDTH).print(checks_table(found))
    if len(found) == most:
        messages.print(f"These are the newest {most}; --most shows more.", highlight=False)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
