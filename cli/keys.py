"""``facegate keys``: API keys for callers, and rotation of the server's own keys."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from server.api_keys import Role, new_api_key
from server.keys import KeysUnusable, rotate_key
from server.sandbox import LONGEST_TENANT
from server.settings_loading import SettingsInvalid, load_settings

__all__ = ["app"]

app = typer.Typer(help="Make API keys, and rotate the server's own keys.", no_args_is_help=True)


class Purpose(StrEnum):
    """What a key of the server is for."""

    TOKEN = "token"  # noqa: S105 - a purpose, not a secret
    CHALLENGE = "challenge"
    RESULT = "result"
    EVIDENCE = "evidence"


@app.command("new-api-key")
def new_api_key_command(
    name: Annotated[str, typer.Argument(help="Who will call with it, for logs.")],
    tenant: Annotated[str, typer.Option(help="Whose checks it may see.")] = "default",
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.ORCHESTRATOR,
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

    The file holds a hash only, so that it gives nobody access. For example, for a backend, and for the tests
    of an app:

        facegate keys new-api-key onboarding-backend

        facegate keys new-api-key app-tests --sandbox
    """
    if sandbox and role is not Role.ORCHESTRATOR:
        raise typer.BadParameter(f"a sandbox key is for the role orchestrator, not {role.value}")
    if sandbox and len(tenant) > LONGEST_TENANT:
        raise typer.BadParameter(
            f"the tenant of a sandbox key has at most {LONGEST_TENANT} characters, not {len(tenant)}"
        )
    key, digest = new_api_key()
    typer.echo(f"The key, shown only now: {key}", err=True)
    typer.echo("Add this to the API keys file, and start the server anew:", err=True)
    typer.echo(
        f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\ntenant = "{tenant}"\nrole = "{role.value}"'
        + ("\nsandbox = true" if sandbox else "")
    )


@app.command()
def rotate(
    purpose: Annotated[Purpose, typer.Argument(help="Which key.")],
    config: Annotated[
        Path | None, typer.Option("--config", envvar="FACEGATE_CONFIG", help="Settings file (TOML).")
    ] = None,
) -> None:
    """Add the next key of a purpose; servers use it from their next start.

    Older keys stay in the folder: they verify tokens and open evidence. Apps that pinned the challenge
    key for a check that is still open cannot scan it after a rotation: wait until such checks expired.
    For example:

        facegate keys rotate evidence --config /etc/facegate.toml
    """
    try:
        made = rotate_key(load_settings(config).settings.key_folder, purpose.value)
    except (SettingsInvalid, KeysUnusable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"Made {made}. Start the servers anew to use it.")
