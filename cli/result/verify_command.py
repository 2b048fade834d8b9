"""``facegate result verify``: verifies the signature of a saved result, offline."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from facegate.v1 import result_pb2
from google.protobuf import json_format
from joserfc import jws
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.errors import FileUnusable
from cli.verdict import enum_word, failure_words, waiver_words
from facegate_client import ClientError, KeySet, load_key_set, verify_result_jws

__all__ = ["verify_command"]

NOT_VERIFIED, UNREADABLE = 1, 2

_STDIN: Final = "-"
_MAX_BYTES: Final = 1024 * 1024


def verify_command(
    *,
    result: Annotated[
        str,
        typer.Argument(
            metavar="JWS",
            help="File with the JWS; `-` for standard input. The JWS is `result_jws` of FinishCheck, or the "
            ".jws file of `facegate verify --out`.",
            show_default=False,
        ),
    ],
    jwks: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Server's result keys. A saved copy of /.well-known/jwks.json from its admin listener.",
            show_default=False,
        ),
    ],
    expect_check_id: Annotated[
        str | None,
        typer.Option(help="Required check.", show_default=False),
    ] = None,
    expect_issuer: Annotated[
        str | None,
        typer.Option(help="Required issuer: the server's `results.issuer`.", show_default=False),
    ] = None,
    expect_tenant: Annotated[str | None, typer.Option(help="Required tenant.", show_default=False)] = None,
    accept_sandbox: Annotated[
        bool, typer.Option("--accept-sandbox", help="Accept the result of a sandbox check; for tests only.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print result and header as JSON.")] = False,
) -> None:
    """Verify the signature of a saved result, offline, and print the result.

    Examples:
      curl -o jwks.json http://127.0.0.1:8445/.well-known/jwks.json

      facegate result verify evidence/8366b788-9c1b-42af-b63f-d9078de4adac.jws --jwks jwks.json

      facegate result verify - --jwks jwks.json --json < result.jws

      facegate result verify result.jws --jwks jwks.json --expect-issuer https://facegate.bank.example
      --expect-tenant retail --expect-check-id 8366b788-9c1b-42af-b63f-d9078de4adac

    The exit status states whether the result is authentic; `status` states whether the check succeeded. The
    exit status is 0 if the signature is valid, 1 if the result is refused, and 2 if a file cannot be read.
    """
    messages = Console(stderr=True)
    try:
        text, keys = _read_text(result), _read_keys(jwks)
    except (FileUnusable, ClientError) as error:
        _fail(messages, str(error), UNREADABLE)
    try:
        verified = verify_result_jws(
            text, keys, issuer=expect_issuer, tenant=expect_tenant, accept_sandbox=accept_sandbox
        )
    except ClientError as error:
        _fail(messages, str(error), NOT_VERIFIED)
    if expect_check_id is not None and verified.check_id != expect_check_id:
        _fail(
            messages,
            f"the result belongs to the check {verified.check_id}; expected {expect_check_id}: give the "
            "result of that check",
            NOT_VERIFIED,
        )
    # The header is read only now that the signature is verified.
    header = jws.extract_compact(text.encode()).headers()
    if as_json:
        typer.echo(_as_json(verified, header))
    else:
        Console().print(_view(verified, header))


def _read_text(source: str) -> str:
    if source != _STDIN and Path(source).is_dir():
        raise FileUnusable(f"{source} is a folder; give the .jws file in it")
    content = sys.stdin.buffer.read(_MAX_BYTES + 1) if source == _STDIN else _read(source)
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise FileUnusable(
            f"{_named(source)} contains no JWS; expected three parts of base64url with dots between them: "
            "give `result_jws` as FinishCheck returned it"
        )
    return text


def _read_keys(source: str) -> KeySet:
    if source.startswith(("http://", "https://")):
        raise FileUnusable(
            f"--jwks is {source}; expected a file, because verification is offline: save the keys once, "
            "over a connection that you trust, with curl -o jwks.json"
        )
    return load_key_set(_read(source))


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise FileUnusable(f"{path} has more than {_MAX_BYTES} bytes; neither a JWS nor a JWKS is so large")
    return content


def _named(source: str) -> str:
    return "standard input" if source == _STDIN else source


def _as_json(result: result_pb2.CheckResult, header: Mapping[str, Any]) -> str:
    said = json_format.MessageToDict(result, preserving_proto_field_name=True)
    return json.dumps(
        {
            "verified": True,
            "key_id": header.get("kid", ""),
            "issuer": header.get("iss"),
            "tenant": header.get("tenant"),
            "sandbox": result.sandbox,
            "result": said,
        },
        indent=2,
    )


def _view(result: result_pb2.CheckResult, header: Mapping[str, Any]) -> Table:
    success = result.status == result_pb2.CHECK_STATUS_SUCCESS
    table = Table(title="The signature is valid", show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    if result.sandbox:
        table.add_row("sandbox", Text("yes: made for tests, no statement about a person", "bold yellow"))
    else:
        table.add_row("sandbox", Text("no"))
    status = enum_word(result_pb2.CheckStatus.Name, result.status, "CHECK_STATUS_")
    table.add_row("status", Text(status, "bold green" if success else "bold red"))
    table.add_row("reasons", Text(", ".join(failure_words(result)) or "-"))
    table.add_row("check", Text(result.check_id))
    table.add_row("decided", Text(result.decide_time.ToDatetime(UTC).isoformat(timespec="seconds")))
    policy = result.policy
    table.add_row(
        "policy", Text(f"{policy.name} version {policy.version}, SHA-256 {policy.sha256.hex()[:16]}...")
    )
    if waivers := waiver_words(result):
        table.add_row("waivers", Text(waivers, "yellow"))
    for label, name in (("issuer", "iss"), ("tenant", "tenant"), ("key", "kid")):
        table.add_row(label, Text(str(header.get(name) or "-")))
    return table


def _fail(messages: Console, text: str, status: int) -> NoReturn:
    messages.print(escape(text), style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(status)
