"""What keeps a command from doing its work.

::

    CommandError
    ├── FileUnusable           a file cannot be read or written, is in the way, or is too long
    ├── OptionUnusable         an option cannot be understood
    ├── OutputUnusable         a page or a folder cannot be written, or is in the way
    ├── PolicyUnusable         there is no such policy, it is broken, or too much for the pack
    ├── PlatformUnusable       the folder of a test platform cannot be written, or holds none
    ├── ServerUnusable         the server cannot be reached, refuses, or cannot do what was asked for
    │   └── ServerDidNotStart  ``facegate serve`` ended, or did not say its ports in time
    ├── StageUnusable          the demo's photos or its pack are not installed or cannot be used
    ├── NotEvidence            the bytes are not a known kind of device evidence
    ├── ConversionImpossible   a picture or a record cannot take the form that was asked for
    ├── BenchFailed            a benchmark cannot run
    │   ├── DeviceProcessFailed    the process with the devices ended, or its answer is invalid or late
    │   ├── PackNotMeasured        a process that measures a pack failed, or its answer is invalid or late
    │   └── ScanNotMeasured        a scan ended without a result
    └── ModelsError            models cannot be fetched, checked or packed
        ├── UnknownPack            the catalogue has no such pack
        ├── TermsNotAccepted       the weights' licence restricts use, and nobody accepted it
        ├── MirrorUnusable         the mirror is not a folder, tar file or address, or cannot be read
        ├── FileNotOffered         the source does not have the file
        ├── TransferFailed         the network, the server or a proxy failed, again and again
        ├── FileRefused            the source offers something that is not the catalogued file
        │   ├── WrongSize              more or fewer bytes
        │   └── WrongContent           another SHA-256
        ├── TimeRanOut             the time that the caller gave is over
        ├── FolderUnusable         the models folder cannot be read or written, or has too little room
        ├── NotInstalled           a pack that should be bundled is not installed, or not intact
        └── BenchImpossible        the models cannot be measured

Every message says what was wrong, what was expected and what to do. Addresses are shown without user
names, passwords and queries. Errors of the other rooms are shown unchanged; exceptions of aiohttp and of the
file system are the ``__cause__`` of one of the above.
"""

__all__ = [
    "BenchFailed",
    "BenchImpossible",
    "CommandError",
    "ConversionImpossible",
    "DeviceProcessFailed",
    "FileNotOffered",
    "FileRefused",
    "FileUnusable",
    "FolderUnusable",
    "MirrorUnusable",
    "ModelsError",
    "NotEvidence",
    "NotInstalled",
    "OptionUnusable",
    "OutputUnusable",
    "PackNotMeasured",
    "PlatformUnusable",
    "PolicyUnusable",
    "ScanNotMeasured",
    "ServerDidNotStart",
    "ServerUnusable",
    "StageUnusable",
    "TermsNotAccepted",
    "TimeRanOut",
    "TransferFailed",
    "UnknownPack",
    "WrongContent",
    "WrongSize",
]


class CommandError(Exception):
    """Root of everything that the commands raise."""


class FileUnusable(CommandError):
    """A file cannot be read or written, is not a regular file, is in the way, or is too long."""


class OptionUnusable(CommandError):
    """An option cannot be understood."""


class OutputUnusable(CommandError):
    """A page or an output folder cannot be written, or there is already a file of its name."""


class PolicyUnusable(CommandError):
    """There is no such policy, it is broken, or it makes hard what the pack can assess in no image."""


class PlatformUnusable(CommandError):
    """The folder of a test platform cannot be written, or holds none. The message says why."""


class ServerUnusable(CommandError):
    """The server cannot be reached, refuses, or cannot do what was asked for."""


class ServerDidNotStart(ServerUnusable):
    """``facegate serve`` ended, or did not say its ports in time."""


class StageUnusable(CommandError):
    """The photos or the pack of the demo are not installed or cannot be used."""


class NotEvidence(CommandError):
    """The bytes are not a known kind of device evidence."""


class ConversionImpossible(CommandError):
    """The picture or the record cannot take the form that was asked for."""


class BenchFailed(CommandError):
    """A benchmark cannot run."""


class DeviceProcessFailed(BenchFailed):
    """The process with the devices ended, or its answer is invalid or late."""


class PackNotMeasured(BenchFailed):
    """A process that measures a pack failed, or its answer is invalid or late."""


class ScanNotMeasured(BenchFailed):
    """A scan ended without a result."""


class ModelsError(CommandError):
    """Models cannot be fetched, checked or packed."""


class UnknownPack(ModelsError):
    """The catalogue has no such pack."""


class TermsNotAccepted(ModelsError):
    """The licence of some weights restricts use, and nobody accepted it."""


class MirrorUnusable(ModelsError):
    """The mirror is not a folder, tar file or address, or cannot be read."""


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
