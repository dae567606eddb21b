"""Layers: what the words of config/architectures.yaml mean.

A layer is one small class: it reads its words (`dense 64`), says what shapes it turns into what, and computes. To add
one, write the class and register it here.

`compute` is handed the TensorFlow module, so that reading an architecture does not cost a TensorFlow import. It works
on one model, rows (n, *inputs), and on many along a leading axis, rows (models, n, *inputs). That axis leads the shapes
of the parameters, too. So axes are counted from the end.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from l2audit.registry import Registry

Shape = tuple[int, ...]
Own = Mapping[str, Any]

LAYERS = Registry[type["Layer"]]("layer")
NARROW = 16
"""Units up to which a dense layer is computed with the rows of a batch along its last axis (docs/training.md)."""

EPSILON = 1e-5  # added to a variance before it divides (Ba et al. 2016; Keras has 1e-3)


@dataclass(frozen=True)
class Layer(ABC):
    """One step of a network. This base is a layer without parameters that keeps the shape of a row and reads no words.

    gain: initial weights of the kernel before it get this variance over the fan-in (He et al. 2015: 2 before a relu).
    vectors: parameters beside the kernel and their initial values; each has one entry an output channel.
    images: True for a layer that takes images only, False for flat rows only, None for both.
    centred: whether it standardises over the rows of a batch, so that its use on new rows needs stored moments.
    homogeneous: whether (biases apart) s times the input gives s times the output, for s > 0.
    """

    gain: ClassVar[float] = 1.0
    vectors: ClassVar[Mapping[str, float]] = {}
    images: ClassVar[bool | None] = None
    centred: ClassVar[bool] = False
    homogeneous: ClassVar[bool] = True

    @property
    def turned(self) -> bool:
        """Whether `compute` wants its kernel transposed; everywhere else kernels are input to output."""
        return False

    @classmethod
    def read(cls, words: list[str]) -> Layer:
        """The layer that the words after its name describe; ValueError: what they should be."""
        if words:
            raise ValueError("takes no further words")
        return cls()

    def kernel_shape(self, inputs: Shape) -> Shape | None:
        """Shape of its kernel for rows of shape `inputs`, output channels last; None without weights."""
        return None

    def output_shape(self, inputs: Shape) -> Shape:
        """Shape of one row after the layer."""
        return inputs

    @abstractmethod
    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """Rows (..., n, *inputs) to (..., n, *outputs).

        own: its parameters by name, `kernel` and those of `vectors`. moments: (mean, variance) to use in place of those
        of the rows given, for a layer that is `centred`.
        """


def _count(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or int(word) == 0:
        raise ValueError(f"'{word}' is not a whole number above 0")
    return int(word)


def _across_rows(tf: Any, vector: Any, shape: Shape) -> Any:
    """A vector (..., channels) with the axes between that make it fit rows (..., n, *shape)."""
    lead = vector.shape[:-1]
    return tf.reshape(vector, [*lead, *[1] * len(shape), shape[-1]])


@LAYERS.register("dense")
@dataclass(frozen=True)
class Dense(Layer):
    """`dense 64`: every output is a weighted sum of all inputs, plus a bias."""

    units: int
    vectors: ClassVar[Mapping[str, float]] = {"bias": 0.0}
    images: ClassVar[bool | None] = False

    @classmethod
    def read(cls, words: list[str]) -> Dense:
        """`[units]`."""
        if len(words) != 1:
            raise ValueError("write `dense` and the number of units, as in `dense 64`")
        return cls(_count(words[0]))

    def kernel_shape(self, inputs: Shape) -> Shape:
        """(inputs, units)."""
        return (inputs[0], self.units)

    def output_shape(self, inputs: Shape) -> Shape:
        """(units,)."""
        return (self.units,)

    @property
    def turned(self) -> bool:
        """Where the units are few: an axis of three numbers leaves a processor's vectors nearly empty."""
        return self.units <= NARROW

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """X @ kernel + bias, for each model."""
        if self.turned:
            across = tf.matmul(own["kernel"], x, transpose_b=True) + own["bias"][..., None]
            return tf.linalg.matrix_transpose(across)
        return tf.matmul(x, own["kernel"]) + _across_rows(tf, own["bias"], (self.units,))


SIDE = 3  # height and width of a convolution's filters
PADDINGS = ("same", "valid")


