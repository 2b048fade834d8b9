"""Loads the policy, the packs and the settings of a command, which are by default those of the server."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.errors import CommandError
from server.configuration.loading import LoadedSettings, SettingsInvalid, load_settings
from server.policies import Policy, load_policies, read_policy
from server.policies.loading import PolicyError
from vision.packs import CataloguePack, default_models_dir, load_catalogue

_POLICY_SUFFIX: Final = ".toml"
_DEFAULT_POLICY: Final = "standard"


def _settings() -> LoadedSettings:
    try:
        return load_settings()
    except SettingsInvalid as error:
        raise CommandError(str(error)) from error


def chosen_pack(name: str | None) -> str:
    """Return ``name``, or the pack of the settings; without a settings file `embedded`."""
    return name or _settings().settings.pack


def chosen_policy(name: str | None) -> Policy:
    """Return the policy of a name or TOML file; by default that of the settings file, or `standard`."""
    try:
        if name is not None and name.endswith(_POLICY_SUFFIX):
            return read_policy(Path(name)).policy
        loaded = _settings()
        policies = loaded.settings.policies
        default = _DEFAULT_POLICY if loaded.file is None else policies.default
        return load_policies(policies.folder).get(name or default).policy
    except PolicyError as error:
        raise CommandError(str(error)) from error


def models_folder() -> Path:
    """Return the folder of the command line or FACEGATE_MODELS_DIR, of the settings, or the default one.

    Without a settings file, other settings in the environment are not read, and so need not be valid.
    """
    if os.environ.get("FACEGATE_CONFIG"):
        return _settings().settings.models_dir
    return default_models_dir(os.environ, Path.home())


def known_packs(names: Sequence[str] | None = None) -> tuple[CataloguePack, ...]:
    """Return the catalogue's packs with these names, each once; all packs if there are no names."""
    catalogue = load_catalogue()
    packs = {pack.name: pack for pack in catalogue.packs}
    for name in names or ():
        if name not in packs:
            raise CommandError(
                f"no pack is called {name!r}. Known: {', '.join(packs)}; see `facegate models show`. The "
                "pack `embedded` comes with the extra of that name and needs no pull."
            )
    return tuple(packs[name] for name in dict.fromkeys(names or packs))
