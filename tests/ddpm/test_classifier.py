"""The classifier learns, repeats to the bit, and judges without a memory of the batch."""

from pathlib import Path

import pytest
import torch

from ddpm import artifacts
from ddpm.classifier import (
    CLASSES,
    DIMENSIONS,
    Classifier,
    ClassifierRecipe,
    ClassifierTraining,
    initialise,
    load_classifier,
    predict,
)
from ddpm.core import rng
from ddpm.errors import StudyError

RECIPE = ClassifierRecipe(epochs=8, batch_size=32, learning_rate=3e-3)
SHORT = ClassifierRecipe(epochs=3, batch_size=32, learning_rate=3e-3)


def bars(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten classes that are easy to tell, wherever they lie: bars of ten lengths, uint8 images and labels."""
    labels = torch.arange(n) % CLASSES
    images = torch.zeros((n, 1, 28, 28), dtype=torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[0, 12:15, 4 : 6 + 2 * label] = 255
    return images, labels.to(torch.uint8)


def trained(seed: int = 0, recipe: ClassifierRecipe = SHORT) -> Classifier:
    network = Classifier()
    initialise(network, rng.stream(seed, "test weights"))
    seen = sum(count for count, _ in ClassifierTraining(network, *bars(320), recipe, seed))
    assert seen == 320 * recipe.epochs
    return network


@pytest.fixture(scope="module")
def whole() -> Classifier:
    """One that was trained without a stop."""
    return trained()


def test_learns_what_is_easy() -> None:
    images, labels = bars(100)
    features, probabilities = predict(trained(recipe=RECIPE), images)
    assert features.shape == (100, DIMENSIONS)
    assert float(features.min()) >= 0
    assert torch.allclose(probabilities.sum(1), torch.ones(100), atol=1e-5)
    assert float((probabilities.argmax(1) == labels).float().mean()) > 0.95


def test_same_seed_same_weights_another_seed_others(whole: Classifier) -> None:
    first, again, other = whole, trained(), trained(1)
    states = [network.state_dict() for network in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_initial_weights_come_from_the_generator_alone() -> None:
    networks = []
    for unrelated in (0, 1):
        torch.manual_seed(unrelated)  # the global state has no say
        network = Classifier()
        initialise(network, rng.stream(0, "test weights"))
        networks.append(network.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_a_judgement_does_not_depend_on_the_batch(whole: Classifier, batch_size: int) -> None:
    images, _ = bars(20)
    together, part = predict(whole, images, 20), predict(whole, images, batch_size)
    assert torch.allclose(together[0], part[0], atol=1e-5)
    assert torch.allclose(together[1], part[1], atol=1e-6)


@pytest.mark.parametrize("stop", [1, 9, 10, 11, 29])  # 10 steps an epoch
def test_going_on_from_a_saved_state_is_the_same_training(whole: Classifier, stop: int) -> None:
    def fresh(weights: int) -> ClassifierTraining:
        network = Classifier()
        initialise(network, rng.stream(weights, "test weights"))
        return ClassifierTraining(network, *bars(320), SHORT, 0)

    cut = fresh(0)
    for _ in cut:
        if cut.step == stop:
            break
    tensors, numbers = cut.state()
    other = fresh(7)  # nothing but the state may matter
    other.load_state({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    list(other)
    found, expected = other.network.state_dict(), whole.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_written_classifier_comes_back_and_another_network_is_refused(whole: Classifier, tmp_path: Path) -> None:
    images, _ = bars(20)
    state = {name: tensor.numpy() for name, tensor in whole.state_dict().items()}
    artifacts.write_tensors(tmp_path / "whole", state, {})
    read = load_classifier(tmp_path / "whole", "cpu")
    for found, expected in zip(predict(read, images), predict(whole, images), strict=True):
        assert torch.equal(found, expected)
    assert not any(parameter.requires_grad for parameter in read.parameters())
    artifacts.write_tensors(tmp_path / "part", dict(list(state.items())[1:]), {})
    with pytest.raises(StudyError, match=r"part: not the classifier: .*; train it again"):
        load_classifier(tmp_path / "part", "cpu")
