"""``facegate conformance``."""

import asyncio
import base64
import json
import secrets
import shlex
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from rich import box
from rich.console import Console
from rich.text import Text

from cli.errors import CommandError, errors_reported
from cli.files import read_whole, write_file
from cli.shown import list_table, printable, say
from cli.silenced_log import silenced_log
from facegate_client import CredentialsError, certificate_spki_sha256
from lab.conformance.clients import Client, CommandClient, ReferenceClient
from lab.conformance.conductor import Conductor, Outcome, Verdict
from lab.conformance.endpoint import Addresses, Certificate, listening
from lab.conformance.opening import Ticket
from lab.conformance.scan import Scenario
from lab.conformance.scenarios import SCENARIOS

_FAILURES: Final = 1
_MOST_PEM_BYTES: Final = 262_144
_TOKEN_BYTES: Final = 24
_WAIT_FOR_COMMAND_SECONDS: Final = 30.0
_WAIT_FOR_PERSON_SECONDS: Final = 300.0
_STYLES: Final = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.NOT_APPLICABLE: "dim"}


def conformance(
    *,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Command that makes one scan. It is started for each scenario."),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Test the Python reference client, to see a report.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run this scenario only; may be repeated.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List the scenarios, and run none.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this file, as JSON.")] = None,
    ticket_file: Annotated[
        Path | None,
        typer.Option("--ticket", help="Write addresses, token and fingerprint to this file, as JSON."),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65_534,
            help="Port for gRPC, on loopback; WebSocket has the next one. 0 for any free ones.",
        ),
    ] = 0,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="Origin of pages that may connect by WebSocket; may be repeated."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            help="For TLS: certificate chain of the server and its private key, one PEM file.",
        ),
    ] = None,
) -> None:
    """Test the client of an SDK: a strict server plays scenarios.

    It plays one scenario in each scan of the client, tests every message, and prints a report.

    Start a scan with the printed token and fingerprint for each scenario, or let --run do so. The command
    finds in its environment CONFORMANCE_SERVER (host:port for gRPC, without TLS unless --certificate is
    given), CONFORMANCE_WEB (the address of the WebSocket, with --origin), CONFORMANCE_TOKEN and
    CONFORMANCE_KEY_SHA256 (hexadecimal), and ends with 0 if the scan had a result, else with another status.
    The exit status is 0 if the client conforms, 1 if it does not, and 2 if the test cannot run. For example:

        facegate conformance --run "./my-client --once" --out report.json

        facegate conformance --reference --only retry

        facegate conformance --origin http://localhost:5173 --only lost-line
    """
    if list_only:
        for scenario in SCENARIOS:
            typer.echo(f"{scenario.name:24} {scenario.purpose}")
        return
    with errors_reported(CredentialsError):
        chosen = _chosen(only or [])
        tls = None if certificate is None else _certificate(certificate)
        ticket = Ticket(
            token=secrets.token_urlsafe(_TOKEN_BYTES),
            private_key=ec.generate_private_key(ec.SECP256R1()),
            server_spki_sha256=b"" if tls is None else certificate_spki_sha256(tls.pem),
        )
        client = _client(run, reference, tls)
        with silenced_log():
            outcomes = asyncio.run(
                _run(
                    chosen,
                    ticket,
                    client,
                    ticket_file=ticket_file,
                    port=port,
                    origins=origin or [],
                    tls=tls,
                    wait_s=_WAIT_FOR_PERSON_SECONDS if client is None else _WAIT_FOR_COMMAND_SECONDS,
                )
            )
        if out is not None:
            write_file(out, _document(outcomes).encode(), force=True)
    _print_report(outcomes)
    if any(one.verdict is Verdict.FAILED for one in outcomes):
        raise typer.Exit(_FAILURES)


async def _run(
    scenarios: Sequence[Scenario],
    ticket: Ticket,
    client: Client | None,
    *,
    ticket_file: Path | None,
    port: int,
    origins: Sequence[str],
    tls: Certificate | None,
    wait_s: float,
) -> list[Outcome]:
    conductor = Conductor(ticket, wait_s=wait_s)
    outcomes = []
    async with listening(conductor.add_stream, port=port, origins=origins, certificate=tls) as addresses:
        if ticket_file is not None:
            write_file(ticket_file, _ticket(ticket, addresses).encode(), force=True)
        say(_ticket(ticket, addresses), err=True)
        async for outcome in conductor.run(scenarios, addresses, client):
            outcomes.append(outcome)
            say(f"{len(outcomes)}/{len(scenarios)} {outcome.scenario.name}: {outcome.verdict}", err=True)
    return outcomes


def _ticket(ticket: Ticket, addresses: Addresses) -> str:
    fields = {
        "server": addresses.device,
        "web": addresses.web,
        "scan_token": ticket.token,
        "challenge_key_sha256": ticket.fingerprint.hex(),
        "challenge_key_sha256_base64": base64.b64encode(ticket.fingerprint).decode("ascii"),
    }
    return json.dumps(fields, indent=2) + "\n"


def _client(run: str | None, reference: bool, tls: Certificate | None) -> Client | None:
    if run is not None and reference:
        raise CommandError("--run and --reference both name a client; give one of them")
    if reference:
        return ReferenceClient(None if tls is None else tls.pem)
    if run is None:
        return None
    words = shlex.split(run)
    if not words:
        raise CommandError("--run names no command")
    return CommandClient(words)


def _chosen(only: Sequence[str]) -> list[Scenario]:
    names = {scenario.name for scenario in SCENARIOS}
    for name in only:
        if name not in names:
            raise CommandError(f"there is no scenario {name!r}: see facegate conformance --list")
    return [one for one in SCENARIOS if not only or one.name in only]


def _certificate(file: Path) -> Certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(file)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"{file} is not a certificate and its key, PEM") from error
    return Certificate(pem=read_whole(file, most_bytes=_MOST_PEM_BYTES), context=context)


def _print_report(outcomes: Sequence[Outcome]) -> None:
    """Print a table of scenarios, and the numbers of outcomes."""
    names = ("scenario", "outcome", "tested, or broken rule")
    table = list_table(*names, whole=names[:2], box=box.SIMPLE_HEAD, pad_edge=True)
    for one in outcomes:
        text = Text(one.scenario.purpose)
        if one.rule is not None:
            text = Text(f"{printable(one.detail)}\n").append(
                f"{one.rule.name}: {one.rule.requirement}", "dim"
            )
        table.add_row(one.scenario.name, Text(one.verdict.value, _STYLES[one.verdict]), text)
    Console().print(table)
    counts = {verdict: sum(one.verdict is verdict for one in outcomes) for verdict in Verdict}
    say(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _document(outcomes: Sequence[Outcome]) -> str:
    """Return the report as JSON."""
    rows = [
        {
            "scenario": one.scenario.name,
            "purpose": one.scenario.purpose,
            "outcome": one.verdict.value,
            "rule": None if one.rule is None else one.rule.name,
            "requirement": None if one.rule is None else one.rule.requirement,
            "detail": one.detail,
            "transport": one.transport,
            "streams": one.streams,
            "seconds": round(one.seconds, 2),
        }
        for one in outcomes
    ]
    passed = all(one.verdict is not Verdict.FAILED for one in outcomes)
    return json.dumps({"protocol_version": 1, "conforms": passed, "scenarios": rows}, indent=2) + "\n"
