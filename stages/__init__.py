"""One command per DVC stage, described by ``python -m stages.NAME --help``."""

import os

# NumPy's linear algebra rounds otherwise on more threads, and a cluster sets this variable for its own ends: one, and
# before NumPy is there to read it. Torch's threads are params.yaml's compute.threads.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # which goes before the former

# Other kernels than the processor's own would round otherwise, and the study would not say so.
for _name in ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR"):
    os.environ.pop(_name, None)

# Figures are drawn to files: a notebook's backend is not installed here, and importing matplotlib would fail.
os.environ["MPLBACKEND"] = "agg"
