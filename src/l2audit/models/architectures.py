"""Architectures: a name and a list of layers, and the network that they make of a dataset's rows.

Nothing here imports TensorFlow: an architecture is read, checked and given its initial weights without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from l2audit.errors import UserError
from l2audit.models.layers import LAYERS, Dense, Layer, Shape
from l2audit.registry import UnknownName
from l2audit.seeds import generator

FILE = "config/architectures.yaml"


@dataclass(frozen=True)
class Network:
    """An architecture on rows of one shape: its layers, the implied dense output layer last.

    inputs: shape of a row, (features,) or (height, width, 1).
    kernel_shapes: shape of each layer's kernel, None for a layer without weights; one entry a layer.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: Shape
    kernel_shapes: tuple[Shape | None, ...]

    @property
    def stackable(self) -> bool:
        """Whether many of these can train as one program along a leading axis of models."""
        return all(layer.stackable for layer in self.layers)

    @property
    def kernels(self) -> list[Shape]:
        """Shapes of the kernels, input to output."""
        return [shape for shape in self.kernel_shapes if shape is not None]

    @property
    def sizes(self) -> list[int]:
        """Numbers of entries of all parameters: the kernels, input to output, then the biases likewise."""
        return [math.prod(shape) for shape in self.kernels] + [shape[-1] for shape in self.kernels]

    @property
    def kernel_size(self) -> int:
        """Number of entries of all kernels."""
        return sum(math.prod(shape) for shape in self.kernels)

    def initial(self, seed: int) -> NDArray[np.float32]:
        """All parameters as one flat row in the order of `sizes`: float32 of shape (sum of sizes,).

        Kernels are normal with variance gain / fan-in (He et al. 2015, section 2.2: gain 2 before a relu, else 1),
        biases zero. Keyed by (architecture, seed, layer) alone, never by beta, dataset or contamination.
        """
        kernels = [
            generator("init", self.name, seed, index).standard_normal(shape) * math.sqrt(gain / math.prod(shape[:-1]))
            for index, (shape, gain) in enumerate(zip(self.kernels, self._gains(), strict=True))
        ]
        biases = [np.zeros(shape[-1]) for shape in self.kernels]
        return np.concatenate([one.ravel() for one in [*kernels, *biases]]).astype(np.float32)

    def unpack(self, flat: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Kernels [(M, *kernel shape)] and biases [(M, outputs of the layer)] out of `flat` (M, sum of sizes)."""
        parts = np.split(flat, np.cumsum(self.sizes)[:-1], axis=1)
        count = len(self.kernels)
        kernels = [part.reshape(len(flat), *shape) for part, shape in zip(parts[:count], self.kernels, strict=True)]
        return kernels, parts[count:]

    def _gains(self) -> Iterator[float]:
        """For each kernel: the product of the gains of the layers between it and the next kernel."""
        weighted = [index for index, shape in enumerate(self.kernel_shapes) if shape is not None]
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
        return not all(layer.stackable for layer in self.parsed)

    def network(self, features: int, outputs: int, image: tuple[int, int] | None = None) -> Network:
        """The network on rows of `features` numbers, `image` = (height, width) of them where they are one.

        UserError where a layer cannot take what the one before it gives, or an image is wanted and there is none.
        """
        shape: Shape = (features,)
        if self.takes_images:
            if image is None:
                raise self._fault("a convolution takes images, and this dataset has none", "restrict it to image data")
            shape = (*image, 1)
        inputs, kernel_shapes = shape, []
        layers = (*self.parsed, Dense(outputs))
        for text, layer in zip((*self.layers, "the output layer"), layers, strict=True):
            try:
                kernel_shapes.append(layer.kernel_shape(shape))
            except ValueError as error:
                raise self._fault(f"'{text}' does not fit here: {error}", "change the order of the layers") from None
            shape = layer.output_shape(shape)
        return Network(self.name, layers, inputs, tuple(kernel_shapes))

    def _read(self, text: str) -> Layer:
        name, *words = text.split() or [""]
        try:
            return LAYERS[name].read(words)
        except (UnknownName, ValueError) as error:
            raise self._fault(f"layer '{text}': {error}", "see docs/architectures.md") from None

    def _fault(self, problem: str, fix: str) -> UserError:
        return UserError(problem, file=FILE, key=f"{self.name}: layers", fix=fix)
