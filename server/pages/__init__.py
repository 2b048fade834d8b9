"""The parts of the pages that commands write. Each page is one HTML file that loads and runs nothing.

``parts`` has the type of safe markup, the templates, the parts and the frame of a page; ``svg`` has drawings.
``templates/base.css`` is the style sheet.
"""

from server.pages import svg
from server.pages.parts import (
    NOTHING,
    Html,
    band,
    card,
    cell,
    data_uri,
    facts,
    figure,
    folded,
    gauge,
    head,
    image,
    joined,
    link_cell,
    mark,
    measure,
    page,
    pill,
    signal_list,
    signal_row,
    stylesheet,
    table,
    template,
)

__all__ = [
    "NOTHING",
    "Html",
    "band",
    "card",
    "cell",
    "data_uri",
    "facts",
    "figure",
    "folded",
    "gauge",
    "head",
    "image",
    "joined",
    "link_cell",
    "mark",
    "measure",
    "page",
    "pill",
    "signal_list",
    "signal_row",
    "stylesheet",
    "svg",
    "table",
    "template",
]
