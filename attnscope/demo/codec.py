"""The code the autoencoder starts from: a latent is the mean colour of 4x4 pixels.

Learning a code from nothing is what takes longest in training an autoencoder. For flat pictures
a code can be written down instead: brightness and two opponent colours of each block of 4x4
pixels, scaled to about unit variance, and its brightness from corner to corner. The encoder is
set to compute just that, and stays so. The decoder starts by repeating each block's colour; all
it is trained for is to find the edges inside the blocks.

Both contain group normalisations, which make colours relative to the picture. Two channels with
large constants of opposite sign fix the deviation that they divide by, whatever the picture.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportArgumentType=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportCallIssue=false
# pyright: reportIndexIssue=false
# pyright: reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL
    from numpy.typing import NDArray

# Rows: brightness, warm against cold, green against purple; of red, green, blue in -1 to 1.
OPPONENTS = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.0, -0.5], [-0.25, 0.5, -0.25]])
# Mean and deviation of each over the pictures of the book; the diagonal's mean is zero.
CENTRES = np.array([0.3, 0.01, 0.0])
SPREADS = np.array([0.6, 0.2, 0.09])
DIAGONAL_SPREAD = 0.3


def latents_of(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the latents of pictures.

    Parameters
    ----------
    pictures
        (n, height, width, rgb).

    Returns
    -------
    array of float32, (n, channel, height / 4, width / 4)
        Brightness, warmth, greenness, and brightness of the upper left less the lower right.
    """
    count, height, width, _ = pictures.shape
    scaled = pictures.astype(np.float32) / 127.5 - 1
    halves = scaled.reshape(count, height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4))
    colours = halves.reshape(count, height // 4, 2, width // 4, 2, 3).mean(axis=(2, 4))
    codes = (colours @ OPPONENTS.T - CENTRES) / SPREADS
    bright = halves.mean(axis=-1)
    diagonal = (bright[:, ::2, ::2] - bright[:, 1::2, 1::2]) / DIAGONAL_SPREAD
    latents = np.concatenate([codes, diagonal[..., None]], axis=-1)
    return latents.transpose(0, 3, 1, 2).astype(np.float32)


def set_codec(vae: AutoencoderKL) -> None:
    """Set the weights of an autoencoder so that it computes the code and reads it back.

    The encoder then gives `latents_of` but for the picture's rim of a pixel, with a deviation of
    0.05; the decoder repeats the colour of each block. Residual branches add nothing at first.

    Parameters
    ----------
    vae
        With blocks of at least 12 channels and one group in its normalisations.
    """
    import torch

    with torch.no_grad():
        for coder in (vae.encoder, vae.decoder):
            for name, module in coder.named_modules():
                if name.endswith("conv2"):
                    module.weight.zero_()
                    module.bias.zero_()
                elif name.endswith("norm1"):
                    _set_norm(module)
                elif name.endswith("conv_shortcut"):
                    module.weight.zero_()
                    module.bias.zero_()
                    for channel in range(min(module.weight.shape[:2])):
                        module.weight[channel, channel] = 1.0
        _set_encoder(vae)
        _set_decoder(vae)


# Channels 0 to 5 carry red, green, blue and their negatives; 6 and 7 the constants; 8 and 9, in
# the encoder, the diagonal and its negative.
_CONSTANT = 30.0
_CONSTANTS = slice(6, 8)
_NOISE = 0.05


def _set_norm(norm: torch.nn.GroupNorm) -> None:
    """Make a normalisation the identity, but for the channels of the constants, which it drops."""
    norm.weight.fill_(_CONSTANT * (2 / norm.num_channels) ** 0.5)
    norm.weight[_CONSTANTS] = 0.0
    norm.bias.zero_()


def _set_constants(bias: torch.Tensor) -> None:
    """Write the two constants into the biases of a convolution."""
    bias.zero_()
    bias[6], bias[7] = _CONSTANT, -_CONSTANT


def _set_encoder(vae: AutoencoderKL) -> None:
    """Average over blocks in two halvings; then combine colours linearly."""
    import torch

    encoder = vae.encoder
    first = encoder.conv_in
    first.weight.zero_()
    _set_constants(first.bias)
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1.0
        first.weight[channel + 3, channel, 1, 1] = -1.0
    for level in (0, 1):
        halving = encoder.down_blocks[level].downsamplers[0].conv
        halving.weight.zero_()
        halving.bias.zero_()
        # These convolutions pad below and on the right: their first two rows are the block.
        for channel in (*range(6), 8, 9):
            halving.weight[channel, channel, :2, :2] = 0.25
        for channel in (6, 7):
            halving.bias[channel] = _CONSTANT if channel == 6 else -_CONSTANT
    # The diagonal: the upper left quarter less the lower right, of brightness.
    halving.weight[8:10].zero_()
    for colour in range(3):
        for channel, sign in ((8, 1.0), (9, -1.0)):
            halving.weight[channel, colour, 0, 0] = sign / 3
            halving.weight[channel, colour, 1, 1] = -sign / 3
    _set_norm(encoder.conv_norm_out)
    # silu(x) - silu(-x) = x: the pairs of channels pass the last activation unchanged.
    pairs = [(0, 3), (1, 4), (2, 5), (8, 9)]
    encoder.conv_out.weight.zero_()
    encoder.conv_out.bias.zero_()
    matrix = torch.zeros(4, 4)
    matrix[:3, :3] = torch.from_numpy(OPPONENTS / SPREADS[:, None])
    matrix[3, 3] = 1 / DIAGONAL_SPREAD
    for row in range(4):
        for column, (positive, negative) in enumerate(pairs):
            encoder.conv_out.weight[row, positive, 1, 1] = matrix[row, column]
            encoder.conv_out.weight[row, negative, 1, 1] = -matrix[row, column]
    vae.quant_conv.weight.zero_()
    vae.quant_conv.bias.zero_()
    for channel in range(4):
        vae.quant_conv.weight[channel, channel] = 1.0
    vae.quant_conv.bias[:3] = torch.from_numpy(-CENTRES / SPREADS)
    vae.quant_conv.bias[4:] = 2 * float(np.log(_NOISE))


def _set_decoder(vae: AutoencoderKL) -> None:
    """Turn codes back into colours, and repeat them twice."""
    import torch

    decoder = vae.decoder
    inverse = np.linalg.inv(OPPONENTS)
    vae.post_quant_conv.weight.zero_()
    vae.post_quant_conv.bias.zero_()
    vae.post_quant_conv.weight[:3, :3, 0, 0] = torch.from_numpy(inverse * SPREADS)
    vae.post_quant_conv.bias[:3] = torch.from_numpy(inverse @ CENTRES)
    vae.post_quant_conv.weight[3, 3] = 1.0
    first = decoder.conv_in
    # The further channels keep their random start, as food for the residual branches.
    first.weight[:8].zero_()
    _set_constants(first.bias)
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1.0
        first.weight[channel + 3, channel, 1, 1] = -1.0
    for level in (0, 1):
        doubling = decoder.up_blocks[level].upsamplers[0].conv
        doubling.weight.zero_()
        doubling.bias.zero_()
        for channel in range(len(doubling.weight)):
            doubling.weight[channel, channel, 1, 1] = 1.0
    _set_norm(decoder.conv_norm_out)
    decoder.conv_out.weight.zero_()
    decoder.conv_out.bias.zero_()
    for channel in range(3):
        decoder.conv_out.weight[channel, channel, 1, 1] = 1.0
        decoder.conv_out.weight[channel, channel + 3, 1, 1] = -1.0
