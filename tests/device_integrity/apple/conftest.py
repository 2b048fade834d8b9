"""Fixtures for the tests of Apple's evidence."""

import pytest

from tests.device_integrity.apple.apple_in_software import SoftwareApple, SoftwareKey


@pytest.fixture(scope="package")
def apple() -> SoftwareApple:
    return SoftwareApple()


@pytest.fixture(scope="package")
def key() -> SoftwareKey:
    return SoftwareKey()
