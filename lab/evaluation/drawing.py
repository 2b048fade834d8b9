"""Makes figures and PNG files with matplotlib; whether the extra ``evaluation`` is installed.

The modules of ``evaluation`` import SciPy and matplotlib in the functions that need them, because
``facegate bench`` and ``facegate doctor`` use this package without them.
"""

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from formats.extras import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable for people with red-green colour blindness too (M. Okabe and K. Ito, 2008).
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES: Final = ("-", "--", "-.", ":")

_QUIET: Final = "#666666"
_DPI: Final = 110


class EvaluationUnavailable(Exception):
    """The extra ``evaluation`` is not installed."""


def require_evaluation() -> None:
    """Make sure, before a long computation, that rates can be bounded and charts drawn.

    Raises:
        EvaluationUnavailable: The extra is not installed.
    """
    if find_spec("scipy") is None or find_spec("matplotlib") is None:
        raise EvaluationUnavailable(missing_extra("facegate evaluate", "evaluation"))


def new_figure(width: float, height: float) -> "Figure":
    """Make an empty figure.

    Args:
        width: In inches.
        height: In inches.
    """
    # Not pyplot, which keeps global state and needs a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish_rates(
    axes: "Axes",
    *,
    title: str,
    labels: tuple[str, str],
    left: float,
    floor: float,
    legend: Literal["upper right", "lower left"],
    empty: str,
) -> None:
    """Complete a plot of one error rate over another, on logarithmic axes.

    Args:
        labels: The rates, across and up.
        left: The lowest rate across.
        floor: The height at which a rate of 0 is drawn.
        empty: The text in place of curves; empty if there are any.
    """
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(left, 1.0),
        ylim=(0.9 * floor, 1.0),
        xlabel=labels[0],
        ylabel=labels[1],
        title=title,
    )
    axes.grid(visible=True, which="major", color="#dddddd")
    if empty:
        axes.text(0.5, 0.5, empty, ha="center", transform=axes.transAxes, color=_QUIET)
    else:
        axes.legend(loc=legend, frameon=False)


def png(figure: "Figure") -> bytes:
    """Return a figure as a PNG file."""
    stream = io.BytesIO()
    # Without the version of the library, so that equal results give equal files.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
