"""Every recipe of docs/how-to.md, run: its code is taken from the page, DVC is real, stages take no time.

Here are the recipes that change the study; test_how_to_elsewhere.py has those that need another machine, another
revision or what an earlier run left.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from stages.support import settings
from tests.conftest import ROOT
from tests.dvc_study import Study
from tests.recipes import SECTIONS, blocks, follow, follow_section


def test_every_recipe_is_here() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_how_to*.py"))
    calls = re.findall(r'(?:blocks|follow_section)\([^"]*"([A-Z][^"]+)"', text)
    # the first: tests/stages/support/test_resume.py and test_grid.py; the second needs PyTorch's own index
    words_only = {"Follow a long run", "Platforms and builds of torch"}
    assert set(SECTIONS) == set(calls) | words_only


def test_a_schedule(study: Study) -> None:
    source, conf = study.root / "ddpm/schedules.py", study.root / "conf/config.yaml"
    source.write_text(source.read_text() + "\n\n" + blocks("Add a schedule", "python")[0])
    conf.write_text(conf.read_text().replace("schedules:\n", "schedules:\n" + blocks("Add a schedule", "yaml")[0], 1))
    *commands, run = blocks("Add a schedule", "bash")[0].splitlines()
    compose, audit = ([sys.executable, *command.split()[1:]] for command in commands)
    subprocess.run(compose, cwd=study.root, check=True)
    told = subprocess.run(audit, cwd=study.root, capture_output=True, text=True, check=True).stdout
    assert "quadratic, T = 100" in told
    assert "gain of x_T in the first reverse step" in told
    follow(study, run)
    ran = study.ran()
    assert sorted({line for line in ran if line.startswith("train")}) == ["train quadratic 100 0"]


def test_a_T(study: Study) -> None:
    """The default's T are named, too; here three of them, which take less time."""
    (run,) = blocks("Add a T", "bash")
    named = ",".join(map(str, [*settings.read(ROOT / "params.yaml").grid.T, 1600]))
    assert f"'T=\"{named}\"'" in run
    follow(study, run.replace(named, "50,100,1600"))
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"100", "1600"}


def test_the_first_reverse_step(study: Study) -> None:
    follow_section(study, "Find out what the first reverse step does")
    samplers = {line.split()[4] for line in study.ran() if line.startswith("sample")}
    assert samplers >= {"clipped-first", "clipped-rest", "late-start"}
    assert "ancestral" not in samplers  # these samples were there
    assert "train" not in {line.split()[0] for line in study.ran()}


CREATE = """
import torch
from ddpm.core.rng import stream
from ddpm.network.kinds import create
from stages.support import settings

network = create(settings.load().network.model_dump(), stream(0, "test"))
x_t = torch.zeros(3, 1, 28, 28)
for t in (torch.tensor([1, 25, 50]), torch.tensor([50])):
    eps = network(x_t, t)
    assert eps.shape == x_t.shape and eps.requires_grad
print(type(network).__name__, *network.state_dict()["body.0.weight"].shape)
"""


def test_a_network_of_your_own(study: Study) -> None:
    own, course = blocks("Bring your own network", "bash")
    kinds = study.root / "ddpm" / "network" / "kinds.py"
    kinds.write_text(kinds.read_text() + "\n\n" + blocks("Bring your own network", "python")[0])
    (study.root / "conf" / "network" / "tiny.yaml").write_text(blocks("Bring your own network", "yaml")[0])
    assert "sample" in follow(study, own)
    assert {line for line in study.ran() if line.startswith("train")} == {"train linear 50 0"}
    command = [sys.executable, "-c", CREATE]
    built = subprocess.run(command, cwd=study.root, capture_output=True, text=True)
    assert built.stdout.split() == ["Tiny", "16", "2", "3", "3"], built.stderr

    install, run = course.splitlines()
    extra = re.fullmatch(r"pip install -c constraints\.txt -e '\.\[(\w+)\]'", install)
    assert extra
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(package.startswith("diffusers") for package in project["optional-dependencies"][extra[1]])
    assert "sample" in follow(study, run)
    assert {line for line in study.ran() if line.startswith("train")} == {"train linear 50 0"}
    group = yaml.safe_load((study.root / "params.yaml").read_text())["network"]
    assert group == yaml.safe_load((ROOT / "conf" / "network" / "course.yaml").read_text())


def test_what_one_change_does(study: Study) -> None:
    run, keep, back, compare = blocks("Measure the effect of one change", "bash")[0].splitlines()
    follow(study, run)
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"50"}
    study.call(sys.executable, *keep.split()[1:])
    assert follow(study, back) == []
    assert (study.root / "metrics" / "runs" / "my-attention" / "fid_of_T.csv").exists()
    assert follow(study, compare) == ["prune", "aggregate", "claims", "comparisons", "report"]


def test_fewer_steps(study: Study) -> None:
    ran = follow_section(study, "Sample with fewer steps than a model has")
    assert "train" not in ran
    assert {line.split()[4] for line in study.ran() if line.startswith("sample")} == {"ancestral-50"}


GET_SAMPLER = """
from ddpm.sampling.samplers import get_sampler

print(*get_sampler("ddim-unclipped", 50))
"""


def test_a_sampler(study: Study) -> None:
    source = study.root / "ddpm/sampling/samplers.py"
    source.write_text(source.read_text() + "\n\n" + blocks("Add a sampler", "python")[0])
    assert "train" not in follow_section(study, "Add a sampler")
    assert {line.split()[4] for line in study.ran() if line.startswith("sample")} == {
        "ancestral",
        "clipped",
        "ddim-unclipped",
    }
    told = study.call(sys.executable, "-c", GET_SAMPLER)
    assert told.split(", ")[0] == "Sampler(clip='none'"
    assert told.endswith("left_out=0) 50\n")


SCORES = """
import numpy as np
from ddpm.quality.scores import inception_scores

real, moved = np.random.default_rng(0).normal(size=(2, 60, 4))
print(inception_scores(real, moved, 60, 30, "cpu")["fid_of_means"], ((real.mean(0) - moved.mean(0)) ** 2).sum())
"""


def test_a_metric(study: Study) -> None:
    source, before = study.root / "ddpm/quality/scores.py", '        "fid": gaussian_distance('
    source.write_text(source.read_text().replace(before, blocks("Add a metric", "python")[0] + before, 1))
    ran = set(follow_section(study, "Add a metric"))
    assert "fid" in ran
    assert not ran & {"train", "sample", "embed"}
    found, expected = map(float, study.call(sys.executable, "-c", SCORES).split())
    assert abs(found - expected) < 1e-9


def test_another_data_set(study: Study) -> None:
    assert "mnist" in follow_section(study, "Use another data set")
    text = (study.root / "params.yaml").read_text()
    assert "name: fashion-mnist" in text  # that the files are what they should be: tests/stages/fetch/test_sources.py


def test_another_extractor(study: Study) -> None:
    ran = follow_section(study, "Use another extractor")
    assert "embed" in ran
    assert "train" not in ran
