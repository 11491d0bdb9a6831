"""What the walk plants is what the tests of the write lock plant: their support is found here too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "writers"))
