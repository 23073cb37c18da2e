"""Numbers in the prose on the first reverse step, as in test_numbers.py."""

import math
from itertools import product

import pytest

from ddpm import artifacts
from ddpm.core.mnist import to_model
from ddpm.quality.rank_agreement import kendall_tau
from ddpm.schedules import audit, make_schedule
from stages.analysis.amplified import OURS, models
from stages.analysis.runs import kept_runs
from stages.figures.first_step import REAL_MEAN_PIXEL
from stages.support import data, settings
from stages.support.cells import TRAIN_IMAGES
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.prose import FINDINGS, fid_of, findings_say, metric_of, says, table

pytestmark = only_as_committed


def test_the_first_reverse_step() -> None:
    rows = artifacts.read_csv(ROOT / "metrics" / "schedules.csv")
    gains = {(row["schedule"], column): set[str]() for row in rows for column in ("last_step_gain", "error_gain")}
    for row, column in product(rows, ("last_step_gain", "error_gain")):
        gains[row["schedule"], column].add(f"{row[column]:.0f}")
    assert gains["cosine", "last_step_gain"] == gains["cosine", "error_gain"] == {"100"}
    assert gains["linear", "last_step_gain"] == gains["sigmoid", "last_step_gain"] == {"1"}
    small = [row["error_gain"] for row in rows if row["schedule"] != "cosine"]
    says(
        "On cosine the first reverse step multiplies both x_T and the network's error by 100 at every T; on linear and "
        f"sigmoid, at T = 50 to 800, it multiplies x_T by about 1 and the error by {min(small):.2f} to "
        f"{max(small):.2f}."
    )


def test_what_the_clip_gains_after_the_first_step() -> None:
    shares: dict[int, list[float]] = {}
    for run in sorted((ROOT / "metrics" / "runs").glob("first-step-*")):
        fid = fid_of(f"seed-{run.name.rsplit('-', 1)[1]}") | fid_of(run.name)
        for T, seed in {(T, seed) for _, T, seed, _ in fid}:
            logs = [math.log(fid["cosine", T, seed, name]) for name in ("ancestral", "clipped", "clipped-rest")]
            shares.setdefault(T, []).append((logs[0] - logs[2]) / (logs[0] - logs[1]))
    means = {T: sum(values) / len(values) for T, values in shares.items()}
    assert 0.4 < means[50] < 0.6
    assert min(means[400], means[800]) > 0.95
    told = "recovers about half of the improvement (in log FID) at T = 50 and nearly all of it from T = 400"
    says(told)
    findings_say(told)


def test_the_digit_classifier_after_the_clip() -> None:
    logs: dict[str, list[float]] = {"clipped-first": [], "late-start": []}
    for run in sorted((ROOT / "metrics" / "runs").glob("first-step-*")):
        seed = f"seed-{run.name.rsplit('-', 1)[1]}"
        linear = {
            T: value
            for (name, T, _, sampler), value in metric_of(seed, "digits_distance").items()
            if (name, sampler) == ("linear", "ancestral")
        }
        of_it = metric_of(run.name, "digits_distance")
        for sampler, found in logs.items():
            cosine = {T: value for (_, T, _, its), value in of_it.items() if its == sampler}
            assert cosine.keys() == linear.keys()
            found.append(sum(math.log(cosine[T] / linear[T]) for T in linear) / len(linear))
    (told,) = {f"{math.exp(sum(found) / len(found)):.2f}" for found in logs.values()}
    says(f"By the digit classifier the repaired models are still {told} times as far from the real images as linear's.")


def test_a_smaller_gain() -> None:
    change = artifacts.read_json(ROOT / "metrics" / "comparisons.json")["changes"]["cosine's beta at most 0.999"]
    assert (change["seeds"], change["verdict"]) == (3, "not significant")
    gains = [audit(make_schedule("cosine", 50, beta_ceiling=beta)).error_gain for beta in (0.999, 0.9999)]
    findings_say(
        f"multiplies the network's error by {gains[0]:.0f} instead of {gains[1]:.0f}, and the error of x_{{T-1}} is",
        f"cosine's FID at T = 50 falls to {change['ratio']:.2f} "
        f"times its value (three seeds, interval {change['low']:.2f} to {change['high']:.2f}; not significant",
    )


