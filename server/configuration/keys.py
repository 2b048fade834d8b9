"""Settings of the server's keys, and of the keys that encrypt them."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, field_validator, model_validator

from server.base.table import Table, is_loopback

__all__ = [
    "AwsKmsEncryption",
    "EnvironmentEncryption",
    "FileEncryption",
    "KeyEncryptionEntry",
    "KeySettings",
    "TenantKeySettings",
    "VaultTransitEncryption",
]


class FileEncryption(Table):
    """A key-encryption key in a file, such as one that a secret manager mounts."""

    kind: Literal["file"]
    """``"file"``."""
    path: Path
    """The file: 32 bytes as base64. Keep it on other storage than the key folder."""


class EnvironmentEncryption(Table):
    """A key-encryption key in an environment variable."""

    kind: Literal["environment"]
    """``"environment"``."""
    variable: str = Field(default="FACEGATE_KEY_ENCRYPTION_KEY", pattern=r"^[A-Z_][A-Z0-9_]{0,127}$")
    """The name of the variable; its value is 32 bytes as base64."""


class AwsKmsEncryption(Table):
    """A symmetric key of AWS KMS. The credentials come from the environment, as for any AWS client."""

    kind: Literal["aws-kms"]
    """``"aws-kms"``."""
    key: str = Field(min_length=1, max_length=2048)
    """The key's ARN, its identifier, or an alias such as ``alias/facegate``."""
    region: str | None = Field(default=None, min_length=1, max_length=64)
    """The region; by default that of the environment."""
    endpoint: HttpUrl | None = None
    """Another endpoint, such as that of a VPC."""


class VaultTransitEncryption(Table):
    """A key of the Transit engine of HashiCorp Vault or OpenBao, of a type with associated data."""

    kind: Literal["vault-transit"]
    """``"vault-transit"``."""
    address: HttpUrl
    """The server's URL; HTTPS unless it is on this machine."""
    key: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """The name of the key, of type ``aes256-gcm96`` or ``chacha20-poly1305``."""
    mount: str = Field(default="transit", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
    """The path where the engine is mounted."""
    namespace: str | None = Field(default=None, min_length=1, max_length=256)
    """The namespace, if the server has any."""
    token_file: Path
    """A file with the token, such as the one that an agent of the server renews."""
    ca: Path | None = None
    """A PEM file with the certificate authority of the server; by default that of the system."""

    @field_validator("address")
    @classmethod
    def _encrypted(cls, value: HttpUrl) -> HttpUrl:
        if value.scheme != "https" and not is_loopback(value.host or ""):
            raise ValueError("write https://: the keys would cross the network in clear text")
        return value


KeyEncryptionEntry = Annotated[
    FileEncryption | EnvironmentEncryption | AwsKmsEncryption | VaultTransitEncryption,
    Field(discriminator="kind"),
]


class TenantKeySettings(Table):
    """The key of one tenant's own."""

    encryption: tuple[KeyEncryptionEntry, ...] = Field(default=(), max_length=8)
    """The keys that encrypt the tenant's evidence keys in the key folder; see ``keys.encryption``. Empty:
    they are encrypted as the server's own keys are."""


class KeySettings(Table):
    """The keys of the server."""

    folder: Path | None = None
    """Folder of the keys, by default ``keys`` in ``data_dir``; missing keys are made on the first start."""
    encryption: tuple[KeyEncryptionEntry, ...] = Field(default=(), max_length=8)
    """The keys that encrypt the files in the folder. The first entry encrypts new files; every entry
    decrypts. To change the key, put the new entry first and run ``facegate keys encrypt``. Empty: the files
    are not encrypted, and only their permissions protect them."""
    tenants: dict[str, TenantKeySettings] = Field(default_factory=dict)
    """Tenants whose evidence is sealed under keys of their own, by name. Without their key, their evidence
    cannot be opened any more (``facegate keys destroy``)."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        for name in self.tenants:
            if (
                not name
                or len(name) > 64
                or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
            ):
                raise ValueError(f"{name!r} is not the name of a tenant: letters, digits, '.', '_' and '-'")
            if name[0] in "._-":
                raise ValueError(f"the name of a tenant begins with a letter or a digit, not as {name!r}")
        return self
