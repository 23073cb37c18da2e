"""The layers of the U-Net: residual blocks with the time in them, attention, the ways down and up.

Tensors are ``[B, C, H, W]`` as everywhere, and lie in memory with the channels last: there a convolution of few
channels is up to four times as fast on a CPU, and torch's group norm, which this file does without, 18 times as slow.
"""

from torch import Tensor, nn
from torch.nn import functional as F

TIME_CHANNELS = 128  # width of the time embedding
HEAD_CHANNELS = 16  # of an attention head


def normalise(x: Tensor) -> Tensor:
    """Zero mean and unit variance over all values of an image: group norm of one group (Wu & He 2018), no weights."""
    y = x.permute(0, 2, 3, 1)
    y = F.layer_norm(y, y.shape[1:]).to(x.dtype)  # autocast on a GPU gives float32
    return y.permute(0, 3, 1, 2)


class Residual(nn.Module):
    """x + conv_2(silu(t_2 + conv_1(silu(t_1 + x)))): the time is added channel by channel, in place of biases.

    With a norm: x + conv_2(silu(t_2 + norm(conv_1(x)))). The second convolution starts at zero, so a new block is the
    identity and learns without a norm as well (Zhang et al. 2019), which is dear where the image is large.

    Args:
        channels: in and out.
        kernels: sides of the two convolutions, odd.
        norm: with a norm in it.
        dilation: of the first convolution: 2 sees twice as far at the same cost (Yu & Koltun 2016).
    """

    def __init__(self, channels: int, kernels: tuple[int, int], *, norm: bool, dilation: int = 1) -> None:
        super().__init__()
        first, second = kernels
        self.norm = norm
        self.time = nn.Linear(TIME_CHANNELS, channels if norm else 2 * channels)
        self.conv_1 = nn.Conv2d(channels, channels, first, padding="same", dilation=dilation, bias=False)
        self.conv_2 = nn.Conv2d(channels, channels, second, padding="same", bias=False)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        t = self.time(embedding)[:, :, None, None]
        if self.norm:
            h = t + normalise(self.conv_1(x))
        else:
            t_1, t_2 = t.chunk(2, 1)
            h = t_2 + self.conv_1(F.silu(t_1 + x))
        return x + self.conv_2(F.silu(h))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over positions, added to its input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        # [B, 3C, H, W] -> 3 x [B, heads, H W, head channels]
        qkv = self.qkv(normalise(x)).permute(0, 2, 3, 1).reshape(b, height * width, 3, self.heads, c // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
        y = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(b, height, width, c)
        return x + self.out(y.permute(0, 3, 1, 2))  # type: ignore[no-any-return]


class Down(nn.Module):
    """Halve the side and change the channels."""

    def __init__(self, c_in: int, c_out: int, how: str) -> None:
        super().__init__()
        self.maxpool = how == "maxpool"
        self.conv = nn.Conv2d(c_in, c_out, 1) if self.maxpool else nn.Conv2d(c_in, c_out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.max_pool2d(x, 2) if self.maxpool else x)  # type: ignore[no-any-return]


class Up(nn.Module):
    """Double the side and change the channels: a transposed convolution of 2 x 2 with stride 2.

    Written as a product and a permutation, which takes half the time of ``nn.ConvTranspose2d``.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, 4 * c_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, _, height, width = x.shape
        y = self.conv(x).permute(0, 2, 3, 1).view(b, height, width, 2, 2, -1)
        return y.transpose(2, 3).reshape(b, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
