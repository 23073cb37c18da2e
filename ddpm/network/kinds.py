"""Networks by kind: the default U-Net, and other modules that predict epsilon from (x_t, t).

A kind is one function that returns a module; ``network.kind`` names it, and the group's other values are its arguments.
The module maps x_t float32 ``[B, 1, 28, 28]`` and t int64 ``[B]`` or ``[1]`` in 1..T to epsilon ``[B, 1, 28, 28]``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from ddpm.core.rng import global_generator, stream
from ddpm.errors import StudyError
from ddpm.network import UNET, today, unet
from ddpm.network.architecture import from_mapping


class _Diffusers(nn.Module):
    """A ``diffusers.UNet2DModel`` with the interface of this study: t from 1, the prediction as a tensor."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        try:
            from diffusers import UNet2DModel  # noqa: PLC0415  # an optional package
        except ImportError as error:
            raise StudyError(
                "diffusers is not installed", where="network.kind", hint="pip install -e '.[guests]'"
            ) from error
        self.net = UNet2DModel(**parameters)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.net(x_t, t - 1).sample  # type: ignore[no-any-return]


KINDS: dict[str, Callable[..., nn.Module]] = {"diffusers-unet2d": _Diffusers}


def create(values: Mapping[str, Any], generator: torch.Generator) -> nn.Module:
    """A network with its initial weights, on the CPU, so that they are the same for every device.

    Args:
        values: ``kind`` and the parameters of that kind, as in a group of conf/network.
        generator: decides the weights.

    Raises:
        StudyError: the kind is unknown, its package is not installed, or its parameters are not what it takes.
    """
    values = today(values)
    if values["kind"] == UNET:
        network = unet.build(from_mapping(values), "cpu")
        unet.initialise(network, generator)
        return network
    with global_generator(generator):
        return _guest(values)


def empty(values: Mapping[str, Any], device: str) -> nn.Module:
    """A network to load weights into; StudyError as ``create``."""
    values = today(values)
    if values["kind"] == UNET:
        return unet.build(from_mapping(values), device)
    with global_generator(stream(0, "replaced")):  # the weights are not used, but the global generator must not move
        return _guest(values).to(device)


def _guest(values: Mapping[str, Any]) -> nn.Module:
    parameters = {name: value for name, value in values.items() if name != "kind"}
    if values["kind"] not in KINDS:
        known = ", ".join([UNET, *KINDS])
        raise StudyError(f"unknown kind {values['kind']!r}", where="network.kind", hint=f"choose one of {known}")
    try:
        network = KINDS[values["kind"]](**parameters)
    except (TypeError, ValueError, LookupError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"parameters do not fit {values['kind']}: {reason}", where="network") from error
    refuse_hidden_state(network)
    return network


def refuse_hidden_state(network: nn.Module) -> None:
    """Refuse layers whose results the study could not reproduce.

    Dropout draws from torch's global generator, and the moving average of the weights that is sampled from leaves out
    running statistics.

    Raises:
        StudyError: such a layer, by its name.
    """
    for name, module in network.named_modules():
        if isinstance(module, _DropoutNd) and module.p > 0:
            problem, hint = "draws from torch's global generator", "set its dropout to 0"
        elif isinstance(module, _NormBase) and module.track_running_stats:
            problem, hint = "keeps running statistics", "use group norm or track_running_stats=False"
        else:
            continue
        raise StudyError(f"{name} ({type(module).__name__}) {problem}", where="network.kind", hint=hint)
