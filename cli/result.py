"""``facegate result verify``: verifies a saved result, evidence record or archive, offline."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer
from facegate.v1 import result_pb2
from google.protobuf import json_format
from joserfc import jws
from joserfc.errors import JoseError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.errors import FileUnusable, fail
from cli.files import read_whole
from cli.options import JsonOption
from cli.shown import counted, facts_table, list_table
from cli.verdict import enum_word, enum_words, policy_words, warning_rows
from facegate_client import (
    ClientError,
    ExportedCheck,
    KeySet,
    is_person_export,
    load_key_set,
    verify_archive,
    verify_person_export,
    verify_record_jws,
    verify_result_jws,
    verify_review_jws,
)

_ZIP: Final = b"PK\x03\x04"
_RECORD_TYPE: Final = "facegate-record"
_REVIEW_TYPE: Final = "facegate-review"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFile:
    """A verified file: with a result, or with a review."""

    kind: str
    check_id: str
    header: Mapping[str, Any]
    result: result_pb2.CheckResult | None = None
    manifest: Mapping[str, Any] | None = None
    review: Mapping[str, Any] | None = None


def verify_saved(
    content: bytes,
    keys: KeySet,
    *,
    issuer: str | None,
    tenant: str | None,
    accept_sandbox: bool,
    reviewed: str | None = None,
) -> VerifiedFile:
    """Verify the content of a saved file.

    Args:
        reviewed: The signed result that a review must be about; ``None`` for any.
    """
    if content.startswith(_ZIP):
        archive = verify_archive(content, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
        return VerifiedFile(
            kind="archive",
            check_id=archive.result.check_id,
            result=archive.result,
            header=_header(archive.files["result.jws"].decode()),
            manifest=archive.manifest,
        )
    text = _text(content)
    # The unverified header only selects how the file is verified.
    if _type(text) == _REVIEW_TYPE:
        review = verify_review_jws(
            text, keys, result_jws=reviewed, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox
        )
        return VerifiedFile(
            kind="review", check_id=review.check_id, header=_header(text), review=review.content
        )
    if _type(text) == _RECORD_TYPE:
        record = verify_record_jws(text, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
        kind, result = "record", record.result
    else:
        result = verify_result_jws(text, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
        kind = "result"
    return VerifiedFile(kind=kind, check_id=result.check_id, result=result, header=_header(text))


def _text(content: bytes) -> str:
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise FileUnusable(
            "contains no JWS; expected three parts of base64url with dots between them, or a ZIP file: give "
            "`result_jws` as FinishCheck returned it, or a file of `facegate checks`"
        )
    return text


def _type(text: str) -> object:
    try:
        return jws.extract_compact(text.encode()).headers().get("typ")
    except (JoseError, ValueError):
        return None


def _header(text: str) -> Mapping[str, Any]:
    return jws.extract_compact(text.encode()).headers()


NOT_VERIFIED, UNREADABLE = 1, 2

_STDIN: Final = "-"
_MAX_BYTES: Final = 1024 * 1024
_MOST_BYTES_OF_ARCHIVE: Final = 64 * 1024 * 1024


def verify_command(
    *,
    result: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="File with a JWS, `-` for standard input, or an archive. A JWS is `result_jws` of "
            "FinishCheck, the .jws file of `facegate verify --out`, the record of `facegate checks show "
            "--save`, or the review of `facegate review show --save`; an archive is that of `facegate checks "
            "export`.",
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
    of_result: Annotated[
        str | None,
        typer.Option(
            "--of-result",
            metavar="FILE",
            help="Result that a review must be about: a JWS of FinishCheck.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a saved result, review, evidence record or archive, offline.

    Of an archive, every file is compared with the signed manifest, and its result and its review are verified
    too; of the export of a person, every archive in it.

    Examples:
      curl --noproxy '*' -o jwks.json http://127.0.0.1:8445/.well-known/jwks.json

      facegate result verify evidence/8366b788-9c1b-42af-b63f-d9078de4adac.jws --jwks jwks.json

      facegate result verify archive.zip --jwks jwks.json

      facegate result verify - --jwks jwks.json --json < result.jws

      facegate result verify result.jws --jwks jwks.json --expect-issuer https://facegate.bank.example
      --expect-tenant retail --expect-check-id 8366b788-9c1b-42af-b63f-d9078de4adac

    The exit status states whether the result is authentic; `status` states whether the check succeeded. The
    exit status is 0 if the signature is valid, 1 if the result is refused, and 2 if a file cannot be read.
    """
    try:
        keys = _read_keys(jwks)
        reviewed = None if of_result is None else _text(read_whole(Path(of_result), most_bytes=_MAX_BYTES))
        with _opened(result) as file:
            if is_person_export(file):
                if expect_check_id is not None:
                    raise FileUnusable(
                        f"{_named(result)} is the export of a person: leave out --expect-check-id"
                    )
                exported = verify_person_export(
                    file, keys, issuer=expect_issuer, tenant=expect_tenant, accept_sandbox=accept_sandbox
                )
                _show_person(tuple(exported), as_json=as_json)
                return
            file.seek(0)
            content = file.read(_MOST_BYTES_OF_ARCHIVE + 1)
            if len(content) > _MOST_BYTES_OF_ARCHIVE:
                limit = f"has more than {_MOST_BYTES_OF_ARCHIVE} bytes"
                raise FileUnusable(f"{result} {limit}; nothing that is verified is so large")
    except (FileUnusable, ClientError) as error:
        fail(str(error), UNREADABLE)
    try:
        saved = verify_saved(
            content,
            keys,
            issuer=expect_issuer,
            tenant=expect_tenant,
            accept_sandbox=accept_sandbox,
            reviewed=reviewed,
        )
    except FileUnusable as error:
        fail(f"{_named(result)} {error}", UNREADABLE)
    except ClientError as error:
        fail(str(error), NOT_VERIFIED)
    if expect_check_id is not None and saved.check_id != expect_check_id:
        fail(
            f"the {saved.kind} belongs to the check {saved.check_id}; expected {expect_check_id}: give the "
            "result of that check",
            NOT_VERIFIED,
        )
    if as_json:
        typer.echo(_as_json(saved))
    elif saved.review is not None:
        Console().print(_review_view(saved.review, saved.header))
    elif saved.result is not None:
        Console().print(_view(saved.result, saved.header, saved.manifest))


