"""The project root on the import path: the checkout is run in place, never installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
