"""Penalties: what beta multiplies, in words, and which parameters it reaches.

A penalty is text such as `l2`, `l1 with biases` or `l2 except output`:

| word | objective or step |
|---|---|
| `l2` | mean(loss) + beta * sum of half the squared norm: `tf.nn.l2_loss`, in the loss |
| `l1` | mean(loss) + beta * sum of absolute values; in networks by proximal steps, so that zeros are exact |
| `decay` | decoupled weight decay (Loshchilov and Hutter 2019): each step also multiplies weights by 1 - rate * beta |
| `none` | mean(loss); beta does nothing |
| `placebo` | beta multiplies half the squared norm of a variable that the outputs do not depend on |

Kernels are penalised and biases are free unless the text says otherwise. `except output` frees the output layer's
kernel, `except 2 3` the second and the third; `with biases` penalises the biases of the penalised kernels too. The code
that the thread quotes is `l2 except output`. Nothing here imports TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

WORDS = ("l2", "l1", "decay", "none", "placebo")
OUTPUT = "output"


@dataclass(frozen=True)
class Penalty:
    """A penalty that was read: its word, the kernels it leaves out (numbers from 1, or `output`), and the biases."""

    word: str
    left_out: tuple[str, ...] = ()
    biases: bool = False

    def covers(self, kernels: int) -> tuple[bool, ...]:
        """For each of `kernels` kernels, input to output: whether beta reaches it.

        ValueError: a number that no kernel has.
        """
        if self.word in ("none", "placebo"):
            return (False,) * kernels
        beyond = [word for word in self.left_out if word != OUTPUT and int(word) > kernels]
        if beyond:
            raise ValueError(f"there is no kernel {beyond[0]}: the network has {kernels}, the output layer's included")
        free = {kernels if word == OUTPUT else int(word) for word in self.left_out}
        return tuple(number not in free for number in range(1, kernels + 1))


def read_penalty(text: str) -> Penalty:
    """The penalty that `text` describes; ValueError: what is wrong with it."""
    word, *rest = text.split() or [""]
    if word not in WORDS:
        raise ValueError(f"'{word}' is not a penalty: use one of {', '.join(WORDS)}")
    biases = rest[-2:] == ["with", "biases"]
    rest = rest[:-2] if biases else rest
    if not rest:
        return Penalty(word, (), biases)
    if rest[0] != "except" or len(rest) == 1:
        raise ValueError(f"'{' '.join(rest)}' is not understood: write `l2 except output` or `l2 with biases`")
    for one in rest[1:]:
        if one != OUTPUT and not (one.isascii() and one.isdecimal() and int(one) > 0):
            raise ValueError(f"'{one}' is neither `output` nor the number of a kernel, 1 being the first")
    return Penalty(word, tuple(rest[1:]), biases)
