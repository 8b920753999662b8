"""Accuracy under corruption: exact where the model is simple, and the means against ones written out."""

import random
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.core.interval import wilson_interval
from gossamer.corrupt import CORRUPTIONS, STANDARD, corrupt
from gossamer.corrupt.layouts import read_corrupted
from gossamer.corrupt.result import Robustness
from gossamer.corrupt.robustness import robustness, robustness_of_set
from gossamer.corrupt.written import write_corrupted
from tests.reference import corrupt_robustness as twin

KINDS = ("gaussian_noise", "sparkles")


def data(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(60, 180, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, 4, (count,), generator=generator)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8 * 14 * 14, 4)
    )


def one_by_one(model: nn.Module, images, labels, kind, severity, seed=0) -> float:
    right = 0
    with torch.no_grad():
        for number in range(len(images)):
            picture = corrupt(images[number : number + 1], kind, severity, seed=seed, index=[number])
            right += int(model.eval()(picture.float() / 255).argmax() == labels[number])
    return right / len(images)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_accuracy_is_that_of_images_corrupted_one_by_one(batch_size):
    (images, labels), model = data(), network()
    found = robustness(model, images, labels, kinds=KINDS, severities=(1, 5), seed=2, batch_size=batch_size)
    for kind, severity in found.gain or [(kind, severity) for kind in KINDS for severity in (1, 5)]:
        assert found.accuracy[kind, severity] == one_by_one(model, images, labels, kind, severity, seed=2)
    assert found.clean == one_by_one(model, images, labels, "gaussian_noise", 0)
    assert len(found.accuracy) == 5
    assert 0 < found.mean < 1


def test_files_give_what_memory_gives(tmp_path):
    (images, labels), model = data(), network()
    memory = robustness(model, images, labels, kinds=KINDS, severities=(2, 3), seed=1)
    written = write_corrupted(images, labels, tmp_path / "arrays", KINDS, (2, 3), seed=1)
    folders = write_corrupted(images, labels, tmp_path / "png", KINDS, (2, 3), seed=1, layout="folders")
    for found in (written, folders):
        measured = robustness_of_set(model, read_corrupted(found.path), clean=(images, labels), batch_size=7)
        assert measured.accuracy == memory.accuracy
        assert (measured.seed, measured.family, measured.count) == (1, "cifar-c", 30)
    part = robustness_of_set(model, written, kinds=["sparkles"], severities=[3])
    assert part.accuracy == {("sparkles", 3): memory.accuracy["sparkles", 3]}
    assert part.clean is None
    calls = []
    with pytest.raises(UnknownNameError, match=r"unknown corruption in .* 'fog'"):
        robustness_of_set(calls.append, written, kinds=["sparkles", "fog"])
    with pytest.raises(DataError, match=r"expected a severity out of \(2, 3\), got 5"):
        robustness_of_set(calls.append, written, severities=[2, 5])
    assert not calls


def test_the_text_says_what_was_measured(tmp_path):
    images, labels = data()
    found = robustness(lambda x: (x.mean((1, 2, 3)) * 0).long(), images, labels * 0, kinds=KINDS, severities=(1,))
    assert str(found) == (
        "robustness over 30 images, corrupted in memory, constants of cifar-c, seed 0\n"
        "clean 100.00%\ngaussian_noise 100.00%\nsparkles 100.00%\n"
        "mean of 2 kinds (1 standard, 1 bar) 100.00%"
    )
    icy = ["frost", "gaussian_noise"]
    written = write_corrupted(images, labels, tmp_path, icy, (1,), layout="folders", quality=85, frost="procedural")
    assert str(robustness_of_set(network(), written)).startswith(
        "robustness over 30 images, JPEG files of quality 85, constants of cifar-c, seed 0, frost from procedural\n"
    )
    assert robustness(network(), images, labels, kinds=icy, severities=(1,), frost="procedural").frost == "procedural"


def test_modes_of_all_modules_and_statistics_are_left_as_found():
    (images, labels), model = data(), network()
    model.train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    seen = []
    robustness(
        model, images, labels, kinds=["sparkles"], severities=(1,), after=lambda *cell: seen.append(model.training)
    )
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert seen == [True, True]  # also in between


def test_modes_come_back_after_an_error():
    model = nn.Sequential(nn.Flatten(), nn.Linear(7, 4)).train()
    with pytest.raises(RuntimeError, match="shapes"):
        robustness(model, *data(), kinds=["sparkles"])
    assert model.training


