"""params.yaml's group ``network``: strict for the default U-Net; other kinds validate their own parameters."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from ddpm.errors import StudyError
from ddpm.network import UNET, today
from stages.support.fields import Positive
from stages.support.strict_yaml import Strict


class OwnNetwork(Strict):
    """See ``ddpm.network.unet.Architecture``."""

    kind: Literal["unet"]
    patch: Positive
    channels: tuple[Positive, ...]
    blocks: Positive
    middle_blocks: Annotated[int, Field(ge=0)]
    attention: bool
    stem_kernel: Positive
    kernels: Annotated[tuple[Positive, ...], Field(min_length=2, max_length=2)]
    downsample: Literal["strided", "maxpool"]
    prediction: Literal["epsilon", "v"]
    octaves: tuple[Annotated[int, Field(ge=0, le=8)], ...]
    norm: Literal["all", "middle", "none"]


class GuestNetwork(BaseModel):
    """A network of another kind (``ddpm.network.kinds``), which checks its parameters itself."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str


def require_usable(network: OwnNetwork | GuestNetwork) -> None:
    """Build a network of another kind and run it once, so that it does not fail after the minutes of shared stages.

    Raises:
        StudyError: its parameters are not what the kind takes, or it does not map images to images.
    """
    if isinstance(network, OwnNetwork):
        return
    import torch  # takes a second

    from ddpm.network.kinds import empty

    x_t, t = torch.zeros(1, 1, 28, 28), torch.ones(1, dtype=torch.int64)
    try:
        with torch.no_grad():
            eps = empty(network.model_dump(mode="json"), "cpu")(x_t, t)
        wrong = "" if eps.shape == x_t.shape else f"it maps {list(x_t.shape)} to {list(eps.shape)}"
    except StudyError:
        raise
    except Exception as error:  # whatever a network of somebody else's raises
        wrong = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if wrong:
        raise StudyError(f"cannot be used with these parameters: {wrong}", where=f"network.kind {network.kind}")


def _kind(values: Any) -> str:
    kind = values.get("kind", UNET) if isinstance(values, dict) else getattr(values, "kind", UNET)
    return "own" if kind == UNET else "guest"


Network = Annotated[
    Annotated[OwnNetwork, Tag("own")] | Annotated[GuestNetwork, Tag("guest")],
    Discriminator(_kind),
    BeforeValidator(lambda values: today(values) if isinstance(values, dict) else values),
]
