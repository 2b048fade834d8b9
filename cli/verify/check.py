"""Makes a whole check: upload, scan and result, with two listeners."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from facegate.v1 import scan_pb2, verification_service_pb2
from rich.console import Console
from rich.markup import escape

from cli.verify.inputs import certificate_explained, read_api_key, read_file, read_key_set, read_tls
from cli.verify.scanning import ScanOptions, opened_scanner
from cli.verify.words import portrait_words
from facegate_client import Orchestrator, open_channel, ticket_of

__all__ = ["CheckOptions", "ModeName", "run_check"]

_WAIT_SECONDS: Final = 15.0


class ModeName(StrEnum):
    """Modes to which a check can be raised."""

    EXPRESS = "express"
    DYNAMIC = "dynamic"


_MODES: Final = {
    None: scan_pb2.MODE_UNSPECIFIED,
    ModeName.EXPRESS: scan_pb2.MODE_EXPRESS,
    ModeName.DYNAMIC: scan_pb2.MODE_DYNAMIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of `facegate verify`; see its help."""

    trusted: Path | None
    trusted_reference: str | None
    scanning: ScanOptions
    service: str
    policy: str
    mode: ModeName | None
    subject: str
    consent: str
    api_key_file: Path | None
    cert: Path | None
    key: Path | None
    jwks: str | None
    accept_sandbox: bool
    audit_images: int


async def run_check(options: CheckOptions, messages: Console) -> verification_service_pb2.FinishCheckResponse:
    """Makes the three calls: uploads the trusted image, scans, and finishes the check.

    Args:
        options: The options.
        messages: Shows hints to the person, and the server's findings.

    Raises:
        ClientError: A call is refused, a file cannot be read, or the server cannot be reached.
        PlatformUnusable: The test platform's folder contains none, or cannot be written.
    """
    portrait = None if options.trusted is None else read_file(options.trusted, "the trusted image")
    keys = await read_key_set(options.jwks)
    api_key = read_api_key(options.api_key_file)
    files = {"ca": options.scanning.ca, "certificate": options.cert, "key": options.key}
    tls = read_tls(options.service, **files)
    async with (
        certificate_explained(options.service, **files),
        open_channel(options.service, tls=tls) as service,
        opened_scanner(options.scanning, messages) as scan,
    ):
        orchestrator = Orchestrator(
            channel=service, api_key=api_key, keys=keys, accept_sandbox=options.accept_sandbox
        )
        created = await orchestrator.upload_trusted_image(
            portrait,
            image_reference=options.trusted_reference,
            policy=options.policy,
            mode=_MODES[options.mode],
            subject_reference=options.subject,
            consent_reference=options.consent,
        )
        messages.print(escape(portrait_words(created.portrait)), highlight=False)
        await scan(ticket_of(created))
        return await orchestrator.finish_check(
            created.check_id, audit_image_limit=options.audit_images, wait_s=_WAIT_SECONDS
        )
