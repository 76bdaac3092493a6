# what does the nearest neighbour by spectrum use, on fields far from those that train?
from pathlib import Path

from shared_data.audit import as_text, examine
from shared_data.comparison.baselines.methods import METHODS
from shared_data.runs.request import Request

request = Request("synthetic", "spatial-cv", 1, None, False, "cpu", None, (), Path("results"), False, fold=0)
print(as_text(examine(METHODS["1nn"], request)))
