"""The tests of the exporter use what those of the command line and of `ringlog top` do, and boards."""

from __future__ import annotations

import sys
from pathlib import Path

for place in ("cli", "top", "bridge_cli"):
    sys.path.insert(0, str(Path(__file__).parent.parent / place))
