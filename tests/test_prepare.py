"""The images that a run sees: corrupted, a random share, the hardest, in this order and the same for all runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gossamer.bench.adversarial import Adversarial
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.evaluate import evaluate
from gossamer.bench.models import build
from gossamer.bench.prepare import corrupted, family_for, prepare
from gossamer.bench.run import run
from gossamer.bench.samples import Samples
from gossamer.bench.score import FIRST_SEED, choose
from gossamer.core.errors import SettingError
from gossamer.corrupt import CORRUPTIONS, FAMILIES, corrupt
from gossamer.corrupt.training import derived
from gossamer.hardness import el2n, hardest
from tests.workbench import TRAIN, bench, digits, spec

FAST = Corrupted(kinds=("gaussian_noise", "impulse_noise"), severity=3, seed=4)
HARD = Hard(keep=0.5, models=1, epochs=1)


def network(folder: Path, data: Dataset) -> torch.nn.Module:
    model = build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def test_both_splits_are_corrupted_image_by_image_at_one_severity(tmp_path: Path) -> None:
    clean, found = digits(), prepare(spec(corrupted=FAST), bench(tmp_path)).bench
    for part, before, after in (
        ("train", clean.train_images, found.train.images), ("test", clean.test_images, found.test.images)
    ):  # fmt: skip
        seed, used = derived(4, part), set()
        for number, image in enumerate(after):
            tried = [
                corrupt(before[number : number + 1], kind, 3, seed=seed, index=[number], family="cifar-c")[0]
                for kind in FAST.kinds
            ]
            (kind,) = [k for k, each in enumerate(tried) if torch.equal(each, image)]
            used.add(kind)
        assert used == {0, 1}
    assert torch.equal(found.train.labels, clean.train_labels)
    assert torch.equal(found.test.labels, clean.test_labels)
    assert (found.data.mean, found.data.std) == (clean.mean, clean.std)


def test_methods_and_seeds_see_the_same_pictures_and_other_seeds_of_the_corruption_others(tmp_path: Path) -> None:
    first = prepare(spec(corrupted=FAST, keep=0.5), bench(tmp_path)).bench
    for recipe, seed in (("dense", 3), ("set", 0), ("lth", 7)):
        other = prepare(spec(recipe, seed=seed, corrupted=FAST, keep=0.5), bench(tmp_path)).bench
        assert torch.equal(other.train.images, first.train.images)
        assert torch.equal(other.test.images, first.test.images)
    other = prepare(spec(corrupted=replace(FAST, seed=5), keep=0.5), bench(tmp_path)).bench
    assert not torch.equal(other.test.images, first.test.images)
    assert torch.equal(other.train.labels, first.train.labels)  # the share is another draw


def test_clean_accuracy_is_of_the_clean_test_set(tmp_path: Path) -> None:
    strong = Corrupted(kinds=("impulse_noise",), severity=6)
    each = spec("dense", corrupted=strong, train=replace(TRAIN, epochs=8))
    place = prepare(each, bench(tmp_path)).bench
    result, data = run(each, place), digits()
    model = network(tmp_path / each.key, data)
    assert place.clean is data
    for name, images in (("clean_accuracy", data.test_images), ("test_accuracy", place.test.images)):
        assert result[name] == evaluate(model, Samples(images, data.test_labels), TRAIN)["accuracy"]
    assert result["clean_accuracy"] != result["test_accuracy"]
    assert "clean_accuracy" not in run(spec("dense"), bench(tmp_path))


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.999, 1 / 96])
def test_the_share_is_the_one_that_p1s_code_draws(keep: float, tmp_path: Path) -> None:
    found = prepare(spec(keep=keep), bench(tmp_path))
    drawn = np.sort(np.random.RandomState(12345).choice(96, int(96 * keep), replace=False))
    assert found.bench.chosen is not None
    assert found.bench.chosen.tolist() == drawn.tolist()
    assert torch.equal(found.bench.train.images, digits().train_images[torch.from_numpy(drawn)])
    assert found.words == f"a random {100 * keep:g} % of the training set, {len(drawn)} images"
    assert len(found.bench.test) == 40


def test_the_share_of_a_corrupted_set_has_the_pictures_of_the_whole(tmp_path: Path) -> None:
    whole, part = (prepare(spec(corrupted=FAST, keep=keep), bench(tmp_path)).bench for keep in (1.0, 0.3))
    assert part.chosen is not None
    assert torch.equal(part.train.images, whole.train.images[part.chosen])


def test_a_share_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"expected a share in \(0, 1\] that leaves at least one of 96 images"):
        prepare(spec(keep=0.01), bench(tmp_path))


def test_the_hardest_are_chosen_out_of_the_share_by_networks_that_saw_only_it(tmp_path: Path) -> None:
    each = spec("dense", keep=0.6, corrupted=FAST, hard=HARD)
    found = prepare(each, bench(tmp_path))
    whole = corrupted(digits(), FAST, "cifar-c")
    share = np.sort(np.random.RandomState(12345).choice(96, 57, replace=False))
    images, labels = whole.train_images[share], whole.train_labels[share]
    (folder,) = tmp_path.glob(f"*-seed{FIRST_SEED}-*")
    with torch.no_grad():
        scores = el2n(network(folder, whole)(images.float() / 255), labels)
    kept = share[hardest(scores, 0.5).numpy()]
    assert found.bench.chosen is not None
    assert found.bench.chosen.tolist() == kept.tolist()
    assert torch.equal(found.pool.train.images, images)
    assert found.scored is not None
    assert len(found.scored.mean) == 57
    assert torch.equal(found.bench.train.images, whole.train_images[kept])
    assert found.words == (
        "train and test images corrupted by gaussian_noise, impulse_noise at severity 3 (cifar-c, one of them each "
        "image); a random 60 % of the training set, 57 images; 28 of 57 training images, the hardest over all classes "
        "by EL2N after 1 of 2 epochs, mean of 1 network"
    )
    assert run(each, found.bench)["train_images"] == 28


def test_networks_are_asked_that_saw_no_attack(tmp_path: Path) -> None:
    attacked = spec("rigl", hard=HARD, adversarial=Adversarial(train="fgsm", evaluate="fgsm"))
    plain = [choose(each, bench(tmp_path)) for each in (attacked, replace(attacked, adversarial=None))]
    assert plain[0] is not None
    assert plain[1] is not None
    assert plain[0].scored.runs == plain[1].scored.runs
    (folder,) = tmp_path.glob("digits-*")
    assert json.loads((folder / "spec.json").read_text())["adversarial"] is None


def test_the_very_hardest_are_left_out(tmp_path: Path) -> None:
    found = choose(spec("dense", hard=replace(HARD, drop=0.25)), bench(tmp_path))
    assert found is not None
    order = torch.argsort(found.scored.mean, descending=True, stable=True)
    assert found.indices.tolist() == sorted(order[24:72].tolist())
    assert found.provenance.endswith("mean of 1 network, the very hardest 0.25 left out")


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (("fog",), "corrupted by fog at severity 5 (cifar-c)"),
        (("fog", "pixelate"), "corrupted by fog, pixelate at severity 5 (cifar-c, one of them each image)"),
        (("fog", "snow", "pixelate", "contrast", "brightness"), "corrupted by 5 kinds at severity 5"),
        (("frost",), "corrupted by frost at severity 5 (cifar-c; frost: procedural)"),
    ],
)
def test_words_tell_what_was_done(kinds: tuple[str, ...], words: str, tmp_path: Path) -> None:
    how = Corrupted(kinds=kinds, severity=5, frost="procedural")
    assert words in prepare(spec(corrupted=how), bench(tmp_path, digits(20, 20))).words


def test_grey_images_have_no_colours_to_change() -> None:
    colour = tuple(name for name, kind in CORRUPTIONS.items() if kind.colour)
    assert "saturate" in colour
    with pytest.raises(SettingError, match=r"work on grey images, got saturate, which change colours; leave them out"):
        corrupted(digits(), Corrupted(kinds=("fog", "saturate")), "cifar-c")


@pytest.mark.parametrize("severity", [1, 6])
def test_every_other_kind_works_on_small_grey_images(severity: int) -> None:
    for kind in (name for name, kind in CORRUPTIONS.items() if not kind.colour):
        changed = corrupted(digits(20, 20), Corrupted(kinds=(kind,), severity=severity, frost="procedural"), "cifar-c")
        assert changed.train_images.shape == (20, 1, 8, 8)


SIZES: dict[int, Any] = {8: "cifar-c", 28: "cifar-c", 32: "cifar-c", 64: "tinyimagenet-c", 96: "tinyimagenet-c",
                         160: "imagenet-c", 224: "imagenet-c", 384: "imagenet-c"}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_constants_are_those_of_the_nearest_size_unless_named(size: int) -> None:
    assert family_for(Corrupted(), size) == SIZES[size]
    for family in FAMILIES:
        assert family_for(Corrupted(family=family), size) == family
