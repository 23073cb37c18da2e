"""Worker: Inception features, images a second. Weights are random: the time does not depend on them."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.worker import serve
from ddpm.core.device import feature_batch
from ddpm.features import inception
from ddpm.features.inception import empty_network

IMAGES = 32


def random_weights() -> dict[str, Tensor]:
    """Weights under which signals neither die nor explode: denormal numbers would be slow."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in empty_network("fid2015", 2048).state_dict().items():  # on the meta device: shapes alone
        if name.endswith("conv.weight"):
            state[name] = torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5
        else:
            state[name] = (torch.ones if name.endswith(("bn.weight", "running_var")) else torch.zeros)(tensor.shape)
    return state


def our_features(name: str, images: int = IMAGES, device: str = "cpu") -> Callable[[], int]:
    """A case: features of so many digits by one of our extractors."""
    extractor = inception.get_extractor(name)
    net, digits = inception.build(extractor, random_weights()).to(device), peers.images()[:images]
    batches = digits.split(feature_batch(device))
    return lambda: sum(len(inception.features(net, extractor, batch)) for batch in batches)


def _stepper(net: Any, x: Tensor) -> Callable[[], int]:
    def step() -> int:
        with torch.no_grad():
            net(x)
        return len(x)

    return step


def pytorch_fid(state: dict[str, Tensor], block: int) -> nn.Module:
    """Its InceptionV3 up to a block, blocks and forward its own; only the download of the weights is left out."""
    from pytorch_fid import inception as theirs
    from torchvision.models import inception as base

    net = base.Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    net.Mixed_5b, net.Mixed_5c = theirs.FIDInceptionA(192, 32), theirs.FIDInceptionA(256, 64)
    net.Mixed_5d = theirs.FIDInceptionA(288, 64)
    for name, c7 in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        setattr(net, name, theirs.FIDInceptionC(768, channels_7x7=c7))
    net.Mixed_7b, net.Mixed_7c = theirs.FIDInceptionE_1(1280), theirs.FIDInceptionE_2(2048)
    net.fc = nn.Identity()
    net.load_state_dict(state)
    original = theirs.fid_inception_v3
    theirs.fid_inception_v3 = lambda: net
    try:
        built: nn.Module = theirs.InceptionV3([block]).eval()
    finally:
        theirs.fid_inception_v3 = original
    return built


def _pytorch_fid() -> Callable[[], int]:
    x = peers.images()[:IMAGES].float().div(255).expand(-1, 3, -1, -1)
    return _stepper(pytorch_fid(random_weights(), 3), x)


def _torch_fidelity() -> Callable[[], int]:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.pth"
        torch.save(random_weights() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, file)
        net = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(file))
    return _stepper(net, peers.images()[:IMAGES].expand(-1, 3, -1, -1))


CASES = {
    "ours, 2048-d at 299 px": lambda: our_features("inception-nsfwjs-2048"),
    "ours, default extractor": lambda: our_features("inception-nsfwjs-768"),
    "pytorch-fid": _pytorch_fid,
    "torch-fidelity": _torch_fidelity,
}

if __name__ == "__main__":
    serve(CASES)
