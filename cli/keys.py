"""``facegate keys``: API keys for callers, and rotation of the server's own keys."""

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

app = typer.Typer(help="Make API keys, and rotate the server's own keys.", no_args_is_help=True)


class Purpose(StrEnum):
    """What a key of the server is for."""

    TOKEN = "token"  # noqa: S105 - a purpose, not a secret
    CHALLENGE = "challenge"
    RESULT = "result"
    EVIDENCE = "evidence"


@app.command("new-api-key", cls=brief("--tenant", "--role", "--expires-days", "--sandbox"))
def new_api_key_command(
    name: Annotated[str, typer.Argument(help="Who will call with it, for logs.")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose checks it may see.")] = "default",
    role: Annotated[
        list[Role] | None, typer.Option(help="What kind of caller it is; by default orchestrator.")
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; may be repeated. By default all that its roles may."),
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it expires; by default never.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="For tests of an integration: its checks tolerate emulators, virtual cameras, repeated "
            "frames and test roots, and every result says so.",
        ),
    ] = False,
) -> None:
    """Make an API key: print it once, and the entry for the file that `api_keys_file` names.

    The file holds a hash only, so that it gives nobody access. For example, for a backend, for what
    only watches, and for the tests of an app:

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
    typer.echo(f"The key, shown only now: {key}", err=True)
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
    purpose: Annotated[Purpose, typer.Argument(help="Which key.")],
    config: ConfigOption = None,
) -> None:
    """Add the next key of a purpose; servers use it from their next start.

    Older keys stay in the folder: they verify tokens, open evidence, and sign the challenges of checks that
    began with them. For example:

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
    """Remove an older key for results, and keep its public half.

    Servers go on to publish the public half in their JWKS, so that results that it signed can be verified.
    Keep the file as long as such results are kept. For example, after `facegate keys rotate result`:

        facegate keys retire 1 --config /etc/facegate.toml
    """
    with errors_reported(SettingsInvalid, KeysUnusable):
        kept = retire_result_key(load_settings(config).settings.key_folder, number)
    typer.echo(f"Key {number} is gone; its public half is {kept}.")
