"""What a person would say of two networks: each edit is found as itself, and nothing beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from networks import Network, at_version

from kvcs.comparison import Diff, describe, diff, patch, weighed_diff
from kvcs.comparison.values import COUNTED
from kvcs.spec import MISSING, StateSpec, StoredModel

SEVEN = ["InputLayer", *["Dense", "Dropout"] * 6, ("Dense", {"units": 5})]


def seven() -> Network:
    """Seven layers with weights, six of them alike, and dropout between."""
    found = Network()
    found.chain(*SEVEN)
    found.nudge(by=0.1)
    return found


def blocks() -> Network:
    """Convolution, normalisation and activation, three times, and a head."""
    found = Network()
    block = ["Conv", "BatchNormalization", "ReLU"]
    found.chain("InputLayer", *block * 3, ("Dense", {"units": 5}))
    found.nudge(by=0.1)
    return found


def compared(old: Network | StoredModel, new: Network | StoredModel) -> Diff:
    """Compare two networks, by digests and by weights, and check what always holds."""
    models = [one.stored() if isinstance(one, Network) else one for one in (old, new)]
    found = diff(*models)
    assert patch(describe(models[0]), found) == dict(sorted(describe(models[1]).items()))
    if isinstance(old, Network) and isinstance(new, Network):
        weighed = weighed_diff(*models, old.contents(), new.contents())
        assert counts(weighed) == counts(found)
    return found


def counts(found: Diff) -> dict[str, int]:
    """Return what counts, without the zeros."""
    return {key: count for key, count in found.summary.items() if count and key in COUNTED}


def of_class(network: Network, cls: str) -> list[int]:
    return [number for number, layer in network.layers.items() if layer.cls == cls]


class TestWeights:
    def test_1_rebuilt(self) -> None:
        old = seven().stored()
        names = {"layers/dense": "dense_7", "layers/dropout": "dropout_6", ".": "functional_1"}
        found = compared(old, replace(old, live_names=names))
        assert not found
        assert counts(found) == {}
        assert found.summary["renumbered"] == 3

    def test_2_all_weights_nudged(self) -> None:
        old, new = seven(), seven()
        new.nudge()
        assert counts(compared(old, new)) == {"weights": 7}

    def test_3_frozen_backbone_and_trained_head(self) -> None:
        old, new = seven(), seven()
        for number in new.layers:
            new.layers[number].trainable = number in new.outputs
        new.nudge(new.outputs)
        assert counts(compared(old, new)) == {"trainable": 6, "weights": 1}


class TestInserting:
    def run(self) -> tuple[Network, Network, int]:
        old = Network()
        numbers = old.chain("InputLayer", *["Dense"] * 6, ("Dense", {"units": 5}))
        old.nudge(by=0.1)
        new = old.copy()
        return old, new, new.insert(numbers[3], "Dense")

    def test_4_a_layer_in_a_run_of_equal_ones(self) -> None:
        old, new, number = self.run()
        found = compared(old, new)
        assert counts(found) == {"added": 1}
        assert [change.path for change in found.of("added")] == [new.paths()[number]]

    def test_5_and_fine_tuned(self) -> None:
        old, new, number = self.run()
        new.nudge()
        assert counts(compared(old, new)) == {"added": 1, "weights": 7}
        weighed = weighed_diff(old.stored(), new.stored(), old.contents(), new.contents())
        assert [change.path for change in weighed.of("added")] == [new.paths()[number]]

    def test_5_and_retrained_from_scratch(self) -> None:
        old, new, _ = self.run()
        new.random = np.random.default_rng(9)
        new.scratch()
        found = compared(old, new)
        assert counts(found) == {"added": 1, "weights": 7}
        (added,) = found.of("added")
        assert added.path == "dense_6"  # the last of the run
        assert added.reason == "run of equal layers"

    def test_6_a_layer_deleted(self) -> None:
        old = seven()
        new = old.copy()
        new.delete(of_class(new, "Dense")[3])
        assert counts(compared(old, new)) == {"removed": 1}

    def test_11_a_residual_connection(self) -> None:
        old = seven()
        new = old.copy()
        source, last = of_class(new, "Dense")[1:3]
        number = new.insert(last, "Add")
        new.layers[number].inputs[0].append(source)
        assert counts(compared(old, new)) == {"added": 1, "connections_added": 1}
        assert counts(compared(new, old)) == {"removed": 1, "connections_removed": 1}

    def test_14_equal_seeds(self) -> None:
        old = Network()
        numbers = old.chain("InputLayer", *["Dense"] * 5)
        same = old.layers[numbers[1]].weights["kernel"]
        new = old.copy()
        new.insert(numbers[2], "Dense")
        for network in (old, new):
            for number in of_class(network, "Dense"):
                network.layers[number].weights["kernel"] = same
        assert counts(compared(old, new)) == {"added": 1}

    def test_17_a_new_head(self) -> None:
        old = seven()
        new = old.copy()
        (head,) = new.outputs
        (source,) = new.layers[head].inputs[0]
        del new.layers[head]
        new.chain(("Dense", {"units": 32}), ("Dense", {"units": 3, "activation": "tanh"}),
                  on=source)  # fmt: skip
        assert counts(compared(old, new)) == {"removed": 1, "added": 2}

    def test_17_a_block_removed(self) -> None:
        old = blocks()
        new = old.copy()
        for number in sorted(new.layers)[4:7]:
            new.delete(number)
        assert counts(compared(old, new)) == {"removed": 3}


class TestSettings:
    def test_7_units(self) -> None:
        old = seven()
        new = old.copy()
        number = of_class(new, "Dense")[2]
        new.layers[number].config["units"] = 64
        new.reshape()
        found = compared(old, new)
        assert counts(found) == {"config": 1, "shapes": 2}
        (setting,) = found.of("config")
        assert [change.consequence_of for change in found.of("shape")] == [setting.id] * 2
        assert (setting.at, setting.old, setting.new) == ("units", 8, 64)

    def test_8_activations_and_rates(self) -> None:
        old = seven()
        new = old.copy()
        for number in of_class(new, "Dense")[:6]:
            new.layers[number].config["activation"] = "gelu"
        for number in of_class(new, "Dropout"):
            new.layers[number].config["rate"] = 0.5
        found = compared(old, new)
        assert counts(found) == {"config": 12}
        assert sorted(len(changes) for changes in found.groups.values()) == [6, 6]

    def test_10_replaced(self) -> None:
        old = blocks()
        new = old.copy()
        layer = new.layers[of_class(new, "ReLU")[1]]
        layer.cls, layer.config = "LeakyReLU", {"negative_slope": 0.3}
        found = compared(old, new)
        assert counts(found) == {"replaced": 1}

    def test_16_renamed(self) -> None:
        old = seven()
        new = old.copy()
        new.layers[of_class(new, "Dense")[2]].name = "middle"
        found = compared(old, new)
        assert counts(found) == {"renamed": 1}
        (renamed,) = found.of("renamed")
        assert (renamed.old, renamed.new) == ("dense_2", "middle")

    def test_18_mixed_precision(self) -> None:
        old = seven().stored()
        policy = {"module": "keras", "class_name": "DTypePolicy", "registered_name": None,
                  "config": {"name": "mixed_float16"}}  # fmt: skip
        new = each_config(old, lambda config: {**config, "dtype": policy})
        found = compared(old, new)
        assert counts(found) == {"config": 14}
        assert [len(changes) for changes in found.groups.values()] == [14]

    def test_18_an_older_keras(self) -> None:
        new = seven().stored()
        newer = each_config(new, lambda config: {**config, "quantization_config": None})
        found = compared(at_version(new, "3.6.0"), newer)
        assert counts(found) == {}
        assert found.summary["notes"] == 14 + 1  # and the version

    def test_18_an_older_keras_writes_initializers_otherwise(self) -> None:
        """Found in the models that Keras 3.6 and 3.15 write."""
        network = Network()
        network.chain("InputLayer", *["Dense"] * 3, ("Dense", {"units": 5}))
        other = network.copy()
        other.scratch()

        def initializer(name: str, **config: Any) -> Any:
            return {"module": "keras.initializers", "class_name": name, "config": config,
                    "registered_name": None}  # fmt: skip

        older = {"kernel_initializer": initializer("GlorotUniform", seed=None),
                 "recurrent_initializer": initializer("OrthogonalInitializer", gain=1.0),
                 "dtype": "float32"}  # fmt: skip
        newer = {"kernel_initializer": initializer("GlorotUniform", seed=None, input_axes=None),
                 "recurrent_initializer": initializer("Orthogonal", gain=1.0)}  # fmt: skip
        models = [
            each_config(network.stored(), lambda config: {**config, **older}),
            each_config(other.stored(), lambda config: {**config, **newer}),
        ]
        found = compared(at_version(models[0], "3.6.0"), models[1])
        assert counts(found) == {"weights": 4}
        assert {pair.strategy for pair in found.pairs} == {"structure"}

    def test_a_key_without_another_version_is_a_setting(self) -> None:
        old = seven().stored()
        new = each_config(old, lambda config: {**config, "extra": 1})
        assert counts(compared(old, new)) == {"config": 14}


def each_config(model: StoredModel, edited: Any) -> StoredModel:
    entries = tuple(
        replace(entry, layer=replace(entry.layer, config=edited(dict(entry.layer.config))))
        for entry in model.model.layers
    )
    return replace(model, model=replace(model.model, layers=entries))


class TestConnections:
    def test_9_moved(self) -> None:
        old = blocks()
        new = old.copy()
        normalization, activation = of_class(new, "BatchNormalization")[1], of_class(new, "ReLU")[1]
        convolution = new.layers[normalization].inputs[0][0]
        (following,) = new.consumers(activation)
        new.layers[activation].inputs = [[convolution]]
        new.layers[normalization].inputs = [[activation]]
        new.rewire(following, activation, normalization)
        found = compared(old, new)
        assert counts(found) == {"moved": 1}
        assert [change.path for change in found.of("moved")] == ["batch_normalization_1"]
        new.scratch()
        assert counts(compared(old, new)) == {"moved": 1, "weights": 7}

    def shared(self) -> tuple[Network, int, int, int]:
        found = Network()
        one, other = found.add("InputLayer"), found.add("InputLayer")
        tower = found.add("Dense", one)
        found.layers[tower].inputs.append([other])
        joined = found.add("Concatenate", tower, tower)
        found.add("Dense", joined, units=3)
        return found, other, tower, joined

    def test_12_a_shared_layer_unshared(self) -> None:
        old, other, tower, joined = self.shared()
        new = old.copy()
        del new.layers[tower].inputs[1]
        number = new.add("Dense", other)
        new.outputs = list(old.outputs)
        new.layers[joined].inputs = [[tower, number]]
        found = compared(old, new)
        assert counts(found) == {"added": 1, "connections_added": 1, "connections_removed": 1}
        (calls,) = (change for change in found.of("calls") if change.path == "dense")
        assert (len(calls.old), len(calls.new)) == (2, 1)

    def test_13_wrapped(self) -> None:
        old = seven()
        new = old.copy()
        inside = of_class(new, "Dense")[1:3]
        new.wrap([inside[0], inside[0] + 1, inside[1]])
        found = compared(old, new)
        assert counts(found) == {"containers_added": 1, "rescoped": 3}
        assert counts(compared(new, old)) == {"containers_removed": 1, "rescoped": 3}
        new.nudge(new.layers.keys() & {inside[0], inside[1]})
        assert counts(compared(old, new)) == {"containers_added": 1, "rescoped": 3, "weights": 2}

    def branches(self) -> tuple[Network, list[int], int]:
        found = Network()
        start = found.add("InputLayer")
        ends = [found.chain("Dense", ("Dense", {"units": 8 + i}), on=start)[-1] for i in range(3)]
        joined = found.add("Concatenate", *ends)
        found.add("Dense", joined)
        found.nudge(by=0.1)
        return found, ends, joined

    def test_15_built_in_another_order(self) -> None:
        old, _, _ = self.branches()
        new = old.copy()
        new.layers = {number: new.layers[number] for number in reversed(list(new.layers))}
        found = compared(old, new)
        assert counts(found) == {}
        assert found.summary["renumbered"] > 0

    def test_15_inputs_swapped(self) -> None:
        old, ends, joined = self.branches()
        new = old.copy()
        new.layers[joined].inputs = [[ends[1], ends[0], ends[2]]]
        found = compared(old, new)
        assert counts(found) == {"inputs_reordered": 1}

    def test_the_order_of_a_sum_means_nothing(self) -> None:
        old = Network()
        start = old.add("InputLayer")
        ends = [old.add("Dense", start, activation=name) for name in ("relu", "tanh")]
        old.add("Add", *ends)
        new = old.copy()
        new.layers[new.outputs[0]].inputs = [ends[::-1]]
        assert counts(compared(old, new)) == {}


ADAM: Any = {"module": "keras.optimizers", "class_name": "Adam", "registered_name": None,
             "config": {"learning_rate": 0.001, "beta_1": 0.9}}  # fmt: skip
SGD: Any = {"module": "keras.optimizers", "class_name": "SGD", "registered_name": None,
            "config": {"learning_rate": 0.01, "momentum": 0.0}}  # fmt: skip
SCHEDULE: Any = {"module": "keras.optimizers.schedules", "class_name": "ExponentialDecay",
                 "registered_name": None, "config": {"decay_steps": 10}}  # fmt: skip


class TestTraining:
    def with_training(self, **given: Any) -> Network:
        found = seven()
        found.training = {"optimizer": ADAM, "loss": "mse", "metrics": None, **given}
        return found

    @pytest.mark.parametrize(
        ("given", "at"),
        [
            pytest.param({"optimizer": SGD}, "optimizer", id="optimizer"),
            pytest.param(
                {"optimizer": {**ADAM, "config": {"learning_rate": SCHEDULE, "beta_1": 0.9}}},
                "optimizer/config/learning_rate",
                id="schedule",
            ),
            pytest.param({"loss": "mae"}, "loss", id="loss"),
        ],
    )
    def test_18(self, given: dict[str, Any], at: str) -> None:
        found = compared(self.with_training(), self.with_training(**given))
        assert counts(found) == {"training": 1}
        assert [change.at for change in found.of("training")] == [at]

    def test_compiled_or_not(self) -> None:
        found = compared(seven(), self.with_training())
        assert counts(found) == {"training": 1}
        assert next(found.of("training")).old is MISSING
        assert counts(compared(self.with_training(), seven())) == {"training": 1}

    def test_18_a_counter_of_a_dropout(self) -> None:
        old = seven().stored()
        old = replace(old, state=StateSpec(seeds={"layers/dropout/seed_generator": (1, 2)}))
        new = replace(old, state=StateSpec(seeds={"layers/dropout/seed_generator": (1, 9)}))
        found = compared(old, new)
        assert not found
        assert found.summary["state"] == 1


class TestTraps:
    def test_averages_of_a_normalisation_are_state(self) -> None:
        old = blocks()
        new = old.copy()
        weights = new.layers[of_class(new, "BatchNormalization")[0]].weights
        weights["moving_mean"] = weights["moving_mean"] + 1
        found = compared(old, new)
        assert counts(found) == {}
        assert found.summary["state"] == 1

    def test_the_weights_of_a_rebuild_with_the_same_seed(self) -> None:
        """An inserted layer has the weights that stood in its place before."""
        old = Network()
        numbers = old.chain(
            "InputLayer", "Dense", ("Dense", {"activation": "tanh"}), ("Dense", {"units": 5})
        )
        new = old.copy()
        inserted = new.insert(numbers[1], "Dense", activation="gelu")
        kernel = new.layers[numbers[2]].weights["kernel"]
        new.initialize(numbers[2])
        new.layers[inserted].weights["kernel"] = kernel
        found = compared(old, new)
        assert counts(found) == {"added": 1, "weights": 1}
        assert [change.path for change in found.of("added")] == [new.paths()[inserted]]

    def test_zero_biases_say_nothing(self) -> None:
        old = Network()
        old.chain("InputLayer", "Dense", ("Dense", {"units": 5}), ("Dense", {"units": 7}))
        new = old.copy()
        for number in of_class(new, "Dense"):
            new.initialize(number)
        assert counts(compared(old, new)) == {"weights": 3}

    def test_unrelated(self) -> None:
        other = Network()
        other.chain("InputLayer", *["Conv", "LayerNormalization", "LeakyReLU"] * 5)
        found = diff(seven().stored(), other.stored())
        assert not found.related
        assert found
