"""Architectures: reading their layers, the shapes that follow, and initial weights."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from l2audit.config.schema import schema
from l2audit.errors import UserError
from l2audit.models.architectures import Architecture
from l2audit.models.layers import LAYERS, Conv, Dense, Relu
from plain_keras import keras_model

TABLE = yaml.safe_load((Path(__file__).parents[2] / "config" / "architectures.yaml").read_text(encoding="utf-8"))
EXAMPLES = {
    "avgpool": "avgpool 2",
    "batchnorm": "batchnorm",
    "conv": "conv 4 stride 2 padding valid",
    "dense": "dense 8",
    "flatten": "flatten",
    "gelu": "gelu",
    "layernorm": "layernorm",
    "maxpool": "maxpool 3",
    "relu": "relu",
    "tanh": "tanh",
}


def shipped(name: str) -> Architecture:
    return Architecture(name, TABLE[name]["layers"])


def test_words_become_layers() -> None:
    parsed = Architecture("mine", ["conv 16", "conv 8 stride 2", "relu", "dense 64"]).parsed
    assert parsed == (Conv(16, 1), Conv(8, 2), Relu(), Dense(64))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dens 64", "did you mean 'dense'"),
        ("dense", "as in `dense 64`"),
        ("dense 64 64", "as in `dense 64`"),
        ("dense 0", "'0' is not a whole number above 0"),
        ("dense -3", "'-3' is not a whole number"),
        ("dense 6.5", "'6.5' is not a whole number"),
        ("dense ²", "'²' is not a whole number"),
        ("conv", "write `conv 16`"),
        ("conv 16 stride", "write `conv 16`"),
        ("conv 16 step 2", "takes `stride` and `padding`"),
        ("conv 16 stride 2 stride 2", "once each"),
        ("conv 16 padding full", "'full' is not a padding"),
        ("maxpool", "as in `maxpool 2`"),
        ("avgpool 2 2", "the side of the square"),
        ("relu 3", "no further words"),
        ("flatten now", "no further words"),
        ("", "unknown layer"),
    ],
)
def test_a_faulty_layer_is_named(text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        Architecture("mine", ["dense 8", text])
    message = str(caught.value)
    assert f"layer '{text}'" in message
    assert told in message
    assert "config/architectures.yaml: mine: layers" in message
    assert "fix:" in message


@given(st.text(max_size=20))
def test_any_text_is_a_layer_or_a_user_error(text: str) -> None:
    try:
        assert len(Architecture("mine", [text]).parsed) == 1
    except UserError as error:
        assert f"layer '{text}'" in str(error)


def test_layers_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match=r"'dense 8' does not fit here: .* put `flatten` before it"):
        Architecture("mine", ["conv 4", "dense 8"]).network(64, 3, (8, 8))
    with pytest.raises(UserError, match="'the output layer' does not fit here"):
        Architecture("mine", ["conv 4", "relu"]).network(64, 3, (8, 8))
    with pytest.raises(UserError, match=r"'conv 4' does not fit here: .* rows are flat"):
        Architecture("mine", ["flatten", "conv 4"]).network(64, 3, (8, 8))
    with pytest.raises(UserError, match="a 3 x 3 filter does not fit into 2 x 5 pixels"):
        Architecture("mine", ["conv 4 padding valid", "flatten"]).network(10, 3, (2, 5))
    with pytest.raises(UserError, match="a square of 4 does not fit into 3 x 8 pixels"):
        Architecture("mine", ["maxpool 4", "flatten"]).network(24, 3, (3, 8))
    with pytest.raises(UserError, match="this dataset has none"):
        Architecture("mine", ["conv 4", "flatten"]).network(64, 3, None)


def test_shapes_of_the_networks_of_the_study() -> None:
    mlp = shipped("mlp-64-64").network(13, 3)
    assert mlp.kernels == [(13, 64), (64, 64), (64, 3)]
    assert mlp.stackable
    assert mlp.inputs == (13,)
    conv = shipped("conv5").network(64, 10, (8, 8))
    assert conv.kernels == [
        (3, 3, 1, 16),
        (3, 3, 16, 16),
        (3, 3, 16, 32),
        (3, 3, 32, 32),
        (3, 3, 32, 32),
        (2 * 2 * 32, 64),
        (64, 10),
    ]
    assert conv.stackable  # small images train side by side, larger ones alone
    assert not shipped("conv5").network(14 * 14, 10, (14, 14)).stackable
    assert conv.inputs == (8, 8, 1)
    odd = shipped("conv5").network(49, 2, (7, 7))
    assert odd.kernels[5] == (2 * 2 * 32, 64)  # 7 -> 4 -> 2


def test_initial_weights_have_he_variance_and_are_keyed_by_architecture_seed_and_layer() -> None:
    network = Architecture("wide", ["dense 300", "relu", "dense 200"]).network(400, 100)
    kernels, biases = network.unpack(network.initial(7)[None])
    variances = [float(np.var(kernel)) for kernel in kernels]
    assert variances == pytest.approx([2 / 400, 1 / 300, 1 / 200], rel=0.02)
    assert all(not bias.any() for bias in biases)
    again = Architecture("wide", ["dense 300", "relu", "dense 200"]).network(400, 7)
    assert np.array_equal(
        kernels[0][0], again.unpack(again.initial(7)[None])[0][0][0]
    )  # other outputs, same hidden layer
    assert not np.array_equal(network.initial(7), network.initial(8))
    other = Architecture("narrow", ["dense 300", "relu", "dense 200"]).network(400, 100)
    assert not np.array_equal(network.initial(7), other.initial(7))


def test_unpack_is_the_inverse_of_concatenation() -> None:
    network = shipped("conv5").network(64, 10, (8, 8))
    flat = np.arange(2 * sum(network.sizes), dtype=np.float32).reshape(2, -1)
    kernels, biases = network.unpack(flat)
    assert [kernel.shape[1:] for kernel in kernels] == network.kernels
    assert np.array_equal(np.concatenate([part.reshape(2, -1) for part in [*kernels, *biases]], axis=1), flat)
    assert network.kernel_size == sum(kernel[0].size for kernel in kernels)


def test_norms_start_at_scale_one_and_shift_zero_behind_the_kernels_and_in_order() -> None:
    network = Architecture("normed", ["dense 3", "batchnorm", "relu", "layernorm"]).network(2, 2)
    assert [(one.layer, one.name) for one in network.parameters] == [
        (0, "kernel"),
        (4, "kernel"),
        (0, "bias"),
        (1, "scale"),
        (1, "shift"),
        (3, "scale"),
        (3, "shift"),
        (4, "bias"),
    ]
    vectors = network.initial(0)[network.kernel_size :]
    assert vectors.tolist() == [0] * 3 + ([1] * 3 + [0] * 3) * 2 + [0] * 2


@given(
    side=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    text=st.sampled_from(
        ["conv 2", "conv 2 stride 2", "conv 3 padding valid", "conv 1 stride 3 padding valid", "maxpool 2"]
    ),
)
def test_an_image_has_the_shape_that_was_said(side: tuple[int, int], text: str) -> None:
    network = Architecture("mine", [text, "flatten"]).network(side[0] * side[1], 1, side)
    layer = keras_model([text], (*side, 1), 1).layers[0]
    assert network.shapes[1] == tuple(layer.output.shape[1:])


def test_shipped_table_follows_its_schema_and_every_entry_is_an_architecture() -> None:
    Draft202012Validator(schema("architectures")).validate(TABLE)
    assert shipped("linear").layers == ()
    for name in TABLE:
        shipped(name).network(64, 10, (8, 8))


def test_schema_lets_through_exactly_what_can_be_read() -> None:
    assert set(EXAMPLES) == set(LAYERS)  # a new layer needs an example here and a word in the schema
    [entry] = schema("architectures")["patternProperties"].values()
    pattern = re.compile(entry["properties"]["layers"]["items"]["pattern"])
    for text in EXAMPLES.values():
        assert pattern.search(text)
        Architecture("mine", [text])
    for text in ("dense", "dense 0", "conv 16 step 2", "relu 3", "dens 64"):
        assert not pattern.search(text)


def test_reading_an_architecture_does_not_import_tensorflow() -> None:
    code = (
        "import sys; from l2audit.models.architectures import Architecture; import l2audit.runs.engines;"
        "Architecture('m', ['dense 4', 'relu']).network(3, 2).initial(0); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
