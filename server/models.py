"""The pack that a server runs: loaded, held against the policies, and announced."""

import structlog

from server.checks.intake import pack_shortfall
from server.errors import ConfigurationError
from server.policies import PolicyBook
from server.settings import Settings
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, load_pack

__all__ = ["announce_pack", "check_policies", "load_configured_pack"]

_log = structlog.get_logger(__name__)


def load_configured_pack(settings: Settings) -> Pack:
    """Loads the pack that the settings name. Takes seconds: keep it off the event loop.

    Raises:
        vision.errors.PackError: It is missing, altered, or cannot be used.
    """
    runtime = RuntimeOptions(
        intra_op_threads=settings.runtime.intra_op_threads, providers=settings.runtime.providers
    )
    return load_pack(settings.pack, models_dir=settings.models_dir, runtime=runtime)


def check_policies(policies: PolicyBook, pack: Pack, *, default: str) -> None:
    """Checks that a pack can meet the default policy, and warns of others that it cannot meet.

    Args:
        policies: All policies.
        pack: The pack.
        default: Name of the default policy.

    Raises:
        ConfigurationError: There is no such policy, or the pack cannot meet it.
    """
    if default not in policies.names:
        raise ConfigurationError(
            f"policies.default is {default!r}, but there are only {', '.join(policies.names)}"
        )
    for name in policies.names:
        shortfall = pack_shortfall(policies.get(name).policy, pack)
        if shortfall is None:
            continue
        if name == default:
            raise ConfigurationError(
                f"the default policy {name} cannot be met by the pack {pack.name}: {shortfall}"
            )
        _log.warning("policy_not_available", policy=name, pack=pack.name, shortfall=shortfall)


def announce_pack(pack: Pack) -> None:
    """Logs the terms of a pack, and as a warning that it is for evaluation only."""
    terms = [f"{terms.part}: {terms.weights} Training data: {terms.training_data}" for terms in pack.terms]
    if pack.evaluation_only:
        _log.warning("pack_for_evaluation_only", pack=pack.name, terms=terms)
    else:
        _log.info("pack_terms", pack=pack.name, terms=terms)
