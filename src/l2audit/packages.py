"""Which versions of other packages are installed, whatever a platform calls them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata


def installed(names: Iterable[str]) -> dict[str, str]:
    """Version of each package of `names` that is installed; one that is not is left out.

    A package may be installed as `<name>-cpu`: TensorFlow is on x86-64, and nowhere else. It is reported as `<name>`.
    """
    found = {}
    for name in names:
        for distribution in (name, f"{name}-cpu"):
            try:
                found[name] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return found
