"""Everything that can be known to fail before anything is trained, and that no schema knows.

Whether a source exists, a layer's text is a layer, layers fit each other and the images, a penalty is one, and whether
the engine that an arm needs can do what it asks for. No TensorFlow: it is told in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator

from l2audit.config.faults import ConfigError, Fault
from l2audit.config.study import Arm, Config
from l2audit.data.entries import read_entry
from l2audit.design import Shard, network_of, plan
from l2audit.models.penalties import Penalty, read_penalty
from l2audit.registry import UnknownName
from l2audit.training.linear.fit import supports

EXAMPLES = "write for example `l2`, `l2 except output`, `l2 with biases`, `l1` or `decay` (docs/workflow.md)"


def verify(config: Config) -> None:
    """Nothing, if every run of the study can be trained.

    ConfigError: every penalty that is none or does not fit its arm. UserError: the first entry of a dataset or network
    that cannot stand.
    """
    for name in config.study.all_datasets:
        read_entry(name, config.datasets[name])
    penalties, faults = {}, []
    for arm in config.study.arms.values():
        try:
            penalties[arm.name] = read_penalty(arm.penalty)
        except ValueError as error:
            faults.append(_fault(config, arm, error))
    for shard in plan(config):
        if shard.arm in penalties:
            faults += _unfit(config, shard, penalties[shard.arm])
    if faults:
        raise ConfigError(faults)


def _unfit(config: Config, shard: Shard, penalty: Penalty) -> Iterator[Fault]:
    """What the engine of a shard cannot do."""
    arm = config.study.arms[shard.arm]
    network = network_of(config, arm, shard.dataset)
    try:
        if len(network.layers) == 1:  # the output layer alone: solved exactly
            for loss in shard.losses:
                supports(loss, penalty)
        else:
            penalty.covers(len(network.kernels))
    except (ValueError, UnknownName) as error:
        yield _fault(config, arm, error)


def _fault(config: Config, arm: Arm, error: Exception) -> Fault:
    key = "penalty" if arm.name in config.study.architectures else f"arms.{arm.name}.penalty"
    return Fault(config.file, 0, key, str(error), EXAMPLES)
