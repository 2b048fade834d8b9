"""The parts of the pages that commands write. Each page is one HTML file that loads and runs nothing.

``markup`` has the type of safe markup and the templates, ``frame`` the frame of a page, ``parts`` and
``gauges`` the parts of a page, ``svg`` and ``charts`` drawings. ``templates/base.css`` is the style sheet.
"""

from server.pages import svg
from server.pages.frame import page
from server.pages.gauges import band, gauge, mark, measure, signal_list, signal_row
from server.pages.markup import NOTHING, Html, data_uri, joined, stylesheet, template
from server.pages.parts import card, cell, facts, figure, folded, head, image, link_cell, pill, table

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
