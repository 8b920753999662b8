"""Robust accuracy: what is counted, by whose draws, and that batches do not matter."""

import pytest
import torch
from torch import nn

from gossamer.attack import FGSM, P1_TRAIN, PGD, paired, robust_accuracy, to_eight_bit
from gossamer.attack.common import is_right
from gossamer.core.errors import DataError, SettingError
from tests.attacked import data, digits, network, trained

_, _, IMAGES, LABELS = digits()


def by_hand(model, images, labels, attack):
    with torch.no_grad():
        clean = model(images).argmax(1) == labels
        return clean, clean & (model(attack(model, images, labels)).argmax(1) == labels)


@pytest.mark.parametrize(
    "attack", [FGSM(eps=0.1), PGD(eps=0.1, random_start=False), PGD(eps=0.5, norm="l2", random_start=False)]
)
def test_as_counted_by_hand(attack):
    model = trained()
    clean, robust = by_hand(model, IMAGES, LABELS, attack)
    found = robust_accuracy(model, IMAGES, LABELS, attack)
    assert torch.equal(found.clean_right, clean)
    assert (found.robust_right == robust).float().mean() > 0.995  # other batches round otherwise
    assert found.clean.value == clean.float().mean()
    assert found.robust.value == pytest.approx(float(found.robust_right.double().mean()))
    assert found.clean.n == found.robust.n == 500
    assert found.robust.low < found.robust.value < found.robust.high
    assert 0.02 < found.robust.value < found.clean.value - 0.1


def test_batches_do_not_matter():
    model, images = trained(), IMAGES[:60].double()
    doubled = network()
    doubled.load_state_dict(model.state_dict())
    doubled = doubled.double()
    attack = PGD(eps=0.12, steps=3, restarts=2)
    found = [robust_accuracy(doubled, images, LABELS[:60], attack, batch_size=size) for size in (60, 7, 1)]
    for other in found[1:]:
        assert torch.equal(other.robust_right, found[0].robust_right)
    assert 0 < found[0].robust_right.sum() < found[0].clean_right.sum()


def test_each_image_has_its_own_start_and_each_seed_another():
    starts = []

    class Start(nn.Module):
        def forward(self, images):
            if torch.is_grad_enabled():
                starts.append(images.detach().clone())
            return torch.stack([images.sum((1, 2, 3)) * 1e-3, -images.sum((1, 2, 3))], 1)

    images, labels = torch.full((4, 1, 2, 2), 0.5), torch.zeros(4, dtype=torch.long)
    for seed in (0, 0, 1):
        robust_accuracy(Start(), images, labels, PGD(steps=1), seed=seed, look_for_masking=False)
    assert len(starts) == 3
    assert len({tuple(start.flatten().tolist()) for start in starts[0]}) == 4
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


def test_images_that_are_wrong_are_not_attacked_and_stay_wrong():
    seen = []

    class Spy:
        eps, norm = 0.1, "linf"

        def __call__(self, model, images, labels, *, generator=None):
            seen.append((len(images), len(generator)))
            return images

    model = trained()
    wrong = (LABELS + 1) % 10
    mixed = torch.cat([LABELS[:10], wrong[10:20]])
    clean, _ = by_hand(model, IMAGES[:20], mixed, FGSM())
    found = robust_accuracy(model, IMAGES[:20], mixed, Spy(), look_for_masking=False)
    assert seen == [(int(clean.sum()), int(clean.sum()))]
    assert torch.equal(found.robust_right, clean)


def test_a_model_that_is_always_wrong():
    model = trained()
    wrong = (model(IMAGES[:20]).argmax(1) + 1) % 10
    found = robust_accuracy(model, IMAGES[:20], wrong, PGD(steps=1))
    assert (found.clean.value, found.robust.value, found.warnings) == (0.0, 0.0, ())


def test_nan_among_the_logits_is_wrong():
    class Broken(nn.Module):
        def forward(self, images):
            logits = torch.zeros(len(images), 3)
            logits[:, 1] = torch.where(images[:, 0, 0, 0] > 0.5, torch.nan, 1.0)  # argmax takes nan for the largest
            return logits

    images = torch.tensor([0.2, 0.9]).view(2, 1, 1, 1)
    assert is_right(Broken(), images, torch.tensor([1, 1])).tolist() == [True, False]


