"""``python -m mlplugin``, the same as the console script."""

import sys

from mlplugin.cli import main

if __name__ == "__main__":
    sys.exit(main())