@LAYERS.register("conv")
@dataclass(frozen=True)
class Conv(Layer):
    """`conv 16 stride 2 padding valid`: a 3 x 3 convolution to 16 channels; zeros around the image if `same`."""

    channels: int
    stride: int = 1
    padding: str = "same"
    vectors: ClassVar[Mapping[str, float]] = {"bias": 0.0}
    images: ClassVar[bool | None] = True

    @classmethod
    def read(cls, words: list[str]) -> Conv:
        """`[channels]`, then in any order `"stride", stride` (1 if not said) and `"padding", same | valid` (same)."""
        if len(words) % 2 == 0:
            raise ValueError("write `conv 16`, `conv 16 stride 2` or `conv 16 stride 2 padding valid`")
        options = dict(zip(words[1::2], words[2::2], strict=True))
        if not options.keys() <= {"stride", "padding"} or 2 * len(options) != len(words) - 1:
            raise ValueError("after the channels it takes `stride` and `padding`, once each")
        padding = options.get("padding", "same")
        if padding not in PADDINGS:
            raise ValueError(f"'{padding}' is not a padding: use {' or '.join(PADDINGS)}")
        return cls(_count(words[0]), _count(options.get("stride", "1")), padding)

    def kernel_shape(self, inputs: Shape) -> Shape:
        """(3, 3, input channels, channels); ValueError for an image that a filter does not fit into."""
        if self.padding == "valid" and min(inputs[:2]) < SIDE:
            raise ValueError(f"a {SIDE} x {SIDE} filter does not fit into {inputs[0]} x {inputs[1]} pixels")
        return (SIDE, SIDE, inputs[2], self.channels)

    def output_shape(self, inputs: Shape) -> Shape:
        """(height / stride, width / stride, channels), rounded up, of what is left after padding."""
        lost = SIDE - 1 if self.padding == "valid" else 0
        height, width = (math.ceil((side - lost) / self.stride) for side in inputs[:2])
        return (height, width, self.channels)

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """Cross-correlation, as every library's "convolution".

        Of one model by the library's kernels; of many as one product with all patches, since XLA has no fast
        convolution on a CPU.
        """
        kernel, bias = own["kernel"], own["bias"]
        if kernel.shape.rank == 4:
            return tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=self.stride, padding=self.padding.upper()), bias)
        patches = self._patches(tf, x, inputs)
        flat = tf.reshape(patches, [patches.shape[0], -1, patches.shape[-1]])
        out = tf.matmul(flat, tf.reshape(kernel, [kernel.shape[0], -1, self.channels]))
        outputs = self.output_shape(inputs)
        return tf.reshape(out, [kernel.shape[0], -1, *outputs]) + _across_rows(tf, bias, outputs)

    def _patches(self, tf: Any, x: Any, inputs: Shape) -> Any:
        """(models, n, height, width, 9 * input channels): what lies under the filter at each place."""
        heights, widths = (
            self._places(side, out) for side, out in zip(inputs[:2], self.output_shape(inputs), strict=False)
        )
        padded = tf.pad(x, [[0, 0], [0, 0], heights[0], widths[0], [0, 0]])
        shifted = [padded[:, :, heights[1](i), widths[1](j)] for i in range(SIDE) for j in range(SIDE)]
        return tf.concat(shifted, -1)

    def _places(self, side: int, out: int) -> tuple[tuple[int, int], Callable[[int], slice]]:
        """Zeros before and after a side, and what row or column `i` of the filter sees of it."""
        reach = (out - 1) * self.stride + 1
        zeros = max(reach + SIDE - 1 - side, 0) if self.padding == "same" else 0
        return (zeros // 2, zeros - zeros // 2), lambda i: slice(i, i + reach, self.stride)


@LAYERS.register("flatten")
@dataclass(frozen=True)
class Flatten(Layer):
    """`flatten`: an image to a flat row."""

    images: ClassVar[bool | None] = True

    def output_shape(self, inputs: Shape) -> Shape:
        """(product of the sides,)."""
        return (math.prod(inputs),)

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """A reshape."""
        lead = x.shape[: x.shape.rank - len(inputs) - 1]
        return tf.reshape(x, [*lead, -1, math.prod(inputs)])


@dataclass(frozen=True)
class Pool(Layer):
    """A square of pixels to one, square beside square; what is left over at the right and below is dropped."""

    side: int
    images: ClassVar[bool | None] = True
    reduction: ClassVar[str]

    @classmethod
    def read(cls, words: list[str]) -> Pool:
        """`[side]`."""
        if len(words) != 1:
            raise ValueError("write the side of the square, as in `maxpool 2`")
        return cls(_count(words[0]))

    def kernel_shape(self, inputs: Shape) -> None:
        """No weights; ValueError for an image that is smaller than the square."""
        if min(inputs[:2]) < self.side:
            raise ValueError(f"a square of {self.side} does not fit into {inputs[0]} x {inputs[1]} pixels")

    def output_shape(self, inputs: Shape) -> Shape:
        """(height / side, width / side, channels), rounded down."""
        return (inputs[0] // self.side, inputs[1] // self.side, inputs[2])

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """The mean or the largest of each square, channel by channel."""
        height, width, channels = self.output_shape(inputs)
        whole = x[..., : height * self.side, : width * self.side, :]
        lead = x.shape[: x.shape.rank - 4]
        squares = tf.reshape(whole, [*lead, -1, height, self.side, width, self.side, channels])
        return getattr(tf, self.reduction)(squares, axis=(-4, -2))


@LAYERS.register("avgpool")
@dataclass(frozen=True)
class AveragePool(Pool):
    """`avgpool 2`: the mean of each square of 2 x 2 pixels."""

    reduction: ClassVar[str] = "reduce_mean"


@LAYERS.register("maxpool")
@dataclass(frozen=True)
class MaxPool(Pool):
    """`maxpool 2`: the largest of each square of 2 x 2 pixels; pixels that tie share the gradient."""

    reduction: ClassVar[str] = "reduce_max"


@LAYERS.register("relu")
@dataclass(frozen=True)
class Relu(Layer):
    """`relu`: max(x, 0)."""

    gain: ClassVar[float] = 2.0

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """Elementwise; its gradient at 0 is 0."""
        return tf.nn.relu(x)


@LAYERS.register("tanh")
@dataclass(frozen=True)
class Tanh(Layer):
    """`tanh`: the hyperbolic tangent."""

    homogeneous: ClassVar[bool] = False

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """Elementwise."""
        return tf.tanh(x)


@LAYERS.register("gelu")
@dataclass(frozen=True)
class Gelu(Layer):
    """`gelu`: x times the normal distribution function of x (Hendrycks and Gimpel 2016), not its approximation."""

    gain: ClassVar[float] = 2.0
    homogeneous: ClassVar[bool] = False

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """Elementwise, by the error function."""
        return tf.nn.gelu(x, approximate=False)


@dataclass(frozen=True)
class Norm(Layer):
    """Standardises, then scales and shifts by two learnt vectors, which no penalty reaches."""

    vectors: ClassVar[Mapping[str, float]] = {"scale": 1.0, "shift": 0.0}
    homogeneous: ClassVar[bool] = False

    @abstractmethod
    def axes(self, inputs: Shape) -> tuple[int, ...]:
        """Axes of (..., n, *inputs) over which mean and variance are taken."""

    def moments(self, tf: Any, x: Any, inputs: Shape) -> tuple[Any, Any]:
        """Mean and variance (divided by the number of values) over `axes`, which stay with length 1."""
        axes = self.axes(inputs)
        mean = tf.reduce_mean(x, axis=axes, keepdims=True)
        return mean, tf.reduce_mean(tf.square(x - mean), axis=axes, keepdims=True)

    def compute(self, tf: Any, x: Any, own: Own, inputs: Shape, moments: Any = None) -> Any:
        """(x - mean) / sqrt(variance + 1e-5) * scale + shift."""
        mean, variance = self.moments(tf, x, inputs) if moments is None else moments
        scale, shift = (_across_rows(tf, own[name], inputs) for name in ("scale", "shift"))
        return (x - mean) * tf.math.rsqrt(variance + EPSILON) * scale + shift


@LAYERS.register("batchnorm")
@dataclass(frozen=True)
class BatchNorm(Norm):
    """`batchnorm`: each channel over the rows (and pixels) of a batch (Ioffe and Szegedy 2015).

    New rows are standardised by the moments of all training rows under the final weights. A running mean would need a
    decay rate and lag behind (Wu and Johnson 2021, section 3).
    """

    centred: ClassVar[bool] = True

    def axes(self, inputs: Shape) -> tuple[int, ...]:
        """All but the channel's."""
        return tuple(range(-len(inputs) - 1, -1))


@LAYERS.register("layernorm")
@dataclass(frozen=True)
class LayerNorm(Norm):
    """`layernorm`: each row over its units, or over its pixels and channels (Ba, Kiros and Hinton 2016)."""

    def axes(self, inputs: Shape) -> tuple[int, ...]:
        """All of a row's."""
        return tuple(range(-len(inputs), 0))
