"""One command per DVC stage, described by ``python -m stages.NAME --help``."""

import os

# NumPy's linear algebra rounds differently with more threads, and clusters set this variable for other purposes. NumPy
# reads it when it is imported. Torch's threads are params.yaml's compute.threads.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # takes precedence over the former

# These variables select other kernels, which round differently; nothing in the results would show it.
for _name in ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR"):
    os.environ.pop(_name, None)

# Figures are drawn to files: a notebook's backend is not installed here, and importing matplotlib would fail.
os.environ["MPLBACKEND"] = "agg"
