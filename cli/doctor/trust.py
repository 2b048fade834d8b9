"""What a deployment trusts: its keys, certificates, callers, and the roots of device attestation."""

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.doctor.data import NOT_EXAMINED
from cli.doctor.finding import Deployment, Finding, Level, failure, fine, warning
from cli.shown import counted
from device_integrity import ReferenceDataMalformed
from server.access.access_tokens import OidcSettings
from server.access.api_keys import ApiKeysInvalid, load_api_keys
from server.access.code_flow import ConsoleOidcSettings
from server.access.signing_keys import SigningKeysInvalid, fetch_issuer, read_jwks_file
from server.base.errors import ConfigurationError
from server.base.key_validity import validity_of
from server.configuration.settings import ServiceTls, Settings, Tls
from server.configuration.tables import WebhookEndpoint
from server.device.revocation import read_revocation_files
from server.device.server_keys import ServerKeyList
from server.device.trust import open_device_trust
from server.edge.hosted import read_logo
from server.keyring.key_encryption import (
    FileContext,
    KeyEncryptionError,
    KeyFileCipher,
    is_encrypted,
    open_key_encryption,
)
from server.keyring.key_files import KeyFiles, KeysUnusable, open_key_files
from server.keyring.keys import PURPOSES, WRAPPING, read_every_key
from server.operating.keys import missing_evidence_keys
from server.running.tls import CertificateUnusable, TlsFiles
from server.running.webhooks import open_endpoints
from server.storage.errors import StorageError

_OLD: Final = timedelta(days=400)
_SIGNING: Final = ("result", "audit", "challenge")
_PROBE: Final = b"facegate doctor"
_SECRET: Final = frozenset({".key", ".pem", ".retired"})


async def examine_keys(deployment: Deployment) -> list[Finding]:
    """Read and decrypt all keys, and compare them with what the database needs; make none."""
    found = await asyncio.to_thread(lambda: list(_keys(deployment)))
    if any(finding.code == "KEYS_READ" for finding in found):
        found += await _missing(deployment.settings)
    return found


async def _missing(settings: Settings) -> list[Finding]:
    try:
        missing = await missing_evidence_keys(settings)
    except StorageError:
        return [NOT_EXAMINED]
    if not missing:
        return []
    return [
        failure(
            "EVIDENCE_KEYS_MISSING",
            f"the database needs {counted(len(missing), 'evidence key')} that {settings.key_folder} lacks",
            expected="every evidence key that was not destroyed",
            remedy="facegate restore keys, into an empty folder, from a backup made after the last rotation",
        )
    ]


