"""The page that explains verdicts: what was decided, why, and the pictures, curves and numbers behind it.

``facegate analyze``, the archive of a check and the laboratory's pages describe each verdict as an
`Explanation`, in plain words and numbers. ``verdict.html`` draws it, and ``explanation.html`` the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from server.pages.rendering import Html, render


class _Signal(Protocol):
    """A signal of ``liveness``, or of the wire's result."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Images side by side, perhaps with drawings over the first, or one drawing.

    Attributes:
        images: The data URI and the text for screen readers of each image.
        over: Drawings over the image: a macro of ``charts.svg``, and its values.
        drawing: A drawing instead of images: a macro of ``charts.svg``, and its value.
        instead: Why there is no image, in words.
        kind: A class of the style sheet.
    """

    caption: str
    images: Sequence[tuple[str, str]] = ()
    over: Sequence[tuple[str, Mapping[str, Any]]] = ()
    drawing: tuple[str, Mapping[str, Any]] | None = None
    instead: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Figures, facts or a table below a title. It is not shown if it has none.

    Attributes:
        said: An explanation of the content.
        items: A numbered list, from 0.
        kind: The layout, a class of the style sheet.
        folded: Whether a reader has to unfold it.
    """

    title: str = ""
    said: str = ""
    figures: Sequence[Figure] = ()
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    items: Sequence[str] = ()
    kind: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measurement as a gauge.

    Attributes:
        value: Its value, in words.
        detail: What the value means.
        share: Length of the bar, percent.
        tone: ``good``, ``bad``, ``warn`` or empty.
        spoken: The text for screen readers.
        marks: Lines across the bar: percent, and tooltip.
        band: A framed part of the bar: its two ends, percent, and its tooltip.
        kind: ``big``, or empty.
    """

    name: str
    value: str
    detail: str
    share: float
    tone: str
    spoken: str
    marks: Sequence[tuple[float, str]] = ()
    band: tuple[float, float, str] | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One judgement with its reasons.

    Attributes:
        why: The reasons, in sentences.
        signals_title: Title of the signals; empty for none.
        signals: The signals that are shown at once.
        more: Further signals, to unfold.
        more_title: Their title; empty for none.
        named: Whether the signals' names are shown, beside their labels.
    """

    title: str = ""
    facts: Sequence[tuple[str, str]] = ()
    measures: Sequence[Measure] = ()
    why: Sequence[str] = ()
    signals_title: str = ""
    signals_said: str = ""
    signals: Sequence[_Signal] = ()
    more: Sequence[_Signal] = ()
    more_title: str = ""
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One verdict, explained.

    Attributes:
        outcome: Text and tone of the verdict.
        remark: A second pill beside it: text and tone; None for none.
        words: A few words beside the outcome in the table of all.
        row: The further cells of that table.
        part: Title, short and long explanation of the part of the page to which it belongs.
        texts: Paragraphs below the title: each a class of the style sheet, and text.
        pictures: What was judged, before the judgements.
        reasons: The decisive reasons: each a class of the style sheet, and text.
        judgements: The judgements, the decisive one first.
        groups: Pictures, curves and facts behind them.
    """

    key: str
    title: str
    outcome: tuple[str, str]
    remark: tuple[str, str] | None = None
    words: str = ""
    row: Sequence[str] = ()
    part: tuple[str, str, str] | None = None
    texts: Sequence[tuple[str, str]] = ()
    pictures: Group = field(default_factory=Group)
    reasons: Sequence[tuple[str, str]] = ()
    judgements: Sequence[Judgement] = ()
    groups: Sequence[Group] = ()


def explanation_page(
    template: str,
    explanations: Sequence[Explanation],
    *,
    title: str,
    heading: str,
    about: Sequence[tuple[str, str]],
    lead: str = "",
    pills: Sequence[tuple[str, str, bool]] = (),
    columns: Sequence[str] = (),
    numbers: Sequence[str] = (),
    **prose: object,
) -> Html:
    """Return the page as HTML.

    Args:
        template: The page's prose, which extends ``explanation.html``.
        explanations: The verdicts, in order.
        about: Names and values below it.
        lead: The first paragraph.
        pills: Text, tone, and whether it is outlined.
        columns: Columns of the table of all verdicts: title, outcome, and those of ``row``. Without columns
            there is no table, and the one verdict has no title.
        numbers: Those of them that contain numbers.
        prose: The values that ``template`` names.
    """
    return render(
        template,
        explanations=explanations,
        title=title,
        heading=heading,
        about=about,
        lead=lead,
        pills=pills,
        columns=columns,
        numbers=numbers,
        **prose,
    )
