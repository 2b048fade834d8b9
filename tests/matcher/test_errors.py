import pytest

from formats.errors import ImageFault
from matcher import errors
from matcher.errors import MatcherError, RefusalReason, TrustedImageRefused


def test_every_public_exception_belongs_to_the_tree() -> None:
    exceptions = [value for value in vars(errors).values() if isinstance(value, type)]
    for exception in exceptions:
        if issubclass(exception, Exception):
            assert issubclass(exception, MatcherError)
            assert errors.__doc__ is not None
            assert exception.__name__ in errors.__doc__


def test_a_refusal_keeps_its_numbers_immutable() -> None:
    numbers: dict[str, str | int | float] = {"bytes": 3, "max_bytes": 2}
    refusal = TrustedImageRefused(ImageFault.TOO_MANY_BYTES, "too large", details=numbers)
    numbers["bytes"] = 1
    assert refusal.details == {"bytes": 3, "max_bytes": 2}
    with pytest.raises(TypeError):
        refusal.details["bytes"] = 1  # type: ignore[index] # the point of the test


def test_the_message_is_the_text_of_the_exception() -> None:
    assert str(TrustedImageRefused(RefusalReason.FACE_NOT_FOUND, "no face")) == "no face"
