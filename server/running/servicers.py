"""Opens the servicers behind the listeners, and the objects that they use."""

import secrets
from collections.abc import Mapping

from liveness import load_fusion_model
from server.checks.completion import CheckCompletion, Deliveries
from server.checks.progress import CheckInquiry
from server.checks.running import RunningScans
from server.configuration.settings import Settings
from server.edge.scan_codec import serialise_challenge
from server.edge.service_servicer import ServiceEnvironment
from server.keyring.keys import KeyRing
from server.policies import PolicyBook
from server.policies.availability import Availability
from server.running.assembly import (
    check_intake,
    check_recorder,
    evidence_environment,
    scan_limits,
    scan_models,
)
from server.running.listeners import Listeners
from server.running.models import pack_identity
from server.running.stores import Stores
from server.running.tuning import Tuning
from server.running.workers import Workers
from server.scan.environment import Clock, DeviceKnowledge, ScanEnvironment
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages
from vision.packs import Pack

__all__ = ["open_servicers"]


def open_servicers(
    listeners: Listeners,
    *,
    settings: Settings,
    tuning: Tuning,
    clock: Clock,
    metrics: Metrics,
    workers: Workers,
    running: RunningScans,
    deliveries: Deliveries,
    stores: Stores,
    policies: PolicyBook,
    availabilities: Mapping[str, Availability],
    keys: KeyRing,
    pack: Pack,
    devices: DeviceKnowledge,
    trusted_images: TrustedImages | None,
) -> CheckCompletion:
    """Opens the servicers; returns the object that closes checks.

    Args:
        listeners: The servicers to open.
        settings: The settings.
        tuning: Values for tests and benchmarks.
        clock: The clocks of scans.
        metrics: Counts checks, scans and refusals.
        workers: The threads and processes that judge and decode.
        running: The scans that run.
        deliveries: The results that were handed out, for the audit log.
        stores: The stores.
        policies: All policies.
        availabilities: Whether devices can meet a policy at this server, by the name of the policy.
        keys: The keys of the server.
        pack: The models.
        devices: The objects with which devices are tested.
        trusted_images: The customer's own store; ``None`` if there is none.
    """
    now = clock.now
    identity, fusion = pack_identity(pack), load_fusion_model()
    recorder = check_recorder(settings, stores=stores, pack=identity)
    completion = CheckCompletion(
        repository=stores.checks,
        recorder=recorder,
        running=running,
        evidence=stores.evidence,
        records=stores.records,
        vault=stores.vault,
        deliveries=deliveries,
        metrics=metrics,
    )
    listeners.device_servicer.open(
        ScanEnvironment(
            limits=scan_limits(settings, tuning),
            settings=settings.limits,
            repository=stores.checks,
            recorder=recorder,
            keys=keys,
            models=scan_models(pack, tuning=tuning, fusion=fusion),
            devices=devices,
            pool=workers.scans,
            clock=clock,
            random=secrets.token_bytes,
            metrics=metrics,
            running=running,
            serialise_challenge=serialise_challenge,
        )
    )
    listeners.service_servicer.open(
        ServiceEnvironment(
            intake=check_intake(
                settings,
                stores=stores,
                workers=workers,
                policies=policies,
                availabilities=availabilities,
                pack=pack,
                identity=identity,
                keys=keys,
                trusted_images=trusted_images,
                metrics=metrics,
            ),
            completion=completion,
            inquiry=CheckInquiry(
                repository=stores.checks,
                records=stores.records,
                vault=stores.vault,
                now=now,
                draining=running.draining,
            ),
            keys=keys,
            now=now,
        )
    )
    listeners.evidence_servicer.open(
        evidence_environment(settings, stores=stores, completion=completion, keys=keys, now=now)
    )
    listeners.analysis_servicer.open(
        workers.analyses.environment(
            pack=pack, identity=identity, fusion=fusion, still_decoder=workers.decoders, now=now
        )
    )
    return completion
