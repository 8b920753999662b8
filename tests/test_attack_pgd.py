"""PGD against its slow twin, by hand, and in its ball whatever is asked."""

import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.attack import FGSM, LOSSES, PGD
from gossamer.attack.ball import largest_change, lengths, project, random_start, steepest, unit
from gossamer.attack.common import is_right
from gossamer.core.errors import SettingError, UnknownNameError
from tests.attacked import data, digits, network, trained
from tests.reference import pgd as twin

NORMS = {"linf": 0.1, "l2": 0.7}


def line(*weights):
    """Two classes of one-pixel-high images; the loss of class 0 rises where the weight is negative."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 2, bias=False)).double()
    model[1].weight.data = torch.tensor([weights, [-weight for weight in weights]], dtype=torch.float64)
    return model


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(8))
def test_as_the_twin_from_the_clean_image(norm, seed):
    model, (images, labels) = network(seed).double().eval(), data(seed)
    images = images.double()
    settings = {"eps": NORMS[norm], "step": NORMS[norm] / 3, "steps": 5, "norm": norm}
    expected = twin.pgd(model, images, labels, images, **settings)
    ours = PGD(**settings, random_start=False)(model.train(), images, labels)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
    assert largest_change(ours, images, norm).max() > 0.9 * NORMS[norm]


@pytest.mark.parametrize("norm", NORMS)
def test_as_the_twin_from_a_random_start(norm):
    model, (images, labels) = network().double().eval(), data()
    images = images.double()
    settings = {"eps": NORMS[norm], "step": NORMS[norm] / 3, "steps": 4, "norm": norm}
    start = random_start(images, NORMS[norm], norm, torch.Generator().manual_seed(7))
    ours = PGD(**settings)(model, images, labels, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(ours, twin.pgd(model, images, labels, start, **settings), rtol=0, atol=1e-9)


def test_by_hand_in_linf():
    """From (0.5, 0.05, 1) two steps of 0.2 against (+, +, -): out of the ball at 0.3, out of [0, 1] at 0 and 1."""
    images = torch.tensor([0.5, 0.05, 1.0], dtype=torch.float64).view(1, 1, 1, 3)
    found = PGD(eps=0.3, step=0.2, steps=2, random_start=False)(line(1.0, 1.0, -1.0), images, torch.tensor([0]))
    assert found.flatten().tolist() == pytest.approx([0.2, 0.0, 1.0])


def test_by_hand_in_l2():
    """Towards -(3, 4)/5: one step of 1 would end at (-0.3, -0.3); the ball of 0.25 ends at (0.15, 0.3)."""
    images = torch.tensor([0.3, 0.5], dtype=torch.float64).view(1, 1, 1, 2)
    found = PGD(eps=0.25, step=0.5, steps=1, norm="l2", random_start=False)(line(3.0, 4.0), images, torch.tensor([0]))
    assert found.flatten().tolist() == pytest.approx([0.15, 0.3])


def test_the_ball_comes_before_the_unit_cube():
    """To (1.2, 0.9), then to (1, 0.9); the other order would end in the middle of the ball's border."""
    clean = torch.tensor([0.9, 0.5]).view(1, 1, 1, 2)
    far = torch.tensor([1.5, 1.3]).view(1, 1, 1, 2)  # a change of (0.6, 0.8), of length 1
    assert project(far, clean, 0.5, "l2").flatten().tolist() == pytest.approx([1.0, 0.9])


