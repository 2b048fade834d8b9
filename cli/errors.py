"""Errors of the commands.

::

    CommandError
    ├── FileUnusable           a file cannot be read or written, already exists, or is too long
    ├── OptionUnusable         an option cannot be understood
    ├── OutputUnusable         a page or a folder cannot be written, or already exists
    ├── SettingsUnusable       the settings are invalid, or their file cannot be read
    ├── PolicyUnusable         there is no such policy, it is invalid, or the pack cannot meet it
    ├── PlatformUnusable       the folder of a test platform cannot be written, or contains none
    ├── ServerUnusable         the server cannot be reached, refuses the call, or cannot answer it
    │   └── ServerDidNotStart  ``facegate serve`` ended, or did not print its ports in time
    ├── StageUnusable          the demo's photos or its pack are not installed or cannot be used
    ├── NotEvidence            the bytes are not a known kind of device evidence
    ├── ConversionImpossible   an image or a record cannot be converted to the requested format
    ├── BenchFailed            a benchmark cannot run
    │   ├── DeviceProcessFailed    the process with the devices ended, or its answer is invalid or late
    │   ├── PackNotMeasured        a process that measures a pack failed, or its answer is invalid or late
    │   └── ScanNotMeasured        a scan ended without a result
    └── ModelsError            models cannot be fetched, verified or bundled
        ├── UnknownPack            the catalogue has no such pack
        ├── TermsNotAccepted       the weights' licence restricts use, and was not accepted
        ├── MirrorUnusable         the mirror is not a folder, tar file or address, or cannot be read
        ├── FileNotOffered         the source does not have the file
        ├── TransferFailed         the network, the server or a proxy failed repeatedly
        ├── FileRefused            the source offers other content than the catalogued file
        │   ├── WrongSize              more or fewer bytes
        │   └── WrongContent           another SHA-256
        ├── TimeRanOut             the time limit of the caller is reached
        ├── FolderUnusable         the models folder cannot be read or written, or has too little room
        ├── NotInstalled           a pack that should be bundled is not installed, or not intact
        └── BenchImpossible        the models cannot be measured

Every message states the error, the expected value and the remedy. Addresses are shown without user names,
passwords and queries. Errors of other packages are shown unchanged; exceptions of aiohttp and of the file
system are the ``__cause__`` of one of the above.
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
    "SettingsUnusable",
    "StageUnusable",
    "TermsNotAccepted",
    "TimeRanOut",
    "TransferFailed",
    "UnknownPack",
    "WrongContent",
    "WrongSize",
]


class CommandError(Exception):
    """Base class of the errors of the commands."""


class FileUnusable(CommandError):
    """A file cannot be read or written, is not a regular file, already exists, or is too long."""


class OptionUnusable(CommandError):
    """An option cannot be understood."""


class OutputUnusable(CommandError):
    """A page or an output folder cannot be written, or there is already a file of its name."""


class SettingsUnusable(CommandError):
    """The settings are invalid, or their file cannot be read."""


class PolicyUnusable(CommandError):
    """The policy does not exist, is invalid, or makes a requirement hard that the pack cannot assess."""


class PlatformUnusable(CommandError):
    """The folder of a test platform cannot be written, or contains none. The message states why."""


class ServerUnusable(CommandError):
    """The server cannot be reached, refuses the call, or cannot answer it."""


class ServerDidNotStart(ServerUnusable):
    """``facegate serve`` ended, or did not print its ports in time."""


class StageUnusable(CommandError):
    """The photos or the pack that the demo needs are not installed, or cannot be used."""


class NotEvidence(CommandError):
    """The bytes are not a known kind of device evidence."""


class ConversionImpossible(CommandError):
    """The image or the record cannot be converted to the requested format."""


class BenchFailed(CommandError):
    """A benchmark cannot run."""


class DeviceProcessFailed(BenchFailed):
    """The process with the devices ended, or its answer is invalid or late."""


class PackNotMeasured(BenchFailed):
    """A process that measures a pack failed, or its answer is invalid or late."""


class ScanNotMeasured(BenchFailed):
    """A scan ended without a result."""


class ModelsError(CommandError):
    """Models cannot be fetched, verified or bundled."""


class UnknownPack(ModelsError):
    """The catalogue has no such pack."""


class TermsNotAccepted(ModelsError):
    """The licence of some weights restricts use, and was not accepted."""


class MirrorUnusable(ModelsError):
    """The mirror is not a folder, tar file or address, or cannot be read."""


class FileNotOffered(ModelsError):
    """The source does not have the file under any of its names."""


class TransferFailed(ModelsError):
    """The network, the server or a proxy failed. The received data is kept for the next pull."""


class FileRefused(ModelsError):
    """The source offers other content than the catalogued file. It is not kept."""


class WrongSize(FileRefused):
    """The number of bytes differs from the catalogue."""


class WrongContent(FileRefused):
    """The content differs from the catalogue.

    Attributes:
        name: The file's name.
        expected: The catalogued SHA-256, lower-case hex.
        found: The SHA-256 of the offered content, lower-case hex.
    """

    def __init__(self, *, name: str, origin: str, expected: str, found: str) -> None:
        super().__init__(
            f"{name} from {origin} is not the catalogued file: expected SHA-256 {expected}, found {found}. "
            "It was deleted, nothing was installed. Pull from another mirror, or report "
            "it to the operator of this one."
        )
        self.name = name
        self.expected = expected
        self.found = found


class TimeRanOut(ModelsError):
    """The time limit of the caller is reached. The received data is kept for the next pull."""


class FolderUnusable(ModelsError):
    """The models folder cannot be read or written, or has too little room."""


class NotInstalled(ModelsError):
    """A pack that should be bundled is not installed, or not intact."""


class BenchImpossible(ModelsError):
    """The models cannot be measured."""
