"""A trained network to be judged: from a run's folder, or from a file of weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gossamer.bench.data import load
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.models import build, small_dense
from gossamer.bench.parse import parse
from gossamer.bench.recipes import narrow as narrow_settings
from gossamer.bench.weights import read_weights, unwrapped
from gossamer.core.errors import DataError, MissingError, SettingError, UnknownNameError
from gossamer.core.named import select

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Subject:
    """A trained network with the data it was trained for.

    Args:
        model: takes images in [0, 1], in evaluation mode, on its device.
        data: whose test set it is judged on.
        name: in words.
        place: the file of its weights.
        digest: of that file's content.
    """

    model: nn.Module
    data: Dataset
    name: str
    place: Path
    digest: str


def subject(
    checkpoint: Path, data: str | None, folder: Path | None, model: str | None, device: torch.device
) -> Subject:
    """Load a network from a run's folder or a file of weights.

    Args:
        checkpoint: a run's folder, the weights in it, or any file of a state dict (.safetensors, .pt).
        data: name or path of the data set; None: the run's own.
        folder: where a named data set lies.
        model: name of the network; None: the run's own.
        device: where it will run.

    Returns:
        The network, ready.

    Raises:
        MissingError: no such checkpoint, or a run that is not finished.
        SettingError: a file without a run, and not both --data and --model.
        DataError: weights of another network, or without the normalisation of its inputs.
    """
    place = checkpoint / WEIGHTS if checkpoint.is_dir() else checkpoint
    if not place.exists():
        raise MissingError(
            f"{place}: no such file; expected the folder of a finished run, or a file of weights (.safetensors, .pt)"
        )
    run = _spec(place)
    if (data is None or model is None) and run is None:
        raise SettingError(f"{place} lies in no run's folder, so name both: --data NAME --model NAME")
    run = run or {}
    name = model or str(run["model"])
    samples = load(data, folder=folder) if data is not None else _own_data(str(run["data"]), folder, place)
    if data is None and samples.fingerprint != run["fingerprint"]:
        raise DataError(
            f"expected the data set that {place.parent} was trained on, but {samples.label} has another content now; "
            "name the right one with --data and --folder"
        )
    narrow = run if run.get("recipe") == "small_dense" and model is None else None
    network = loaded(network_of(name, samples, narrow), name, samples, place)
    words = f"{name}, {run.get('recipe', place.name)}" + (f" at {run['sparsity']:g}" if run.get("sparsity") else "")
    return Subject(network.to(device).eval(), samples, words, place, sha256(place.read_bytes()).hexdigest())


def _spec(place: Path) -> dict[str, Any] | None:
    file = place.parent / "spec.json"
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{file}: expected a run's description, got something else ({error})") from None
    if not isinstance(content, dict) or not {"data", "fingerprint", "model", "recipe", "sparsity"} <= set(content):
        raise DataError(
            f"{file}: expected a run's description, got something else; name --data and --model, and move it"
        )
    return content


def _own_data(name: str, folder: Path | None, place: Path) -> Dataset:
    """The data set of a run; one that was loaded by its path has no name to be found by."""
    try:
        return load(name, folder=folder)
    except UnknownNameError:
        raise MissingError(
            f"{place.parent} was trained on {name!r}, which is no data set known by name; give its path with --data"
        ) from None


def network_of(name: str, data: Dataset, narrow: Mapping[str, Any] | None = None) -> nn.Module:
    """A network with weights of no meaning, for trained ones to be loaded into.

    Args:
        name: of the network.
        data: whose images it takes.
        narrow: ``sparsity`` and ``settings`` of a run of ``small_dense``; None is the network as it is.

    Returns:
        The network; its normalisation is overwritten by that of the weights.
    """
    sizes: Any = {"num_classes": data.num_classes, "image_size": data.image_size, "channels": data.channels}
    sizes["normalize"] = data.mean, data.std
    with torch.random.fork_rng(devices=[]):
        model = build(name, **sizes)
        if narrow is None:
            return model
        hidden = parse(narrow_settings, narrow["settings"]).get("hidden")
        if hidden is not None:
            return build(name, hidden=hidden, **sizes)
        weights = sum(weight.numel() for weight in select(model).values())
        return small_dense(name, round((1 - float(narrow["sparsity"])) * weights), **sizes)


def loaded(model: nn.Module, name: str, data: Dataset, place: Path) -> nn.Module:
    """A network with the weights of a file.

    Args:
        model: the network, changed in place.
        name: of the network, for messages.
        data: it was trained for, for messages.
        place: the file.

    Returns:
        The same network.

    Raises:
        DataError: weights of another network, or without the normalisation of its inputs.
    """
    own = model.state_dict()
    state = unwrapped(read_weights(place), own)
    lacking = [key for key in own if key.startswith("normalize.") and key not in state]
    if lacking and set(state) == set(own) - set(lacking):
        raise DataError(
            f"{place}: expected the normalisation of the inputs among the weights ({', '.join(lacking)}), but it is "
            "not there: the network would see images in [0, 1] as if they were normalised; put the normalisation "
            "inside the model (gossamer.bench.models.build(normalize=...) does) and save it again"
        )
    odd = sorted(set(own) ^ set(state)) or [key for key in own if own[key].shape != state[key].shape]
    if odd:
        raise DataError(
            f"{place}: expected the weights of {name} for {data.label}, but {len(odd)} names or shapes differ, such "
            f"as {odd[0]}; name the network it was trained as with --model, and its data with --data"
        )
    model.load_state_dict(state)
    return model
