"""Versions of installed packages, where TensorFlow goes by either of its two names, or by none."""

from __future__ import annotations

from importlib import metadata

import pytest

from benchmarks.machine import describe
from l2audit.packages import installed
from l2audit.pipeline.provenance import versions
from l2audit.runs.shard import circumstances

THERE = {"tensorflow-cpu": "2.21.0", "tensorflow": "2.20.1"}


@pytest.fixture(params=["tensorflow-cpu", "tensorflow", None])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """TensorFlow is installed under this name alone (None: not at all), as on x86-64, ARM Linux and Apple."""
    original = metadata.version

    def version(distribution: str) -> str:
        if distribution in THERE:
            if distribution != request.param:
                raise metadata.PackageNotFoundError(distribution)
            return THERE[distribution]
        return original(distribution)

    monkeypatch.setattr(metadata, "version", version)
    return request.param


def test_tensorflow_is_reported_under_its_plain_name(name: str | None) -> None:
    expected = {"numpy": metadata.version("numpy"), **({"tensorflow": THERE[name]} if name else {})}
    assert installed(("numpy", "tensorflow", "no-such-package")) == expected
    for found in (versions(), circumstances()["packages"], describe()["versions"]):
        assert {key: value for key, value in found.items() if key.startswith("tensorflow")} == {
            key: value for key, value in expected.items() if key == "tensorflow"
        }
