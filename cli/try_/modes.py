"""The modes that the page offers, and the policy of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facegate.v1 import scan_pb2

from cli.demo.tested import FLASH_ALONE_POLICY, FLASH_POLICY, POLICY, TRIAL_POLICY
from cli.errors import OutputUnusable
from server.checks.offer import pack_shortfall
from server.domain.terms import Mode
from server.policies import Policy, load_policies
from vision.packs import Pack

__all__ = ["COLOURS_TRIAL_POLICY", "TrialMode", "offered_modes", "write_trial_policy"]

COLOURS_TRIAL_POLICY: Final = "evaluation-colours"
"""``adaptive`` for packs that are for evaluation only."""

_TEXT: Final = f"""\
# For trials only: "{FLASH_ALONE_POLICY}" with the match and challenges that the pack "embedded" supports.
name = "{COLOURS_TRIAL_POLICY}"
version = 1
description = "For trials only: begins with the screen challenge, with at most one false match in a hundred."
mode = "EXPRESS"

[match]
max_fmr = 1e-2

[liveness]
live_threshold = 70.0
spoof_threshold = 30.0

[doubt]
order = ["flash", "movement"]
at_start = true

[attempts]
maximum = 4

[retention]
evidence_seconds = 86_400
audit_images = 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMode:
    """A mode of the page.

    Attributes:
        key: ``express``, ``colours`` or ``dynamic``.
        policy: The policy of its checks.
        flashes: Whether the screen may show colours.
        raised: Whether the mode of the policy is raised to DYNAMIC.
        shortfall: Why the pack cannot serve it; empty if it can.
    """

    key: str
    policy: str
    flashes: bool
    raised: bool = False
    shortfall: str = ""

    @property
    def wanted(self) -> scan_pb2.Mode.ValueType:
        """The mode that a check asks for."""
        return scan_pb2.MODE_DYNAMIC if self.raised else scan_pb2.MODE_UNSPECIFIED


def offered_modes(pack: Pack, *, folder: Path) -> tuple[TrialMode, ...]:
    """Returns the modes of the page, in order.

    Args:
        pack: The pack that judges.
        folder: Folder of the server's own policies.
    """
    trial = pack.evaluation_only
    modes = (
        TrialMode(key="express", policy=TRIAL_POLICY if trial else POLICY, flashes=False),
        TrialMode(key="colours", policy=COLOURS_TRIAL_POLICY if trial else FLASH_ALONE_POLICY, flashes=True),
        TrialMode(key="dynamic", policy=TRIAL_POLICY if trial else FLASH_POLICY, flashes=True, raised=trial),
    )
    book = load_policies(folder)
    return tuple(_examined(mode, book.get(mode.policy).policy, pack) for mode in modes)


def write_trial_policy(folder: Path) -> None:
    """Adds the policy of the mode with colours for packs that are for evaluation only.

    Args:
        folder: Folder of the server's own policies; it exists.

    Raises:
        OutputUnusable: It cannot be written.
    """
    path = folder / f"{COLOURS_TRIAL_POLICY}.toml"
    try:
        path.write_text(_TEXT, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"{path} cannot be written: {error.strerror}") from error


def _examined(mode: TrialMode, policy: Policy, pack: Pack) -> TrialMode:
    requested = Mode.DYNAMIC if mode.key == "dynamic" else Mode.EXPRESS
    shortfall = pack_shortfall(policy, pack, requested=requested, allow_evaluation_pack=True)
    return TrialMode(
        key=mode.key,
        policy=mode.policy,
        flashes=mode.flashes,
        raised=mode.raised,
        shortfall=shortfall or "",
    )
