"""Loads the pack of a server, tests it against the policies, and logs its terms."""

from hashlib import sha256

import structlog

from server.base.errors import ConfigurationError
from server.checks.offer import pack_shortfall
from server.configuration.settings import Settings
from server.policies import PolicyBook
from server.verdict.outcome import CalibrationIdentity, PackIdentity
from vision.onnx_sessions import RuntimeOptions, choose_providers
from vision.packs import Pack, load_pack, read_operator_calibration, with_calibration

_log = structlog.get_logger(__name__)


def load_configured_pack(settings: Settings) -> Pack:
    """Load the pack that the settings name. This takes seconds: do not call it on the event loop.

    If the settings name a calibration, it replaces the one of the distribution. If the installed ONNX Runtime
    is for GPUs and the settings allow the CPU instead, its use is logged as a warning.

    Raises:
        vision.errors.PackError: The pack is missing, altered, or cannot be used, or the calibration cannot be
            used.
    """
    runtime = RuntimeOptions(providers=settings.runtime.providers)
    # The calibration is read first, so that an invalid one is reported at once.
    calibration = None if settings.calibration is None else read_operator_calibration(settings.calibration)
    pack = load_pack(settings.pack, models_dir=settings.models_dir, runtime=runtime)
    if choose_providers(runtime).wants_gpu and not pack.on_gpu:
        _log.warning("gpu_not_used", pack=pack.name, runtime=pack.runtime)
    return pack if calibration is None else with_calibration(pack, calibration)


def pack_identity(pack: Pack) -> PackIdentity:
    """Return the identity of ``pack`` for results."""
    return PackIdentity(
        name=pack.name,
        version=pack.version,
        sha256=sha256("\n".join(sorted(file.sha256 for file in pack.files)).encode()).digest(),
        evaluation_only=pack.evaluation_only,
        calibration=calibration_identity(pack),
        missing_pad_networks=pack.missing_pad_networks,
    )


def calibration_identity(pack: Pack) -> CalibrationIdentity:
    """Return the identity of the calibration of a pack for results."""
    calibration = pack.match_calibration
    return CalibrationIdentity(
        provenance=calibration.provenance,
        sha256=bytes.fromhex(calibration.sha256),
        lowest_bound=calibration.lowest_bound,
    )


def require_servable(policies: PolicyBook, pack: Pack, *, default: str, allow_evaluation_pack: bool) -> None:
    """Verify that a pack can meet the default policy, and log a warning for others that it cannot meet.

    Args:
        allow_evaluation_pack: Whether a pack for evaluation may serve EXPRESS policies.

    Raises:
        ConfigurationError: The default policy does not exist, or the pack cannot meet it.
    """
    if default not in policies.names:
        raise ConfigurationError(
            f"policies.default is {default!r}, but there are only {', '.join(policies.names)}"
        )
    for name in policies.names:
        shortfall = pack_shortfall(
            policies.get(name).policy, pack, allow_evaluation_pack=allow_evaluation_pack
        )
        if shortfall is None:
            continue
        if name == default:
            raise ConfigurationError(
                f"the default policy {name} cannot be met by the pack {pack.name}: {shortfall}"
            )
        _log.warning("policy_not_available", policy=name, pack=pack.name, shortfall=shortfall)


def announce_pack(pack: Pack, *, allow_evaluation_pack: bool) -> None:
    """Log a pack's terms and calibration, with a warning if it is for evaluation only or lacks networks.

    Args:
        allow_evaluation_pack: Whether a pack for evaluation may serve EXPRESS policies.
    """
    terms = [f"{terms.part}: {terms.weights} Training data: {terms.training_data}" for terms in pack.terms]
    if pack.evaluation_only:
        _log.warning(
            "pack_for_evaluation_only",
            pack=pack.name,
            terms=terms,
            express="allowed by allow_evaluation_pack" if allow_evaluation_pack else "refused",
        )
    else:
        _log.info("pack_terms", pack=pack.name, terms=terms)
    if pack.missing_pad_networks:
        _log.warning(
            "pack_lacks_pad_networks",
            pack=pack.name,
            missing=list(pack.missing_pad_networks),
            advice="fetch the pack again with `facegate models pull`, or add the files to the folder",
        )
    calibration = pack.match_calibration
    record = calibration.record
    _log.info(
        "match_calibration",
        provenance=calibration.provenance,
        origin=calibration.origin,
        lowest_fmr_bound=calibration.lowest_bound,
        lowest_fmr_bound_of_scans=None if calibration.scans is None else calibration.scans.lowest_bound,
        dataset=record.dataset,
        identities=record.identities,
        impostor_pairs=record.impostor_pairs,
        reference=record.reference or None,
        sha256=calibration.sha256 or None,
    )
