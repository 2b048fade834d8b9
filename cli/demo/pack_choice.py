"""Chooses the pack of the demo: the best available one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.errors import StageUnusable
from server.checks.offer import pack_shortfall
from server.policies import Policy
from vision.errors import PullError, VisionError
from vision.packs import Catalogue, CataloguePack, Pack, load_pack

__all__ = ["PULLED", "ChosenPack", "choose_pack"]

PULLED: Final = "open"
"""The pack that the demo tries to pull if none is installed."""

_LAST_RESORT: Final = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPack:
    """The pack that judges.

    Attributes:
        spec: Its name in the server's settings.
        models_dir: Models folder in which it was found.
        pack: The loaded pack.
        policy: Name of the policy that it meets.
        why: The reason for this choice, in words.
        obstacles: The reasons against better packs, a sentence each.
    """

    spec: str
    models_dir: Path
    pack: Pack
    policy: str
    why: str
    obstacles: tuple[str, ...] = ()


async def choose_pack(
    *,
    wanted: str | None,
    models_dir: Path,
    catalogue: Catalogue,
    policy: Policy,
    trial: Policy,
    pull: Callable[[CataloguePack], Awaitable[object]] | None,
) -> ChosenPack:
    """Returns the requested pack, or the best available one.

    The best is the first of the catalogue's packs that is completely installed in the models folder and meets
    the policy; else ``open``, if it can be pulled now; else ``embedded``, which needs no files. Only the demo
    chooses a pack: a server uses the pack in its settings.

    Args:
        wanted: The requested pack; None to choose.
        models_dir: The models folder.
        catalogue: Catalogue of packs.
        policy: The policy that the pack must meet.
        trial: The policy that it must meet instead if it is for evaluation only.
        pull: Pulls a pack into the models folder; None if nothing may be pulled.

    Raises:
        StageUnusable: The requested pack, or the last candidate, cannot be used.
    """

    async def load(spec: str, why: str) -> ChosenPack:
        try:
            pack = await asyncio.to_thread(load_pack, spec, models_dir=models_dir)
        except VisionError as error:
            raise StageUnusable(f"the pack {spec} cannot be used: {error}") from error
        met = trial if pack.evaluation_only else policy
        if shortfall := pack_shortfall(met, pack, allow_evaluation_pack=True):
            raise StageUnusable(f"the pack {spec} cannot meet the demo's policy {met.name}: {shortfall}")
        return ChosenPack(spec=spec, models_dir=models_dir, pack=pack, policy=met.name, why=why)

    if wanted is not None:
        return await load(wanted, "it was requested")
    obstacles: list[str] = []
    for candidate in catalogue.packs:
        if not (models_dir / candidate.name).is_dir():
            continue
        try:
            chosen = await load(candidate.name, "it is the best pack in the models folder")
        except StageUnusable as error:
            obstacles.append(str(error))
        else:
            return replace(chosen, obstacles=tuple(obstacles))
    why = "no pack in the models folder can be used" if obstacles else "the models folder contains no pack"
    if pull is None:
        why += " and none may be pulled"
    else:
        try:
            chosen = await _pulled(pull, catalogue, load)
        except (PullError, StageUnusable) as error:
            obstacles.append(str(error))
            why += f" and {PULLED} could not be pulled"
        else:
            return replace(chosen, obstacles=tuple(obstacles))
    return replace(await load(_LAST_RESORT, f"{why}; this one needs no files"), obstacles=tuple(obstacles))


async def _pulled(
    pull: Callable[[CataloguePack], Awaitable[object]],
    catalogue: Catalogue,
    load: Callable[[str, str], Awaitable[ChosenPack]],
) -> ChosenPack:
    pack = catalogue.pack(PULLED)
    if pack is None:
        raise StageUnusable(f"the catalogue has no pack {PULLED}")
    await pull(pack)
    return await load(PULLED, "it was pulled just now")
