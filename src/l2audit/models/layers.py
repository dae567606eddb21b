"""Layers: what the words of config/architectures.yaml mean.

A layer is one small class: it reads its words (`dense 64`), says what shapes it turns into what, and computes. To add
one, write the class and register it here, and let its words through in schemas/architectures.schema.yaml.

`compute` is handed the TensorFlow module: reading an architecture must not cost a TensorFlow import (this module
imports none), and a layer must not be spread over two files for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from l2audit.registry import Registry

Shape = tuple[int, ...]


class Layer(Protocol):
    """One step of a network.

    stackable: whether `compute` takes a leading axis of models, so that many networks can train as one program. Such a
        layer takes flat rows; the others take images.
    gain: initial weights of the kernel before it get this variance over the fan-in (He et al. 2015: 2 before a relu).
    """

    stackable: ClassVar[bool]
    gain: ClassVar[float]

    @classmethod
    def read(cls, words: list[str]) -> Layer:
        """The layer that the words after its name describe; ValueError: what they should be."""

    def kernel_shape(self, inputs: Shape) -> Shape | None:
        """Shape of its kernel for rows of shape `inputs`, output channels last; None without weights.

        ValueError: why it cannot take such rows. The bias has one entry for each output channel.
        """

    def output_shape(self, inputs: Shape) -> Shape:
        """Shape of one row after the layer."""

    def compute(self, tf: Any, x: Any, kernel: Any, bias: Any) -> Any:
        """Rows (..., n, *inputs) to (..., n, *outputs); kernel and bias are None without weights."""


LAYERS = Registry[type[Layer]]("layer")


def _nothing(words: list[str]) -> None:
    if words:
        raise ValueError("takes no further words")


def _count(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or int(word) == 0:
        raise ValueError(f"'{word}' is not a whole number above 0")
    return int(word)


@LAYERS.register("dense")
@dataclass(frozen=True)
class Dense:
    """`dense 64`: every output is a weighted sum of all inputs, plus a bias."""

    units: int
    stackable: ClassVar[bool] = True
    gain: ClassVar[float] = 1.0

    @classmethod
    def read(cls, words: list[str]) -> Dense:
        """`[units]`."""
        if len(words) != 1:
            raise ValueError("write `dense` and the number of units, as in `dense 64`")
        return cls(_count(words[0]))

    def kernel_shape(self, inputs: Shape) -> Shape:
        """(inputs, units)."""
        if len(inputs) != 1:
            raise ValueError("a dense layer takes flat rows: put `flatten` before it")
        return (inputs[0], self.units)

    def output_shape(self, inputs: Shape) -> Shape:
        """(units,)."""
        return (self.units,)

    def compute(self, tf: Any, x: Any, kernel: Any, bias: Any) -> Any:
        """X @ kernel + bias, for each model."""
        return tf.matmul(x, kernel) + bias[..., None, :]


@LAYERS.register("conv")
@dataclass(frozen=True)
class Conv:
    """`conv 16 stride 2`: a 3 x 3 convolution to 16 channels, zeros around the image ("same" padding)."""

    channels: int
    stride: int
    stackable: ClassVar[bool] = False
    gain: ClassVar[float] = 1.0

    @classmethod
    def read(cls, words: list[str]) -> Conv:
        """`[channels]` or `[channels, "stride", stride]`."""
        match words:
            case [channels]:
                return cls(_count(channels), 1)
            case [channels, "stride", stride]:
                return cls(_count(channels), _count(stride))
        raise ValueError("write `conv 16` or `conv 16 stride 2`")

    def kernel_shape(self, inputs: Shape) -> Shape:
        """(3, 3, input channels, channels)."""
        if len(inputs) != 3:
            raise ValueError("a convolution takes images, and these rows are flat")
        return (3, 3, inputs[2], self.channels)

    def output_shape(self, inputs: Shape) -> Shape:
        """(height / stride, width / stride, channels), rounded up."""
        height, width, _ = inputs
        return (math.ceil(height / self.stride), math.ceil(width / self.stride), self.channels)

    def compute(self, tf: Any, x: Any, kernel: Any, bias: Any) -> Any:
        """Cross-correlation, as every library's "convolution"."""
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=self.stride, padding="SAME"), bias)


@LAYERS.register("flatten")
@dataclass(frozen=True)
class Flatten:
    """`flatten`: an image to a flat row."""

    stackable: ClassVar[bool] = False
    gain: ClassVar[float] = 1.0

    @classmethod
    def read(cls, words: list[str]) -> Flatten:
        """No words."""
        _nothing(words)
        return cls()

    def kernel_shape(self, inputs: Shape) -> None:
        """No weights."""
        return None

    def output_shape(self, inputs: Shape) -> Shape:
        """(product of the sides,)."""
        return (math.prod(inputs),)

    def compute(self, tf: Any, x: Any, kernel: Any, bias: Any) -> Any:
        """A reshape."""
        return tf.reshape(x, (-1, math.prod(x.shape[1:])))


@LAYERS.register("relu")
@dataclass(frozen=True)
class Relu:
    """`relu`: max(x, 0)."""

    stackable: ClassVar[bool] = True
    gain: ClassVar[float] = 2.0

    @classmethod
    def read(cls, words: list[str]) -> Relu:
        """No words."""
        _nothing(words)
        return cls()

    def kernel_shape(self, inputs: Shape) -> None:
        """No weights."""
        return None

    def output_shape(self, inputs: Shape) -> Shape:
        """The same."""
        return inputs

    def compute(self, tf: Any, x: Any, kernel: Any, bias: Any) -> Any:
        """Elementwise; its gradient at 0 is 0."""
        return tf.nn.relu(x)
