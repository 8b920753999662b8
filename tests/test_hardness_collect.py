import io
from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, Dataset

from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.hardness import Collector, collect, collect_features
from tests import networks
from tests.test_hardness_grand import dropout_network


class Numbered(Dataset):
    """Samples with their indices."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return index, self.images[index], self.labels[index]


def samples(count=11, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(count, 8, generator=stream), torch.randint(10, (count,), generator=stream)


def batches(images, labels, size=4, order=None):
    order = torch.arange(len(labels)) if order is None else order
    return [(part, images[part], labels[part]) for part in torch.split(order, size)]


def expected_logits(model, images):
    with torch.no_grad():
        return deepcopy(model).eval()(images)


@given(st.integers(1, 20), st.integers(1, 7), st.integers(0, 10**6))
def test_logits_come_in_the_order_of_the_samples(count, size, seed):
    images, labels = samples(count, seed)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    model = networks.mlp()
    logits, found = collect(model, batches(images, labels, size, order), count)
    torch.testing.assert_close(logits, expected_logits(model, images))
    assert torch.equal(found, labels)
    assert (logits.dtype, found.dtype) == (torch.float32, torch.int64)
    assert not logits.requires_grad
    assert not logits.is_inference()


def test_a_shuffling_loader_is_taken_and_the_training_goes_on_as_if_nobody_had_asked():
    images, labels = samples()
    loader = DataLoader(Numbered(images, labels), batch_size=3, shuffle=True)

    def train(collector):
        torch.manual_seed(0)
        model = dropout_network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            for _, part, target in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(part), target).backward()
                optimizer.step()
            if collector is not None:
                gradient = model[0].weight.grad.clone()
                collector.record(model, loader)
                assert torch.equal(model[0].weight.grad, gradient)
        return model.state_dict(), torch.get_rng_state()

    collector = Collector(11)
    with_it, random_with = train(collector)
    without, random_without = train(None)
    assert all(torch.equal(with_it[name], without[name]) for name in without)
    assert torch.equal(random_with, random_without)
    assert collector.logits.shape == (3, 11, 10)
    model = dropout_network()
    model.load_state_dict(with_it)
    torch.testing.assert_close(collector.logits[-1], expected_logits(model, images))


def test_modes_come_back_module_by_module_also_after_an_error():
    model = dropout_network()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    images, labels = samples()
    collect(model, batches(images, labels), 11)
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        collect(model, batches(images[:, :5], labels), 11)
    assert [module.training for module in model.modules()] == modes


def test_half_precision_is_kept_as_float32():
    images, labels = samples()
    logits, _ = collect(networks.mlp().bfloat16(), batches(images.bfloat16(), labels), 11)
    assert logits.dtype == torch.float32


def test_short_indices_and_labels_are_taken():
    images, labels = samples()
    parts = [(index.to(torch.int32), part, label.to(torch.uint8)) for index, part, label in batches(images, labels)]
    logits, found = collect(networks.mlp(), parts, 11)
    assert torch.equal(found, labels)
    torch.testing.assert_close(logits, expected_logits(networks.mlp(), images))


def test_features_are_the_inputs_of_the_last_linear_layer():
    model = dropout_network()
    images, labels = samples()
    order = torch.arange(10, -1, -1)
    logits, found, features = collect_features(model, batches(images, labels, order=order), 11)
    torch.testing.assert_close(logits, expected_logits(model, images))
    torch.testing.assert_close(features, expected_logits(model[:-1], images))
    assert torch.equal(found, labels)
    assert not model[-1]._forward_hooks


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.main, self.other = nn.Linear(8, 10), nn.Linear(8, 10)

    def forward(self, inputs):
        self.other(inputs)
        return self.main(inputs)


def test_the_layer_of_the_features_can_be_named():
    model = TwoHeads()
    images, labels = samples()
    with pytest.raises(DataError, match=r"expected the output of 'other', the last linear layer.*layer=\.\.\."):
        collect_features(model, batches(images, labels), 11)
    assert not model.other._forward_hooks
    _, _, features = collect_features(model, batches(images, labels), 11, layer="main")
    assert torch.equal(features, images)
    with pytest.raises(UnknownNameError, match="unknown linear layer 'mian'; did you mean 'main'"):
        collect_features(model, batches(images, labels), 11, layer="mian")


def test_features_need_a_linear_layer():
    with pytest.raises(SettingError, match="expected a model with a linear layer, got none"):
        collect_features(nn.ReLU(), [], 11)


def test_a_collector_keeps_every_pass():
    images, labels = samples()
    collector = Collector(11)
    models = [networks.mlp(seed) for seed in range(3)]
    for epoch, model in enumerate(models):
        assert len(collector) == epoch
        collector.record(model, batches(images, labels))
    torch.testing.assert_close(collector.logits, torch.stack([expected_logits(model, images) for model in models]))
    assert torch.equal(collector.labels, labels)


def test_a_collector_goes_into_a_checkpoint_and_ends_with_the_same_bits():
    images, labels = samples()
    straight, first, second = Collector(11), Collector(11), Collector(11)
    for seed in range(2):
        straight.record(networks.mlp(seed), batches(images, labels))
        first.record(networks.mlp(seed), batches(images, labels))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    first.record(networks.mlp(9), batches(images, labels))  # what happens after the checkpoint is not in it
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    for collector in (straight, second):
        collector.record(networks.mlp(2), batches(images, labels))
    assert torch.equal(straight.logits, second.logits)
    assert torch.equal(straight.labels, second.labels)


def test_an_empty_collector_can_be_checkpointed_too():
    collector = Collector(11)
    collector.load_state_dict(Collector(11).state_dict())
    collector.record(networks.mlp(), batches(*samples()))
    assert len(collector) == 1


def test_a_state_of_another_data_set_is_refused():
    with pytest.raises(StateError, match="expected a collector's state of 11 samples, got one of 12"):
        Collector(11).load_state_dict(Collector(12).state_dict())


@pytest.mark.parametrize("name", ["logits", "labels"])
def test_nothing_is_there_before_the_first_pass(name):
    with pytest.raises(StateError, match=r"nothing is recorded yet; call record\(model, batches\)"):
        getattr(Collector(11), name)


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_one_is_refused(count):
    with pytest.raises(SettingError, match=f"expected count ≥ 1, the number of samples, got {count}"):
        Collector(count)
    with pytest.raises(SettingError, match=f"expected count ≥ 1, the number of samples, got {count}"):
        collect(networks.mlp(), batches(*samples()), count)


def test_labels_that_change_between_passes_are_refused():
    images, labels = samples()
    collector = Collector(11)
    collector.record(networks.mlp(), batches(images, labels))
    changed = labels.clone()
    changed[[3, 7]] += 1
    with pytest.raises(DataError, match="labels of 2 samples changed since the first pass, the first is index 3"):
        collector.record(networks.mlp(), batches(images, changed))
    assert len(collector) == 1


def test_another_number_of_classes_is_refused():
    images, labels = samples()
    collector = Collector(11)
    collector.record(networks.mlp(), batches(images, labels))
    with pytest.raises(DataError, match="expected 10 classes as in the first pass, got 8"):
        collector.record(nn.Identity(), batches(images, labels))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0, 1, 2, 2], "index 2 came 2 times in one pass; use each sample once"),
        ([0, 1, 3], "1 of 4 samples did not come in this pass, the first is index 2; use drop_last=False"),
        ([], "4 of 4 samples did not come in this pass, the first is index 0"),
        ([0, 1, 2, 4], r"index 4 is outside 0\.\.3"),
        ([0, 1, 2, -1], r"index -1 is outside 0\.\.3"),
    ],
)
def test_each_index_comes_exactly_once(order, words):
    images, labels = samples()
    parts = [(torch.tensor([index]), images[:1], labels[:1]) for index in order]
    with pytest.raises(DataError, match=words):
        collect(networks.mlp(), parts, 4)


def test_an_endless_loader_is_stopped():
    images, labels = samples(4)

    def endless():
        while True:
            yield from batches(images, labels, 2)

    with pytest.raises(DataError, match="index 0 came 2 times in one pass"):
        collect(networks.mlp(), endless(), 4)


def test_batches_must_be_triples():
    images, labels = samples(4)
    words = r"expected batches of three tensors \(indices, images, labels\), got {}; let the data set give"
    for batch, got in [((images, labels), "2 parts"), (images, "Tensor"), ((None, images, labels), "3 parts")]:
        with pytest.raises(DataError, match=words.format(got)):
            collect(networks.mlp(), [batch], 4)


def test_parts_of_a_batch_must_fit():
    images, labels = samples(4)
    index = torch.arange(4)
    words = r"expected indices \(B,\), images \(B, ...\) and labels \(B,\)"
    for batch in [(index[:3], images, labels), (index, images[:3], labels), (index, images, labels[:, None])]:
        with pytest.raises(DataError, match=words):
            collect(networks.mlp(), [batch], 4)
    with pytest.raises(DataError, match=r"expected whole numbers as indices, got torch\.float32"):
        collect(networks.mlp(), [(index.float(), images, labels)], 4)
    with pytest.raises(DataError, match=r"expected whole numbers as labels, got torch\.float32"):
        collect(networks.mlp(), [(index, images, labels.float())], 4)


class Output(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, inputs):
        return self.change(inputs)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda inputs: (inputs, inputs), "tuple"),
        (lambda inputs: inputs.sum(1), r"\(4,\)"),
        (lambda inputs: inputs[:2], r"\(2, 8\)"),
    ],
)
def test_outputs_that_are_no_logits_are_refused(change, got):
    with pytest.raises(DataError, match=rf"expected logits \(B, C\) from the model, got {got}"):
        collect(Output(change), batches(*samples(4)), 4)
