"""The extractor's architecture against three independent implementations, on the same random weights."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.inception import BasicConv2d

from benchmarks.features import pytorch_fid
from ddpm.errors import StudyError
from ddpm.features import inception
from ddpm.features.inception import EXTRACTORS, features, fold, get_extractor, preprocess
from ddpm.features.inception import empty_network as network

State = dict[str, Tensor]


def random_state(net: nn.Module) -> State:
    """Weights under which signals neither die nor explode, so that a difference anywhere shows at the end."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in net.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("conv.weight"):
            state[name] = noise * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            state[name] = 1 + 0.2 * noise.abs()
        else:
            state[name] = 0.1 * noise if tensor.is_floating_point() else torch.zeros_like(tensor, device="cpu")
    return state


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randint(0, 256, (2, 3, 299, 299), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def state() -> State:
    return random_state(network("torchvision", 2048))


def test_parity_with_torchvision(state: State, images: Tensor) -> None:
    from torchvision.models import inception as theirs

    reference = theirs.Inception3(aux_logits=False, transform_input=False, init_weights=False)
    reference.fc = nn.Identity()
    reference.load_state_dict(state)
    x = images.float() / 255
    with torch.inference_mode():
        expected = reference.eval()(x)
        found = inception.build(get_extractor("inception-torchvision-2048"), state)(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dimensions", "block"), [(768, 2), (2048, 3)])
def test_parity_with_pytorch_fid(state: State, images: Tensor, dimensions: int, block: int) -> None:
    reference = pytorch_fid(state, block)
    with torch.inference_mode():
        expected = reference(images.float() / 255)[0].mean((2, 3))
        ours = inception.build(
            inception.Extractor("test", "test", "fid2015", dimensions, 299, "symmetric"),  # type: ignore[arg-type]
            state,
        )
        found = ours(preprocess(images, get_extractor("inception-fid2015-2048")))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_parity_with_torch_fidelity(state: State, images: Tensor, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file = tmp_path / "weights.pth"
    torch.save(state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, file)
    reference = FeatureExtractorInceptionV3("x", ["768", "2048"], feature_extractor_weights_path=str(file))
    with torch.inference_mode():
        expected_768, expected_2048 = reference(images)
        x = preprocess(images, get_extractor("inception-fid2015-2048"))
        # torch-fidelity scales by (x - 128) / 128, pytorch-fid and we by 2 x / 255 - 1
        x = (x + 1) * (255 / 256) - 1
        for dimensions, expected in ((768, expected_768), (2048, expected_2048)):
            extractor = inception.Extractor("test", "test", "fid2015", dimensions, 299, "symmetric")  # type: ignore[arg-type]
            found = inception.build(extractor, state)(x)
            torch.testing.assert_close(found, expected.view(2, -1), rtol=1e-3, atol=1e-4)


def test_keras_pools_as_fid_does_but_for_the_last_block(state: State, images: Tensor) -> None:
    x = images[:1].float() / 255
    by = {}
    for flavour in ("keras", "fid2015", "torchvision"):
        for dimensions in (768, 2048):
            extractor = inception.Extractor("test", "test", flavour, dimensions, 299, "unit")
            with torch.inference_mode():
                by[flavour, dimensions] = inception.build(extractor, state)(x)
    assert torch.equal(by["keras", 768], by["fid2015", 768])
    assert not torch.allclose(by["keras", 2048], by["fid2015", 2048], rtol=1e-3)
    assert not torch.allclose(by["keras", 768], by["torchvision", 768], rtol=1e-3)


def test_folding_changes_nothing() -> None:
    net = BasicConv2d(3, 8, kernel_size=3).eval()
    net.load_state_dict(random_state(net))
    x = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = net(x)
        fold(net)
        assert isinstance(net.bn, nn.Identity)
        torch.testing.assert_close(net(x), before)


def test_building_draws_no_random_number(state: State) -> None:
    before = torch.random.get_rng_state()
    inception.build(get_extractor("inception-nsfwjs-768"), state)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_features_do_not_depend_on_the_batch(state: State) -> None:
    extractor = get_extractor("inception-nsfwjs-768")
    net = inception.build(extractor, state)
    digits = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    one, three = (torch.cat([features(net, extractor, batch) for batch in digits.split(size)]) for size in (1, 3))
    assert one.shape == (5, 768)
    assert one.dtype == torch.float32
    torch.testing.assert_close(three, one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", list(EXTRACTORS))
def test_preprocess_shape_and_range(name: str) -> None:
    extractor = EXTRACTORS[name]
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 28, 28)
    x = preprocess(ends, extractor)
    assert x.shape == (2, 3, extractor.resolution, extractor.resolution)
    low, high = {"unit": (0, 1), "symmetric": (-1, 1), "imagenet": (-0.485 / 0.229, 0.515 / 0.229)}[extractor.scale]
    assert float(x[0, 0].max()) == pytest.approx(low, abs=1e-5)
    assert float(x[1, 0].min()) == pytest.approx(high, abs=1e-5)


def test_no_substitute_for_an_extractor() -> None:
    with pytest.raises(StudyError, match="choose one of inception-nsfwjs-768"):
        get_extractor("inception")


def test_wrong_weights_are_refused(state: State) -> None:
    extractor = get_extractor("inception-nsfwjs-768")
    missing = {name: tensor for name, tensor in state.items() if name != "Conv2d_1a_3x3.conv.weight"}
    with pytest.raises(StudyError, match="is missing"):
        inception.build(extractor, missing)
    with pytest.raises(StudyError, match="should be"):
        inception.build(extractor, state | {"Conv2d_1a_3x3.conv.weight": torch.zeros(1)})
