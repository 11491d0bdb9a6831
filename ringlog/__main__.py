"""``python -m ringlog``: the command line."""

import sys

from ringlog.cli import main

sys.exit(main())
