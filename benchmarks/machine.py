"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.processes import cores
from l2audit.packages import installed

FLAGS = ("amx_tile", "avx", "avx2", "avx512_bf16", "avx512_vnni", "avx512f", "fma")
CAPTURED: dict[str, Any] = {"capture_output": True, "text": True}
PACKAGES = ("keras", "numpy", "scikit-learn", "tensorflow")


def describe() -> dict[str, Any]:
    """Processor, cores, vector instructions, cache, memory and versions; what the system does not tell is left out."""
    processor = _processor()
    return {
        "cores": cores(),
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "vector_instructions": sorted(set(processor.get("flags", "").split()) & set(FLAGS)),
        "system": f"{platform.system()} {platform.machine()}",
        **_cache(),
        **_memory(),
        "versions": {"python": platform.python_version(), **installed(PACKAGES)},
    }


def _processor() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text(encoding="utf-8").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cache() -> dict[str, int]:
    """Second-level cache of one core, in KiB."""
    try:
        text = subprocess.run(["lscpu", "--caches=NAME,ONE-SIZE", "--bytes"], check=False, **CAPTURED).stdout
    except OSError:
        return {}
    found = re.search(r"^L2\s+(\d+)", text, re.MULTILINE)
    return {"l2_kib_a_core": int(found[1]) // 1024} if found else {}


def _memory() -> dict[str, float]:
    path = Path("/proc/meminfo")
    found = re.search(r"MemTotal:\s+(\d+) kB", path.read_text(encoding="utf-8")) if path.exists() else None
    return {"memory_gb": round(int(found[1]) * 1024 / 1e9, 1)} if found else {}
