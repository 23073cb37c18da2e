"""Numbers about speed and cost in the prose are those of benchmarks/."""

from benchmarks import float32
from benchmarks.measure import best
from ddpm import artifacts
from stages.analysis.verdicts import CLAIMS
from tests.conftest import ROOT
from tests.prose import FINDINGS, plain, says
from tests.stages.analysis.simulated import RULES

BENCHMARKS = plain("benchmarks/README.md")


def cells_of(table: str, first: str) -> list[list[str]]:
    """The cells of the rows that begin with a word, in a table of benchmarks/."""
    rows = (line.strip("| ").split(" | ") for line in (ROOT / "benchmarks" / table).read_text().splitlines())
    return [row for row in rows if row[0] == first]


def ratios(first: str, column: int = 3) -> list[float]:
    return [float(row[column].strip("*").split("*")[0]) for row in cells_of("results.md", first)]


def test_speed() -> None:
    ddpm, diffusers = ratios("denoising-diffusion-pytorch, fp32"), ratios("diffusers, fp32")
    sampling, same = ratios("diffusers, its network"), ratios("diffusers, our network")
    (equal,), (default,) = ratios("pytorch-fid"), ratios("pytorch-fid", 4)
    half = ratios("denoising-diffusion-pytorch, bf16")
    at_n = {(n, row[1]): float(row[3].strip("*")) for n in ("1000", "10000") for row in cells_of("results.md", n)
            if row[1] != "ours"}  # fmt: skip
    (train,), (sample,) = cells_of("results.md", "train"), cells_of("results.md", "sample")
    rates = [int(row[3].replace(",", "")) for row in (train, sample)]
    says(
        f"{ddpm[0]:.0f} times as many images per second as denoising-diffusion-pytorch and {diffusers[0]:.0f} times as",
        f"sampling is {same[0]:.2f} times as fast as diffusers' pipeline with the same network",
    )
    says(
        f"{ddpm[0]:.0f} times as many images per second as denoising-diffusion-pytorch ({half[0]:.0f} times if the",
        f"latter runs in bfloat16) and {diffusers[0]:.0f} times as many",
        f"Sampling is {sampling[0]:.0f} times as fast as diffusers' pipeline with diffusers' network, and "
        f"{same[0]:.2f} times as fast as that pipeline with our network.",
        f"Feature extraction is {default:.0f} times as fast as pytorch-fid, whose network is larger ({equal:.1f} times",
        f"The Frechet distance is {at_n['1000', 'scipy sqrtm']:.0f} times as fast as with SciPy at n = 1,000 and "
        f"{at_n['10000', 'scipy sqrtm']:.1f} times at n = 10,000, where torch-fidelity is faster "
        f"({at_n['10000', 'torch-fidelity']:.2f})",
        f"each process trains on {round(rates[0], -1):,} images a second, and samples {round(rates[1], -2):,} images "
        "times steps a second.",
        document=BENCHMARKS,
    )


def test_quality_at_equal_cost() -> None:
    found = {(row[0], row[1]): row for name in ("ours", "denoising-diffusion-pytorch", "diffusers")
             for row in cells_of("quality.md", name)}  # fmt: skip
    one, whole = found["ours", "after one epoch"], found["ours", "after the default epochs"]
    ddpm, diffusers = (found[name, "after one epoch"] for name in ("denoising-diffusion-pytorch", "diffusers"))
    early = [found[name, "after as many seconds as ours by default"][4] for name in (ddpm[0], diffusers[0])]
    images = [found[name, "after as many seconds as ours by default"][3] for name in (ddpm[0], diffusers[0])]
    assert max(int(count.replace(",", "")) for count in images) < 5000
    sooner = max(found["ours", f"as soon as its FID is that of {name}"][2] for name in (ddpm[0], diffusers[0]))
    (fid_then,) = {found["ours", f"as soon as its FID is that of {name}"][4] for name in (ddpm[0], diffusers[0])}
    assert float(fid_then) < min(float(ddpm[4]), float(diffusers[4]))
    says(
        f"After 5 epochs, {float(whole[2]):.0f} seconds, this project has FID {float(whole[4]):.2f}",
        f"processed fewer than 5,000 images and reach {early[0]} and {early[1]} (one training each).",
    )
    says(
        f"{float(whole[2]):.0f} seconds on two cores, this project has FID {float(whole[4]):.2f}",
        f"denoising-diffusion-pytorch, after {images[0]} images, reaches {early[0]} and diffusers, after {images[1]}, "
        f"{early[1]}.",
        f"the FIDs are {one[4]} (in {float(one[2]):.0f} seconds), {ddpm[4]} ({ddpm[2]} seconds) and {diffusers[4]} "
        f"({diffusers[2]} seconds)",
        f"After {float(sooner):.1f} seconds, half an epoch, this project's FID ({fid_then}) is already lower",
        document=BENCHMARKS,
    )


