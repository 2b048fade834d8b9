"""Shows results as tables on the terminal, and saves them as files."""

from cli.verdict.files import SavedPicture, result_json, save_verdict
from cli.verdict.table import enum_word, failure_words, match_words, verdict_view, waiver_words

__all__ = [
    "SavedPicture",
    "enum_word",
    "failure_words",
    "match_words",
    "result_json",
    "save_verdict",
    "verdict_view",
    "waiver_words",
]
