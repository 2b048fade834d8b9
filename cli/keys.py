"""``facegate keys``: makes API keys for callers, and rotates the server's keys."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.error_reporting import errors_reported
from cli.help import brief
from cli.options import ConfigOption
from server.api_keys import new_api_key
from server.callers import CallerEntry, Role, Scope
from server.keys import KeysUnusable, retire_result_key, rotate_key
from server.settings_loading import SettingsInvalid, load_settings

__all__ = ["app"]

app = typer.Typer(help="Make API keys, and rotate the server's keys.", no_args_is_help=True)


class Purpose(StrEnum):
    """The purpose of a key of the server."""

    TOKEN = "token"  # noqa: S105 - a purpose, not a secret
    CHALLENGE = "challenge"
    RESULT = "result"
    EVIDENCE = "evidence"


@app.command("new-api-key", cls=brief("--tenant", "--role", "--expires-days", "--sandbox"))
def new_api_key_command(
    name: Annotated[str, typer.Argument(help="Caller's name, for logs.")],
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of its checks.")] = "default",
    role: Annotated[list[Role] | None, typer.Option(help="Role; by default orchestrator.")] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Permission; may be repeated. By default all permissions of its roles."),
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Validity in days. By default unlimited.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Key for tests. Its checks tolerate emulators, virtual cameras, repeated frames and test "
            "roots, and each result states this.",
        ),
    ] = False,
) -> None:
    """Make an API key: print it once, with the entry for the file of `api_keys_file`.

    The file holds only a hash, so reading it gives no access. For example, for a backend, for a monitor that
    only reads, and for the tests of an app:

        facegate keys new-api-key onboarding-backend --expires-days 180

        facegate keys new-api-key status-board --scope checks.read

        facegate keys new-api-key app-tests --sandbox
    """
    try:
        entry = CallerEntry(
            name=name,
            tenant=tenant,
            roles=tuple(role or [Role.ORCHESTRATOR]),
            scopes=None if scope is None else tuple(scope),
            sandbox=sandbox,
        )
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".removeprefix(": ")
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise typer.BadParameter("; ".join(problems)) from error
    key, digest = new_api_key()
    typer.echo(f"The key, shown only once: {key}", err=True)
    typer.echo("Add this to the API keys file; servers read it again within seconds:", err=True)
    lines = [
        "[[key]]",
        f'name = "{name}"',
        f'sha256 = "{digest}"',
        f'tenant = "{tenant}"',
        f"roles = {_texts(entry.roles)}",
    ]
    if entry.scopes is not None:
        lines.append(f"scopes = {_texts(entry.scopes)}")
    if expires_days is not None:
        lines.append(f"expires = {datetime.now(UTC) + timedelta(days=expires_days):%Y-%m-%dT%H:%M:%SZ}")
    if sandbox:
        lines.append("sandbox = true")
    typer.echo("\n".join(lines))


def _texts(values: Iterable[StrEnum]) -> str:
    return "[" + ", ".join(f'"{value.value}"' for value in values) + "]"


@app.command()
def rotate(
    purpose: Annotated[Purpose, typer.Argument(help="Purpose of the key.")],
    config: ConfigOption = None,
) -> None:
    """Add the next key of a purpose. Servers use it from their next start.

    Older keys stay in the folder: they verify tokens, decrypt evidence, and sign the challenges of checks
    that began with them. For example:

        facegate keys rotate evidence --config /etc/facegate.toml
    """
    with errors_reported(SettingsInvalid, KeysUnusable):
        made = rotate_key(load_settings(config).settings.key_folder, purpose.value)
    typer.echo(f"Made {made}. Restart the servers to use it.")


@app.command()
def retire(
    number: Annotated[int, typer.Argument(min=1, help="Number of the key: 1 for result-0001.pem.")],
    config: ConfigOption = None,
) -> None:
    """Remove an older result key, and keep its public key.

    Servers continue to publish the public key in their JWKS, so that results that the key signed can be
    verified. Keep the file as long as such results are kept. For example, after `facegate keys rotate
    result`:

        facegate keys retire 1 --config /etc/facegate.toml
    """
    with errors_reported(SettingsInvalid, KeysUnusable):
        kept = retire_result_key(load_settings(config).settings.key_folder, number)
    typer.echo(f"Key {number} is removed; its public key is {kept}.")