def test_fgsm_is_one_step():
    images, labels = data()
    model = network()
    one = PGD(eps=0.1, step=0.1, steps=1, random_start=False)(model, images, labels)
    assert torch.equal(FGSM(eps=0.1)(model, images, labels), one)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 4),
    channels=st.integers(1, 3),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    eps=st.one_of(st.just(0.0), st.floats(1e-6, 0.999)),
    share=st.floats(0, 2),
    norm=st.sampled_from(list(NORMS)),
    random=st.booleans(),
    rule=st.sampled_from(["constant", "linear", "cosine"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_always_in_the_ball_and_in_the_unit_cube(
    n, channels, height, width, eps, share, norm, random, rule, dtype, seed
):
    stream = torch.Generator().manual_seed(seed)
    images = (2 * torch.rand(n, channels, height, width, generator=stream, dtype=dtype) - 0.5).clamp(0, 1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 3)).to(dtype)
    labels = torch.randint(3, (n,), generator=stream)
    attack = PGD(eps=eps, step=min(eps * share, 1.0), steps=3, norm=norm, random_start=random, step_rule=rule)
    found = attack(model, images, labels, generator=stream)
    assert found.shape == images.shape
    assert found.dtype == dtype
    assert found.min() >= 0
    assert found.max() <= 1
    assert largest_change(found, images, norm).max() <= eps * (1 + 1e-5) + 1e-6


def test_eps_zero_is_the_clean_image():
    images, labels = data()
    for norm in NORMS:
        assert torch.equal(PGD(eps=0, norm=norm)(network(), images, labels), images)


class Flat(nn.Module):
    """No gradient for images whose first pixel is above 0.7."""

    def forward(self, images):
        moves = (images[:, 0, 0, 0] <= 0.7).to(images.dtype).view(-1, 1)
        return moves * images.flatten(1)[:, :3]


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_moves_nothing_and_spoils_no_other_sample(norm):
    images = torch.full((2, 1, 2, 2), 0.5)
    images[1] = 0.75
    found = PGD(eps=0.1, norm=norm, random_start=False)(Flat(), images, torch.tensor([1, 1]))
    assert torch.equal(found[1], images[1])
    assert largest_change(found, images, norm)[0] == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e-30, 1e-37])
def test_unit_length_even_where_squares_underflow(scale):
    changes = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit(changes * scale), changes / lengths(changes), rtol=1e-5, atol=1e-7)
    assert torch.equal(steepest(changes * scale, "linf"), changes.sign())


def test_random_starts_fill_the_ball_of_linf_evenly():
    images = torch.full((1, 1, 100, 100), 0.5, dtype=torch.float64)
    change = (random_start(images, 0.2, "linf", torch.Generator().manual_seed(0)) - images).flatten()
    assert change.abs().max() <= 0.2
    assert change.mean().abs() < 5 * 0.2 / math.sqrt(3 * 10_000)
    assert float(change.square().mean()) == pytest.approx(0.2**2 / 3, rel=0.05)


def test_random_starts_of_l2_have_uniform_radii_and_even_directions():
    images = torch.full((4000, 1, 2, 2), 0.5, dtype=torch.float64)
    change = random_start(images, 0.2, "l2", torch.Generator().manual_seed(0)) - images
    radii = lengths(change).flatten() / 0.2
    shares = torch.histc(radii, bins=10, min=0, max=1) / 4000
    assert (shares - 0.1).abs().max() < 5 * math.sqrt(0.1 * 0.9 / 4000)
    mean = (change / lengths(change)).mean(0)
    assert mean.abs().max() < 5 * math.sqrt(0.25 / 4000)


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_are_clamped(norm):
    images = data(n=50)[0]
    start = random_start(images, 0.9, norm, torch.Generator().manual_seed(1))
    assert start.min() >= 0
    assert start.max() <= 1
    assert not torch.equal(start, images)


