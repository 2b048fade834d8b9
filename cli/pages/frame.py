"""The page around everything."""

from cli.pages.markup import NOTHING, Html, joined, stylesheet, template

__all__ = ["page"]

_KIT = "cli.pages"


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
    """A whole page that needs nothing else.

    Args:
        brand: The command, beside the name of the product.
        title: Of the browser's tab.
        heading: The page's own title.
        below: Content below the heading, such as a lead and facts.
        main: The sections.
        footer: How the page was made.
        style: What the user's pages have beside the kit's style sheet.
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