def test_the_gpu() -> None:
    """Numbers of benchmarks/gpu.md, README and how-to are those of gpu.json."""
    found = artifacts.read_json(ROOT / "benchmarks" / "gpu.json")
    rates, text = found["rates"], plain("benchmarks/gpu.md")
    for name in ("training", "sampling", "features"):
        for case, values in rates[name].items():
            assert f"{sorted(values)[1]:,.0f}" in text, case
    peers = {name: [sorted(rates[name][case])[1] for case in rates[name] if "ours" not in case]
             for name in ("training", "sampling")}  # fmt: skip
    for name, what in (("training", "training is {:.0f} times"), ("sampling", "sampling {:.0f} times")):
        assert what.format(sorted(rates[name]["ours"])[1] / max(peers[name])) in text
    first, second = rates["train_5_epochs_seconds"]
    assert f"(first training of the process: {first:.1f}) | {second:.1f} |" in text
    assert f"batches of 2,500 | {rates['sample_10000_in_800_steps_seconds']:.1f} |" in text
    seconds = f"{found['grid']['wall_seconds']:.0f}"
    assert f"**{seconds} s**" in text
    says(f"10,000 samples of every cell and sampler take {seconds} seconds on an H200")
    for stage, row in found["grid"]["stages"].items():
        if row.get("seconds", 0) > 100:
            assert f"| {stage} | {row['runs']} | {row['seconds']:.0f} |" in text


def test_how_often_a_false_claim_is_supported() -> None:
    rows = artifacts.read_csv(ROOT / "benchmarks" / "false_support.csv")
    found, rankings = (
        [100 * row["supported"] for row in rows if (row["claim"] == "n32-enough") == is_it] for is_it in (False, True)
    )
    (studies,) = {row["studies"] for row in rows}
    few, more, many = sorted({row["seeds"] for row in rows})
    of_each = f"{few}, {more} or {many}"
    ours = len(artifacts.read_json(ROOT / "metrics" / "claims.json")["seeds"])
    assert (
        f"For each of {len(rows)} cases in which a claim is false, some only just, we simulated {studies:,} studies of "
        f"{of_each} seeds (this study has {ours})."
    ) in FINDINGS
    assert (
        f'was supported in {min(found):.0f} to {max(found):.1f} % of them, "{RULES["n32-enough"].says}" in up to '
        f"{max(rankings):.1f} %; the nominal rate is 2.5 %, one side of a two-sided 5 %."
    ) in FINDINGS
    assert {row["claim"] for row in rows} == {name for name in RULES if not CLAIMS[name].exact}


def test_without_bfloat16() -> None:
    """The page, README and benchmarks/README say what float32.json has."""
    found = artifacts.read_json(ROOT / "benchmarks" / "float32.json")
    assert float32.page(found) == (ROOT / "benchmarks" / "float32.md").read_text()
    assert found["instructions"] == "AVX2"
    pairs = found["fids"].values()
    within = f"{100 * max(abs(pair['here'] / pair['committed'] - 1) for pair in pairs):.1f} %"
    train, sample = ({case: best(rates)[0] for case, rates in found[part].items()} for part in ("training", "sampling"))
    ddpm, diffusers = (train["ours"] / train[name] for name in ("denoising-diffusion-pytorch, fp32", "diffusers, fp32"))
    says(
        f"at least {sum(float32.hours(found).values()):.1f} hours with AVX2, computed from measured rates",
        f"have FIDs within {within} of the committed ones",
    )
    says(
        f"Training processes {ddpm:.0f} times as many images per second as denoising-diffusion-pytorch and "
        f"{diffusers:.0f} times as many as diffusers' MNIST example",
        f"as diffusers' pipeline with our network ({sample['ours'] / sample['diffusers, our network']:.2f} times)",
        f"have FIDs within {within} of the committed ones",
        document=BENCHMARKS,
    )
