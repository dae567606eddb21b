"""What unit tests share: datasets, each prepared once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.fault_server import FaultServer
from workshop import Workshop


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Datasets by name; asking for one that cannot be had on this machine skips the test."""
    with pytest.MonkeyPatch.context() as patch, FaultServer() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield Workshop(tmp_path_factory.mktemp("data"), server)
