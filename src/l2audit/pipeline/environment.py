"""The environment of every job: one thread, no window, this folder's code.

Threads and oneDNN move the last bits of what is trained, so this file is in the hash of every rule's code.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from l2audit.errors import UserError

PLAIN_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_USE_LEGACY_KERAS": "1",  # that is: not `tf.keras`, for which TensorFlow would import Keras, and it matplotlib
    "MPLBACKEND": "Agg",
}
"""Environment of every job: one thread (jobs run side by side instead), no window, no chatter."""

INTERPRETER = sys.executable


DECLARED = "L2AUDIT_DECLARED"


def same_declaration(declared: str, scheduling: bool) -> None:
    """Let jobs of a run see the configuration with which the run started.

    declared: the hash of all that the study's results depend on, as the present process read it. The process that
    schedules passes it on, and a job compares: it reads the files again, and they may have been edited meanwhile. (On a
    cluster that does not pass the environment on there is nothing to compare with.) UserError: they differ.
    """
    if scheduling:
        os.environ[DECLARED] = declared
    elif os.environ.get(DECLARED, declared) != declared:
        raise UserError(
            "the configuration or the code was edited while the study runs",
            fix="run the same command again when this run has ended; what was computed before is kept",
        )


def prepare_environment(sources: Path) -> None:
    """Set what all jobs inherit: `PLAIN_THREADS`, and the package in `sources` before any installed one.

    Code hashes are taken from that folder, so it must be the code that runs. Snakemake writes `sys.executable` into a
    shell's command as it stands, so it is quoted here: a folder's name may hold blanks and quotes.
    """
    sys.executable = shlex.quote(INTERPRETER)
    before = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ.update(PLAIN_THREADS, PYTHONPATH=os.pathsep.join(dict.fromkeys([str(sources), *before])))