def test_interrupted_it_goes_on_without_measuring_again():
    (images, labels), model, calls = data(), network(), []

    def counting(pictures):
        calls.append(len(pictures))
        return model.eval()(pictures)

    whole = robustness(counting, images, labels, kinds=KINDS, severities=(1, 2))
    saved = {}

    def stopping(kind, severity, accuracy):
        saved[kind, severity] = accuracy
        if len(saved) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robustness(counting, images, labels, kinds=KINDS, severities=(1, 2), after=stopping)
    calls.clear()
    told = []
    again = robustness(
        counting, images, labels, kinds=KINDS, severities=(1, 2), known=saved, after=lambda *cell: told.append(cell[:2])
    )
    assert again == whole
    assert list(again.accuracy) == list(whole.accuracy)
    assert len(calls) == 2
    assert told == [("sparkles", 1), ("sparkles", 2)]


accuracies = st.dictionaries(
    st.sampled_from(sorted(CORRUPTIONS)), st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=19
)


@given(table=accuracies, seed=st.integers(0, 1000))
def test_means_gain_and_mce_are_the_twins(table, seed):
    draw = random.Random(seed)
    base = {kind: [draw.uniform(0.1, 0.9) for _ in values] for kind, values in table.items()}
    flat, other = (
        {(kind, place + 1): value for kind, values in one.items() for place, value in enumerate(values)}
        for one in (table, base)
    )
    found = Robustness(flat, 100, baseline=other)
    assert found.mean == pytest.approx(twin.mean(table))
    assert found.gain == pytest.approx(twin.relative_gain(table, base))
    if found.standard_mean is None:
        assert found.mce == pytest.approx(twin.mean_corruption_error(table, base))


def test_the_15_standard_kinds_are_what_mce_is_over():
    accuracy = {(kind, 1): 0.5 for kind in STANDARD} | {("saturate", 1): 1.0, ("speckle_noise", 1): 1.0}
    base = dict.fromkeys(accuracy, 0.2)
    found = Robustness(accuracy, 100, baseline=base)
    assert found.means == f"{len(STANDARD) + 2} kinds ({len(STANDARD)} standard, 2 extra)"
    assert found.standard_mean == pytest.approx(0.5)
    assert found.mean > 0.5
    assert found.mce == pytest.approx(0.5 / 0.8)
    assert f"mean of the {len(STANDARD)} standard kinds 50.00%\nmCE against the given baseline 62.50%" in str(found)


def test_by_hand():
    accuracy = {("clean", 0): 0.9, ("fog", 1): 0.6, ("fog", 2): 0.4, ("snow", 1): 0.5, ("snow", 2): 0.1}
    base = {("fog", 1): 0.5, ("fog", 2): 0.5, ("snow", 1): 0.8, ("snow", 2): 0.0}
    found = Robustness(accuracy, 100, baseline=base)
    assert (found.clean, found.kinds, found.standard_mean) == (0.9, ("fog", "snow"), None)
    assert found.by_kind == pytest.approx({"fog": 0.5, "snow": 0.3})
    assert found.mean == pytest.approx(0.4)
    assert found.by_group == pytest.approx({"weather": 0.4})
    assert found.gain["fog", 1] == pytest.approx(0.2)
    assert found.gain["fog", 2] == pytest.approx(-0.2)
    assert found.gain["snow", 2] is None
    assert found.mce == pytest.approx((1.0 / 1.0 + 1.4 / 1.2) / 2)
    rows = found.rows()
    assert [row["kind"] for row in rows] == ["clean", "fog", "fog", "snow", "snow"]
    assert rows[1] == {
        "kind": "fog",
        "group": "weather",
        "severity": 1,
        "accuracy": 0.6,
        "low": pytest.approx(0.502, abs=1e-3),
        "high": pytest.approx(0.691, abs=1e-3),
        "gain": pytest.approx(0.2),
    }


def test_kinds_of_other_sets_are_a_group_of_their_own():
    found = Robustness({("near_focus", 1): 0.5, ("sparkles", 1): 0.7, ("saturate", 1): 0.9}, 10)
    assert found.by_group == {"other": 0.5, "bar": 0.7, "extra": 0.9}
    assert found.means == "3 kinds (1 extra, 1 bar, 1 other)"
    assert (found.gain, found.mce) == ({}, None)


def test_a_baseline_without_errors_has_no_mce():
    assert Robustness({("fog", 1): 0.5}, 10, baseline={("fog", 1): 1.0}).mce is None


def test_a_result_is_its_own_baseline():
    images, labels = data()
    first = robustness(network(), images, labels, kinds=KINDS, severities=(1, 2))
    again = robustness(network(), images, labels, kinds=KINDS, severities=(1, 2), baseline=first)
    assert set(again.gain.values()) == {0.0}
    assert again.mce == pytest.approx(1)


