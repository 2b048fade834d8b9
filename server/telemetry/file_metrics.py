"""What operators measure of the files that a server reads again while it runs."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["FileMetrics"]


class FileMetrics:
    """Says how keys, certificates and lists stand."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics; a registry takes them once."""
        self._api_keys_unusable = Gauge(
            "facegate_api_keys_file_unusable",
            "1 while the file of API keys cannot be used and the keys stay as they were.",
            registry=registry,
        )
        self._api_key_expiry = Gauge(
            "facegate_api_key_seconds_to_expiry",
            "Until the first API key expires, negative once one has; NaN where none does.",
            registry=registry,
        )
        self._api_key_expiry.set(float("nan"))
        self._keys_unusable = Gauge(
            "facegate_keys_unusable",
            "1 while the folder of the server's keys cannot be used and it goes on with those before.",
            registry=registry,
        )
        self._tls_unusable = Gauge(
            "facegate_tls_files_unusable",
            "1 while a listener's TLS files cannot be used and it goes on with those before.",
            ["listener"],
            registry=registry,
        )
        self._tls_expiry = Gauge(
            "facegate_tls_certificate_seconds_to_expiry",
            "Until a listener's certificate expires.",
            ["listener"],
            registry=registry,
        )
        self._revocation_age = Gauge(
            "facegate_revocation_list_age_seconds",
            "Since the list of revoked attestation certificates was fetched; NaN without one.",
            registry=registry,
        )
        self._revocation_left = Gauge(
            "facegate_revocation_list_seconds_left",
            "Until that list is too old to verify attestations with; NaN without one.",
            registry=registry,
        )
        self._revocation_unusable = Gauge(
            "facegate_revocation_list_unusable",
            "1 while that list's files cannot be used and the list before, if any, stays in force.",
            registry=registry,
        )
        self.revocation_list_read(usable=True, age=None, max_age=timedelta())

    def keys_read(self, *, usable: bool) -> None:
        """The server's own keys were looked at.

        Args:
            usable: Whether the folder's keys can be used.
        """
        self._keys_unusable.set(0 if usable else 1)

    def tls_files_read(self, listener: str, *, usable: bool, seconds_to_expiry: float) -> None:
        """A listener's TLS files were looked at.

        Args:
            listener: ``"device"`` or ``"service"``.
            usable: Whether what is in force is what the files say.
            seconds_to_expiry: Until the certificate expires.
        """
        self._tls_unusable.labels(listener).set(0 if usable else 1)
        self._tls_expiry.labels(listener).set(seconds_to_expiry)

    def revocation_list_read(self, *, usable: bool, age: timedelta | None, max_age: timedelta) -> None:
        """The list of revoked attestation certificates was looked at.

        Args:
            usable: Whether what is in force is what the files say.
            age: Since it was fetched; ``None`` without one.
            max_age: From which age on it no longer passes.
        """
        missing = float("nan")
        self._revocation_unusable.set(0 if usable else 1)
        self._revocation_age.set(missing if age is None else age.total_seconds())
        self._revocation_left.set(missing if age is None else (max_age - age).total_seconds())

    def api_keys_read(self, *, usable: bool, seconds_to_expiry: float | None) -> None:
        """The file of API keys was looked at.

        Args:
            usable: Whether what is in force is what the file says.
            seconds_to_expiry: Until the first key expires; ``None`` where none does.
        """
        self._api_keys_unusable.set(0 if usable else 1)
        self._api_key_expiry.set(float("nan") if seconds_to_expiry is None else seconds_to_expiry)
