"""Loads the policy, the pack and the settings of a command, which are by default those of the server."""

from pathlib import Path
from typing import Final

from cli.errors import PolicyUnusable, SettingsUnusable
from server.configuration.loading import LoadedSettings, SettingsInvalid, load_settings
from server.policies import Policy, load_policies, read_policy
from server.policies.loading import PolicyError

__all__ = ["chosen_pack", "chosen_policy", "settings_of"]

_POLICY_SUFFIX: Final = ".toml"
_DEFAULT_POLICY: Final = "standard"


def settings_of(config: Path | None) -> LoadedSettings:
    """Returns the settings of a file, by default of the one that FACEGATE_CONFIG names.

    Raises:
        SettingsUnusable: They are invalid.
    """
    try:
        return load_settings(config)
    except SettingsInvalid as error:
        raise SettingsUnusable(str(error)) from error


def chosen_pack(name: str | None, config: Path | None) -> str:
    """Returns ``name``, or the pack of the settings; without a settings file `embedded`.

    Raises:
        SettingsUnusable: The settings are invalid.
    """
    return name or settings_of(config).settings.pack


def chosen_policy(name: str | None, config: Path | None) -> Policy:
    """Returns a policy by its name or file.

    Args:
        name: A name, or the path of a TOML file; None for the default policy of the settings file, or
            `standard` without one.
        config: Settings file that names a folder of policies; None for the default settings.

    Raises:
        PolicyUnusable: There is no such policy, or the policy is invalid.
        SettingsUnusable: The settings are invalid.
    """
    try:
        if name is not None and name.endswith(_POLICY_SUFFIX):
            return read_policy(Path(name)).policy
        loaded = settings_of(config)
        policies = loaded.settings.policies
        default = _DEFAULT_POLICY if loaded.file is None else policies.default
        return load_policies(policies.folder).get(name or default).policy
    except PolicyError as error:
        raise PolicyUnusable(str(error)) from error
