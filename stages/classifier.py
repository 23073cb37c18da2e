"""Train the digit classifier and compute its features of real images.

It is the second feature extractor of the study.
"""

import time

import torch
import typer

from ddpm import artifacts, classifier
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.errors import StudyError
from stages.inputs import real_images
from stages.support import data, settings
from stages.support.cells import CLASSIFIER, DIGITS, RESULTS, TRAIN_IMAGES
from stages.support.cli import command_line, progress
from stages.support.resume import Resume
from stages.support.timing import record

app = typer.Typer(add_completion=False)

SEED = 0  # one classifier for all cells, whatever their seed
ENOUGH = 0.99  # minimum test accuracy of a usable extractor


def accuracy(network: classifier.Classifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose most probable class is their label."""
    _, probabilities = classifier.predict(network, images)
    return float((probabilities.argmax(1) == labels).double().mean())


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started = time.monotonic()
    device, _ = choose(**params.compute.model_dump())
    images, labels = data.train_images().to(device), data.train_labels().to(device)
    network = classifier.Classifier()
    classifier.initialise(network, rng.stream(SEED, "classifier weights"))
    network.to(device)
    recipe = classifier.ClassifierRecipe(**params.classifier.model_dump())
    training = classifier.ClassifierTraining(network, images, labels, recipe, SEED)
    resume = Resume("classifier", {"classifier": params.classifier}, [TRAIN_IMAGES, data.TRAIN_LABELS])
    state, numbers = resume.load()
    if state:
        training.load_state({name: torch.from_numpy(array) for name, array in state.items()}, numbers)
    with progress("train classifier", recipe.epochs * len(images), "images") as advance:
        advance(min(training.step * recipe.batch_size, recipe.epochs * len(images)))
        for count, loss in training:
            if not bool(torch.isfinite(loss)):
                raise StudyError("the loss is not finite", where="classifier", hint="lower classifier.learning_rate")
            advance(count)
            if resume.due():
                tensors, numbers = training.state()
                resume.save({name: tensor.cpu().numpy() for name, tensor in tensors.items()}, numbers)
    found = accuracy(network, data.test_images().to(device), data.test_labels().to(device))

    sets = {
        name: classifier.predict(network, part.to(device))[0]
        for name, part in real_images.real_sets(params.reference).items()
    }
    state = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    artifacts.write_tensors(CLASSIFIER, state, {"weights": "classifier"})
    artifacts.write_tensors(DIGITS, {name: part.cpu().numpy() for name, part in sets.items()}, {})
    artifacts.write_json(RESULTS / "classifier.json", {"test_accuracy": found, "good_enough": found >= ENOUGH})
    resume.done()
    record("classifier", "", time.monotonic() - started, recipe.epochs * len(images))


if __name__ == "__main__":
    command_line(app)
