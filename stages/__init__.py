"""One command per DVC stage, described by ``python -m stages.NAME --help``."""

import os

# NumPy's linear algebra rounds otherwise on more threads, and a cluster sets this variable for its own ends: one, and
# before NumPy is there to read it. Torch's threads are params.yaml's compute.threads.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # which goes before the former

# Figures are drawn to files: a notebook's backend is not installed here, and importing matplotlib would fail.
os.environ["MPLBACKEND"] = "agg"