def test_no_gain_no_excess() -> None:
    change = artifacts.read_json(ROOT / "metrics" / "comparisons.json")["changes"]
    change = change["v-prediction in place of epsilon-prediction on cosine"]
    assert (change["seeds"], change["verdict"]) == (3, "not significant")
    v = fid_of("v-prediction")
    epsilon = {key: value for seed in (3, 4, 5) for key, value in fid_of(f"seed-{seed}").items()}
    with_v = sorted(value for (schedule, *_), value in v.items() if schedule == "cosine")
    without = sorted(epsilon[key] for key in v if key[0] == "cosine")
    assert len(with_v) == len(without) == 6
    findings_say(
        f"its FID on cosine is {with_v[0]:.2f} to {with_v[-1]:.2f} at T = 50 and 800, where the same seeds with "
        f"epsilon-prediction have {without[0]:.2f} to {without[-1]:.2f} (three seeds; ratio {change['ratio']:.2f}, "
        f"interval {change['low']:.2f} to {change['high']:.2f}, not significant either)"
    )


def test_two_changes_lower_the_error_and_the_fid() -> None:
    rows, error = table("docs/findings.md", "amplified"), "Error of x at t = T - 1"
    ours = float(rows[f"{OURS}, cosine"][error].split()[0])
    changed_ones = (f"{OURS}, cosine-ceiling-999", "network.prediction = v, cosine")
    assert max(float(rows[name][error].split()[-1]) for name in changed_ones) < ours
    before = {key: value for seed in (3, 4, 5) for key, value in fid_of(f"seed-{seed}").items()}
    for run in ("cosine-ceiling-999", "v-prediction"):
        logs: dict[int, list[float]] = {}
        for (schedule, T, seed, sampler), fid in fid_of(run).items():
            if schedule.startswith("cosine") and sampler == "ancestral":
                logs.setdefault(seed, []).append(math.log(fid / before["cosine", T, seed, sampler]))
        assert sorted(logs) == [3, 4, 5]
        assert all(sum(of_seed) < 0 for of_seed in logs.values()), (run, logs)
    says("Both lower cosine's FID for each of three seeds, but with three seeds neither is significant after the")


def test_what_predicts_v_sets_cosine_not_apart() -> None:
    fid = fid_of("v-prediction")

    def to_linear(schedule: str) -> str:
        ratios = [fid[schedule, *cell] / fid["linear", *cell] for cell in product((50, 800), (3, 4, 5), ["ancestral"])]
        return f"{min(ratios):.2f} to {max(ratios):.2f}"

    says(f"With a network that predicts v, cosine's FID without the clip is {to_linear('cosine')} times linear's")
    findings_say(
        f"It is {to_linear('cosine')} times that of linear with v-prediction, for each T and seed, while sigmoid's "
        f"stays {to_linear('sigmoid')} times linear's:"
    )


def test_the_clip_gains_much_only_where_the_error_is_large() -> None:
    rows = table("docs/findings.md", "amplified")
    error, gains = "Error of x at t = T - 1", "Over FID with clip"
    straight = [rows[f"{OURS}, {schedule}"] for schedule in ("linear", "sigmoid")]
    assert {row[gains] for row in straight} == {"0.98 to 1.00"}
    ours, report, ceiling = (
        rows[name]
        for name in (f"{OURS}, cosine", "the report's network, reconstructed, cosine", f"{OURS}, cosine-ceiling-999")
    )
    findings_say(
        "On linear and sigmoid with this study's network "
        f"the error is at most {max(row[error].split()[-1] for row in straight)}, where the FID "
        f"without the clip is {straight[0][gains]} times that with it; with its cosine it is "
        f"{ours[error]} ({ours[gains]} times), with the report's network, reconstructed, {report[error]} "
        f"({report[gains]} times).",
        f"and the error of x_{{T-1}} is {ceiling[error]}; cosine's FID",
    )
    low, high = (float(ours[gains].split()[place]) for place in (0, -1))
    assert low < 2
    assert 8 <= high < 9
    assert float(report[gains].split()[0]) > 10
    assert float(report[error].split()[0]) >= 1.7


