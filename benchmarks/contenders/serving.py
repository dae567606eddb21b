"""The contenders' half of the conversation: requests and answers, one JSON object a line.

Nothing but the standard library, because a contender may run under an interpreter that has none of this project's
packages.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Task = Callable[..., dict[str, Any]]


def serve(tasks: Mapping[str, Task]) -> None:
    """Answer `{"task": name, **arguments}` from standard input until it ends.

    What libraries print goes to standard error: standard output belongs to the answers.
    """
    with os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(tasks[request.pop("task")](**request)), file=answers)
