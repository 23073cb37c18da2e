"""Train the classifier of digits, the study's second judge, and take its features of real images."""

import time

import torch
import typer

from ddpm import artifacts, classifier, rng
from ddpm.errors import StudyError
from stages import _params, _real
from stages._cells import CLASSIFIER, DIGITS, METRICS, TRAIN_IMAGES
from stages._cli import command_line, progress
from stages._device import choose
from stages._resume import Resume
from stages._times import record

app = typer.Typer(add_completion=False)

SEED = 0  # one judge for all cells, whatever their seed
ENOUGH = 0.99  # below this test accuracy it is no judge


def accuracy(network: classifier.Classifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose most probable class is their label."""
    _, probabilities = classifier.judge(network, images)
    return float((probabilities.argmax(1) == labels).double().mean())


@app.command(help=__doc__)
def main() -> None:
    params = _params.load()
    started = time.monotonic()
    device, _ = choose(params.compute)
    images, labels = _real.train_images().to(device), _real.train_labels().to(device)
    network = classifier.Classifier()
    classifier.initialise(network, rng.stream(SEED, "classifier weights"))
    network.to(device)
    recipe = classifier.Recipe(**params.classifier.model_dump())
    training = classifier.Training(network, images, labels, recipe, SEED)
    resume = Resume("classifier", {"classifier": params.classifier}, [TRAIN_IMAGES, _real.TRAIN_LABELS])
    state, numbers = resume.load()
    if state:
        training.load_state({name: torch.from_numpy(array) for name, array in state.items()}, numbers)
    with progress("train classifier", recipe.epochs * len(images), "images") as advance:
        advance(min(training.step * recipe.batch_size, recipe.epochs * len(images)))
        for count, loss in training:
            if not bool(torch.isfinite(loss)):
                raise StudyError("the loss is not finite", where="classifier", cure="lower classifier.learning_rate")
            advance(count)
            if resume.due():
                tensors, numbers = training.state()
                resume.save({name: tensor.cpu().numpy() for name, tensor in tensors.items()}, numbers)
    found = accuracy(network, _real.test_images().to(device), _real.test_labels().to(device))

    sets = {
        name: classifier.judge(network, part.to(device))[0] for name, part in _real.real_sets(params.reference).items()
    }
    state = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    artifacts.write_tensors(CLASSIFIER, state, {"weights": "classifier"})
    artifacts.write_tensors(DIGITS, {name: part.cpu().numpy() for name, part in sets.items()}, {})
    artifacts.write_json(METRICS / "classifier.json", {"test_accuracy": found, "good_enough": found >= ENOUGH})
    resume.done()
    record("classifier", "", time.monotonic() - started, recipe.epochs * len(images))


if __name__ == "__main__":
    command_line(app)
