"""The evidence that a server can verify with its settings, and the policies that devices can then meet."""

from collections.abc import Mapping
from typing import Final

import structlog

from device_integrity.policy import Evidence
from server.base.errors import ConfigurationError
from server.configuration.settings import Settings
from server.policies import PolicyBook
from server.policies.availability import Availability, availabilities

_ANDROID: Final = "device_integrity.android"
_log = structlog.get_logger(__name__)


def missing_settings(settings: Settings) -> Mapping[Evidence, tuple[str, ...]]:
    """Return the names of the missing settings for each kind of evidence that cannot be verified.

    The contents of files that settings name are not examined. An old revocation list has warnings of its own.
    """
    trust = settings.devices
    android, tls = trust.android, settings.listeners.device.tls
    has_apps = (f"{_ANDROID}.apps", bool(android.apps))
    needed = {
        Evidence.ANDROID_KEY: (
            has_apps,
            (f"{_ANDROID}.revocation_file", android.revocation_file is not None),
        ),
        Evidence.PLAY_INTEGRITY: (has_apps, (f"{_ANDROID}.play", android.play.opens)),
        Evidence.APP_ATTEST: (("device_integrity.apple.app_ids", bool(trust.apple.app_ids)),),
        Evidence.WEB_KEY: (
            ("device_integrity.web.rp_id", bool(trust.web.rp_id)),
            ("device_integrity.web.origins", bool(trust.web.origins)),
        ),
        Evidence.SERVER_KEY: (
            (
                "listeners.device.tls",
                bool(tls or trust.proxy_spki_sha256 or trust.server_keys_file),
            ),
        ),
    }
    missing = {
        evidence: tuple(name for name, is_set in names if not is_set) for evidence, names in needed.items()
    }
    return {evidence: names for evidence, names in missing.items() if names}


def unlisted_origins(policies: PolicyBook, settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Return the origins that policies list and the settings do not, by the name of the policy.

    The listener refuses their pages before it knows the policy, so they can never scan.
    """
    listed = settings.devices.web.origins
    found = {
        name: tuple(each for each in policies.get(name).policy.device.web_origins if each not in listed)
        for name in policies.names
    }
    return {name: origins for name, origins in found.items() if origins}


def require_available(policies: PolicyBook, settings: Settings) -> Mapping[str, Availability]:
    """Return which policies devices can meet; log warnings about the settings that policies lack.

    Raises:
        ConfigurationError: No device can meet the default policy.
    """
    for name, origins in unlisted_origins(policies, settings).items():
        _log.warning("policy_origins_not_listed", policy=name, origins=list(origins))
    found = availabilities(policies, missing=missing_settings(settings))
    for name, one in found.items():
        if one.available:
            if one.missing_settings:
                _log.warning(
                    "policy_leaves_platforms_out",
                    policy=name,
                    missing_settings=list(one.missing_settings),
                    shortfall=one.reason,
                )
            continue
        if name == settings.policies.default:
            raise ConfigurationError(f"no device can meet the default policy {name}: {one.reason}")
        _log.warning(
            "policy_not_available",
            policy=name,
            missing_settings=list(one.missing_settings),
            shortfall=one.reason,
        )
    return found
