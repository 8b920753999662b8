"""Blur by fixed filters equals its slow twin to the level; the published counts and sums."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate as scipy_correlate

from gossamer.corrupt import corrupt
from gossamer.corrupt.blur import BLUR, disk, zooms
from gossamer.corrupt.families import constants
from gossamer.corrupt.filters import gaussian, gaussian_matrix, zoom_matrix
from gossamer.corrupt.kernels import correlate, trim
from tests.reference import corrupt_blur as reference

FAMILIES = {"cifar-c": 32, "tinyimagenet-c": 64, "imagenet-c": 40}  # the largest with a size that is quick to check
OWN = ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur", "snow", "frost", "fog"]


def pictures(count, channels, size, seed=0):
    """Levels with smooth and flat parts: where sums are whole, rounding shows."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (count, channels, size // 4, size // 4), generator=draw)
    return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3).to(torch.uint8)


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["defocus_blur", "zoom_blur", "gaussian_blur"])
def test_equals_its_twin(name, family, severity):
    images = pictures(2, 3, FAMILIES[family])
    result = corrupt(images, name, severity, family=family).numpy()
    values = constants(BLUR[name], family, severity)
    if name == "zoom_blur":
        values = (1 + values[0], values[1])
    for image, ours in zip(images.numpy(), result, strict=True):
        for channel, own in zip(image, ours, strict=True):
            twin = reference.levels(getattr(reference, name)(channel / 255, *values))
            np.testing.assert_array_equal(own, twin)


def test_the_zooms_of_a_constant_image_are_that_image():
    ones = torch.ones(1024, 1, dtype=torch.float64)
    torch.testing.assert_close(zooms(32, 0.26, 0.01) @ ones, ones)


def test_a_zoom_by_one_changes_nothing():
    assert torch.equal(zoom_matrix(7, 1.0), torch.eye(7, dtype=torch.float64))


@pytest.mark.parametrize("radius", [0.3, 0.9])
def test_a_disk_below_one_pixel_is_a_small_gaussian(radius):
    kernel = np.array(disk(radius, 0.5))
    assert kernel.shape == (3, 3)
    assert kernel[1, 1] == pytest.approx(0.619, abs=5e-4)
    assert kernel.sum() == pytest.approx(1)


def test_the_largest_disks_keep_what_mirroring_adds():
    assert np.sum(disk(8.0, 0.5)) == pytest.approx(1.013, abs=5e-4)
    assert np.sum(disk(6.0, 0.5)) == pytest.approx(1)
    assert len(disk(10.0, 0.5)) == 21


@pytest.mark.parametrize("size", [20, 132])  # by matrices, by a Fourier transform
def test_correlation_with_any_kernel(size):
    draw = np.random.default_rng(0)
    kernel, image = draw.random((5, 5)), draw.random((size, size))
    ours = correlate(torch.from_numpy(image)[None, None], trim(kernel))[0, 0]
    np.testing.assert_allclose(ours, scipy_correlate(image, kernel, mode="mirror"), atol=1e-12)


def test_only_a_border_without_weight_is_cut():
    kernel = np.zeros((5, 5))
    kernel[2, 1] = kernel[2, 2] = 1
    assert np.shape(trim(kernel)) == (3, 3)
    kernel[0, 0] = 0.1
    assert np.shape(trim(kernel)) == (5, 5)


def test_a_gaussian_shorter_than_a_pixel_changes_nothing():
    images = torch.rand(1, 1, 8, 8)
    assert gaussian(images, 0.1) is images
    assert gaussian(images, 0.0) is images
    assert torch.equal(gaussian_matrix(8, 0.1), torch.eye(8, dtype=torch.float64))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_picture_whatever_the_batch(name, family):
    images = torch.cat([pictures(3, 3, 32, seed=1), torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)])
    index = [5, 0, 9, 2, 7, 1]
    for severity in (1, 5, 6):
        whole = corrupt(images, name, severity, family=family, index=index, seed=1)
        turned = corrupt(images.flip(0), name, severity, family=family, index=index[::-1], seed=1)
        alone = corrupt(images[2:3], name, severity, family=family, index=[9], seed=1)
        assert torch.equal(whole, turned.flip(0))
        assert torch.equal(whole[2:3], alone)
        assert not torch.equal(whole, images)


@pytest.mark.parametrize("name", OWN)
def test_grey_images(name):
    images = pictures(2, 1, 28)
    grey = corrupt(images, name, 4, family="cifar-c", frost="procedural")
    assert grey.shape == images.shape
    if name == "frost":  # a grey image lies under the luma of the ice
        return
    coloured = corrupt(images.expand(-1, 3, -1, -1), name, 4, family="cifar-c")
    assert (coloured.int() - grey.int()).abs().max() <= 1


@pytest.mark.parametrize("name", OWN)
def test_flat_images_stay_flat_under_every_blur(name):
    if name in ("snow", "frost", "fog"):
        return
    images = torch.full((1, 3, 32, 32), 201, dtype=torch.uint8)
    assert torch.equal(corrupt(images, name, 3), images)
