"""The frame of a page."""

from server.pages.markup import NOTHING, Html, joined, stylesheet, template

__all__ = ["page"]

_KIT = "server.pages"


def page(
    *,
    brand: str,
    title: str,
    heading: str,
    below: Html,
    main: Html,
    footer: str | Html,
    style: Html = NOTHING,
) -> str:
    """Returns a whole, self-contained page.

    Args:
        brand: The command, beside the name of the product.
        title: Title of the browser's tab.
        heading: The page's heading.
        below: Content below the heading, such as a lead and facts.
        main: The sections.
        footer: Origin of the page.
        style: Styles in addition to the common style sheet.
    """
    whole = template(_KIT, "frame").format(
        brand=brand,
        title=title,
        heading=heading,
        below=below,
        main=main,
        footer=footer,
        style=joined((stylesheet(_KIT, "base"), style)),
    )
    return str(whole)