def test_levels_of_8_bits():
    levels = (IMAGES * 255).round().byte()
    as_float = levels.float() / 255
    model, attack = trained(), PGD(eps=20.5 / 255, random_start=False)
    found = robust_accuracy(model, levels, LABELS, attack, eight_bit=True)
    adversarial = to_eight_bit(attack(model, as_float, LABELS), as_float, attack.eps).float() / 255
    expected = is_right(model, as_float, LABELS) & is_right(model, adversarial, LABELS)
    assert (found.robust_right == expected).float().mean() > 0.995
    assert found.robust.value >= robust_accuracy(model, as_float, LABELS, attack).robust.value


def test_the_model_is_left_as_found():
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    robust_accuracy(model, *data(), PGD(steps=2))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_warnings_come_with_the_numbers():
    class Saturated(nn.Module):
        def forward(self, images):
            return trained()(images) * 1e4

    found = robust_accuracy(Saturated(), IMAGES, LABELS, PGD(eps=0.1))
    assert any("have no gradient at all" in warning for warning in found.warnings)
    assert "\nwarning: " in str(found)
    assert robust_accuracy(trained(), IMAGES, LABELS, PGD(eps=0.1)).warnings == ()
    assert robust_accuracy(Saturated(), IMAGES, LABELS, PGD(eps=0.1), look_for_masking=False).warnings == ()


def test_two_models_on_the_same_images():
    attack = PGD(eps=0.1)
    found = [robust_accuracy(trained(seed), IMAGES, LABELS, attack) for seed in (0, 1)]
    comparison = paired(found[0].robust_right, found[1].robust_right)
    assert comparison.difference == pytest.approx(found[0].robust.value - found[1].robust.value)
    width = [one.robust.high - one.robust.low for one in found]
    assert comparison.high - comparison.low < sum(width)


def test_a_printed_result():
    lines = str(robust_accuracy(trained(), IMAGES, LABELS, PGD(eps=0.1))).splitlines()
    assert [line.split()[0] for line in lines] == ["clean", "robust"]
    assert all("n = 500" in line for line in lines)


def test_what_is_refused():
    model = trained()
    with pytest.raises(SettingError, match=r"in evaluation mode, got batch_norm='train'; .*batch_norm='eval'"):
        robust_accuracy(model, IMAGES, LABELS, P1_TRAIN)
    with pytest.raises(SettingError, match="whole number batch_size ≥ 1, got 0"):
        robust_accuracy(model, IMAGES, LABELS, FGSM(), batch_size=0)
    with pytest.raises(DataError, match="one label for each of 500 images"):
        robust_accuracy(model, IMAGES, LABELS[:-1], FGSM())
    with pytest.raises(DataError, match="they look normalised"):
        robust_accuracy(model, IMAGES * 2 - 1, LABELS, FGSM())
    with pytest.raises(DataError, match="expected at least one image, got none"):
        robust_accuracy(model, IMAGES[:0], LABELS[:0], FGSM())
    with pytest.raises(
        DataError, match=r"got torch\.float16; pass images\.float\(\), and use torch\.autocast for speed"
    ):
        robust_accuracy(model, IMAGES.half(), LABELS, FGSM())
    with pytest.raises(DataError, match=r"expected images as a tensor, got ndarray; pass torch\.from_numpy\(images\)"):
        robust_accuracy(model, IMAGES.numpy(), LABELS, FGSM())
    with pytest.raises(DataError, match=r"expected labels as a tensor, got ndarray; pass torch\.from_numpy\(labels\)"):
        robust_accuracy(model, IMAGES, LABELS.numpy(), FGSM())
    with pytest.raises(SettingError, match=r"expected a whole number of 0 or more as seed, got -1"):
        robust_accuracy(model, IMAGES, LABELS, FGSM(), seed=-1)
    with pytest.raises(DataError, match=r"label 10 is outside 0\.\.9"):
        robust_accuracy(model, IMAGES, LABELS + 1, FGSM())