def _show_person(checks: tuple[ExportedCheck, ...], *, as_json: bool) -> None:
    """Show what was verified of a person's export, and end the command if an archive is refused."""
    refused = sum(bool(check.problem) for check in checks)
    rows = [
        {
            "check_id": check.check_id,
            "verified": check.archive is not None,
            "status": "" if check.archive is None else enum_word(check.archive.result, "status"),
            "left_out": check.left_out,
            "problem": check.problem,
        }
        for check in checks
    ]
    if as_json:
        typer.echo(json.dumps({"verified": not refused, "kind": "person", "checks": rows}, indent=2))
    else:
        table = list_table("Check", "Archive", "Status", title="The export of a person")
        for row, check in zip(rows, checks, strict=True):
            if check.problem:
                state = Text(f"refused: {check.problem}", "red")
            else:
                state = Text(f"left out: {check.left_out}" if check.left_out else "valid")
            table.add_row(Text(check.check_id), state, str(row["status"]))
        Console().print(table)
        valid = sum(check.archive is not None for check in checks)
        typer.echo(f"{counted(valid, 'archive')} valid, {refused} refused. subject.json is not signed.")
    if refused:
        raise typer.Exit(NOT_VERIFIED)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """Yield a file that can be sought."""
    if source == _STDIN:
        yield io.BytesIO(sys.stdin.buffer.read(_MOST_BYTES_OF_ARCHIVE + 1))
        return
    if Path(source).is_dir():
        raise FileUnusable(f"{source} is a folder; give the .jws file in it")
    try:
        with Path(source).open("rb") as file:
            yield file if file.seekable() else io.BytesIO(file.read(_MOST_BYTES_OF_ARCHIVE + 1))
    except OSError as error:
        raise FileUnusable(f"{source} cannot be read: {error.strerror}") from error


