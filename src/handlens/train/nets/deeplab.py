"""DeepLabV3+ with a ResNet encoder: pictures -> mask logits of the same size; knows no data, losses or loops.

The network is that of segmentation-models-pytorch; here it learns to take pictures of any size.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import pad

from handlens.errors import InputError
from handlens.train.nets.weights_files import encoder_state, load_by_name

ENCODER = "resnet34"
STRIDE = 16


class DeepLab(nn.Module):
    """DeepLabV3+ (arXiv 1802.02611): atrous spatial pyramid pooling over a ResNet-34, and the stride-4 map again.

    Pictures (n, 3, h, w), RGB with ImageNet's mean and deviation -> logits (n, classes, h, w): padded right and below
    to the stride, and cut. The weights start at random; `take_encoder` brings what ImageNet taught the ResNet.

    Raises:
        InputError: no channel, or the library is not installed.
    """

    stride = STRIDE

    def __init__(self, classes: int = 1, encoder: str = ENCODER) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"{classes} classes: a mask needs at least one channel.")
        try:
            from segmentation_models_pytorch import DeepLabV3Plus
        except ImportError as error:
            raise InputError(
                "the network 'deeplabv3plus' needs segmentation-models-pytorch, which is not installed: pip install"
                " 'handlens[train]'"
            ) from error
        model = DeepLabV3Plus(encoder, encoder_weights=None, encoder_output_stride=STRIDE, classes=classes)
        self.encoder, self.decoder, self.head = model.encoder, model.decoder, model.segmentation_head

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] == 1:
            raise InputError(
                "'deeplabv3plus' normalises over the pictures of a step and cannot learn from one alone: --batch 2."
            )
        height, width = x.shape[2:]
        x = pad(x, (0, -width % STRIDE, 0, -height % STRIDE))
        return self.head(self.decoder(self.encoder(x)))[:, :, :height, :width]  # type: ignore[no-any-return]

    def take_encoder(self, source: Path | None = None) -> None:
        """Put torchvision's ImageNet weights into the ResNet. source: a file of them, None: fetch them.

        Raises:
            InputError: the weights cannot be had, or the file holds others.
        """
        state = {name: value for name, value in encoder_state(ENCODER, source).items() if not name.startswith("fc.")}
        load_by_name(self.encoder, state, str(source or "torchvision"))
