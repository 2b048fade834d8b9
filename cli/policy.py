"""``facegate policy``: shows policies, and tests policy files before a server reads them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import errors_reported, fail
from cli.options import JsonOption
from device_integrity import Assurance
from liveness import ChallengeKind, load_fusion_model
from server.checks.offer import pack_shortfall
from server.configuration.loading import SettingsInvalid, load_settings
from server.device.configured import missing_settings
from server.policies import Policy, PolicyFile, load_policies, read_policy
from server.policies.availability import Availability, availability
from server.policies.loading import PolicyError, PolicyInvalid
from server.policies.schema import AssuranceFloors
from server.running.models import load_configured_pack
from vision.errors import VisionError

_INVALID = 1

app = typer.Typer(help="Show policies, and test policy files.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Show policies, and test policy files."""  # Keeps `show` a subcommand although it is the only one.


@app.command("show")
def show_command(
    name: Annotated[
        str | None,
        typer.Argument(help="A policy's name, or a policy file (TOML); by default all.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the policies that a server serves, and what they lack, or show one in full.

    They may lack settings, or a pack that meets them.

    Of one policy, every setting is shown, with defaults, and the hash that checks contain; settings of
    challenges that it never starts have no effect, and are left out. Loads the pack that the settings name,
    as the server does at its start. A file is tested before a server reads it: every problem is printed, and
    the exit status is 1 if there is one. For example:

        facegate policy show --config /etc/facegate.toml

        FACEGATE_PACK=open facegate policy show standard

        facegate policy show mine.toml
    """
    offers = _offers(name)
    if name is None:
        _list(offers, as_json=as_json)
        return
    (offer,) = offers
    file = offer.file
    values = file.policy.model_dump(mode="json")
    if as_json:
        shown = _summary(file) | _availability(offer) | {"sure": _sure(offer), "policy": values}
        typer.echo(json.dumps(shown, indent=2))
        return
    table = Table("setting", "value", title=f"{file.policy.name}, version {file.policy.version}")
    for key, value in _leaves(values):
        if not key.startswith(_without_effect(file.policy)):
            table.add_row(key, escape(str(value)))
    Console().print(table)
    typer.echo(f"SHA-256 of the file: {file.sha256.hex()}")
    if unattested := file.policy.device.as_table().unattested:
        platforms = ", ".join(platform.lower() for platform in unattested)
        typer.echo(
            f"A check can succeed with a device that is not attested ({platforms}); its result states this."
        )
    if file.policy.doubt is not None and offer.networks is not None:
        sure = _sure(offer)
        typer.echo(
            "With this pack, EXPRESS is never sure: no scan succeeds without a challenge."
            if sure is None
            else f"With this pack, EXPRESS is sure from a confidence of {sure:g}; below, a challenge follows."
        )
    _print_shortfalls([offer])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A policy of a server, and whether its settings and its pack meet it."""

    file: PolicyFile
    evidence: Availability
    pack_shortfall: str | None
    networks: tuple[str, ...] | None

    @property
    def available(self) -> bool:
        """Whether checks can be made under it."""
        return self.evidence.available and self.pack_shortfall is None


def _list(offers: Sequence[_Offer], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_summary(one.file) | _availability(one) for one in offers], indent=2))
        return
    table = Table("name", "version", "mode", "max FMR", "least assurance", "available", box=box.SIMPLE)
    for one in offers:
        policy = one.file.policy
        table.add_row(
            policy.name,
            str(policy.version),
            policy.mode.value,
            f"{policy.match.max_fmr:g}",
            _floors(policy.device.minimum_assurance),
            _available(one),
        )
    Console().print(table)
    for one in offers:
        typer.echo(f"{one.file.policy.name}: {one.file.policy.description}")
    typer.echo()
    _print_shortfalls(offers)


def _offers(name: str | None = None) -> list[_Offer]:
    """Return the named policy, or all in the order of their names."""
    with errors_reported(SettingsInvalid, PolicyError):
        settings = load_settings().settings
        book = load_policies(settings.policies.folder, served=settings.policies.served)
        if name is not None and name.endswith(".toml"):
            try:
                files = [read_policy(Path(name))]
            except PolicyInvalid as error:
                fail(str(error), _INVALID)
        else:
            files = [book.get(each) for each in (book.names if name is None else [name])]
    missing = missing_settings(settings)
    try:
        pack = load_configured_pack(settings)
    except VisionError as error:
        unusable = f"the pack {settings.pack} cannot be used, so no server starts: {error}"
        shortfalls: list[str | None] = [unusable] * len(files)
        networks = None
    else:
        allowed = settings.allow_evaluation_pack
        shortfalls = [pack_shortfall(file.policy, pack, allow_evaluation_pack=allowed) for file in files]
        networks = tuple(network.name for network in pack.pad_networks)
    return [
        _Offer(
            file=file,
            evidence=availability(file.policy.device, missing=missing),
            pack_shortfall=shortfall,
            networks=networks,
        )
        for file, shortfall in zip(files, shortfalls, strict=True)
    ]


def _availability(offer: _Offer) -> dict[str, Any]:
    return {
        "available": offer.available,
        "left_out": [
            {
                "platform": each.platform.value,
                "missing_settings": list(each.settings),
                "reason": each.reason,
            }
            for each in offer.evidence.shortfalls
        ],
        "pack_shortfall": offer.pack_shortfall,
    }


def _available(offer: _Offer) -> str:
    if not offer.available:
        return "no"
    return "in part" if offer.evidence.missing_settings else "yes"


def _sure(offer: _Offer) -> float | None:
    """Return the confidence from which no challenge follows; ``None`` if one always does, or never."""
    if offer.file.policy.doubt is None or offer.networks is None:
        return None
    return load_fusion_model().scan_networks.calibration_for(offer.networks).sure


def _print_shortfalls(offers: Sequence[_Offer]) -> None:
    by_shortfall: dict[str, list[str]] = {}
    for offer in offers:
        name = offer.file.policy.name
        if not offer.evidence.available:
            typer.echo(f"{name} is not available: {offer.evidence.reason}")
        elif offer.evidence.missing_settings:
            typer.echo(f"{name} excludes platforms: {offer.evidence.reason}")
        if offer.pack_shortfall is not None:
            by_shortfall.setdefault(offer.pack_shortfall, []).append(name)
    for shortfall, names in by_shortfall.items():
        typer.echo(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not available: {shortfall}")


def _without_effect(policy: Policy) -> tuple[str, ...]:
    """Return the tables of challenges that no check of the policy starts."""
    names = [] if policy.why_no_flash is None else ["challenge.raised."]
    if policy.doubt is not None:
        unused = set(ChallengeKind).difference(policy.doubt.order)
        names += [f"doubt.{challenge}." for challenge in unused]
    return tuple(names)


def _floors(least: Assurance | AssuranceFloors) -> str:
    if isinstance(least, Assurance):
        return least.value
    named = [f"{platform.lower()} {floor.value}" for platform, floor in least.named().items()]
    return ", ".join([least.default.value, *named])


def _summary(file: PolicyFile) -> dict[str, Any]:
    return {
        "name": file.policy.name,
        "version": file.policy.version,
        "mode": file.policy.mode.value,
        "description": file.policy.description,
        "sha256": file.sha256.hex(),
    }


def _leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found
