"""What a report of an evaluation says, described once for the terminal, for Markdown and for a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cli.pages import Html
from cli.report.sheets import Sheet
from evaluation.bench import Machine

__all__ = ["Chart", "ReportDocument"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing of the report.

    Attributes:
        name: Of its file, without ending.
        png: The PNG file.
        caption: What it shows and how to read it.
    """

    name: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """A report in words and tables.

    Attributes:
        title: What was measured, in a few words.
        packs: Names of the packs that were measured.
        lead: What the figures answer, in a sentence.
        facts: What was measured on, by name, for the page.
        sheets: The tables, in the order in which people want them.
        notes: How it was measured, in sentences, for the terminal and Markdown.
        method: The same at length, for the page.
        command: The command that makes it again, without folders.
        made: When, with a time zone.
        version: Of the distribution.
        machine: On what.
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
