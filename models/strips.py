"""An autoencoder's large layers in strips of rows: the numbers of the whole, in a part of its memory.

Tiles that are decoded apart have each their own statistics in the group norms, and show their seams. Here the
statistics are those of the whole picture, and each strip sees the rows around it. So there are no seams, and
only the order of some sums is another. Whole layers rest in the machine's memory while a strip is computed.

Importing this imports torch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import conv2d, interpolate, pad

# Whole layers at full size that coding at once fills, each as wide as the widest there. Counted with SD 1.5:
# 3.0 for the decoder, 2.5 for the encoder.
LAYERS_AT_ONCE = 3.5
# What a strip fills, of its input: in its own format, as float32, normalised, and what comes of it.
LAYERS_OF_STRIP = 8
LEAST_ROWS = 8


def bytes_at_once(autoencoder: Any, height: int, width: int) -> int:
    """About how many bytes it takes to code a picture of so many pixels in one piece."""
    widest = max(autoencoder.config.block_out_channels[:2])
    return int(LAYERS_AT_ONCE * widest * height * width * autoencoder.dtype.itemsize)


@dataclass(frozen=True, slots=True)
class Strips:
    """Computes layers in strips that fill about `room` bytes on a device."""

    device: torch.device
    room: int = 256_000_000

    def decode(self, autoencoder: Any, latents: torch.Tensor) -> torch.Tensor:
        """The picture (1, 3, 8h, 8w) of unscaled latents (1, 4, h, w)."""
        decoder = autoencoder.decoder
        post = autoencoder.post_quant_conv
        h = decoder.mid_block(decoder.conv_in(latents if post is None else post(latents)), None)
        for block in decoder.up_blocks:
            for resnet in block.resnets:
                h = self._resnet(resnet, h)
            for upsampler in block.upsamplers or ():
                h = self._convolved(upsampler.conv, h, scale=2)
        return self._out(decoder, h)

    def encode(self, autoencoder: Any, picture: torch.Tensor) -> torch.Tensor:
        """The moments (1, 8, h, w) of the latents of a picture (1, 3, 8h, 8w)."""
        encoder = autoencoder.encoder
        h = self._convolved(encoder.conv_in, picture)
        for block in encoder.down_blocks:
            for resnet in block.resnets:
                h = self._resnet(resnet, h)
            for downsampler in block.downsamplers or ():
                h = self._convolved(downsampler.conv, h)
        h = encoder.mid_block(self._there(h))
        moments = self._there(self._out(encoder, h))
        return moments if autoencoder.quant_conv is None else autoencoder.quant_conv(moments)

    def _resnet(self, resnet: Any, h: torch.Tensor) -> torch.Tensor:
        inner = self._convolved(resnet.conv1, h, norm=resnet.norm1)
        return self._convolved(
            resnet.conv2, inner, norm=resnet.norm2, around=h, shortcut=resnet.conv_shortcut
        )

    def _out(self, coder: Any, h: torch.Tensor) -> torch.Tensor:
        return self._convolved(coder.conv_out, h, norm=coder.conv_norm_out)

    def _convolved(
        self,
        convolution: Any,
        h: torch.Tensor,
        *,
        norm: Any = None,
        scale: int = 1,
        around: torch.Tensor | None = None,
        shortcut: Any = None,
    ) -> torch.Tensor:
        """A layer (1, C, H, W) through norm and SiLU, `scale` times larger, through a 3x3 convolution; plus
        what goes `around`, through its shortcut. Strip by strip.
        """
        prepare = self._normalised(norm, h) if norm is not None else lambda part: part
        stride, padding = convolution.stride[0], convolution.padding[0]
        height, width = (side * scale // stride for side in h.shape[-2:])
        made = h.new_empty((1, convolution.out_channels, height, width), device="cpu")
        for a, b in self._strips(made, h):
            part = self._rows(h, prepare, a * stride - padding, (b - 1) * stride - padding + 3, scale)
            # without padding of its own the convolution of a downsampler has one column more on the right
            strip = conv2d(pad(part, (padding, 1, 0, 0)), convolution.weight, convolution.bias, stride)
            if around is not None:
                kept = self._there(around[:, :, a:b])
                strip = strip + (kept if shortcut is None else shortcut(kept))
            made[:, :, a:b] = strip
        return made

    def _rows(
        self,
        h: torch.Tensor,
        prepare: Callable[[torch.Tensor], torch.Tensor],
        first: int,
        last: int,
        scale: int,
    ) -> torch.Tensor:
        """The rows from `first` to before `last` of a prepared and enlarged layer, zeros beyond its edges."""
        height = h.shape[-2] * scale
        top, bottom = max(0, -first), max(0, last - height)
        first, last = first + top, last - bottom
        inner_first, inner_last = first // scale, -(-last // scale)
        part = prepare(self._there(h[:, :, inner_first:inner_last]))
        if scale > 1:
            part = interpolate(part, scale_factor=float(scale), mode="nearest")
            part = part[:, :, first - inner_first * scale : last - inner_first * scale]
        return pad(part, (0, 0, top, bottom))

    def _normalised(self, norm: Any, h: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Group norm with the statistics of the whole layer, then SiLU, for any rows of it."""
        mean, variance = self._statistics(h, norm.num_groups)
        per_group = h.shape[1] // norm.num_groups
        each_mean, each_variance = (value.repeat_interleave(per_group) for value in (mean, variance))
        factor = norm.weight.float() / (each_variance + norm.eps).sqrt()
        shift = norm.bias.float() - each_mean * factor

        def normalised(part: torch.Tensor) -> torch.Tensor:
            x = part.float() * factor[:, None, None] + shift[:, None, None]
            return torch.nn.functional.silu(x.type(h.dtype))

        return normalised

    def _statistics(self, h: torch.Tensor, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (G) of the groups of a layer (1, C, H, W), from those of its strips."""
        count = 0
        mean, squares = torch.zeros(2, groups, dtype=torch.float64)
        for a, b in self._strips(h, h):
            part = self._there(h[:, :, a:b]).float().reshape(groups, -1)
            own_variance, own_mean = (value.double().cpu() for value in torch.var_mean(part, 1, correction=0))
            own, total = part.shape[1], count + part.shape[1]
            squares += own * own_variance + (own_mean - mean) ** 2 * (count * own / total)
            mean += (own_mean - mean) * (own / total)
            count = total
        return self._there(mean.float()), self._there((squares / count).float())

    def _strips(self, made: torch.Tensor, h: torch.Tensor) -> Iterator[tuple[int, int]]:
        """The strips of a layer that comes of another, as their first rows and the rows after their last."""
        _, channels, height, width = made.shape
        row = LAYERS_OF_STRIP * max(channels, h.shape[1]) * max(width, h.shape[-1]) * h.element_size()
        rows = max(LEAST_ROWS, self.room // row)
        return ((a, min(a + rows, height)) for a in range(0, height, rows))

    def _there(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device)
