"""Lists the images that the training of the shipped PAD network left out, for ``facegate evaluate pad``.

::

    python -m lab.studies.pad_network.held_out --work WORK --out held_out.txt
    facegate evaluate pad --dataset <assets>/data/pad --only held_out.txt --pack embedded

``WORK`` is the folder of ``lab.studies.pad_network prepare``. The list has the held-out sources, sessions
and persons of ``lab/studies/pad_network/split.toml``, as far as a face was found in their images.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.studies.pad_network.material import HELD_OUT, PadNetworkError
from lab.studies.pad_network.stages import Workplace


def held_out_names(place: Workplace) -> tuple[str, ...]:
    """Return the files of the manifest that were used neither for training nor for a choice, in its order."""
    return tuple(
        f"{'live' if region.is_live else 'spoof'}/{region.name}"
        for region, fold in zip(place.regions, place.fold.tolist(), strict=True)
        if fold == HELD_OUT
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not write the list."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.pad_network.held_out",
        description="List what the PAD network's training left out.",
    )
    parser.add_argument("--work", required=True, type=Path, help="folder of lab.studies.pad_network prepare")
    parser.add_argument("--out", required=True, type=Path, help="text file to write")
    options = parser.parse_args(arguments)
    try:
        names = held_out_names(Workplace.open(options.work))
        text = "# Left out of the training of the shipped PAD network.\n" + "".join(
            f"{name}\n" for name in names
        )
        options.out.write_text(text, encoding="utf-8")
    except (PadNetworkError, OSError) as error:
        sys.stderr.write(f"could not list: {error}\n")
        return 2
    sys.stderr.write(f"{len(names)} pictures\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
