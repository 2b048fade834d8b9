"""Reads a page strictly, for tests of its contents."""

from html.parser import HTMLParser

_VOID = {"meta", "img", "hr", "br", "link", "input", "wbr"}


class Page(HTMLParser):
    """Every element that is opened is closed, in order; references to other resources are collected."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.source = page
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.without_words: list[str] = []
        self.pictures = 0
        self._text = ""
        self.feed(str(page))
        self.close()

    @property
    def text(self) -> str:
        """All text, blanks joined."""
        return " ".join(self._text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._text += data

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        assert len(values) == len(attrs), f"<{tag}> has an attribute twice"
        self.attributes |= set(values)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [
            value for name, value in attrs if name in {"href", "src", "srcset", "xlink:href"} and value
        ]
        self.pictures += tag == "img"
        if (tag == "img" and not values.get("alt")) or (tag == "svg" and not values.get("aria-label")):
            self.without_words.append(tag)
