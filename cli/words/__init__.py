"""English texts for the server's codes: hints to the scanned person, and advice to the caller."""

from cli.words.feedback import FEEDBACK_TEXT, feedback_text
from cli.words.refusals import WHAT_TO_DO, describe_lost_connection, describe_refusal

__all__ = ["FEEDBACK_TEXT", "WHAT_TO_DO", "describe_lost_connection", "describe_refusal", "feedback_text"]
