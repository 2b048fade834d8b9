from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.demo.markup import Html, fill, jpeg_uri


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


# HTML knows neither these control characters nor carriage returns; parsers replace them.
printable = st.text(st.characters(exclude_categories=("Cc", "Cs")))


@given(text=printable)
def test_text_stays_text_in_content(text: str) -> None:
    parser = _Text()
    parser.feed(fill("sentence", kind="reason", text=text))
    parser.close()
    assert parser.tags == ["p"]
    assert parser.text.removesuffix("\n") == text


@given(text=printable)
def test_text_stays_text_in_attributes(text: str) -> None:
    parser = _Text()
    parser.feed(fill("mark", share="1.0", title=text))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.values[-1] == text


def test_markup_is_taken_as_it_is_and_joined() -> None:
    inner = fill("sentence", kind="a", text="<b>")
    filled = fill("measures", measures=[inner, Html("<hr>")])
    assert "<hr>" in filled
    assert "&lt;b&gt;" in filled
    assert "&amp;lt;" not in filled


def test_a_missing_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        fill("sentence", kind="reason")


def test_a_jpeg_becomes_a_data_uri() -> None:
    assert jpeg_uri(b"\xff\xd8") == "data:image/jpeg;base64,/9g="
