"""Land and format connections, once for all who read them: `format.py FILE PROJECT`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rare_edges.project import formatted

if __name__ == "__main__":
    formatted(Path(sys.argv[2]), str(Path(sys.argv[1]).resolve()), "4GB")
