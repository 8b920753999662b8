import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, TensorDataset

from gossamer.analyze.fingerprint import digest
from gossamer.analyze.passes import Passes, check_finite, check_scalar
from gossamer.core.errors import DataError, SettingError, StateError

IMAGES = torch.arange(20.0).reshape(5, 1, 2, 2)
LABELS = torch.arange(5)


class Changing:
    """Batches that are others in the second pass."""

    def __init__(self, first, second):
        self.passes = [first, second]

    def __iter__(self):
        return iter(self.passes.pop(0))


def second_pass(first, second):
    data = Passes(Changing(first, second))
    list(data)
    return list(data)


def batches(images=IMAGES, labels=LABELS, size=2):
    return list(zip(images.split(size), labels.split(size), strict=True))


@given(st.integers(1, 30), st.integers(1, 40))
@settings(max_examples=20)
def test_a_pair_is_cut_into_batches_that_are_all_samples_in_order(count, size):
    images, labels = torch.randn(count, 3), torch.arange(count)
    data = Passes((images, labels), batch_size=size)
    for _ in range(2):
        found = list(data)
        assert [len(part) for _, part in found] == [size] * (count // size) + [count % size] * (count % size > 0)
        assert torch.equal(torch.cat([inputs for inputs, _ in found]), images)
        assert torch.equal(torch.cat([part for _, part in found]), labels)
    assert data.count == count


@pytest.mark.parametrize(
    "data",
    [
        (IMAGES, LABELS),
        [IMAGES, LABELS],
        batches(),
        [list(batch) for batch in batches()],
        DataLoader(TensorDataset(IMAGES, LABELS), batch_size=2),
        Passes((IMAGES, LABELS), batch_size=2),
    ],
    ids=["pair", "list of both", "pairs", "lists", "loader", "passes"],
)
def test_all_kinds_of_data_are_the_same_data(data):
    passes = Passes(data, batch_size=2)
    assert passes.count == 5
    assert passes.fingerprint == Passes((IMAGES, LABELS), batch_size=2).fingerprint


def test_two_pairs_in_a_list_are_two_batches():
    assert Passes([(IMAGES, LABELS), (IMAGES[:1], LABELS[:1])]).count == 6


def test_a_single_two_sample_batch_in_a_tuple_is_no_pair_of_tensors():
    assert [len(labels) for _, labels in Passes(((IMAGES[:2], LABELS[:2]), (IMAGES[2:], LABELS[2:])))] == [2, 3]


def test_the_count_is_known_from_a_pass_that_someone_else_made():
    data = Passes(Changing(batches(), None))
    list(data)
    assert data.count == 5


def test_a_pass_left_in_the_middle_is_no_first_pass():
    data = Passes((IMAGES, LABELS), batch_size=2)
    next(iter(data))
    assert len(list(data)) == 3
    assert data.count == 5


def test_a_loader_leaves_the_random_state_as_found():
    data = Passes(DataLoader(TensorDataset(IMAGES, LABELS), batch_size=2))
    before = torch.get_rng_state()
    assert data.count == 5
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_a_batch_size_is_a_whole_number(size):
    with pytest.raises(SettingError, match=r"expected a whole batch_size ≥ 1, got .*; it bounds the memory"):
        Passes((IMAGES, LABELS), batch_size=size)


@pytest.mark.parametrize("data", [iter(batches()), (batch for batch in batches())], ids=["iterator", "generator"])
def test_data_that_is_read_once_is_refused(data):
    with pytest.raises(DataError, match=r"can be read several times, got a \w+; pass \(inputs, labels\)"):
        Passes(data)


@pytest.mark.parametrize("data", [IMAGES, {"images": IMAGES}, None, 3], ids=["tensor", "dict", "none", "number"])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(DataError, match=r"expected a batch or an iterable of batches, got \w+; pass"):
        Passes(data)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        ([{"images": IMAGES}], "got dict"),
        ([(IMAGES, LABELS, LABELS)], r"got \(Tensor, Tensor, Tensor\)"),
        ([(IMAGES[0], 3), (IMAGES[1], 4)], r"got \(Tensor, int\)"),
        ((IMAGES.numpy(), LABELS.numpy()), "got ndarray"),
        ("no data", "got str"),
        ([()], "got tuple"),
    ],
    ids=["dict", "triple", "single samples", "numpy", "string", "nothing"],
)
def test_what_is_no_batch_is_refused(data, got):
    with pytest.raises(DataError, match=rf"expected batches \(inputs, labels\) of two tensors, {got}; pass"):
        list(Passes(data))


