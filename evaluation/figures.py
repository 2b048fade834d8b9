"""Makes figures and PNG files with matplotlib, which is imported when a figure is made."""

import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Distinguishable for people with red-green colour blindness too (M. Okabe and K. Ito, 2008).
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES: Final = ("-", "--", "-.", ":")

_DPI: Final = 110


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


def png(figure: "Figure") -> bytes:
    """Return a figure as a PNG file."""
    stream = io.BytesIO()
    # Without the version of the library, so that equal results give equal files.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