@pytest.mark.parametrize(("share", "count"), [(0.0, 10), (1.0, 10), (0.3, 50)])
def test_the_interval_is_where_the_score_test_does_not_reject(share, count):
    low, high = wilson_interval(share, count)
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share - end) / (end * (1 - end) / count) ** 0.5 == pytest.approx(1.959964, rel=1e-6)
    assert low <= share <= high


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_model_is_shown_images_of_its_own_type(kind):
    (images, labels), seen = data(8), []

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)
            self.weight = nn.Parameter(torch.ones(4, dtype=kind))

        def forward(self, shown):
            seen.append(shown)
            return shown.mean((1, 2, 3)).unsqueeze(1) * self.weight

    robustness(Looks(), images, labels, kinds="contrast", severities=1, clean=False)
    expected = corrupt(images, "contrast", 1).to(torch.promote_types(kind, torch.float32)) / 255
    assert torch.equal(seen[0], expected.to(kind))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_a_network_of_another_type_is_measured(kind):
    (images, labels), model = data(), network()
    expected = robustness(model, images, labels, kinds="fog", severities=1)
    found = robustness(model.to(kind), images, labels, kinds="fog", severities=1)
    assert found.accuracy == pytest.approx(expected.accuracy, abs=0.1)  # 3 of 30 images at a border


def test_a_single_kind_and_severity_need_no_list(tmp_path):
    (images, labels), model = data(), network()
    one = robustness(model, images, labels, kinds="fog", severities=3)
    assert one.accuracy == robustness(model, images, labels, kinds=["fog"], severities=[3]).accuracy
    written = write_corrupted(images, labels, tmp_path / "set", "fog", 3)
    assert robustness_of_set(model, written, kinds="fog", severities=3).mean == one.mean
    with pytest.raises(SettingError, match=r"expected a severity of 1 to 5 \(0 changes nothing, .* got 7"):
        robustness(model, images, labels, severities=7)


def test_arrays_are_refused_with_the_way_out():
    images, labels = data()
    with pytest.raises(DataError, match=r"expected images as a tensor, got ndarray; pass torch\.from_numpy\(images\)"):
        robustness(network(), images.permute(0, 2, 3, 1).numpy(), labels)
    with pytest.raises(DataError, match=r"expected labels as a tensor, got ndarray; pass torch\.from_numpy\(labels\)"):
        robustness(network(), images, labels.numpy())
    with pytest.raises(SettingError, match=r"expected a whole number of 0 or more as seed, got -1"):
        robustness(network(), images, labels, seed=-1)


def test_the_documents_example_prints_what_it_promises(capsys, monkeypatch, tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "corruption-sets.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exec(compile(code, "corruption-sets.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)


def test_what_does_not_fit_is_refused():
    images, labels = data()
    model = network()
    with pytest.raises(UnknownNameError, match=r"unknown corruption 'fogg'; did you mean 'fog'"):
        robustness(model, images, labels, kinds=["fogg"])
    with pytest.raises(SettingError, match=r"expected a batch size of 1 or more, got 0"):
        robustness(model, images, labels, kinds=KINDS, batch_size=0)
    with pytest.raises(
        DataError, match=r"expected as many labels as images, and some, got 30 images and labels \(9,\)"
    ):
        robustness(model, images, labels[:9], kinds=KINDS)
    with pytest.raises(DataError, match=r"expected as many labels as images, and some, got 0 images"):
        robustness(model, images[:0], labels[:0], kinds=KINDS)
    with pytest.raises(DataError, match=r"label 9 is outside 0\.\.3, the classes of the model"):
        robustness(model, images, labels + (labels == 3) * 6, kinds=KINDS)
    with pytest.raises(
        DataError, match=r"expected logits \(30, classes\) or whole-numbered classes \(30,\), got \(30,\)"
    ):
        robustness(lambda x: x.mean((1, 2, 3)), images, labels, kinds=KINDS)
    with pytest.raises(DataError, match=r"expected logits .* got list"):
        robustness(lambda x: [0] * len(x), images, labels, kinds=KINDS)
    with pytest.raises(DataError, match=r"expected finite logits, got some that are not; the model has diverged"):
        robustness(lambda x: x.new_full((len(x), 4), torch.nan), images, labels, kinds=KINDS)
    with pytest.raises(DataError, match=r"expected a baseline with the same kinds and severities, but 5 are missing"):
        robustness(model, images, labels, kinds=["sparkles"], baseline={("fog", 1): 0.5})
    with pytest.raises(DataError, match=r"expected the accuracy of at least one kind and severity, got none"):
        Robustness({("clean", 0): 1.0}, 10)
    with pytest.raises(SettingError, match=r"expected images of 32, 64 or 224 pixels"):
        robustness(model, images[:, :, :28, :28], labels, kinds=KINDS)
