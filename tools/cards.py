"""Write data/cards.parquet from the data cards in data/prepared: `make cards`.

A dataset that is not prepared on this machine keeps its row. The table of a person's own disk gets none: nobody else
has it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from l2audit.config.load import table
from l2audit.data.cards import FILE, write_cards

ROOT = Path(__file__).resolve().parents[1]


def main(root: Path = ROOT) -> None:
    """Write the file, and tell how many of the declared datasets are in it."""
    names = [name for name, entry in table(root, "datasets").items() if not entry["source"].startswith("file:")]
    sys.stdout.write(f"{FILE}: {write_cards(root, names)} of {len(names)} datasets\n")


if __name__ == "__main__":
    main()
