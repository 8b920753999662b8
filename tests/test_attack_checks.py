"""What an attack refuses, and what it mends with a warning."""

import pytest
import torch
from torch import nn

from gossamer.attack import (
    APGD,
    FAB,
    FGSM,
    PGD,
    AutoAttack,
    Square,
    gradient_masking,
    robust_accuracy,
    to_eight_bit,
)
from gossamer.attack.common import logits_of
from gossamer.core.errors import DataError, SettingError, StateError
from tests.attacked import data, network

IMAGES, LABELS = data()


def attacked(images=IMAGES, labels=LABELS, model=None, **settings):
    return PGD(steps=2, **settings)(model or network(), images, labels)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ((IMAGES - 0.5) / 0.25, r"got values from -2 to 2; they look normalised: put the normalisation inside"),
        (IMAGES * 255, "got values from 0 to 255; they look like grey levels: divide them by 255"),
        (IMAGES * 1.2, r"got values from 0 to 1\.2; they look normalised"),
        ((IMAGES * 255).byte(), r"got torch\.uint8; pass images\.float\(\) / 255"),
        (
            IMAGES.half(),
            r"got torch\.float16; pass images\.float\(\), and use torch\.autocast for speed",
        ),
        (IMAGES.bfloat16(), r"expected float32 or float64 images in \[0, 1\], got torch\.bfloat16"),
        (IMAGES[:, 0], r"expected images \(B, C, H, W\), none of C, H, W 0, got \(6, 8, 8\)"),
        (IMAGES[..., :0], r"none of C, H, W 0, got \(6, 1, 8, 0\); reshape them"),
        (IMAGES.int(), r"got torch\.int32; pass images\.float\(\), in \[0, 1\]"),
        (IMAGES.numpy(), r"expected images as a tensor, got ndarray; pass torch\.from_numpy\(images\)"),
        (IMAGES / 0, "expected finite images"),
        (IMAGES.log(), "expected finite images"),
    ],
)
def test_images_that_are_refused(images, words):
    with pytest.raises(DataError, match=words):
        attacked(images)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS[:2], r"one label for each of 6 images, got shape \(2,\)"),
        (LABELS[:, None], r"one label for each of 6 images, got shape \(6, 1\)"),
        (LABELS.float(), r"whole numbers as labels, got torch\.float32"),
        (LABELS > 3, r"whole numbers as labels, got torch\.bool"),
        (LABELS.numpy(), r"expected labels as a tensor, got ndarray; pass torch\.from_numpy\(labels\)"),
        (LABELS.tolist(), r"expected labels as a tensor, got list; pass torch\.tensor\(labels\)"),
        (LABELS - 100, "expected labels from 0, got -"),
        (torch.full((6,), 10), r"label 10 is outside 0\.\.9; the model and the labels are of different data"),
    ],
)
def test_labels_that_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        attacked(labels=labels)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_of_any_whole_type(dtype):
    assert torch.equal(attacked(labels=LABELS.to(dtype)), attacked())


def test_a_small_excursion_is_clamped_with_a_warning():
    images = IMAGES * 1.005
    with pytest.warns(
        UserWarning, match=r"images leave \[0, 1\] \(got values from 0 to 1\.005\); they are clamped"
    ) as seen:
        found = attacked(images)
    assert seen[0].filename == __file__
    assert torch.equal(found, attacked(images.clamp(0, 1)))


def test_rounding_outside_is_clamped_in_silence():
    images = IMAGES * (1 + 2e-7)
    assert images.max() > 1
    assert torch.equal(attacked(images), attacked(images.clamp(0, 1)))


def test_eps_of_l2_in_grey_levels_is_refused_where_the_image_shows_it():
    with pytest.raises(SettingError, match=r"no two of shape \(1, 8, 8\) are further apart than 8\.0, got 127\.5"):
        attacked(eps=127.5, norm="l2")
    assert attacked(eps=7.9, norm="l2").shape == IMAGES.shape


@pytest.mark.parametrize("attack", [PGD, FGSM, APGD, FAB, Square, AutoAttack])
def test_a_whole_eps_of_l2_looks_like_grey_levels(attack):
    with pytest.warns(UserWarning, match=r"eps=8 of l2 looks like grey levels of 255; .* for 8 levels pass eps=8/255"):
        attack(eps=8, norm="l2")
    for eps in (3, 4.5):
        assert attack(eps=eps, norm="l2").eps == eps


