"""The hardest samples: the same for every run, scored once, and told in words."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gossamer.bench.difficulty import Hard
from gossamer.bench.models import build
from gossamer.bench.prepare import prepare
from gossamer.bench.run import run
from gossamer.bench.score import FIRST_SEED, Hardest, choose, scoring_runs
from gossamer.bench.spec import RunSpec
from gossamer.core.errors import SettingError
from gossamer.hardness import el2n, hardest
from tests.workbench import TRAIN, Counting, Stopped, bench, digits, said, spec

HARD = Hard(keep=0.5, models=2, epochs=1)


def hard(recipe: str = "dense", settings: Hard = HARD, **changes: object) -> RunSpec:
    return spec(recipe, hard=settings, **changes)


def chosen(each: RunSpec, out: Path) -> Hardest:
    found = choose(each, bench(out))
    assert found is not None
    return found


def test_without_a_choice_all_are_trained_on(tmp_path: Path) -> None:
    assert choose(spec("dense"), bench(tmp_path)) is None
    found = prepare(spec("dense"), bench(tmp_path))
    assert (len(found.bench.train), found.words, found.scored) == (96, "all 96 training images", None)


def test_the_choice_is_the_same_for_every_run_of_a_comparison(tmp_path: Path) -> None:
    found = [chosen(hard(name, seed=seed), tmp_path) for name in ("dense", "set", "lth") for seed in (0, 1)]
    assert all(torch.equal(each.indices, found[0].indices) for each in found)
    assert len(found[0].indices) == 48
    assert len(list(tmp_path.glob("*-seed*"))) == 2  # two networks were trained, once


def test_scores_are_those_of_fresh_networks_trained_so_long(tmp_path: Path) -> None:
    """The slow way: load both networks, ask each for every image, and average."""
    found, data = chosen(hard(), tmp_path), digits()
    scores = []
    for seed in (FIRST_SEED, FIRST_SEED + 1):
        (folder,) = tmp_path.glob(f"*-dense-s0-seed{seed}-*")
        model = build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))
        model.load_state_dict(load_file(folder / "model.safetensors"))
        with torch.no_grad():
            scores.append(el2n(model.eval()(data.train_images.float() / 255), data.train_labels))
        plain = bench(tmp_path / "plain")
        run(spec("dense", seed=seed, stop=3), plain)
        assert said(folder) == said(plain.out / spec("dense", seed=seed, stop=3).key)
    torch.testing.assert_close(found.scored.mean, torch.stack(scores).mean(0))
    assert torch.equal(found.indices, hardest(found.scored.mean, 0.5))


def test_runs_train_on_the_chosen_images_and_are_tested_on_all(tmp_path: Path) -> None:
    place = prepare(hard(), bench(tmp_path)).bench
    indices = chosen(hard(), tmp_path).indices
    assert torch.equal(place.train.images, digits().train_images[indices])
    assert torch.equal(place.train.labels, digits().train_labels[indices])
    assert len(place.test) == 40
    result = run(hard(), place)
    assert (result["train_images"], result["steps"]) == (48, 4)
    assert hard().key != spec("dense").key


def test_the_same_share_of_every_class(tmp_path: Path) -> None:
    over_all, by_class = chosen(hard(), tmp_path), chosen(hard(settings=replace(HARD, per_class=True)), tmp_path)
    assert torch.equal(by_class.scored.mean, over_all.scored.mean)  # one scoring serves both
    labels = digits().train_labels
    for label in range(10):
        share = int((labels[by_class.indices] == label).sum()) / int((labels == label).sum())
        assert share == pytest.approx(0.5, abs=0.5 / int((labels == label).sum()) + 1e-9)
    assert "the hardest of every class" in by_class.provenance
    assert "the hardest over all classes" in over_all.provenance


def test_other_shares_are_nested_and_need_no_new_scores(tmp_path: Path) -> None:
    half = chosen(hard(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    quarter = chosen(hard(settings=replace(HARD, keep=0.25)), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert set(quarter.indices.tolist()) < set(half.indices.tolist())


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_stopped_and_continued_the_scores_are_the_same(stop: int, tmp_path: Path) -> None:
    expected = chosen(hard(), tmp_path / "whole")
    with pytest.raises(Stopped):
        choose(hard(), bench(tmp_path / "stopped", watch=Counting(stop), checkpoint_seconds=0))
    found = chosen(hard(), tmp_path / "stopped")
    assert torch.equal(found.scored.mean, expected.scored.mean)
    assert found.provenance == expected.provenance
    (one,), (other,) = (list((tmp_path / each).glob("el2n-*")) for each in ("whole", "stopped"))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in other.iterdir()}


def test_words_tell_the_truth(tmp_path: Path) -> None:
    told = chosen(hard(), tmp_path).provenance
    assert told == (
        "48 of 96 training images, the hardest over all classes by EL2N after 1 of 2 epochs, mean of 2 networks"
    )


def test_words_tell_how_long_scoring_networks_were_really_trained(tmp_path: Path) -> None:
    found = chosen(hard(settings=replace(HARD, epochs=5)), tmp_path)  # of a training of two
    assert found.scored.epochs == 2
    assert "after 2 of 2 epochs" in found.provenance


@pytest.mark.parametrize(("epochs", "expected"), [(2, 1), (10, 1), (25, 2), (200, 20)])
def test_by_default_a_tenth_of_the_training(epochs: int, expected: int) -> None:
    found = scoring_runs(
        hard(train=replace(TRAIN, epochs=epochs)), bench(Path("unused")), "el2n", models=3, epochs=None
    )
    assert [each.stop for each in found] == [3 * expected] * 3
    assert all(each.recipe == "dense" and each.hard is None and not each.log for each in found)


@pytest.mark.parametrize("epochs", [2, 10])
def test_scores_over_epochs_watch_the_whole_training(epochs: int) -> None:
    found = scoring_runs(hard(train=replace(TRAIN, epochs=epochs)), bench(Path("unused")), "aum", models=2, epochs=None)
    assert [each.stop for each in found] == [3 * epochs] * 2
    assert all(each.log for each in found)


def test_scoring_networks_share_no_seed_with_the_runs(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"seed apart from those of the scoring networks, 1000 to 1001, got 1000"):
        choose(hard(seed=FIRST_SEED), bench(tmp_path))
    for seed in (0, 1):
        found: list[int] = []

        class Seeds(Counting):
            def start(self, name: str, done: int, total: int, found: list[int] = found) -> None:
                found.append(int(name.split("-seed")[1].split("-")[0]))

        choose(hard(seed=seed), bench(tmp_path / str(seed), watch=Seeds()))
        assert found
        assert seed not in found


def test_settings_outside_their_ranges_are_refused() -> None:
    with pytest.raises(SettingError, match=r"expected keep in \(0, 1\], got 0"):
        Hard(keep=0)
    with pytest.raises(SettingError, match="at least 1 model and 1 epoch, got 0 and None"):
        Hard(models=0)
