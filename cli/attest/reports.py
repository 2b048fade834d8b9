"""Makes the report on a file, by its recognised kind."""

from cli.attest.android_reports import chain_report, description_report
from cli.attest.apple_reports import assertion_report, attestation_report, receipt_report
from cli.attest.play_reports import payload_report, token_report
from cli.attest.recognition import RecognisedKind, recognise
from cli.attest.report import GivenInputs, Report
from cli.attest.web_reports import registration_report

__all__ = ["make_report"]


def make_report(data: bytes, given: GivenInputs) -> Report:
    """Returns the report on a piece of evidence.

    Raises:
        NotEvidence: The bytes are no known kind of evidence.
        OptionUnusable: An input is malformed.
        DeviceIntegrityError: An input cannot be read, or a KeyDescription is malformed.
    """
    evidence = recognise(data)
    first = evidence.parts[0]
    match evidence.kind:
        case RecognisedKind.ANDROID_CHAIN:
            return chain_report(evidence.parts, given)
        case RecognisedKind.KEY_DESCRIPTION:
            return description_report(first)
        case RecognisedKind.PLAY_TOKEN:
            return token_report(first, given)
        case RecognisedKind.PLAY_PAYLOAD:
            return payload_report(first, given)
        case RecognisedKind.APP_ATTEST:
            return attestation_report(first, given)
        case RecognisedKind.APP_ATTEST_ASSERTION:
            return assertion_report(first, given)
        case RecognisedKind.APP_ATTEST_RECEIPT:
            return receipt_report(first, given)
        case RecognisedKind.WEB_AUTHN:
            return registration_report(first, given)
