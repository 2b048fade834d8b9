"""The exceptions of this package."""


class KeyMaterialError(Exception):
    """A key, key share or signature encoding is not of the kind or length that the protocol requires."""


class TextsUnusable(Exception):
    """The data file of the texts is not JSON, or a row of it has another form."""
