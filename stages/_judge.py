"""The trained classifier from its file."""

import torch

from ddpm import artifacts, classifier
from ddpm.errors import StudyError
from stages._cells import CLASSIFIER


def load_classifier(device: str) -> classifier.Classifier:
    """The classifier that the stage of that name wrote; StudyError when the file holds another network."""
    tensors, _ = artifacts.read_tensors(CLASSIFIER)
    network = classifier.Classifier()
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"not the classifier: {reason}", where=str(CLASSIFIER), cure="train it again") from error
    return network.to(device).eval().requires_grad_(False)
