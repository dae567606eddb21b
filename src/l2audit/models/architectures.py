"""Architectures: a name and a list of layers, and the network that they make of a dataset's rows.

Nothing here imports TensorFlow: an architecture is read, checked and given its initial weights without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from l2audit.errors import UserError
from l2audit.models.layers import LAYERS, Dense, Layer, Shape
from l2audit.registry import UnknownName
from l2audit.seeds import generator

FILE = "config/architectures.yaml"
STACKED_PIXELS = 100


@dataclass(frozen=True)
class Parameter:
    """One tensor of a network: the number of its layer, its name there (`kernel`, `bias`, ...) and its shape.

    turned: whether its layer computes with its transpose.
    """

    layer: int
    name: str
    shape: Shape
    turned: bool = False

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Network:
    """An architecture on rows of one shape: its layers, the implied dense output layer last.

    shapes: of a row before each layer and after the last: (features,) or (height, width, channels).
    """

    name: str
    layers: tuple[Layer, ...]
    shapes: tuple[Shape, ...]

    @property
    def inputs(self) -> Shape:
        """Shape of a row, (features,) or (height, width, 1)."""
        return self.shapes[0]

    @property
    def stackable(self) -> bool:
        """Whether many of these train as one program along a leading axis: all but networks on larger images.

        By size and not by machine, because the two engines differ in the last bits. Measured in docs/training.md.
        """
        return len(self.inputs) == 1 or math.prod(self.inputs) <= STACKED_PIXELS

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters: the kernels, input to output, then the other ones likewise."""
        kernels = [
            Parameter(number, "kernel", shape, layer.turned)
            for number, (layer, inputs) in enumerate(zip(self.layers, self.shapes, strict=False))
            if (shape := layer.kernel_shape(inputs)) is not None
        ]
        vectors = [
            Parameter(number, name, self.shapes[number + 1][-1:])
            for number, layer in enumerate(self.layers)
            for name in layer.vectors
        ]
        return (*kernels, *vectors)

    @property
    def kernels(self) -> list[Shape]:
        """Shapes of the kernels, input to output."""
        return [one.shape for one in self.parameters if one.name == "kernel"]

    @property
    def sizes(self) -> list[int]:
        """Numbers of entries of `parameters`."""
        return [one.size for one in self.parameters]

    @property
    def kernel_size(self) -> int:
        """Number of entries of all kernels."""
        return sum(math.prod(shape) for shape in self.kernels)

    def initial(self, seed: int) -> NDArray[np.float32]:
        """All parameters as one flat row in the order of `parameters`: float32 of shape (sum of sizes,).

        Kernels are normal with variance gain / fan-in (He et al. 2015, section 2.2: gain 2 before a relu, else 1),
        the others as their layer has them. Keyed by (architecture, seed, layer) alone, never by beta, dataset or
        contamination.
        """
        kernels = [
            generator("init", self.name, seed, index).standard_normal(shape) * math.sqrt(gain / math.prod(shape[:-1]))
            for index, (shape, gain) in enumerate(zip(self.kernels, self._gains(), strict=True))
        ]
        vectors = [
            np.full(one.shape, self.layers[one.layer].vectors[one.name])
            for one in self.parameters
            if one.name != "kernel"
        ]
        return np.concatenate([one.ravel() for one in [*kernels, *vectors]]).astype(np.float32)

    def unpack(self, flat: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Kernels [(M, *kernel shape)] and biases [(M, outputs of the layer)] out of `flat` (M, sum of sizes)."""
        parts = np.split(flat, np.cumsum(self.sizes)[:-1], axis=1)
        named = [
            (one.name, part.reshape(len(flat), *one.shape)) for one, part in zip(self.parameters, parts, strict=True)
        ]
        kernels, biases = ([part for name, part in named if name == wanted] for wanted in ("kernel", "bias"))
        return kernels, biases

    def _gains(self) -> Iterator[float]:
        """For each kernel: the product of the gains of the layers between it and the next kernel."""
        weighted = [one.layer for one in self.parameters if one.name == "kernel"]
        for start, stop in zip(weighted, [*weighted[1:], len(self.layers)], strict=True):
            yield math.prod(layer.gain for layer in self.layers[start:stop])


@dataclass(frozen=True)
class Architecture:
    """An entry of config/architectures.yaml: its name and its layers as text.

    UserError where a text is not a layer. `Architecture("linear", [])` is the linear model.
    """

    name: str
    layers: Sequence[str]
    parsed: tuple[Layer, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "parsed", tuple(self._read(text) for text in self.layers))

    @property
    def takes_images(self) -> bool:
        """Whether its first layers work on images rather than flat rows."""
        return any(layer.images for layer in self.parsed)

    def network(self, features: int, outputs: int, image: tuple[int, int] | None = None) -> Network:
        """The network on rows of `features` numbers, `image` = (height, width) of them where they are one.

        UserError where a layer cannot take what the one before it gives, or an image is wanted and missing.
        """
        shape: Shape = (features,)
        if self.takes_images:
            if image is None:
                raise self._fault("a convolution takes images, and this dataset has none", "restrict it to image data")
            shape = (*image, 1)
        shapes = [shape]
        layers = (*self.parsed, Dense(outputs))
        for text, layer in zip((*self.layers, "the output layer"), layers, strict=True):
            try:
                _fits(layer, shapes[-1])
            except ValueError as error:
                raise self._fault(f"'{text}' does not fit here: {error}", "change the order of the layers") from None
            shapes.append(layer.output_shape(shapes[-1]))
        return Network(self.name, layers, tuple(shapes))

    def _read(self, text: str) -> Layer:
        name, *words = text.split() or [""]
        try:
            return LAYERS[name].read(words)
        except (UnknownName, ValueError) as error:
            raise self._fault(f"layer '{text}': {error}", "see docs/architectures.md") from None

    def _fault(self, problem: str, fix: str) -> UserError:
        return UserError(problem, file=FILE, key=f"{self.name}: layers", fix=fix)


def _fits(layer: Layer, inputs: Shape) -> None:
    """ValueError: why a layer cannot take rows of shape `inputs`."""
    if layer.images is False and len(inputs) != 1:
        raise ValueError("it takes flat rows: put `flatten` before it")
    if layer.images and len(inputs) != 3:
        raise ValueError("it takes images, and these rows are flat")
    layer.kernel_shape(inputs)
