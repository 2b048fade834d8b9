"""Options of the commands on models, and the catalogue."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import UnknownPack
from vision.packs import CataloguePack, default_models_dir, load_catalogue

__all__ = ["ModelsDirOption", "PackArgument", "known_packs", "models_folder"]

ModelsDirOption = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        envvar="FACEGATE_MODELS_DIR",
        help="Models folder.  [default: facegate/models in the user's data folder]",
        show_default=False,
    ),
]
PackArgument = Annotated[str, typer.Argument(help="The pack's name.", show_default=False)]


def models_folder(given: Path | None) -> Path:
    """Returns the models folder: ``given``, or by default the folder of pulled packs."""
    return default_models_dir(os.environ, Path.home()) if given is None else given.expanduser()


def known_packs(names: Sequence[str] | None = None) -> tuple[CataloguePack, ...]:
    """Returns the catalogue's packs with these names, each once; all packs if there are no names.

    Raises:
        UnknownPack: The catalogue has no pack of that name.
    """
    catalogue = load_catalogue()
    packs = {pack.name: pack for pack in catalogue.packs}
    for name in names or ():
        if name not in packs:
            raise UnknownPack(
                f"no pack is called {name!r}. Known: {', '.join(packs)}; see `facegate models list`. The "
                "pack `embedded` comes with Facegate and needs no pull."
            )
    return tuple(packs[name] for name in dict.fromkeys(names or packs))
