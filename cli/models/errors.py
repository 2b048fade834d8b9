"""What keeps models from being fetched, checked or packed.

::

    ModelsError
    ├── UnknownPack            the catalogue has no such pack
    ├── TermsNotAccepted       the weights' licence restricts use, and nobody accepted it
    ├── MirrorUnusable         the mirror is no folder, tar file or address, or cannot be read
    ├── FileNotOffered         the source does not have the file
    ├── TransferFailed         the network, the server or a proxy failed, again and again
    ├── FileRefused            the source offers something that is not the catalogued file
    │   ├── WrongSize          more or fewer bytes
    │   └── WrongContent       another SHA-256
    ├── TimeRanOut             the time that the caller gave is over
    ├── FolderUnusable         the models folder cannot be read or written, or has too little room
    ├── NotInstalled           a pack that should be bundled is not installed, or not intact
    └── BenchImpossible        the models cannot be measured

Every message says what was wrong, what was expected and what to do. Addresses are told without user
names, passwords and queries. Exceptions of aiohttp and of the file system are the ``__cause__``.
"""

__all__ = [
    "BenchImpossible",
    "FileNotOffered",
    "FileRefused",
    "FolderUnusable",
    "MirrorUnusable",
    "ModelsError",
    "NotInstalled",
    "TermsNotAccepted",
    "TimeRanOut",
    "TransferFailed",
    "UnknownPack",
    "WrongContent",
    "WrongSize",
]


class ModelsError(Exception):
    """Root of everything that this folder raises."""


class UnknownPack(ModelsError):
    """The catalogue has no such pack."""


class TermsNotAccepted(ModelsError):
    """The licence of some weights restricts use, and nobody accepted it."""


class MirrorUnusable(ModelsError):
    """The mirror is no folder, tar file or address, or cannot be read."""


class FileNotOffered(ModelsError):
    """The source does not have the file under any of its names."""


class TransferFailed(ModelsError):
    """The network, the server or a proxy failed; what was received is kept for the next time."""


class FileRefused(ModelsError):
    """The source offers something that is not the catalogued file; nothing of it was kept."""


class WrongSize(FileRefused):
    """More or fewer bytes than the catalogue states."""


class WrongContent(FileRefused):
    """Another content than the catalogue states.

    Attributes:
        name: The file's name.
        expected: The catalogued SHA-256, lower-case hex.
        found: The SHA-256 of what was offered, lower-case hex.
    """

    def __init__(self, *, name: str, origin: str, expected: str, found: str) -> None:
        super().__init__(
            f"{name} from {origin} is not the catalogued file: expected SHA-256 {expected}, found {found}. "
            "It was deleted, nothing was installed. Pull from another mirror, or tell whoever runs this one."
        )
        self.name = name
        self.expected = expected
        self.found = found


class TimeRanOut(ModelsError):
    """The time that the caller gave is over; what was received is kept for the next time."""


class FolderUnusable(ModelsError):
    """The models folder cannot be read or written, or has too little room."""


class NotInstalled(ModelsError):
    """A pack that should be bundled is not installed, or not intact."""


class BenchImpossible(ModelsError):
    """The models cannot be measured."""
