"""The Python reader of a model directory: verdicts, scores and reasons, and no training code.

>>> model = load()
>>> model.judge("www.wikipedia.org").level
<Level.BENIGN: 'benign'>
"""

from mlplugin.model.directory import shipped
from mlplugin.model.model import Model, load
from mlplugin.model.verdicts import Verdicts

__all__ = ["Model", "Verdicts", "load", "shipped"]
