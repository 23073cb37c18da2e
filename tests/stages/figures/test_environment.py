"""Figures are the same bytes whatever a notebook, a matplotlibrc or a font size says in the environment."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CODE = """
import sys
from stages.figures import plots
from stages.figures.encode import png_of, svg
rows = [{"schedule": "linear", "T": T, "seed": 0, "epoch": e, "loss": 1 / (e + T)} for T in (50, 100) for e in (1, 2)]
figure = plots.loss_curves(rows)
sys.stdout.buffer.write(png_of(figure) + svg(figure).encode())
"""


def drawn(folder: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    kept |= {"PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=folder, env=kept, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return hashlib.sha256(done.stdout).hexdigest()


def test_figures_do_not_depend_on_the_environment(tmp_path: Path) -> None:
    plain = drawn(tmp_path)
    assert drawn(tmp_path, MPLBACKEND="module://matplotlib_inline.backend_inline") == plain
    assert drawn(tmp_path, MPLBACKEND="TkAgg", DISPLAY="") == plain
    (tmp_path / "other").write_text("font.size: 20\nlines.linewidth: 7\n")
    assert drawn(tmp_path, MATPLOTLIBRC=str(tmp_path / "other")) == plain
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nsavefig.facecolor: red\nbackend: TkAgg\n")
    assert drawn(tmp_path) == plain


KERNELS = {"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41", "ONEDNN_MAX_CPU_ISA": "AVX2",
           "MKL_CBWR": "COMPATIBLE"}  # fmt: skip


def convolved(imports: str, **environment: str) -> bytes:
    """Checksum of what a process that imports these modules gets from torch."""
    code = f"""import hashlib, {imports}
x, w = torch.randn(8, 16, 28, 28, generator=torch.manual_seed(0)), torch.randn(16, 16, 3, 3)
found = torch.conv2d(x, w).flatten(1)
print(hashlib.sha256((found @ found.T).numpy().tobytes()).hexdigest())"""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=True).stdout


def test_kernels_of_torch() -> None:
    """Variables that choose other kernels change the bytes of a convolution, unless they are taken away."""
    plain = convolved("stages, torch")
    assert convolved("stages, torch", **KERNELS) == plain
    if convolved("torch", **KERNELS) == plain:
        pytest.skip("on this processor the variables change nothing")


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_threads_of_linear_algebra(name: str) -> None:
    code = f"import os, stages; print(os.environ['{name}'])"
    kept = {**os.environ, name: "8"}
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=kept, capture_output=True, text=True).stdout == "1\n"
    )
