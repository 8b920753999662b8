"""The loop of the workbench is the bare torch loop, bit for bit, and stops and goes on at any step."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LambdaLR, LinearLR, MultiStepLR, SequentialLR

from gossamer import RigL
from gossamer.attack import PGD
from gossamer.bench.data import Augment, seeded
from gossamer.bench.data.augment import Crop, Flip
from gossamer.bench.evaluate import evaluate, logits
from gossamer.bench.optim import build_optimizer, build_scheduler, factor
from gossamer.bench.samples import Samples, as_input, steps_per_epoch
from gossamer.bench.settings import TrainSettings
from gossamer.bench.training import Training
from gossamer.core.errors import StateError
from tests.reference import training as bare
from tests.workbench import digits

EPOCHS, BATCH, STEPS = 4, 32, 3 * 4  # 96 images


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))


def samples() -> Samples:
    return Samples(digits().train_images, digits().train_labels)


def rigl() -> RigL:
    return RigL(sparsity=0.8, total_steps=STEPS, every=2, stop=1.0)


def trained(settings: TrainSettings, method: Any, augment: Augment = Augment(), model: Any = None) -> Training:  # noqa: B008  # frozen
    training = Training(model or network(), samples(), settings, method, seed=0, augment=augment)
    while training.step < training.total_steps:
        training.run_epoch(lambda: None)
    return training


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


OPTIMIZERS = {
    "sgd": (lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4), {}),
    "sgd_plain": (lambda p: SGD(p, lr=0.05), {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
    "adamw": (lambda p: AdamW(p, lr=0.05, weight_decay=5e-4), {"optimizer": "adamw"}),
}
SCHEDULES = {
    "multistep": (lambda o: MultiStepLR(o, [6, 9]), {}),
    "constant": (lambda o: ConstantLR(o, factor=1.0), {"schedule": "constant"}),
    "cosine": (lambda o: CosineAnnealingLR(o, STEPS), {"schedule": "cosine"}),
    "warmup_cosine": (
        lambda o: SequentialLR(
            o, [LinearLR(o, 1 / 3, 1.0, total_iters=2), CosineAnnealingLR(o, STEPS - 3)], milestones=[3]
        ),
        {"schedule": "cosine", "warmup_epochs": 1.0},
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # torch's own SequentialLR
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_the_bare_loop_with_torchs_own_optimizers_and_schedulers(optimizer: str, schedule: str) -> None:
    build, words = OPTIMIZERS[optimizer]
    settings = TrainSettings(epochs=EPOCHS, batch_size=BATCH, lr=0.05, **words, **SCHEDULES[schedule][1])
    model = network()
    own = build(model.parameters())
    rates: list[float] = []
    scheduler = SCHEDULES[schedule][0](own)
    own.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    bare.train(model, *vars(samples()).values(), own, scheduler, rigl(), epochs=EPOCHS, batch_size=BATCH)
    ours = [0.05 * factor(step, settings, 3) for step in range(STEPS)]
    assert ours == pytest.approx(rates, rel=1e-12, abs=1e-15)
    result = trained(settings, rigl()).model
    # torch's closed recurrences round otherwise than the formula: equal rates give equal bits, near ones near weights
    if ours == rates:
        assert same(result, model)
    for one, other in zip(result.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [None, rigl()], ids=["dense", "rigl"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_the_same_rates_it_is_the_bare_loop_bit_for_bit(optimizer: str, schedule: str, method: Any) -> None:
    build, words = OPTIMIZERS[optimizer]
    settings = TrainSettings(
        epochs=EPOCHS, batch_size=BATCH, lr=0.05, label_smoothing=0.1, clip_norm=0.5, **words, **SCHEDULES[schedule][1]
    )
    steps = Augment((Crop(1), Flip()))
    model = network()
    own = build(model.parameters())
    bare.train(
        model, *vars(samples()).values(), own, LambdaLR(own, lambda step: factor(step, settings, 3)), method,
        epochs=EPOCHS, batch_size=BATCH, smoothing=0.1, clip=0.5,
        augment=lambda images, step: steps(images, seeded(0, step, 1)),
    )  # fmt: skip
    assert same(trained(settings, method, steps).model, model)
    assert not same(network(), model)


def test_rates_by_hand() -> None:
    settings = TrainSettings(epochs=10, warmup_epochs=2, schedule="cosine")
    assert [factor(step, settings, 1) for step in (0, 1, 2, 6, 10)] == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.0])
    steps = TrainSettings(epochs=8, milestones=(0.5, 0.75), gamma=0.5)
    assert [factor(step, steps, 1) for step in range(8)] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_biases_and_norms_do_not_decay_where_only_weights_do() -> None:
    model = network()
    kernels, vectors = build_optimizer(model, TrainSettings(decay="weights")).param_groups
    assert [p.dim() for p in kernels["params"]] == [4, 2]
    assert [p.dim() for p in vectors["params"]] == [1, 1, 1, 1]
    assert (kernels["weight_decay"], vectors["weight_decay"]) == (5e-4, 0.0)
    (everything,) = build_optimizer(model, TrainSettings()).param_groups
    assert len(everything["params"]) == 6


def test_the_rate_is_that_of_the_scheduler() -> None:
    optimizer = build_optimizer(network(), TrainSettings(epochs=2, schedule="cosine"))
    scheduler = build_scheduler(optimizer, TrainSettings(epochs=2, schedule="cosine"), 2)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.1, 0.08535533905932738, 0.05, 0.014644660940672625])


def test_a_state_of_an_adversarial_training_goes_on_with_the_same_bits() -> None:
    settings = TrainSettings(epochs=2, batch_size=BATCH, lr=0.05)
    attack, states = PGD(eps=0.2, steps=2, batch_norm="train_counted"), {}
    words: Any = {"seed": 3, "augment": Augment((Crop(1),)), "attack": attack}
    whole = Training(network(), samples(), settings, rigl(), **words)
    while whole.step < whole.total_steps:
        whole.run_epoch(lambda: states.update({whole.step: deepcopy(whole.state_dict())}))
    assert list(states) == [1, 2, 3, 4, 5, 6]
    for state in states.values():
        torch.manual_seed(99)
        rest = Training(network(1), samples(), settings, rigl(), **words)
        rest.load_state_dict(state)
        while rest.step < rest.total_steps:
            rest.run_epoch(lambda: None)
        assert same(rest.model, whole.model)
    plain = Training(network(), samples(), settings, rigl(), seed=3, augment=Augment((Crop(1),)))
    while plain.step < plain.total_steps:
        plain.run_epoch(lambda: None)
    assert not same(plain.model, whole.model)


def test_an_attack_sees_the_augmented_batch_its_labels_and_a_generator_of_the_step_alone() -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def attack(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, generator: Any) -> torch.Tensor:
        seen.append((images.clone(), labels, torch.rand(3, generator=generator)))
        return torch.zeros_like(images)

    flips = Augment((Flip(),))
    settings = TrainSettings(epochs=1, batch_size=BATCH)
    training = Training(network(), samples(), settings, None, seed=0, augment=flips, attack=attack)
    training.run_epoch(lambda: None)
    for step, chosen in enumerate(bare.batches(96, BATCH, seed=0, epoch=0)):
        images, labels, drawn = seen[step]
        assert torch.equal(images, flips(samples().images[chosen].float() / 255, seeded(0, step, 1)))
        assert torch.equal(labels, samples().labels[chosen])
        assert torch.equal(drawn, torch.rand(3, generator=seeded(0, step, 4)))
    black = network()  # zeros were learned, not the images
    optimizer = SGD(black.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    zeros = torch.zeros_like(samples().images)
    scheduler = LambdaLR(optimizer, lambda step: factor(step, settings, 3))
    bare.train(black, zeros, samples().labels, optimizer, scheduler, None, epochs=1, batch_size=BATCH)
    assert same(training.model, black)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_state_taken_at_any_step_goes_on_with_the_same_bits(optimizer: str, precision: str) -> None:
    settings = TrainSettings(epochs=EPOCHS, batch_size=BATCH, lr=0.01, optimizer=optimizer, precision=precision)
    dropping = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, 10))
    states, torch_state = {}, torch.get_rng_state()
    whole = Training(deepcopy(dropping), samples(), settings, rigl(), seed=0, augment=Augment((Crop(1),)))
    while whole.step < whole.total_steps:
        whole.run_epoch(lambda: states.update({whole.step: deepcopy(whole.state_dict())}))
    assert list(states) == list(range(1, STEPS + 1))
    for state in states.values():
        torch.manual_seed(99)
        rest = Training(deepcopy(dropping), samples(), settings, rigl(), seed=0, augment=Augment((Crop(1),)))
        rest.load_state_dict(state)
        while rest.step < rest.total_steps:
            last = rest.run_epoch(lambda: None)
        assert same(rest.model, whole.model)
        assert rest.segments == whole.segments
        assert rest.step == STEPS
    assert last is None or last["epoch"] == EPOCHS
    torch.set_rng_state(torch_state)


def test_the_epochs_loss_is_the_mean_over_its_images_also_after_going_on_in_its_middle() -> None:
    settings = TrainSettings(epochs=1, batch_size=40, lr=1e-9, schedule="constant")  # 40, 40 and 16 images
    training = Training(network(), samples(), settings, None, seed=0, augment=Augment())
    assert training.run_epoch(lambda: None, stop=2) is None
    rest = Training(network(), samples(), settings, None, seed=0, augment=Augment())
    rest.load_state_dict(training.state_dict())
    numbers = rest.run_epoch(lambda: None)
    model = network().train()
    losses = []
    with torch.no_grad():
        for part in bare.batches(96, 40, seed=0, epoch=0):
            outputs = model(as_input(samples().images[part], settings))
            losses.append(float(nn.functional.cross_entropy(outputs, samples().labels[part])) * len(part))
    assert numbers is not None
    assert numbers["loss"] == pytest.approx(sum(losses) / 96, rel=1e-5)
    assert (numbers["epoch"], numbers["step"]) == (1, 3)
    assert "sparsity" not in numbers


def test_a_stop_in_the_middle_of_an_epoch_makes_that_many_steps() -> None:
    training = Training(network(), samples(), TrainSettings(epochs=2, batch_size=32), None, seed=0, augment=Augment())
    while training.step < 4:
        training.run_epoch(lambda: None, stop=4)
    assert (training.step, training.epoch) == (4, 1)


def test_segments_count_every_step_and_every_dense_gradient() -> None:
    training = trained(TrainSettings(epochs=EPOCHS, batch_size=BATCH), rigl())
    assert sum(part.steps for part in training.segments) == STEPS
    assert sum(part.dense_gradient_steps for part in training.segments) == 5  # due at 2, 4, 6, 8, 10


def test_clipping_sees_the_sparse_gradient_only() -> None:
    training = Training(
        network(), samples(), TrainSettings(epochs=1, batch_size=96, lr=1.0, momentum=0.0, nesterov=False,
        weight_decay=0.0, clip_norm=0.01, schedule="constant"), RigL(sparsity=0.9, total_steps=STEPS), seed=0,
        augment=Augment(),
    )  # fmt: skip
    before = deepcopy(training.model)
    training.run_epoch(lambda: None)
    pairs = zip(before.parameters(), training.model.parameters(), strict=True)
    moved = [(new - old).detach().square().sum() for old, new in pairs]
    assert float(torch.stack(moved).sum().sqrt()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("initial", ["dense", "scaled_per_layer", "scaled_per_neuron"])
def test_weights_are_redrawn_under_the_masks_where_asked(initial: str) -> None:
    settings = TrainSettings(epochs=1, batch_size=32, initial=initial)
    training = Training(network(), samples(), settings, rigl(), seed=0, augment=Augment())
    assert training.sparsifier is not None
    for name, mask in training.sparsifier.masks.items():
        weight = training.model.get_parameter(name)
        assert int(weight[~mask].count_nonzero()) == 0
        assert not torch.equal(weight, network().get_parameter(name) * mask)
    kept = Training(network(), samples(), settings, rigl(), seed=0, augment=Augment(), fresh=False)
    assert kept.sparsifier is not None
    for name, mask in kept.sparsifier.masks.items():
        assert torch.equal(kept.model.get_parameter(name), network().get_parameter(name) * mask)


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"channels_last": True}])
def test_precision_and_layout_change_little(changes: dict[str, Any]) -> None:
    settings = TrainSettings(epochs=2, batch_size=32, lr=0.01)
    plain, other = trained(settings, rigl()), trained(replace(settings, **changes), rigl())
    one = evaluate(plain.model, samples(), plain.settings)
    two = evaluate(other.model, samples(), other.settings)
    assert one["loss"] == pytest.approx(two["loss"], rel=0.05)
    assert all(p.dtype == torch.float32 for p in other.model.parameters())


def test_a_loss_that_is_not_finite_says_what_to_do() -> None:
    training = Training(
        network(), samples(), TrainSettings(epochs=2, batch_size=32, lr=1e9), None, seed=0, augment=Augment()
    )
    with pytest.raises(StateError, match=r"finite loss, got \S+ in epoch \d; lower lr \(now 1e\+09\) or set clip_norm"):
        [training.run_epoch(lambda: None) for _ in range(2)]


def test_states_of_others_are_refused() -> None:
    settings = TrainSettings(epochs=1, batch_size=32)
    dense = Training(network(), samples(), settings, None, seed=0, augment=Augment())
    sparse = Training(network(), samples(), settings, rigl(), seed=0, augment=Augment())
    small = Training(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), samples(), settings, None, seed=0, augment=Augment()
    )
    with pytest.raises(StateError, match="checkpoint of this method"):
        dense.load_state_dict(sparse.state_dict())
    with pytest.raises(StateError, match="checkpoint of this method"):
        sparse.load_state_dict(dense.state_dict())
    with pytest.raises(StateError, match="checkpoint of this model"):
        dense.load_state_dict(small.state_dict())


def test_evaluation_leaves_the_network_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.BatchNorm1d(32), nn.Linear(32, 10))
    model[2].eval()
    before, drawn = deepcopy(model.state_dict()), torch.get_rng_state()
    results = [evaluate(model, samples(), TrainSettings(), batch_size) for batch_size in (1000, 7)]
    assert results[0]["accuracy"] == results[1]["accuracy"]
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], rel=1e-5)
    assert [module.training for module in model] == [True, True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_accuracy_is_the_share_of_right_answers() -> None:
    class Says(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(images.flatten(1)[:, 0].mul(255).round().long(), 10).float()

    images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1)
    outputs = logits(Says(), images, TrainSettings())
    assert outputs.argmax(1).tolist() == [0, 1, 2, 3]
    assert evaluate(Says(), Samples(images, torch.tensor([0, 1, 2, 9])), TrainSettings())["accuracy"] == 0.75


@pytest.mark.parametrize(("count", "batch", "steps"), [(96, 32, 3), (97, 32, 3), (98, 32, 4), (1, 32, 1), (5, 1, 5)])
def test_a_last_batch_of_one_image_is_no_step(count: int, batch: int, steps: int) -> None:
    assert steps_per_epoch(count, TrainSettings(batch_size=batch)) == steps
    few = Samples(samples().images[:1].repeat(count, 1, 1, 1), samples().labels[:1].repeat(count))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    training = Training(
        model, few, TrainSettings(epochs=1, batch_size=batch), None, seed=0, augment=Augment()
    )  # fmt: skip
    training.run_epoch(lambda: None)
    assert training.step == steps