@pytest.mark.parametrize(
    "data",
    [(IMAGES, LABELS[:4]), (IMAGES[:0], LABELS[:0]), [(IMAGES[0, 0, 0, 0], LABELS[0])], TensorDataset(IMAGES, LABELS)],
    ids=["fewer labels", "none", "no dimensions", "samples instead of batches"],
)
def test_inputs_and_labels_that_do_not_go_together_are_refused(data):
    with pytest.raises(DataError, match=r"as many inputs as labels and at least one, got \(.*\) and \(.*\); pass"):
        list(Passes(data))


def test_no_batch_at_all_is_refused():
    with pytest.raises(DataError, match="expected at least one batch, got none; pass"):
        list(Passes([]))


class Flipping(Dataset):
    """Flips every image at every second look."""

    def __init__(self, images):
        self.images, self.looks = images, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.looks += 1
        image = self.images[index]
        return (image.flip(-1) if self.looks > len(self) else image), 0


CHANGED = r"but batch {} differs from the first pass: does the loader shuffle or augment\? build it with shuffle=False"


@pytest.mark.parametrize(
    ("second", "number"),
    [
        (batches()[::-1], 0),
        ([*batches()[:2], (IMAGES[4:], LABELS[:1])], 2),
        (batches()[:2], 2),
        ([*batches(), *batches()], 3),
        (batches(IMAGES.flip(-1)), 0),
        (batches(size=3), 0),
    ],
    ids=["order", "a label", "ends early", "goes on", "flipped", "other batches"],
)
def test_a_second_pass_that_differs_is_found_out(second, number):
    with pytest.raises(DataError, match=CHANGED.format(number)):
        second_pass(batches(), second)


def test_a_shuffling_loader_is_found_out():
    data = Passes(DataLoader(TensorDataset(torch.randn(40, 2), torch.zeros(40)), batch_size=8, shuffle=True))
    list(data)
    with pytest.raises(DataError, match=CHANGED.format(0)):
        list(data)


def test_a_loader_that_flips_images_is_found_out():
    data = Passes(DataLoader(Flipping(IMAGES), batch_size=5))
    list(data)
    with pytest.raises(DataError, match=CHANGED.format(0)):
        list(data)


@given(st.permutations(range(7)))
@settings(max_examples=40)
def test_moved_pixels_change_the_fingerprint(order):
    image = torch.tensor([[0.5, -1.0, 2.0, 0.0, 3.5, 1.0, -4.0]])
    same = digest((image, LABELS[:1])) == digest((image[:, list(order)], LABELS[:1]))
    assert same == (list(order) == list(range(7)))


def test_two_pixels_that_move_apart_change_the_fingerprint():
    near, far = torch.tensor([[0, 1, 0, 0, 1, 0]]), torch.tensor([[1, 0, 0, 0, 0, 1]])  # the same centre
    assert digest((near, LABELS[:1])) != digest((far, LABELS[:1]))


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool]
)
def test_inputs_and_labels_of_any_type_have_a_fingerprint(dtype):
    first = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    assert digest((first, first[:, 0])) == digest((first.clone(), first[:, 0].clone()))
    assert digest((first, first[:, 0])) != digest((first.flip(1), first[:, 0]))
    assert digest((first, first[:, 0])) != digest((first, first[:, 1]))


def test_inputs_that_require_gradients_and_are_not_contiguous_have_a_fingerprint():
    images = torch.randn(3, 4).requires_grad_()
    assert digest((images.T, LABELS[:4])) == digest((images.T.contiguous(), LABELS[:4]))


def test_samples_of_one_number_have_a_fingerprint():
    assert (
        Passes((torch.arange(3.0), torch.zeros(3))).fingerprint != Passes((torch.ones(3), torch.zeros(3))).fingerprint
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused(loss):
    with pytest.raises(StateError, match=r"expected a finite loss, got (nan|-?inf); the network has diverged"):
        check_finite(loss)


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (torch.zeros(3), r"torch.float32 of shape \(3,\)"),
        (torch.tensor(1), r"torch.int64 of shape \(\)"),
        (0.5, "float"),
    ],
)
def test_a_loss_that_is_not_one_number_is_refused(loss, got):
    with pytest.raises(SettingError, match=rf"mean over the batch as one number, got {got}; build it with reduction="):
        check_scalar(loss)
