"""Whatever `check` lets pass runs through to the page: studies of all kinds, judged by registrations of all kinds."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l2audit.models.layers import IMAGE_LAYERS
from l2audit.models.losses import LOSSES
from whole_study import CLAIMS, ROOT, Result, document, faked, run, tables

REGISTERED: dict[str, Any] = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
