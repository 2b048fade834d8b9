"""Models and policies: hashes of files, an inference of each model, and the policies that can be met."""

import asyncio

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from cli.errors import BenchImpossible
from cli.models.bench import measure_models
from server.base.errors import ConfigurationError
from server.device.configured import require_available, unlisted_origins
from server.device.trust import load_served_policies
from server.policies.loading import PolicyError
from server.running.models import load_configured_pack, require_servable
from vision.errors import VisionError
from vision.packs import Pack
from vision.runtime_check import require_runtime

__all__ = ["examine_models", "examine_policies"]


async def examine_models(deployment: Deployment) -> list[Finding]:
    """Loads the pack, which hashes its files, and runs each model once."""
    try:
        runtime = require_runtime()
        pack = await asyncio.to_thread(load_configured_pack, deployment.settings)
    except VisionError as error:
        return [
            failure(
                "MODELS_UNUSABLE",
                str(error),
                expected=f"the pack {deployment.settings.pack}, with the hashes of the catalogue",
                remedy="facegate models verify, then facegate models pull",
            )
        ]
    found = [fine("MODELS_LOADED", f"{pack.name} {pack.version}, {len(pack.files)} files, {pack.runtime}")]
    try:
        times = await asyncio.to_thread(measure_models, pack, spec=deployment.settings.pack, runs=1)
    except BenchImpossible as error:
        found.append(
            failure(
                "INFERENCE_FAILED",
                str(error),
                expected="every model answers",
                remedy=f"reinstall the runtime ({runtime.onnxruntime}), or pull the pack again",
            )
        )
    else:
        names = ", ".join(f"{each.name} {each.values[0]:.0f} ms" for each in times)
        found.append(fine("INFERENCE_WORKS", names))
    return found


async def examine_policies(deployment: Deployment) -> list[Finding]:
    """Loads the policies, and compares the default one with the pack and the settings, as a server does."""
    settings = deployment.settings
    try:
        policies = load_served_policies(
            settings.policies.folder, for_tests=settings.device_integrity.for_tests
        )
        availabilities = require_available(policies, settings)
        pack: Pack = await asyncio.to_thread(load_configured_pack, settings)
        require_servable(
            policies,
            pack,
            default=settings.policies.default,
            allow_evaluation_pack=settings.allow_evaluation_pack,
        )
    except (ConfigurationError, PolicyError) as error:
        return [
            failure(
                "POLICIES_UNUSABLE",
                str(error),
                expected=f"a default policy that can be met ({settings.policies.default})",
                remedy="facegate policy check, or set policies.default",
            )
        ]
    except VisionError:
        # The area `models` reports it.
        return [fine("POLICIES_READ", "not compared with the pack, which cannot be loaded")]
    usable = [name for name, one in availabilities.items() if one.available]
    found = [fine("POLICIES_READ", f"{len(usable)} of {len(availabilities)} can be met by devices")]
    for name, origins in unlisted_origins(policies, settings).items():
        found.append(
            warning(
                "POLICY_ORIGINS_NOT_LISTED",
                f"device.web_origins of the policy {name}: {', '.join(origins)}",
                expected="only origins of device_integrity.web.origins; the server refuses all other pages",
                remedy="add them to device_integrity.web.origins, or correct the policy",
            )
        )
    return found
