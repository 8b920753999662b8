"""Every score takes numpy's arrays as it takes tensors."""

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.core.errors import DataError
from gossamer.hardness import SCORES, consistency, el2n, grand, hardest, rank_correlation, rank_correlations
from gossamer.hardness.arrays import as_tensor

SHAPES = {"logits": (2, 7, 3), "epochs": (2, 4, 7, 3), "features": (2, 7, 3)}
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0])


def given(needs):
    stream = torch.Generator().manual_seed(0)
    logits = torch.randn(SHAPES[needs], generator=stream)
    return [logits, LABELS, *([torch.randn(2, 7, 5, generator=stream)] if needs == "features" else [])]


@pytest.mark.parametrize("name", [name for name, score in SCORES.items() if score.needs != "gradients"])
def test_scores_of_arrays_are_those_of_tensors(name):
    tensors = given(SCORES[name].needs)
    found = SCORES[name].function(*(tensor.numpy() for tensor in tensors))
    assert torch.equal(found, SCORES[name].function(*tensors))


def test_the_hardest_of_what_was_saved(tmp_path):
    np.savez(tmp_path / "scores.npz", el2n=el2n(*given("logits")).numpy(), labels=LABELS.numpy())
    saved = np.load(tmp_path / "scores.npz")
    expected = el2n(*given("logits"))
    assert torch.equal(hardest(saved["el2n"], keep=0.5), hardest(expected, keep=0.5))
    one, two = (
        hardest(scores, keep=0.5, labels=labels, per_class=True)
        for scores, labels in ((saved["el2n"], saved["labels"]), (expected, LABELS))
    )
    assert torch.equal(one, two)
    assert rank_correlation(saved["el2n"], expected) == 1.0
    assert torch.equal(rank_correlations({"a": saved["el2n"]}), torch.ones(1, 1).double())


def test_held_out_samples_as_an_array():
    logits, labels = given("logits")
    held_out = torch.arange(14).view(2, 7) % 2 == 0
    expected = consistency(logits, labels, held_out=held_out)
    assert torch.equal(consistency(logits.numpy(), labels.numpy(), held_out=held_out.numpy()), expected)
    epochs = given("epochs")[0]
    assert torch.equal(consistency(epochs.numpy(), labels.numpy()), consistency(epochs, labels))


def test_grand_of_arrays():
    torch.manual_seed(0)
    model, images = nn.Linear(4, 3), torch.rand(7, 4)
    assert torch.equal(grand(model, images.numpy(), LABELS.numpy()), grand(model, images, LABELS))


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<i4", "bool"])
def test_numbers_of_every_kind_and_order_in_memory(kind):
    values = np.array([[1, 0, 3], [4, 5, 0]]).astype(kind)
    for seen in (values, values.T, values[::-1], values[:, 1]):
        assert as_tensor(seen, "scores").tolist() == seen.tolist()


def test_a_file_mapped_for_reading(tmp_path):
    np.save(tmp_path / "scores.npy", np.arange(3.0))
    assert as_tensor(np.load(tmp_path / "scores.npy", mmap_mode="r"), "scores").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([0.1, 0.2], "list"),
        (np.array(["a", "b"]), "an array of <U1"),
        (np.array([None, 1]), "an array of object"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(values, got):
    words = rf"expected scores as a tensor or a numpy array of numbers, got {got}; pass torch\.tensor\(scores\)"
    with pytest.raises(DataError, match=words):
        hardest(values, keep=0.5)
