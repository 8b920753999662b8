"""The Square attack: schedule and moves against slow twins, queries, and the ball."""

import pytest
import torch
from torch import nn

from gossamer.attack import Square, wilson
from gossamer.attack.ball import largest_change, lengths
from gossamer.attack.common import is_right
from gossamer.attack.pyramid import hill_and_valley, pyramid
from gossamer.attack.square import BLOCK, margins
from gossamer.attack.squares import Draws, repaint, reshape_length, share_of_pixels, side_of, stripes, tiles
from gossamer.core.errors import DataError, SettingError
from tests.attacked import data, digits, network, trained
from tests.few_classes import first_digits
from tests.reference import square as twin

RADII = {"linf": 0.1, "l2": 0.7}


class Counter(nn.Module):
    """Keeps the size of each batch, and asserts that there is no graph."""

    def __init__(self, model):
        super().__init__()
        self.model, self.sizes = model, []

    def forward(self, images):
        assert not torch.is_grad_enabled()
        self.sizes.append(len(images))
        return self.model(images)


def right_data(model, n=6, **shape):
    images, _ = data(1, n=n, **shape)
    images = images.to(next(model.parameters()).dtype)
    return images, model.eval()(images).argmax(1).detach()


def a_round(n, channels, seed):
    """Random numbers, and what they say: places, signs, whether turned."""
    numbers = torch.rand(n, Draws.NUMBERS + channels, generator=torch.Generator().manual_seed(seed))
    signs = [[1 if value >= 0.5 else -1 for value in row[5:]] for row in numbers.tolist()]
    return numbers.double(), signs, (numbers[:, 4] < 0.5).tolist()


def places(numbers, side, height, width):
    return [
        tuple((int(row[2 * i] * (height - side + 1)), int(row[2 * i + 1] * (width - side + 1))) for i in (0, 1))
        for row in numbers.tolist()
    ]


@pytest.mark.parametrize("queries", [1, 50, 1000, 5000, 10_000])
def test_schedule_as_the_twin(queries):
    ours = [share_of_pixels(query, queries, 0.8) for query in range(queries)]
    assert ours == [twin.share(query, queries, 0.8) for query in range(queries)]


def test_schedule_that_is_not_stretched_is_that_of_ten_thousand():
    ours = [share_of_pixels(query, 5000, 0.3, rescaled=False) for query in range(5000)]
    assert ours == [twin.share(query, 10_000, 0.3) for query in range(5000)]
    assert ours[-1] == 0.3 / 2**7


@pytest.mark.parametrize(
    ("share", "height", "width", "norm", "side"),
    [
        (0.8, 32, 32, "linf", 29),  # √(0.8 · 1024) = 28.6
        (0.8, 32, 32, "l2", 29),
        (0.4, 32, 32, "linf", 20),  # 20.2
        (0.4, 32, 32, "l2", 21),
        (1e-4, 32, 32, "linf", 1),
        (1e-4, 32, 32, "l2", 3),
        (1.0, 8, 16, "linf", 8),  # 11.3, more than the image is high
        (0.8, 2, 2, "l2", 2),
    ],
)
def test_sides(share, height, width, norm, side):
    assert side_of(share, height, width, norm) == side


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3), (2, 5), (3, 5), (4, 9), (5, 9), (6, 6)])
def test_pyramid_as_the_twin(height, width):
    expected = torch.tensor(twin.pyramid(height, width), dtype=torch.float64)
    torch.testing.assert_close(pyramid(height, width), expected)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 6, 29])
def test_hill_and_valley_as_the_twin(side):
    ours = hill_and_valley(side)
    torch.testing.assert_close(ours, torch.tensor(twin.hill_and_valley(side), dtype=torch.float64))
    assert ours.square().sum() == pytest.approx(1)


