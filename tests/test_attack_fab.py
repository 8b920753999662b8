"""FAB: its projection against linear programs and exhaustive search, its steps against a slow twin, its promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.attack import APGD, FAB, wilson
from gossamer.attack.ball import largest_change
from gossamer.attack.common import is_right
from gossamer.attack.hyperplane import nearest_on_hyperplane
from gossamer.core.errors import DataError, SettingError, StateError
from tests.attacked import data, digits, network, trained
from tests.few_classes import first_digits
from tests.reference import fab as twin

RADII = {"linf": 0.1, "l2": 0.7}


def right_data(model, n=6, **shape):
    images, _ = data(1, n=n, **shape)
    images = images.to(next(model.parameters()).dtype)
    return images, model.eval()(images).argmax(1).detach()


@st.composite
def planes(draw):
    """A point of a box, some coordinates at its faces, a normal, some entries 0, and a height there."""
    size = draw(st.integers(1, 5))
    coordinate = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.01, 0.99))
    slope = st.one_of(st.just(0.0), st.floats(0.01, 3), st.floats(-3, -0.01))
    x = draw(st.lists(coordinate, min_size=size, max_size=size))
    w = draw(st.lists(slope, min_size=size, max_size=size))
    return x, w, draw(st.floats(-4, 4))


def ours(x, w, height, norm):
    double = {"dtype": torch.float64}
    return nearest_on_hyperplane(
        torch.tensor([x], **double), torch.tensor([w], **double), torch.tensor([height], **double), norm
    )[0].tolist()


def left_over(z, x, w, height):
    return height + sum(slope * (a - b) for slope, a, b in zip(w, z, x, strict=True))


@settings(max_examples=150, deadline=None)
@given(planes())
def test_linf_projection_as_the_linear_program(plane):
    x, w, height = plane
    z, expected = ours(*plane, "linf"), twin.distance_linf(*plane)
    assert all(0 <= value <= 1 for value in z)
    if expected is None:
        assert abs(left_over(z, x, w, height)) == pytest.approx(twin.lowest_corner(*plane), abs=1e-9)
    elif abs(height) > 1e-6:  # below, the program's own tolerance decides
        assert left_over(z, x, w, height) == pytest.approx(0, abs=1e-6)
        assert max(abs(a - b) for a, b in zip(z, x, strict=True)) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(planes())
def test_l2_projection_as_the_exhaustive_search(plane):
    x, w, height = plane
    z, expected = ours(*plane, "l2"), twin.nearest_l2(*plane)
    assert all(0 <= value <= 1 for value in z)
    if expected is None:
        assert abs(left_over(z, x, w, height)) == pytest.approx(twin.lowest_corner(*plane), abs=1e-9)
    else:
        assert z == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("norm", RADII)
def test_projections_of_a_batch_do_not_mix_and_arrive_in_single_precision(norm):
    stream = torch.Generator().manual_seed(0)
    points = (1.4 * torch.rand(64, 3072, generator=stream) - 0.2).clamp(0, 1)
    normals = torch.randn(64, 3072, generator=stream) * 10 ** (4 * torch.rand(64, 3072, generator=stream) - 4)
    heights = 100 * torch.randn(64, generator=stream)
    batch = nearest_on_hyperplane(points, normals, heights, norm)
    rows = [nearest_on_hyperplane(*(tensor[[row]] for tensor in (points, normals, heights)), norm) for row in range(64)]
    torch.testing.assert_close(batch, torch.cat(rows), rtol=0, atol=1e-6)
    reach = (normals * (batch - points)).double().sum(1) + heights
    room = torch.where(normals * heights.unsqueeze(1) > 0, points, 1 - points)
    missed = heights.abs() > (normals.abs() * room).sum(1)
    assert 0 < int(missed.sum()) < 64
    assert reach[~missed].abs().max() < 1e-4 * 100


@pytest.mark.parametrize("norm", RADII)
def test_no_slope_no_move(norm):
    points = torch.tensor([[0.3, 0.6]])
    assert torch.equal(nearest_on_hyperplane(points, torch.zeros(1, 2), torch.tensor([1.0]), norm), points)
    assert torch.equal(nearest_on_hyperplane(points, torch.ones(1, 2), torch.tensor([0.0]), norm), points)


class Recorder(nn.Module):
    """Keeps every image from which a gradient was asked."""

    def __init__(self, model):
        super().__init__()
        self.model, self.seen = model, []

    def forward(self, images):
        if images.requires_grad:
            self.seen.append(images.detach().clone())
        return self.model(images)


@pytest.mark.parametrize("norm", RADII)
def test_every_step_as_the_twin(norm):
    model = network(3).double().eval()
    images, labels = right_data(model)
    target = model(images).topk(2).indices[:, 1]
    recorder = Recorder(model)
    found = FAB(eps=0.9, norm=norm, steps=12, targets=1, smallest=True)(recorder, images, labels)
    assert len(recorder.seen) == 12
    for row, image in enumerate(images):

        def logits(x, image=image):
            return model(x.view_as(image).unsqueeze(0))[0]

        label, other = int(labels[row]), int(target[row])
        best, places = twin.search(
            lambda x, a=other, b=label: logits(x)[a] - logits(x)[b],
            lambda x, b=label: bool(logits(x).argmax() != b),
            image.flatten(),
            12,
            norm,
        )
        torch.testing.assert_close(torch.stack([batch[row].flatten() for batch in recorder.seen]), torch.stack(places))
        torch.testing.assert_close(found[row].flatten(), best)


def test_the_share_of_the_clean_image_is_limited():
    here, there = (
        torch.tensor([[0.3, 0.4], [0.0, 0.01], [0.0, 0.0]]),
        torch.tensor([[0.6, 0.8], [0.0, 0.39], [0.0, 0.0]]),
    )
    shares = FAB(norm="l2", bias=0.2)._share(here, there)  # 0.5 / 1.5, 0.01 / 0.4, and no way at all
    torch.testing.assert_close(shares, torch.tensor([[0.2], [0.025], [0.0]]))
    shares = FAB(norm="linf", bias=0.4)._share(here, there)  # 0.4 / 1.2
    torch.testing.assert_close(shares, torch.tensor([[1 / 3], [0.025], [0.0]]))


@pytest.mark.parametrize(("norm", "distance"), [("linf", 0.6 / 5), ("l2", 0.6 / 13**0.5)])
def test_a_linear_model_is_fooled_at_its_distance(norm, distance):
    """Logits 0 and 2a + 3b - 1.9 at a = 0.5, b = 0.5: the boundary is 0.6 away in 2a + 3b, nearer by no path.

    The overshoot of 5 % after stepping back by 10 % leaves 0.5 %.
    """
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)).double()
    model[1].weight.data = torch.tensor([[0.0, 0.0], [-2.0, -3.0]], dtype=torch.float64)
    model[1].bias.data = torch.tensor([0.0, 1.9], dtype=torch.float64)
    image = torch.full((1, 1, 1, 2), 0.5, dtype=torch.float64)
    found = FAB(eps=0.9, norm=norm, smallest=True)(model, image, torch.tensor([0]))
    assert distance <= float(largest_change(found, image, norm)) <= 1.006 * distance
    assert not is_right(model, found, torch.tensor([0])).any()
    below = FAB(eps=0.99 * distance, norm=norm)(model, image, torch.tensor([0]))
    assert torch.equal(below, image)


@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_within_the_ball_in_range_and_clean_or_fooling(norm, dtype):
    model = network(0, channels=3).to(dtype)
    images, labels = right_data(model, n=20, channels=3)
    before = images.clone()
    adversarial = FAB(eps=RADII[norm] / 30, norm=norm, steps=15)(model, images, labels)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == dtype
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert largest_change(adversarial, images, norm).max() <= RADII[norm] / 30
    untouched = (adversarial == images).flatten(1).all(1)
    assert torch.equal(untouched, is_right(model, adversarial, labels))
    assert 0 < int(untouched.sum()) < 20
    assert torch.equal(images, before)


def test_samples_that_are_wrong_already_come_back_untouched():
    model = network(2)
    images, labels = right_data(model)
    labels[::2] = (labels[::2] + 1) % 10
    adversarial = FAB(eps=0.3, steps=5)(model, images, labels)
    assert torch.equal(adversarial[::2], images[::2])
    assert not (adversarial[1::2] == images[1::2]).flatten(1).all(1).any()


@pytest.mark.parametrize("norm", RADII)
def test_the_smallest_change_is_smaller_and_falls_with_more_steps(norm):
    model = trained()
    images, labels = (tensor[:40] for tensor in digits()[2:])
    attack = {"eps": 0.9, "norm": norm, "targets": 3}
    first = largest_change(FAB(**attack, steps=20)(model, images, labels), images, norm)
    far = [
        largest_change(FAB(**attack, steps=steps, smallest=True)(model, images, labels), images, norm)
        for steps in (5, 20, 60)
    ]
    found = is_right(model, images, labels) & (far[0] > 0)
    assert found.sum() > 30
    assert (far[1] <= far[0])[found].all()
    assert (far[2] <= far[1])[found].all()
    assert (far[1] <= first)[found].all()
    assert far[2][found].mean() < 0.95 * first[found].mean()


@pytest.mark.parametrize("norm", RADII)
def test_restarts_only_help_and_are_seeded(norm):
    model = trained()
    images, labels = (tensor[:100] for tensor in digits()[2:])
    attack = {"eps": 3 * RADII[norm], "norm": norm, "steps": 1, "targets": 2}
    once, more = (FAB(**attack, restarts=restarts)(model, images, labels) for restarts in (1, 4))
    again = FAB(**attack, restarts=4)(model, images, labels, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again, more)
    before, after = (is_right(model, found, labels) for found in (once, more))
    assert not (after & ~before).any()
    assert (before & ~after).any()


@pytest.mark.parametrize("norm", RADII)
def test_restarts_begin_half_the_radius_away(norm):
    images, _ = data()
    away = FAB(eps=0.1, norm=norm)._away(images * 0 + 0.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(largest_change(away, images * 0 + 0.5, norm), torch.full((6,), 0.05))


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("norm", RADII)
def test_few_classes(norm, classes):
    model, images, labels = first_digits(classes)
    adversarial = FAB(eps=3 * RADII[norm], norm=norm, steps=20)(model, images, labels)
    assert int(is_right(model, adversarial, labels).sum()) <= 10


def test_a_generator_for_each_image_makes_the_batch_not_matter():
    model = network(1).double()
    images, labels = right_data(model)
    attack = FAB(eps=0.02, steps=5, restarts=2)
    whole = attack(model, images, labels, generator=[torch.Generator().manual_seed(seed) for seed in range(6)])
    for row in range(6):
        alone = attack(model, images[[row]], labels[[row]], generator=[torch.Generator().manual_seed(row)])
        torch.testing.assert_close(alone[0], whole[row])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("norm", RADII)
def test_robust_accuracy_as_torchattacks_and_near_apgd(norm):
    model = trained()
    images, labels = (tensor[:100] for tensor in digits()[2:])
    radius = {"eps": RADII[norm], "norm": norm}
    ours, climbed = (
        int(is_right(model, attack(model, images, labels), labels).sum())
        for attack in (FAB(**radius, steps=30), APGD(**radius))
    )
    assert abs(ours - climbed) <= 5
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    with torch.random.fork_rng(devices=[]):
        attack = torchattacks.FAB(
            model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=RADII[norm], steps=30, multi_targeted=True, n_classes=10
        )
        theirs = int(is_right(model, attack(images, labels).detach(), labels).sum())
    interval = wilson(ours, len(labels))
    assert interval.low <= theirs / len(labels) <= interval.high
    assert ours <= theirs + 2


def test_a_gradient_that_is_not_finite_is_named():
    class Root(nn.Module):
        def forward(self, images):
            first = images.flatten(1).sum(1)
            return torch.stack([first + 1, (first - first).sqrt()], dim=1)

    with pytest.raises(StateError, match="gradient was not finite for 2 of 2 images"):
        FAB(eps=0.1)(Root(), torch.full((2, 1, 2, 2), 0.5), torch.tensor([0, 0]))


def test_settings_outside_their_range_are_refused():
    for name in ("steps", "restarts", "targets"):
        with pytest.raises(SettingError, match=f"expected a whole number {name} ≥ 1, got 0"):
            FAB(**{name: 0})
    for name in ("bias", "backward"):
        with pytest.raises(SettingError, match=rf"expected {name} in \(0, 1\], got 0; leave it out for the paper's"):
            FAB(**{name: 0})
    with pytest.raises(SettingError, match=r"expected overshoot ≥ 1, got 0.5; below 1 no boundary is crossed"):
        FAB(overshoot=0.5)
    images, _ = data()
    with pytest.raises(DataError, match=r"label 10 is outside 0\.\.9"):
        FAB()(network(), images, torch.full((len(images),), 10))
