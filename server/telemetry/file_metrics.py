"""Metrics of the files that a server reads again while it runs."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["FileMetrics"]


class FileMetrics:
    """Reports the state of keys, certificates and lists."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._api_keys_unusable = Gauge(
            "facegate_api_keys_file_unusable",
            "1 while the file of API keys cannot be used and the previous keys stay in force.",
            registry=registry,
        )
        self._api_key_expiry = Gauge(
            "facegate_api_key_seconds_to_expiry",
            "Seconds until the next API key expires, negative if one has expired; NaN if none expires.",
            registry=registry,
        )
        self._api_key_expiry.set(float("nan"))
        self._keys_unusable = Gauge(
            "facegate_keys_unusable",
            "1 while the folder of the server's keys cannot be used and the previous keys stay in force.",
            registry=registry,
        )
        self._key_age = Gauge(
            "facegate_signing_key_age_seconds",
            "Age in seconds of the current signing key, by what it signs: results or audit. NaN if the key's "
            "file does not state when it was made.",
            ["purpose"],
            registry=registry,
        )
        self._tls_unusable = Gauge(
            "facegate_tls_files_unusable",
            "1 while a listener's TLS files cannot be used and the previous ones stay in force.",
            ["listener"],
            registry=registry,
        )
        self._tls_expiry = Gauge(
            "facegate_tls_certificate_seconds_to_expiry",
            "Seconds until a listener's certificate expires.",
            ["listener"],
            registry=registry,
        )
        self._revocation_age = Gauge(
            "facegate_revocation_list_age_seconds",
            "Seconds since the list of revoked attestation certificates was fetched; NaN if there is none.",
            registry=registry,
        )
        self._revocation_left = Gauge(
            "facegate_revocation_list_seconds_left",
            "Seconds until the list of revoked attestation certificates is too old to verify attestations; "
            "NaN if there is none.",
            registry=registry,
        )
        self._revocation_unusable = Gauge(
            "facegate_revocation_list_unusable",
            "1 while the files of the list of revoked attestation certificates cannot be used; the previous "
            "list, if any, stays in force.",
            registry=registry,
        )
        self.revocation_list_read(usable=True, age=None, max_age=timedelta())

    def keys_read(self, *, usable: bool) -> None:
        """Records that the server's own keys were read.

        Args:
            usable: Whether the keys of the folder can be used.
        """
        self._keys_unusable.set(0 if usable else 1)

    def signing_key_read(self, purpose: str, *, age: float | None) -> None:
        """Records the age of a signing key.

        Args:
            purpose: ``results`` or ``audit``.
            age: Seconds since it was made; ``None`` if that is unknown.
        """
        self._key_age.labels(purpose).set(float("nan") if age is None else age)

    def tls_files_read(self, listener: str, *, usable: bool, seconds_to_expiry: float) -> None:
        """Records that the TLS files of a listener were read.

        Args:
            listener: ``"device"`` or ``"service"``.
            usable: Whether the content of the files is in force.
            seconds_to_expiry: Seconds until the certificate expires.
        """
        self._tls_unusable.labels(listener).set(0 if usable else 1)
        self._tls_expiry.labels(listener).set(seconds_to_expiry)

    def revocation_list_read(self, *, usable: bool, age: timedelta | None, max_age: timedelta) -> None:
        """Records that the list of revoked attestation certificates was read.

        Args:
            usable: Whether the content of the files is in force.
            age: Time since the list was fetched; ``None`` if there is none.
            max_age: The age from which the list is too old.
        """
        missing = float("nan")
        self._revocation_unusable.set(0 if usable else 1)
        self._revocation_age.set(missing if age is None else age.total_seconds())
        self._revocation_left.set(missing if age is None else (max_age - age).total_seconds())

    def api_keys_read(self, *, usable: bool, seconds_to_expiry: float | None) -> None:
        """Records that the file of API keys was read.

        Args:
            usable: Whether the content of the file is in force.
            seconds_to_expiry: Seconds until the next key expires; ``None`` if none expires.
        """
        self._api_keys_unusable.set(0 if usable else 1)
        self._api_key_expiry.set(float("nan") if seconds_to_expiry is None else seconds_to_expiry)
