"""The layers of the U-Net: group norm with the time in it, residual blocks, attention, and the way down."""

from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8  # of every group norm
TIME_CHANNELS = 128  # width of the time embedding
HEAD_CHANNELS = 32  # of an attention head


class TimedNorm(nn.Module):
    """Group norm, then scale and shift by the time embedding (Dhariwal & Nichol 2021, section 3, adaptive norm)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.time = nn.Linear(TIME_CHANNELS, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.time(embedding).chunk(2, 1)
        if len(embedding) == 1:  # one t for all images: the norm's own scale and shift take it at no cost
            weight, bias = self.norm.weight * (1 + scale[0]), self.norm.bias * (1 + scale[0]) + shift[0]
            return F.group_norm(x, GROUPS, weight, bias, self.norm.eps)
        # not addcmul, which is 5 times slower in bfloat16
        return self.norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]  # type: ignore[no-any-return]


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the second norm with the time in it.

    The second convolution starts at zero, so a new block is the identity.

    Args:
        channels: in and out.
        kernels: sides of the two convolutions, odd.
    """

    def __init__(self, channels: int, kernels: tuple[int, int]) -> None:
        super().__init__()
        first, second = kernels
        self.norm_1 = nn.GroupNorm(GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, channels, first, padding="same")
        self.norm_2 = TimedNorm(channels)
        self.conv_2 = nn.Conv2d(channels, channels, second, padding="same")

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_1(F.silu(self.norm_1(x)))
        return x + self.conv_2(F.silu(self.norm_2(h, embedding)))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over positions, added to its input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        # [B, 3C, H, W] -> 3 x [B, heads, H W, head channels]
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, height * width)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.out(y.reshape(b, c, height, width))  # type: ignore[no-any-return]


class Down(nn.Module):
    """Halve the side and change the channels."""

    def __init__(self, c_in: int, c_out: int, how: str) -> None:
        super().__init__()
        self.maxpool = how == "maxpool"
        self.conv = nn.Conv2d(c_in, c_out, 1) if self.maxpool else nn.Conv2d(c_in, c_out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.max_pool2d(x, 2) if self.maxpool else x)  # type: ignore[no-any-return]
