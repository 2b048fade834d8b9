"""The content of an evaluation report, the same for the terminal, Markdown and a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cli.report.sheets import Sheet
from evaluation.bench import Machine
from server.pages import Html

__all__ = ["Chart", "ReportDocument"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing of the report.

    Attributes:
        name: Name of its file, without suffix.
        png: The PNG file.
        caption: Its content and how to read it.
    """

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """A report in words and tables.

    Attributes:
        title: Subject of the measurement, in a few words.
        packs: Names of the measured packs.
        lead: The question that the figures answer, in a sentence.
        facts: Properties of the data, by name, for the page.
        sheets: The tables, most important first.
        notes: The method, in sentences, for the terminal and Markdown.
        method: The method in detail, for the page.
        command: The command that repeats the measurement, without folders.
        made: Time of creation, with a time zone.
        version: Version of the distribution.
        machine: The machine of the measurement.
    """

    title: str
    packs: tuple[str, ...]
    lead: str
    facts: Mapping[str, str]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]
    method: Html
    command: str
    made: datetime
    version: str
    machine: Machine
