"""The commands of ``facegate audit``."""

import json

import typer

from cli.audit.accept_command import accept_command
from cli.audit.export_command import export_command
from cli.audit.options import own_audit_keys
from cli.audit.show_command import show_command
from cli.audit.verify_command import verify_command
from cli.error_reporting import errors_reported
from cli.help import brief
from cli.options import ConfigOption
from server.audit import CheckpointKeys
from server.base.errors import ConfigurationError
from server.configuration.loading import load_settings
from server.keyring.key_files import open_key_files

__all__ = ["app"]

app = typer.Typer(help="Verify, show, export or accept the audit log.", no_args_is_help=True)
app.command("verify", cls=brief("--jwks", "--export", "--witness", "--service"))(verify_command)
app.command("show", cls=brief("--tenant", "--last", "--subject", "--service"))(show_command)
app.command("export", cls=brief("--tenant", "--since", "--service"))(export_command)
app.command("accept", cls=brief("--reason", "--yes", "--config"))(accept_command)


@app.command("keys")
def keys_command(config: ConfigOption = None) -> None:
    """Print the public keys of checkpoints as a JWK Set, for `facegate audit verify --jwks`.

    Give them to the auditor by another way than the log itself. For example:

        facegate audit keys > audit-jwks.json
    """
    with errors_reported(ConfigurationError):
        settings = load_settings(config).settings
        keys = CheckpointKeys(own_audit_keys(open_key_files(settings.key_folder, settings.keys)))
    typer.echo(json.dumps(keys.jwks(), indent=2))