@pytest.mark.parametrize("side", [2, 3, 4, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_moves_as_the_twins(channels, side):
    clean, _ = data(2, n=8, channels=channels, size=7)
    clean = clean[:, :, :, :6].double() if side < 7 else clean.double()  # wider than high and square ones
    height, width = clean.shape[2:]
    numbers, signs, turned = a_round(8, channels, side)
    draws, where = Draws(numbers), places(numbers, side, height, width)
    source = torch.Generator().manual_seed(0)
    best = stripes(clean, 0.2, source)
    expected = [
        twin.linf_move(best[row].tolist(), clean[row].tolist(), 0.2, side, where[row][0], signs[row])
        for row in range(8)
    ]
    torch.testing.assert_close(repaint(best, clean, 0.2, side, draws), torch.tensor(expected, dtype=torch.float64))
    best = tiles(clean, 0.9, source)
    best[0] = clean[0]  # no change to take away
    expected = [
        twin.l2_move(best[row].tolist(), clean[row].tolist(), 0.9, side, where[row], signs[row], turned[row])
        for row in range(8)
    ]
    torch.testing.assert_close(
        reshape_length(best, clean, 0.9, side, draws), torch.tensor(expected, dtype=torch.float64)
    )
    assert len({*turned}) == 2


def test_first_images():
    clean = torch.full((4, 3, 20, 24), 0.5)
    source = torch.Generator().manual_seed(0)
    striped = stripes(clean, 0.1, source) - clean
    assert torch.equal(striped, striped[:, :, :1].expand_as(striped))
    assert torch.allclose(striped.abs(), torch.tensor(0.1))
    assert 0.3 < (striped > 0).float().mean() < 0.7
    tiled = tiles(clean, 0.5, source) - clean
    torch.testing.assert_close(lengths(tiled).flatten(), torch.full((4,), 0.5))
    corner = tiled[:, :, :4, 2:6]  # five tiles of four pixels, two columns at each side left over
    assert torch.equal(tiled[:, :, :, :2], torch.zeros(4, 3, 20, 2))
    for row in range(5):
        for column in range(5):
            tile = tiled[:, :, 4 * row : 4 * row + 4, 2 + 4 * column : 6 + 4 * column]
            assert ((tile - corner).abs().amax((2, 3)).minimum((tile + corner).abs().amax((2, 3))) < 1e-6).all()


def test_squares_lie_anywhere_in_the_image():
    clean = torch.full((4000, 1, 6, 5), 0.5)
    numbers, _, _ = a_round(4000, 1, 0)
    painted = repaint(clean, clean, 0.1, 3, Draws(numbers.float())) != 0.5
    assert (painted.sum((1, 2, 3)) == 9).all()
    corners = painted[:, 0].flatten(1).float().argmax(1).unique(return_counts=True)
    assert corners[0].tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12, 15, 16, 17]
    assert corners[1].min() > 4000 / 12 - 5 * (4000 / 12) ** 0.5


@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_within_the_ball_and_in_range(norm, dtype):
    model = network(0, channels=3).to(dtype)
    images, labels = right_data(model, channels=3)
    before = images.clone()
    adversarial = Square(eps=RADII[norm] / 4, norm=norm, queries=150)(model, images, labels)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == dtype
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert 0 < largest_change(adversarial, images, norm).max() <= RADII[norm] / 4 * (1 + 1e-5)
    assert torch.equal(images, before)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("norm", RADII)
def test_tiny_images(norm, size):
    model = network(0, channels=2, size=size, classes=2)
    images, labels = right_data(model, channels=2, size=size)
    adversarial = Square(eps=0.05, norm=norm, queries=20)(model, images, labels)
    assert largest_change(adversarial, images, norm).max() <= 0.05 + 1e-6


@pytest.mark.parametrize("norm", RADII)
def test_so_many_queries_and_no_gradient_and_only_unbroken_samples(norm):
    counter = Counter(trained())
    images, labels = (tensor[:60] for tensor in digits()[2:])
    adversarial = Square(eps=RADII[norm], norm=norm, queries=120)(counter, images, labels)
    assert len(counter.sizes) == 1 + 120  # the clean images, and the queries
    assert counter.sizes[1] == int(is_right(trained(), images, labels).sum())
    assert sorted(counter.sizes, reverse=True) == counter.sizes
    assert 0 < counter.sizes[-1] < counter.sizes[1]
    assert int(is_right(trained(), adversarial, labels).sum()) <= counter.sizes[-1]


def test_stops_when_all_are_broken():
    counter = Counter(network(0).eval())
    images, labels = right_data(counter.model)
    adversarial = Square(eps=0.9, queries=5000)(counter, images, labels)
    assert not is_right(counter.model, adversarial, labels).any()
    assert len(counter.sizes) < 1000


@pytest.mark.parametrize("norm", RADII)
def test_the_best_margin_never_rises_with_more_queries(norm):
    model = trained()
    images, labels = (tensor[:30] for tensor in digits()[2:])
    lowest = torch.full((30,), torch.inf)
    for queries in (1, 10, BLOCK, BLOCK + 2, 250):
        attack = Square(eps=RADII[norm] / 4, norm=norm, queries=queries, rescaled=False)
        margin = margins(model(attack(model, images, labels)), labels)
        assert (margin <= lowest + 1e-5).all()
        lowest = margin
    assert (lowest < margins(model(images), labels)).all()


def test_samples_that_are_wrong_already_come_back_untouched():
    model = network(2)
    images, labels = right_data(model)
    labels[::2] = (labels[::2] + 1) % 10
    adversarial = Square(eps=0.1, queries=3)(model, images, labels)
    assert torch.equal(adversarial[::2], images[::2])
    assert not (adversarial[1::2] == images[1::2]).flatten(1).all(1).any()
    assert torch.equal(Square(eps=0.1, queries=3)(model, images, (model(images).argmin(1))), images)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("norm", RADII)
def test_few_classes(norm, classes):
    model, images, labels = first_digits(classes)
    broken = ~is_right(model, Square(eps=3 * RADII[norm], norm=norm, queries=200)(model, images, labels), labels)
    assert broken.sum() >= 10


def test_a_model_without_a_gradient():
    class Hard(nn.Module):
        def forward(self, images):
            bright = (images.flatten(1).mean(1) > 0.5).float()
            return torch.stack([1 - bright, bright], dim=1)

    images = torch.full((2, 1, 4, 4), 0.48)
    adversarial = Square(eps=0.1, queries=500, rescaled=False)(Hard(), images, torch.tensor([0, 0]))
    assert (adversarial.mean((1, 2, 3)) > 0.5).all()


def test_seeded_and_a_generator_for_each_image_makes_the_batch_not_matter():
    model = network(1).double()
    images, labels = right_data(model)
    attack = Square(eps=0.02, queries=130)
    first = attack(model, images, labels)
    torch.manual_seed(3)
    assert torch.equal(attack(model, images, labels), first)
    assert not torch.equal(attack(model, images, labels, generator=torch.Generator().manual_seed(1)), first)
    whole = attack(model, images, labels, generator=[torch.Generator().manual_seed(seed) for seed in range(6)])
    for row in range(6):
        alone = attack(model, images[[row]], labels[[row]], generator=[torch.Generator().manual_seed(row)])
        torch.testing.assert_close(alone[0], whole[row])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("norm", RADII)
def test_robust_accuracy_as_torchattacks(norm):
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    model = trained()
    images, labels = (tensor[:150] for tensor in digits()[2:])
    ours = int(is_right(model, Square(eps=RADII[norm], norm=norm, queries=300)(model, images, labels), labels).sum())
    with torch.random.fork_rng(devices=[]):
        attack = torchattacks.Square(model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=RADII[norm], n_queries=300)
        theirs = int(is_right(model, attack(images, labels), labels).sum())
    # theirs puts one square at the same place in all images, and has been measured weaker by up to 10 points
    assert ours <= wilson(theirs, len(labels)).high * len(labels)


def test_settings_outside_their_range_are_refused():
    with pytest.raises(SettingError, match="expected a whole number queries ≥ 1, got 0"):
        Square(queries=0)
    with pytest.raises(SettingError, match=r"expected first_share in \(0, 1\], got 0; leave it out for the paper's"):
        Square(first_share=0)
    images, _ = data()
    with pytest.raises(DataError, match=r"label 10 is outside 0\.\.9"):
        Square()(network(), images, torch.full((len(images),), 10))