def test_the_same_generator_state_gives_the_same_images_and_none_is_seed_zero():
    images, labels = data()
    model, attack = network(), PGD(steps=2)
    first = attack(model, images, labels)
    assert torch.equal(first, attack(model, images, labels, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(first, attack(model, images, labels, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("norm", NORMS)
def test_a_generator_for_each_image_makes_batches_irrelevant(norm):
    images, labels = data(n=4)
    model, attack = network().double(), PGD(steps=2, norm=norm, restarts=2)

    def draws(places):
        return [torch.Generator().manual_seed(place) for place in places]

    whole = attack(model, images.double(), labels, generator=draws(range(4)))
    parts = [attack(model, images[part].double(), labels[part], generator=draws(part)) for part in ([0], [1, 2], [3])]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-9)


def test_a_wrong_number_of_generators_is_refused():
    with pytest.raises(ValueError, match="zip"):
        PGD()(network(), *data(n=3), generator=[torch.Generator()])


def test_restarts_keep_the_strongest_of_each_sample():
    _, _, images, labels = digits()
    images, labels, model = images[:60], labels[:60], trained()
    single = PGD(eps=0.15, steps=2, step=0.03)
    stream = torch.Generator().manual_seed(3)
    tried = [single(model, images, labels, generator=stream) for _ in range(4)]
    best = PGD(eps=0.15, steps=2, step=0.03, restarts=4)(
        model, images, labels, generator=torch.Generator().manual_seed(3)
    )
    wrong = torch.stack([~is_right(model, one, labels) for one in tried])
    assert torch.equal(~is_right(model, best, labels), wrong.any(0))
    assert wrong.any(0).sum() > wrong.sum(1).max()  # otherwise a single start would do
    with torch.no_grad():
        losses = torch.stack([LOSSES["ce"](model(one), labels) for one in tried])
        expected = torch.where(wrong == wrong.any(0), losses, -torch.inf).amax(0)
        torch.testing.assert_close(LOSSES["ce"](model(best), labels), expected)


def test_step_rules_by_hand():
    assert PGD(eps=0.8, steps=2).step_sizes() == [0.2, 0.2]
    assert PGD().step_sizes() == [2 / 255] * 10
    assert PGD(eps=0.2, step=0.4, steps=4, step_rule="linear").step_sizes() == pytest.approx([0.4, 0.3, 0.2, 0.1])
    half = math.sqrt(0.5)
    expected = [0.4, 0.2 * (1 + half), 0.2, 0.2 * (1 - half)]
    assert PGD(eps=0.2, step=0.4, steps=4, step_rule="cosine").step_sizes() == pytest.approx(expected)


@pytest.mark.parametrize("rule", ["linear", "cosine"])
def test_a_step_rule_is_used(rule):
    images = torch.tensor([0.5]).view(1, 1, 1, 1).double()
    attack = PGD(eps=0.9, step=0.1, steps=2, step_rule=rule, random_start=False)
    found = attack(line(1.0), images, torch.tensor([0]))
    assert found.item() == pytest.approx(0.5 - sum(attack.step_sizes()))


def test_more_steps_and_more_eps_break_more_digits():
    _, _, images, labels = digits()
    model = trained()
    left = [
        int(is_right(model, attack(model, images, labels), labels).sum())
        for attack in (PGD(eps=0), FGSM(eps=0.15), PGD(eps=0.15, steps=20), PGD(eps=0.3, steps=20))
    ]
    assert left == sorted(left, reverse=True)
    assert left[0] > 450
    assert left[-1] < 50


class Half(nn.Module):
    """Logits in another precision than the images."""

    def __init__(self, dtype):
        super().__init__()
        self.inner, self.dtype = network(), dtype

    def forward(self, images):
        return self.inner(images).to(self.dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_another_precision(dtype):
    images, labels = data()
    found = PGD(eps=0.1, steps=3)(Half(dtype), images, labels)
    plain = PGD(eps=0.1, steps=3)(network(), images, labels)
    assert found.dtype == torch.float32
    assert (found == plain).float().mean() > 0.9


def test_under_autocast():
    images, labels = data(n=20)
    plain = PGD(eps=0.1, steps=3)(network(), images, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = PGD(eps=0.1, steps=3)(network(), images, labels)
    assert found.dtype == torch.float32
    assert (found == plain).float().mean() > 0.9


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_whatever_the_caller_does_about_gradients(context):
    model, (images, labels) = network(), data()
    expected = PGD(steps=2)(model, images, labels)
    with context():
        made_inside = images.clone()
        found = PGD(steps=2)(model, made_inside, labels)
    assert torch.equal(found, expected)
    assert not found.requires_grad
    assert not found.is_inference()


def test_images_that_require_gradients_are_cut_off():
    model, (images, labels) = network(), data()
    images.requires_grad_()
    found = PGD(steps=2)(model, images, labels)
    assert not found.requires_grad
    assert images.grad is None


def test_two_classes():
    model, (images, labels) = network(classes=2), data(classes=2)
    found = PGD(eps=0.1)(model, images, labels)
    with torch.no_grad():
        before, after = (LOSSES["ce"](model.eval()(x), labels) for x in (images, found))
    assert bool((after > before).all())


def test_channels_last_stays():
    model, (images, labels) = network(channels=3), data(channels=3)
    expected = PGD(steps=2)(model, images, labels)
    found = PGD(steps=2)(model, images.contiguous(memory_format=torch.channels_last), labels)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)


def test_the_loss_curve_rises_and_ends_where_the_attack_does():
    _, _, images, labels = digits()
    model, attack = trained(), PGD(eps=0.1, steps=5, random_start=False)
    curve = attack.loss_curve(model, images, labels)
    with torch.no_grad():
        ends = [LOSSES["ce"](model(x), labels).mean() for x in (images, attack(model, images, labels))]
    assert len(curve) == 6
    assert bool((curve.diff() > 0).all())
    torch.testing.assert_close(curve[[0, -1]], torch.stack(ends))


def test_settings_compare_print_and_pickle():
    attack = PGD(eps=0.1, norm="l2")
    assert attack == PGD(eps=0.1, norm="l2")
    assert len({attack, PGD(eps=0.1, norm="l2")}) == 1
    assert pickle.loads(pickle.dumps(attack)) == attack
    assert eval(repr(attack)) == attack


def test_steps_as_long_as_the_way_across_the_ball():
    assert PGD(eps=0.15, step=0.1 + 0.2).step == 0.1 + 0.2 > 2 * 0.15
    assert PGD(eps=2, step=4, norm="l2").step == 4


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"eps": 8}, SettingError, r"units of images in \[0, 1\], got 8; .* pass eps=8/255"),
        ({"eps": 1}, SettingError, r"got 1; .* pass eps=1/255 \(within 1 lies any image: stay below\)"),
        ({"eps": -0.1}, SettingError, r"expected eps ≥ 0, got -0\.1"),
        ({"eps": math.nan}, SettingError, "expected eps ≥ 0, got nan"),
        ({"step": -1.0}, SettingError, r"expected step ≥ 0, got -1\.0; pass for instance step=2/255"),
        ({"step": math.inf}, SettingError, "expected step ≥ 0, got inf"),
        (
            {"step": 2},
            SettingError,
            r"at most 0\.06275, .* eps=0\.03137, got 2; step is .*: pass 2/255, not 2",
        ),
        ({"step": 1.5, "eps": 0.9}, SettingError, r"a step of at most 1, the way across .* eps=0\.9, got 1\.5"),
        (
            {"step": 2, "norm": "l2", "eps": 0.5},
            SettingError,
            "at most 1, .* got 2; .* leave it out for eps/4",
        ),
        ({"steps": 0}, SettingError, "whole number steps ≥ 1, got 0"),
        ({"steps": 2.5}, SettingError, "whole number steps ≥ 1, got 2.5"),
        ({"restarts": 0}, SettingError, "whole number restarts ≥ 1, got 0"),
        ({"restarts": 2, "random_start": False}, SettingError, "2 restarts from the same place are one"),
        ({"norm": "l1"}, UnknownNameError, "unknown norm 'l1'; did you mean 'l2'"),
        ({"step_rule": "cosin"}, UnknownNameError, "unknown step rule 'cosin'; did you mean 'cosine'"),
        ({"loss": "cee"}, UnknownNameError, "unknown loss 'cee'; did you mean 'ce'"),
    ],
)
def test_settings_that_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        PGD(**settings)
