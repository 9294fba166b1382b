"""Random networks and random edits of them, with the truth about which layer is which."""

from __future__ import annotations

import numpy as np
from networks import Network

ACTIVATIONS = ["relu", "tanh", "gelu", "linear", "sigmoid"]


def network(seed: int) -> Network:
    """Return a network of 8 to 40 layers, with branches, shared layers and models inside."""
    random = np.random.default_rng(seed)
    found = Network(random=np.random.default_rng(seed + 1))
    size = int(random.integers(8, 41))
    last = found.add("InputLayer")
    kind = str(random.choice(["Dense", "Conv"]))
    plain = bool(random.integers(2))  # all layers alike, as in many real networks
    while len(found.layers) < size:
        last = _grow(found, random, last, kind, plain)
    found.add("Dense", last, units=5, activation="softmax")
    found.scratch()
    for number in list(found.layers)[1:]:
        if random.random() < 0.1:
            found.layers[number].name = f"chosen_{number}"
    if random.random() < 0.5:
        _wrap(found, random)
    return found


def _grow(found: Network, random: np.random.Generator, last: int, kind: str, plain: bool) -> int:
    what = random.choice(["layer", "block", "residual", "branches", "shared"],
                         p=[0.4, 0.25, 0.15, 0.15, 0.05])  # fmt: skip
    activation = "relu" if plain else str(random.choice(ACTIVATIONS))
    if what == "layer":
        return found.add(kind, last, activation=activation)
    if what == "block":
        rate = 0.3 if plain else float(random.choice([0.1, 0.3, 0.5]))
        steps = (kind, {"activation": "linear"}), "BatchNormalization", "ReLU"
        return found.chain(*steps, ("Dropout", {"rate": rate}), on=last)[-1]
    if what == "residual":
        end = found.chain((kind, {"activation": activation}), "LayerNormalization", on=last)[-1]
        return found.add("Add", last, end) if found.width(last) == found.width(end) else end
    if what == "branches":
        ends = [
            found.chain(*[(kind, {"activation": activation})] * (1 + branch % 2), on=last)[-1]
            for branch in range(int(random.integers(2, 4)))
        ]
        joined = found.add("Concatenate", *ends)
        return found.add(kind, joined, activation=activation)
    one, other = found.add(kind, last), found.add(kind, last, activation="tanh")
    shared = found.add(kind, one)
    found.layers[shared].inputs.append([other])
    return found.add("Add", shared, shared)


def _wrap(found: Network, random: np.random.Generator) -> bool:
    """Put two to five layers of a chain into a model inside."""
    starts = [n for n, layer in found.layers.items() if layer.cls != "InputLayer"]
    for start in random.permutation(starts):
        run = [int(start)]
        while len(run) < int(random.integers(2, 6)):
            users = found.consumers(run[-1])
            if len(users) != 1 or run[-1] in found.outputs:
                break
            run.append(users[0])
        layers = [found.layers[n] for n in run]
        lone = all(len(layer.inputs) == 1 and len(layer.inputs[0]) == 1 for layer in layers)
        if len(run) > 1 and lone and not any(layer.scope for layer in layers):
            found.wrap(run, name=None if random.integers(2) else f"part_{start}")
            return True
    return False


def edit(found: Network, random: np.random.Generator) -> str:
    """Make one random edit, and return what it was."""
    edits = [_insert, _delete, _rename, _rescope, _set, _tune, _initialize]
    weights = np.array([3, 3, 1.5, 1, 3, 1.5, 1])
    while True:
        one = edits[int(random.choice(len(edits), p=weights / weights.sum()))]
        if one(found, random):
            return one.__name__


def _any(found: Network, random: np.random.Generator, *classes: str) -> int | None:
    numbers = [n for n, layer in found.layers.items() if not classes or layer.cls in classes]
    return int(random.choice(numbers)) if numbers else None


def _insert(found: Network, random: np.random.Generator) -> bool:
    after = _any(found, random)
    assert after is not None
    if not found.consumers(after) or len(found.layers[after].inputs) > 1:
        return False
    cls = str(random.choice(["Dense", "Conv", "Dropout", "BatchNormalization", "Activation"]))
    settings = {"Dense": {"units": found.width(after)}, "Conv": {"filters": found.width(after)}}
    users = found.consumers(after)
    if found.layers[after].scope and any(
        found.layers[user].scope != found.layers[after].scope for user in users
    ):
        return False
    if any(found.layers[user].scope != found.layers[after].scope for user in users):
        users = [u for u in users if found.layers[u].scope == found.layers[after].scope]
    if not users:
        return False
    found.insert(after, cls, before=users, **settings.get(cls, {}))
    return True


def _delete(found: Network, random: np.random.Generator) -> bool:
    number = _any(found, random)
    assert number is not None
    layer = found.layers[number]
    if layer.cls == "InputLayer" or len(layer.inputs) > 1 or len(layer.inputs[0]) > 1:
        return False
    source = layer.inputs[0][0]
    if found.width(source) != found.width(number) or len(found.layers[source].inputs) > 1:
        return False
    if layer.scope != found.layers[source].scope or number in found.outputs:
        return False
    mates = [n for n, one in found.layers.items() if one.scope == layer.scope]
    if len(mates) < 3 or any(found.layers[u].scope != layer.scope for u in found.consumers(number)):
        return False
    found.delete(number)
    return True


def _rename(found: Network, random: np.random.Generator) -> bool:
    number = _any(found, random)
    assert number is not None
    found.layers[number].name = f"renamed_{random.integers(10**6)}"
    return True


def _rescope(found: Network, random: np.random.Generator) -> bool:
    inside = sorted({layer.scope for layer in found.layers.values()} - {0})
    if inside and random.integers(2):
        for layer in found.layers.values():
            layer.scope = 0 if layer.scope == inside[0] else layer.scope
        return True
    return _wrap(found, random)


def _set(found: Network, random: np.random.Generator) -> bool:
    number = _any(found, random, "Dense", "Conv", "Dropout", "Activation")
    if number is None:
        return False
    layer = found.layers[number]
    if layer.cls == "Dropout":
        layer.config["rate"] = float(random.choice([0.05, 0.2, 0.6]))
    elif layer.cls == "Dense" and random.random() < 0.3 and number not in found.outputs:
        return _widen(found, number)
    else:
        layer.config["activation"] = str(random.choice(ACTIVATIONS))
    return True


def _widen(found: Network, number: int) -> bool:
    """Change the number of units, where no Add below needs the old one."""
    below, waiting = set(), found.consumers(number)
    while waiting:
        one = waiting.pop()
        if one not in below:
            below.add(one)
            if found.layers[one].cls not in ("Dense", "Conv"):
                waiting += found.consumers(one)
    if any(found.layers[one].cls == "Add" for one in below):
        return False
    if any(len(found.layers[one].inputs) > 1 for one in below):
        return False
    found.layers[number].config["units"] += 4
    found.reshape()
    return True


def _tune(found: Network, random: np.random.Generator) -> bool:
    found.nudge()
    return True


def _initialize(found: Network, random: np.random.Generator) -> bool:
    number = _any(found, random, "Dense", "Conv")
    if number is None:
        return False
    found.initialize(number)
    return True


def rebuilt(found: Network, random: np.random.Generator) -> Network:
    """Return the same network, built in another order, so that other numbers are in its names."""
    order = found.order()
    if random.integers(2):
        found.layers = {number: found.layers[number] for number in reversed(order)}
    return found