def test_the_warning_names_the_line_of_the_caller():
    with pytest.warns(UserWarning, match="eps=8 of l2") as seen:
        PGD(eps=8, norm="l2")
    assert seen[0].filename == __file__


@pytest.mark.parametrize("attack", [PGD, FGSM, APGD, FAB, Square, AutoAttack])
def test_no_images_are_attacked_in_no_time(attack):
    class Never(nn.Module):
        def forward(self, images):
            raise AssertionError

    for norm in ("linf", "l2"):
        found = attack(norm=norm)(Never(), IMAGES[:0], LABELS[:0])
        assert (found.shape, found.dtype) == ((0, 1, 8, 8), torch.float32)


@pytest.mark.parametrize(
    "measure",
    [
        lambda: robust_accuracy(network(), IMAGES[:0], LABELS[:0], PGD()),
        lambda: gradient_masking(network(), IMAGES[:0], LABELS[:0], PGD()),
        lambda: PGD().loss_curve(network(), IMAGES[:0], LABELS[:0]),
        lambda: AutoAttack().record(network(), IMAGES[:0], LABELS[:0]),
    ],
)
def test_nothing_is_said_of_no_images(measure):
    with pytest.raises(DataError, match="expected at least one image, got none; look at what was selected before"):
        measure()


def test_a_model_of_another_type_than_the_images():
    with pytest.raises(
        DataError, match=r"of torch\.float32, does not take images of torch\.float64 .* images\.to\(torch"
    ):
        attacked(IMAGES.double())
    with pytest.raises(
        DataError, match=r"of torch\.bfloat16, does not take images of torch\.float32 .* torch\.autocast"
    ):
        attacked(model=network().bfloat16())
    with torch.autocast("cpu"):
        assert attacked(IMAGES.float()).dtype == torch.float32


def test_what_a_model_raises_by_itself_is_left_alone():
    def refuse(inner, images):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match=r"^out of memory$"):
        attacked(model=Detached(refuse))


class Detached(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.inner, self.way = network(), way

    def forward(self, images):
        return self.way(self.inner, images)


@pytest.mark.parametrize(
    "way",
    [
        lambda inner, images: inner(images).detach(),
        lambda inner, images: inner(images.detach()),
        lambda inner, images: inner(torch.rand_like(images)),
    ],
)
def test_a_model_without_a_gradient_in_its_input(way):
    with pytest.raises(StateError, match=r"no gradient in its input .* Square"):
        attacked(model=Detached(way))


@pytest.mark.parametrize(
    ("way", "got"),
    [
        (lambda inner, images: inner(images).argmax(1), r"\(6,\)"),
        (lambda inner, images: inner(images)[:, :1], r"\(6, 1\)"),
        (lambda inner, images: inner(images).mean(0, keepdim=True), r"\(1, 10\)"),
    ],
)
def test_outputs_that_are_no_logits(way, got):
    with pytest.raises(DataError, match=rf"logits \(6, classes\), two classes or more, got {got}"):
        attacked(model=Detached(way))


def test_a_model_that_has_diverged():
    model = network()
    model[0].weight.data[:] = torch.nan
    with pytest.raises(StateError, match=r"not finite for 6 of 6 images; the model has diverged"):
        attacked(model=model)
    with pytest.raises(StateError, match="not finite"):
        FGSM(norm="l2")(model, IMAGES, LABELS)
    with pytest.raises(StateError, match="not finite"):
        attacked(model=model, restarts=2)


def test_a_gradient_that_is_nan_at_single_pixels_does_not_pass_for_robustness():
    """The root of a pixel at 0 has the slope inf, and times 0 it is nan."""
    model = Detached(lambda inner, images: inner(images.sqrt()) + 0 * images.sqrt().sum())
    with pytest.raises(StateError, match=r"not finite for 2 of 6 images; .* takes a root of 0"):
        PGD(steps=1, random_start=False)(model, IMAGES.clamp_min(0.1).index_fill(0, torch.tensor([1, 4]), 0.0), LABELS)


def test_logits_are_at_least_float32():
    assert logits_of(network().bfloat16(), IMAGES.bfloat16(), LABELS).dtype == torch.float32
    assert logits_of(network().double(), IMAGES.double(), LABELS).dtype == torch.float64


def test_levels_of_different_shapes_are_refused():
    with pytest.raises(DataError, match=r"of one shape, got \(2, 1, 8, 8\) and \(6, 1, 8, 8\)"):
        to_eight_bit(IMAGES[:2], IMAGES, 0.1)