def _read_keys(source: str) -> KeySet:
    if source.startswith(("http://", "https://")):
        raise FileUnusable(
            f"--jwks is {source}; expected a file, because verification is offline: save the keys once, "
            "over a connection that you trust, with curl -o jwks.json (on this machine with --noproxy '*')"
        )
    try:
        return load_key_set(read_whole(Path(source), most_bytes=_MAX_BYTES))
    except ClientError as error:
        raise FileUnusable(
            f"{source}: {error}; give a saved copy of /.well-known/jwks.json of the server's admin listener"
        ) from error


def _named(source: str) -> str:
    return "standard input" if source == _STDIN else source


def _as_json(saved: VerifiedFile) -> str:
    header = saved.header
    said = {
        "verified": True,
        "kind": saved.kind,
        "key_id": header.get("kid", ""),
        "issuer": header.get("iss"),
        "tenant": header.get("tenant"),
        "sandbox": bool(header.get("sandbox")),
    }
    if saved.result is not None:
        said["result"] = json_format.MessageToDict(saved.result, preserving_proto_field_name=True)
    if saved.manifest is not None:
        said["manifest"] = dict(saved.manifest)
    if saved.review is not None:
        said["review"] = dict(saved.review)
    return json.dumps(said, indent=2)


def _review_view(review: Mapping[str, Any], header: Mapping[str, Any]) -> Table:
    rows = [
        _sandbox_row(review["sandbox"]),
        ("outcome", review["outcome"]),
        ("check", review["check_id"]),
        ("result", f"SHA-256 {review['result_sha256']}"),
        ("sent there by", ", ".join(review["causes"])),
        *(
            (
                "decision",
                f"{one['outcome']} by {one['reviewer']}, {one['decide_time']}: {one['reason']}"
                + (f", {one['comment']}" if one["comment"] else ""),
            )
            for one in review["decisions"]
        ),
        *_signer_rows(header),
    ]
    return facts_table(rows, title="The signature is valid")


def _view(
    result: result_pb2.CheckResult, header: Mapping[str, Any], manifest: Mapping[str, Any] | None
) -> Table:
    success, policy = result.status == result_pb2.CHECK_STATUS_SUCCESS, result.policy
    rows: list[tuple[str, str | Text]] = [
        _sandbox_row(result.sandbox),
        ("status", Text(enum_word(result, "status"), "bold green" if success else "bold red")),
        ("reasons", ", ".join(enum_words(result, "reasons")) or "-"),
        ("check", result.check_id),
        ("decided", result.decide_time.ToDatetime(UTC).isoformat(timespec="seconds")),
        ("policy", f"{policy_words(policy)}, SHA-256 {policy.sha256.hex()[:16]}..."),
        *warning_rows(result),
    ]
    if manifest is not None:
        rows += [
            ("files", f"{len(manifest['files'])}, all as they were signed"),
            ("exported", f"{manifest.get('export_time')} by {manifest.get('exported_by')}"),
            ("purpose", str(manifest.get("purpose"))),
            *(
                ("missing", Text(f"{missing['name']}: {missing['problem']}", "yellow"))
                for missing in manifest.get("missing_images", [])
            ),
        ]
    title = "The signature is valid" if manifest is None else "Every signature and every hash is valid"
    return facts_table([*rows, *_signer_rows(header)], title=title)


def _sandbox_row(sandbox: bool) -> tuple[str, str | Text]:
    words = Text("yes: made for tests, no statement about a person", "bold yellow")
    return ("sandbox", words if sandbox else "no")


def _signer_rows(header: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for label, name in (("issuer", "iss"), ("tenant", "tenant"), ("key", "kid")):
        yield label, str(header.get(name) or "-")


app = typer.Typer(help="Verify saved results.", no_args_is_help=True)
app.command("verify")(verify_command)


@app.callback()
def _group() -> None:
    """Keep ``verify`` a subcommand although it is the only one."""