def _keys(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    folder = settings.key_folder
    if not folder.is_dir():
        yield failure(
            "KEYS_MISSING",
            f"{folder} does not exist",
            expected="a folder with the keys of the server",
            remedy="facegate restore keys; the first start of a new deployment makes them",
        )
        return
    yield from _permissions(folder)
    try:
        _round_trip(open_key_encryption(settings.keys.encryption), "")
    except (KeyEncryptionError, ConfigurationError) as error:
        yield failure(
            "KEY_ENCRYPTION_UNUSABLE",
            str(error),
            expected="the key-encryption key of keys.encryption encrypts and decrypts",
            remedy="correct keys.encryption, the credentials or the network",
        )
        return
    if settings.keys.encryption:
        yield fine("KEY_ENCRYPTION_WORKS", ", ".join(entry.kind for entry in settings.keys.encryption))
    tenants = list(_tenants_encryption(deployment))
    yield from tenants
    if any(finding.level is Level.FAILURE for finding in tenants):
        return
    try:
        files = open_key_files(folder, settings.keys)
        read_every_key(files)
    except (KeyEncryptionError, KeysUnusable) as error:
        encrypted = isinstance(error.__cause__, KeyEncryptionError)
        yield failure(
            "KEYS_UNUSABLE",
            str(error),
            expected="the key of keys.encryption that encrypted the files"
            if encrypted
            else f"a key of each purpose: {', '.join(PURPOSES)}",
            remedy="put back the key that keys.encryption named when the files were encrypted, which no key "
            "backup contains; facegate restore keys only if a file was altered"
            if encrypted
            else "facegate restore keys; the first start of a new deployment makes them",
        )
        return
    yield fine("KEYS_READ", f"{counted(len(files.state()), 'file')} in {folder}")
    yield from _ages(files, deployment)
    yield from _tenants_keys(files)
    yield from _clear(deployment)


def _permissions(folder: Path) -> Iterator[Finding]:
    """Test whether other users may enter the folder. Each file's permissions are tested when it is read.

    The group may enter, because Kubernetes gives the files of a volume to the group of the pod (``fsGroup``).
    If the folder belongs to another user, like the root of a volume or of a mounted Secret, other users may
    list its names, because the server's user cannot change that. They may not write, unless the mount is
    read-only.
    """
    status = folder.stat()
    wide = status.st_mode & stat.S_IRWXO
    if status.st_uid != os.geteuid():
        wide &= stat.S_IWOTH
    if wide and not os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield failure(
            "KEY_FOLDER_OPEN",
            f"{folder}: permissions {stat.S_IMODE(status.st_mode):04o}",
            expected="no access for others, such as 0700; or 0770 for the group of a pod",
            remedy=f"chmod o-rwx {folder}",
        )


def _round_trip(cipher: KeyFileCipher, tenant: str) -> None:
    context = FileContext("doctor", tenant)
    if cipher.decrypt(cipher.encrypt(_PROBE, context), context) != _PROBE:
        raise KeyEncryptionError("it does not decrypt what it encrypted")


def _tenants_encryption(deployment: Deployment) -> Iterator[Finding]:
    for name, tenant in sorted(deployment.settings.keys.tenants.items()):
        if not tenant.encryption:
            continue
        try:
            _round_trip(open_key_encryption(tenant.encryption), name)
        except KeyEncryptionError as error:
            yield failure(
                "TENANT_KEY_ENCRYPTION_UNUSABLE",
                f"{name}: {error}",
                expected=f"the key-encryption key of keys.tenants.{name} encrypts and decrypts",
                remedy=f"correct keys.tenants.{name}.encryption, the credentials or the network",
            )
        else:
            yield fine(
                "TENANT_KEY_ENCRYPTION_WORKS",
                f"{name}: {', '.join(entry.kind for entry in tenant.encryption)}",
            )


def _tenants_keys(files: KeyFiles) -> Iterator[Finding]:
    for name in files.tenants:
        found = files.read(WRAPPING, "key", tenant=name)
        if not found:
            yield warning(
                "TENANT_KEY_MISSING",
                f"{name}: it has no key that seals evidence",
                expected="a key of its own, which a server makes as it starts or reads new key files",
                remedy="start the server; if the tenant has evidence already, facegate restore keys first",
            )


def _ages(files: KeyFiles, deployment: Deployment) -> Iterator[Finding]:
    for purpose in _SIGNING:
        newest = files.read(purpose, "pem")[0]
        made = validity_of(newest.content).not_before
        name = newest.path.name
        if made is None:
            yield warning(
                "KEY_AGE_UNKNOWN",
                f"{name} does not state when it was made",
                expected="a key that states it",
                remedy=f"facegate keys rotate {purpose}",
            )
        elif made > deployment.now + timedelta(minutes=5):
            yield failure(
                "KEY_NOT_YET_VALID",
                f"{name} is valid from {made:%Y-%m-%d %H:%M} UTC",
                expected="a time in the past: verifiers refuse results of an earlier time",
                remedy="correct the clock of this machine",
            )
        elif deployment.now - made > _OLD:
            yield warning(
                "KEY_OLD",
                f"{name} is {counted((deployment.now - made).days, 'day')} old",
                expected=f"at most {_OLD.days} days",
                remedy=f"facegate keys rotate {purpose}",
            )
        else:
            yield fine("KEY_AGE", f"{name} is {counted((deployment.now - made).days, 'day')} old")


def _clear(deployment: Deployment) -> Iterator[Finding]:
    keys, folder = deployment.settings.keys, deployment.settings.key_folder
    of_tenants = {name: tenant.encryption for name, tenant in keys.tenants.items()}
    clear = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        # A mounted Secret has each file again in a hidden folder.
        if any(part.startswith(".") for part in place.parts) or path.suffix not in _SECRET:
            continue
        encrypted = bool(of_tenants.get(path.parent.name)) if len(place.parts) > 1 else False
        if (encrypted or keys.encryption) and not is_encrypted(path.read_bytes()):
            clear.append(str(place))
    if clear:
        yield warning(
            "KEYS_IN_CLEAR",
            f"not encrypted: {', '.join(clear)}",
            expected="every secret file is encrypted under keys.encryption",
            remedy="facegate keys encrypt",
        )


_SOON: Final = timedelta(days=14)


async def examine_tls(deployment: Deployment) -> list[Finding]:
    """Read the files as a server does, and examine the certificates in them."""
    return await asyncio.to_thread(lambda: list(_tls(deployment)))


def _tls(deployment: Deployment) -> Iterator[Finding]:
    listeners = deployment.settings.listeners
    named: tuple[tuple[str, Tls | None], ...] = (
        ("device", listeners.device.tls),
        ("service", listeners.service.tls),
        *(() if listeners.web is None else (("web", listeners.web.tls),)),
        *(() if listeners.console is None else (("console", listeners.console.tls),)),
    )
    for name, tls in named:
        if tls is None:
            yield fine("TLS_OFF", f"{name}: plaintext on loopback")
            continue
        try:
            TlsFiles(tls)
        except CertificateUnusable as error:
            yield failure(
                "TLS_UNUSABLE",
                f"{name}: {error}",
                expected="a certificate and the private key that belongs to it",
                remedy="correct the files, or listeners." + name + ".tls",
            )
            continue
        chain = x509.load_pem_x509_certificates(tls.certificate.read_bytes())
        yield from _expiry("TLS", name, chain, deployment)
        yield from _shape(name, chain)
        if isinstance(tls, ServiceTls) and tls.client_ca is not None:
            authorities = x509.load_pem_x509_certificates(tls.client_ca.read_bytes())
            yield from _expiry("CLIENT_CA", "client CA", authorities, deployment)


def _expiry(
    code: str, name: str, certificates: list[x509.Certificate], deployment: Deployment
) -> Iterator[Finding]:
    first = min(certificates, key=lambda each: each.not_valid_after_utc)
    left = first.not_valid_after_utc - deployment.now
    begins = max(each.not_valid_before_utc for each in certificates)
    remedy = "renew it; a running server reads the new files within a minute"
    expected = f"more than {_SOON.days} days of validity"
    if left <= timedelta():
        ended = f"{name}: expired {counted(-left.days, 'day')} ago"
        yield failure(f"{code}_EXPIRED", ended, expected=expected, remedy=remedy)
    elif begins > deployment.now:
        yield failure(
            f"{code}_NOT_YET_VALID",
            f"{name}: valid from {begins:%Y-%m-%d %H:%M} UTC",
            expected="valid now",
            remedy="correct the clock, or issue the certificate again",
        )
    elif left < _SOON:
        ends = f"{name}: expires in {counted(left.days, 'day')}"
        yield warning(f"{code}_EXPIRES", ends, expected=expected, remedy=remedy)
    else:
        yield fine(f"{code}_VALID", f"{name}: expires in {counted(left.days, 'day')}")


def _shape(name: str, chain: list[x509.Certificate]) -> Iterator[Finding]:
    leaf = chain[0].extensions
    try:
        names = leaf.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        yield failure(
            "TLS_WITHOUT_NAMES",
            f"{name}: the certificate has no subject alternative name",
            expected="the names under which clients connect",
            remedy="issue the certificate with the names",
        )
    else:
        yield fine("TLS_NAMES", f"{name}: {', '.join(str(each.value) for each in names)}")
    try:
        usages = leaf.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = None
    if usages is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        yield failure(
            "TLS_NOT_FOR_SERVERS",
            f"{name}: the certificate is not for server authentication",
            expected="the extended key usage serverAuth",
            remedy="issue a certificate for servers",
        )
    for number, (certificate, issuer) in enumerate(pairwise(chain), start=1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield failure(
                "TLS_CHAIN_BROKEN",
                f"{name}: certificate {number + 1} of the file did not issue certificate {number}",
                expected="the server's certificate first, then each issuer",
                remedy="put the certificates of the chain in this order",
            )
            return


async def examine_callers(deployment: Deployment) -> list[Finding]:
    """Read the API keys, and the keys of the issuers of access tokens and of the console's log-in."""
    listeners = deployment.settings.listeners
    people = None if listeners.console is None else listeners.console.oidc
    of_issuers = [
        await _issuer(oidc, name)
        for oidc, name in ((listeners.service.oidc, "service"), (people, "console"))
        if oidc is not None
    ]
    return [*await asyncio.to_thread(lambda: list(_callers(deployment))), *of_issuers]


async def examine_webhooks(deployment: Deployment) -> list[Finding]:
    """Read the secrets of the endpoints, and connect to each; send no event."""
    endpoints = deployment.settings.webhooks.endpoints
    if not endpoints:
        return [fine("WEBHOOKS_NOT_USED", "no endpoint gets events")]
    return [one for name, settings in endpoints.items() for one in await _webhook(name, settings)]


async def _webhook(name: str, settings: WebhookEndpoint) -> list[Finding]:
    try:
        (endpoint,) = await asyncio.to_thread(open_endpoints, {name: settings})
    except ConfigurationError as error:
        return [
            failure(
                "WEBHOOK_SECRET_UNUSABLE",
                str(error),
                expected=f"the secrets of webhooks.endpoints.{name}, and its authority if it names one",
                remedy="facegate keys new-webhook-secret FILE, or correct the path or the permissions; see "
                "docs/webhooks.md",
            )
        ]
    read = fine("WEBHOOK_SECRET_READ", f"{name}: {counted(len(settings.secret_files), 'secret')}")
    why = await endpoint.reach()
    await endpoint.close()
    if why is None:
        return [read, fine("WEBHOOK_REACHED", f"{name}: answers at its url")]
    return [
        read,
        warning(
            "WEBHOOK_NOT_REACHED",
            f"{name}: {why}",
            expected="an answer at its url, from where the server runs",
            remedy=f"start the receiver, or correct webhooks.endpoints.{name}; see docs/webhooks.md",
        ),
    ]


async def examine_hosted(deployment: Deployment) -> list[Finding]:
    """Examine the settings of the server's own scan page."""
    return await asyncio.to_thread(lambda: list(_hosted(deployment)))


def _hosted(deployment: Deployment) -> Iterator[Finding]:
    web, page = deployment.settings.listeners.web, deployment.settings.hosted
    if web is None or page is None:
        yield fine("HOSTED_NOT_USED", "no page of the server's own (listeners.web.hosted)")
        return
    returns = ", ".join(page.return_urls) or "nowhere"
    yield fine("HOSTED_PAGE", f"{page.origin}/scan; returns to {returns}")
    try:
        read_logo(page)
    except ConfigurationError as error:
        yield failure(
            "HOSTED_LOGO_UNUSABLE",
            str(error),
            expected="a PNG or SVG of at most 256 KiB",
            remedy="correct listeners.web.hosted.logo_file",
        )
    place = urlsplit(page.origin)
    if place.scheme == "http" and (web.tls is not None or (place.port or 80) != web.port):
        scheme = "http" if web.tls is None else "https"
        yield warning(
            "HOSTED_ORIGIN_ELSEWHERE",
            f"links lead to {page.origin}, and the listener is {scheme}://{web.host}:{web.port}",
            expected="the address of the listener, or a proxy on this machine that listens there",
            remedy="correct listeners.web.hosted.origin or listeners.web.port",
        )
    if place.scheme == "https" and web.tls is not None and not _is_named(place.hostname or "", web.tls):
        yield warning(
            "HOSTED_ORIGIN_NOT_CERTIFIED",
            f"links lead to {page.origin}, which the certificate of the listener does not name",
            expected="the host of the origin in the certificate, or a proxy with one of its own",
            remedy="issue the certificate for the host, or correct listeners.web.hosted.origin",
        )


def _is_named(host: str, tls: Tls) -> bool:
    """Return whether a certificate is for a host; true if it cannot be read, which ``tls`` reports."""
    try:
        leaf = x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0]
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return True
    listed = {str(each.value).lower() for each in names}
    return bool({host, f"*.{host.partition('.')[2]}"} & listed)


async def _issuer(oidc: OidcSettings | ConsoleOidcSettings, listener: str) -> Finding:
    try:
        file = oidc.jwks_file if isinstance(oidc, OidcSettings) else None
        if file is None:
            keys = (await fetch_issuer(oidc.issuer)).keys
        else:
            keys = await asyncio.to_thread(read_jwks_file, file)
    except (ConfigurationError, SigningKeysInvalid) as error:
        return failure(
            "ISSUER_UNUSABLE",
            str(error),
            expected=f"the public keys of the issuer {oidc.issuer}",
            remedy=f"correct listeners.{listener}.oidc, or the network between; see docs/console.md",
        )
    return fine(
        "ISSUER_READ", f"{oidc.issuer}: {counted(len(keys), 'key')}, {counted(len(oidc.grants), 'grant')}"
    )


def _callers(deployment: Deployment) -> Iterator[Finding]:
    service = deployment.settings.listeners.service
    if service.api_keys_file is None:
        if service.clients or service.oidc is None:
            clients = counted(len(service.clients), "client certificate") if service.clients else ""
            yield fine("CALLERS_READ", clients or "callers on this machine only, without credentials")
        return
    try:
        keys = load_api_keys(service.api_keys_file).keys
    except ApiKeysInvalid as error:
        yield failure(
            "API_KEYS_UNUSABLE",
            str(error),
            expected="a private TOML file with [[key]] entries",
            remedy="facegate keys new-api-key prints an entry",
        )
        return
    ends = {key.caller.name: key.expires - deployment.now for key in keys if key.expires is not None}
    ended = sorted(name for name, left in ends.items() if left <= timedelta())
    soon = sorted(name for name, left in ends.items() if timedelta() < left < _SOON)
    remedy = "facegate keys new-api-key, hand the key over, and remove the old entry"
    found = [f"expired: {', '.join(ended)}"] if ended else []
    found += [f"within {_SOON.days} days: {', '.join(soon)}"] if soon else []
    if keys and len(ended) == len(keys):
        yield failure(
            "API_KEYS_ALL_EXPIRED", ", ".join(ended), expected="a key that callers can use", remedy=remedy
        )
    elif found:
        yield warning(
            "API_KEYS_EXPIRE", "; ".join(found), expected=f"more than {_SOON.days} days", remedy=remedy
        )
    else:
        yield fine("API_KEYS_READ", counted(len(keys), "API key"))


async def examine_attestation(deployment: Deployment) -> list[Finding]:
    """Read roots, keys and lists as a server does at its start."""
    return await asyncio.to_thread(lambda: list(_attestation(deployment)))


def _attestation(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings.devices
    tls = deployment.settings.listeners.device.tls
    try:
        trust = open_device_trust(settings, now=lambda: datetime.now(UTC))
        trust.close()
        ServerKeyList(
            listed=[bytes.fromhex(key) for key in settings.proxy_spki_sha256],
            file=settings.server_keys_file,
            # The area `tls` examines the certificate; here it matters only whether there is one.
            shown=lambda: None if tls is None else bytes(32),
            complete=settings.server_keys == "complete",
            monotonic=time.monotonic,
        )
    except ConfigurationError as error:
        yield failure(
            "ROOTS_UNUSABLE",
            str(error),
            expected="readable roots and keys, as device_integrity names them",
            remedy="correct the files, or device_integrity",
        )
        return
    yield fine("ROOTS_READ", f"{counted(len(trust.android_roots), 'root')} of Android, and those of Apple")
    yield from _revocation(deployment)


def _revocation(deployment: Deployment) -> Iterator[Finding]:
    android = deployment.settings.device_integrity.android
    limit = timedelta(hours=android.max_revocation_age_hours)
    remedy = "facegate attest revocation, every few hours (cron)"
    if android.revocation_file is None:
        if android.apps:
            yield failure(
                "REVOCATION_LIST_MISSING",
                "device_integrity.android.revocation_file is not set, and Android apps are listed",
                expected="Google's list of revoked certificates; without it no key attestation is verified",
                remedy=remedy,
            )
        else:
            yield fine("REVOCATION_LIST_UNUSED", "no Android app is listed, so no list is needed")
        return
    try:
        listed = read_revocation_files(android.revocation_file)
    except (OSError, ReferenceDataMalformed) as error:
        yield failure(
            "REVOCATION_LIST_UNUSABLE", str(error), expected="a list with its record", remedy=remedy
        )
        return
    age = deployment.now - listed.fetched_at
    found = f"{counted(len(listed.entries), 'entry')}, {age / timedelta(hours=1):.1f} hours old"
    hours = f"{limit / timedelta(hours=1):.0f} hours"
    if age > limit:
        yield failure("REVOCATION_LIST_OLD", found, expected=f"at most {hours}", remedy=remedy)
    elif age > limit / 2:
        yield warning("REVOCATION_LIST_AGEING", found, expected=f"less than half of {hours}", remedy=remedy)
    else:
        yield fine("REVOCATION_LIST_READ", found)