def test_within_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    own = artifacts.read_csv(ROOT / "metrics" / "fid_of_T.csv")
    found = [m for m in models(settings.load(), own, kept_runs(), {}) if (m.setting, m.schedule) == (OURS, "cosine")]
    both = [(m.error, m.fid / m.clipped_fid) for m in found if m.clipped_fid]
    tau = kendall_tau(*map(list, zip(*both, strict=True)))
    told = f"Among the {len(both)} models of this study's cosine, Kendall's tau between the error and that ratio is"
    assert f"{told} {tau:.2f}." in FINDINGS
    of_grid = [m for m in found if m.T in settings.load().grid.T]
    bright = kendall_tau([m.mean_pixel for m in of_grid], [m.fid for m in of_grid])
    findings_say(f"How bright the samples are does go with their FID (Kendall's tau {bright:.2f});")
    rms = [m.error / m.gain for m in found]
    assert 0.008 < min(rms) < max(rms) < 0.015
    error = "An RMS error of about 0.01 in the predicted noise, whose RMS is 1,"
    says(f"{error} thus becomes about as large as x_{{T-1}} itself.")


SPREAD = 0.5187  # of MNIST's training images about their mean image, root mean square over pixels in [-1, 1]


def test_what_no_network_can_avoid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params, own = settings.load(), artifacts.read_csv(ROOT / "metrics" / "fid_of_T.csv")
    times: dict[str, list[float]] = {"linear": [], "sigmoid": [], "cosine": []}
    for model in models(params, own, kept_runs(), {}):
        if model.setting == OURS and model.T in params.grid.T and model.schedule in times:
            bar = float(make_schedule(model.schedule, model.T).alpha_bar[-1])
            limit = SPREAD * math.sqrt(bar / (1 - bar))
            times[model.schedule].append(model.error / model.gain / limit)
    flat = sorted(times["linear"] + times["sigmoid"])
    assert 0.99 < flat[0] < flat[-1] < 1.05
    findings_say(
        "only to within 0.52 sqrt(alpha_bar_T / (1 - alpha_bar_T))",
        f"the networks' error is {flat[0]:.2f} to {flat[-1]:.2f} times this limit",
        f"On cosine it is {min(times['cosine']):.0f} to {max(times['cosine']):,.0f} times the limit.",
    )


@pytest.mark.skipif(not (ROOT / TRAIN_IMAGES).exists(), reason="`make study` fetches the images")
def test_the_spread_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    x_0 = to_model(data.train_images())
    assert float(x_0.var(dim=0).mean().sqrt()) == pytest.approx(SPREAD, abs=1e-4)


def test_the_mean_error_does_not_explain_the_brightness() -> None:
    own = artifacts.read_csv(ROOT / "metrics" / "fid_of_T.csv")
    seeds = sorted((ROOT / "metrics" / "runs").glob("seed-*/fid_of_T.csv"))
    rows = [row for table_of in (own, *map(artifacts.read_csv, seeds)) for row in table_of if "end_error_mean" in row]
    cosine = [row for row in rows if (row["schedule"], row["sampler"]) == ("cosine", "ancestral")]
    darker = sum(row["end_error_mean"] > 0 for row in cosine)  # the step subtracts the error
    assert darker > 0.9 * len(cosine)
    brighter = sum(row["mean_pixel"] > REAL_MEAN_PIXEL for row in cosine)
    assert brighter > 0.9 * len(cosine)
    findings_say(
        f"Samples of cosine without the clip are too bright, for {brighter} of the {len(cosine)} models",
        f"it would make them darker for {darker} of the {len(cosine)}.",
    )
