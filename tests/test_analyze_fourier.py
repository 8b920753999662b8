"""The Fourier plane against transforms that are summed term by term."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.analyze.frequency.basis import fourier_basis, half_plane
from gossamer.analyze.frequency.fourier import (
    attenuate,
    distances,
    frequencies,
    kept_components,
    largest_radius,
    radial_mean,
)
from gossamer.core.errors import DataError, SettingError
from tests.reference import fourier as reference

SIZES = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (4, 5), (5, 4), (6, 3), (1, 7), (8, 2)]


def picture(height, width, channels=2, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(3, channels, height, width, generator=stream, dtype=torch.float64)


@pytest.mark.parametrize("keep", ["low", "high"])
@pytest.mark.parametrize("size", SIZES)
def test_attenuation_is_that_of_a_transform_summed_term_by_term(size, keep):
    images = picture(*size)
    for radius in (0, 1, 2**0.5, 1.9, 2, 5**0.5, 100):
        found = attenuate(images, radius, keep)
        for image, one in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
            expected = torch.tensor(reference.attenuated(image.tolist(), radius, keep), dtype=torch.complex128)
            assert torch.allclose(expected.imag, torch.zeros(()).double(), atol=1e-12)  # the mask is symmetric
            assert torch.allclose(one, expected.real, atol=1e-12)


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    radius=st.floats(0, 10),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_two_parts_add_up_to_the_image_and_are_orthogonal(height, width, radius, seed):
    images = picture(height, width, seed=seed)
    low, high = attenuate(images, radius), attenuate(images, radius, "high")
    assert torch.allclose(low + high, images, atol=1e-12)
    assert torch.allclose((low * high).sum((-2, -1)), torch.zeros(()).double(), atol=1e-10)
    assert torch.allclose(attenuate(low.clamp(0, 1), largest_radius(height, width)), low.clamp(0, 1), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_what_radius_0_and_the_largest_radius_mean(size):
    images = picture(*size)
    mean = images.mean((-2, -1), keepdim=True).expand_as(images)
    last = largest_radius(*size)
    assert torch.allclose(attenuate(images, 0), mean, atol=1e-12)
    assert torch.allclose(attenuate(images, 0, "high"), images - mean, atol=1e-12)
    assert torch.allclose(attenuate(images, last), images, atol=1e-12)
    assert torch.equal(attenuate(images, last, "high"), torch.zeros_like(images))
    if last:
        assert not torch.allclose(attenuate(images, last - 0.01), images)


def test_clipping_is_asked_for():
    images = picture(6, 6)
    assert float(attenuate(images, 1, "high").min()) < 0
    assert torch.equal(attenuate(images, 1, "high", clip=True), attenuate(images, 1, "high").clamp(0, 1))


def test_type_and_input_stay():
    images = picture(6, 6).float()
    before = images.clone()
    assert attenuate(images, 1).dtype == torch.float32
    assert torch.equal(images, before)


def test_distances_and_frequencies_of_even_and_odd_sides():
    assert frequencies(4).tolist() == [-2, -1, 0, 1]
    assert distances(2, 3).square().round().tolist() == [[2, 1, 2], [1, 0, 1]]
    assert largest_radius(4, 5) == pytest.approx(float(distances(4, 5).max()), rel=1e-15)


@pytest.mark.parametrize("corner", [(1, 1), (1, 2), (2, 2), (4, 4), (3, 4), (5, 6), (7, 7)])
def test_a_radius_that_is_a_distance_holds_it(corner):
    radius = (corner[0] ** 2 + corner[1] ** 2) ** 0.5
    kept = kept_components(16, 16, [radius, radius - 1e-9], "low")[:, corner[0], corner[1]]
    assert kept.tolist() == [True, False]


def test_rings_by_hand():
    assert radial_mean(torch.arange(9.0).reshape(3, 3)).tolist() == [4.0, 4.0]  # √2 rounds to 1
    plane = torch.zeros(4, 4)
    plane[2, 2], plane[0, 0] = 5, 6  # the centre and the corner, whose ring 3 has one member
    assert radial_mean(plane).tolist() == [5.0, 0.0, 0.0, 6.0]


@pytest.mark.parametrize("size", SIZES)
def test_the_basis_is_that_of_its_definition_and_orthonormal(size):
    wanted, _ = half_plane(*size)
    found = fourier_basis(*size, wanted)
    for frequency, image in zip(wanted, found, strict=True):
        expected = torch.tensor(reference.basis(*frequency, *size), dtype=torch.complex128)
        assert torch.allclose(expected.imag, torch.zeros(()).double(), atol=1e-12)
        assert torch.allclose(image, expected.real, atol=1e-12)
    flat = found.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(len(wanted)).double(), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_each_pair_of_mirror_images_is_listed_once_and_found_again(size):
    wanted, place = half_plane(*size)
    for i, u in enumerate(frequencies(size[0]).tolist()):
        for j, v in enumerate(frequencies(size[1]).tolist()):
            pair = {(u, v), (reference.mirrored(u, size[0]), reference.mirrored(v, size[1]))}
            assert wanted[place[i, j]] == min(pair)
    assert len(set(wanted)) == len(wanted)
    assert set(place.flatten().tolist()) == set(range(len(wanted)))


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
def test_a_smaller_map_is_the_middle_of_the_whole_one(side):
    whole, place = half_plane(5, 6)
    some, inner = half_plane(5, 6, side)
    top, left = 5 // 2 - side // 2, 6 // 2 - side // 2
    middle = place[top : top + side, left : left + side]
    assert [[some[k] for k in row] for row in inner] == [[whole[k] for k in row] for row in middle]


@pytest.mark.parametrize("size", [0, 6, 2.0, True])
def test_a_size_that_the_images_do_not_have_is_refused(size):
    with pytest.raises(SettingError, match="expected a size of the map from 1 to 5"):
        half_plane(5, 6, size)


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_a_radius_below_0_is_refused(radius):
    with pytest.raises(SettingError, match="expected radii of 0 or more"):
        attenuate(picture(4, 4), radius)


def test_another_word_for_keep_is_refused():
    with pytest.raises(SettingError, match="expected keep='low' or keep='high', got 'middle'"):
        attenuate(picture(4, 4), 1, "middle")


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.rand(4, 4), r"expected images \(B, C, H, W\).*images.unsqueeze\(1\)"),
        (torch.rand(2, 8, 8), r"got \(2, 8, 8\); give grey images a channel"),
        (torch.rand(0, 1, 8, 8), "none of them 0"),
        (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), r"got torch.uint8; pass images.float\(\) / 255"),
        (torch.zeros(1, 1, 2, 2).half(), r"got torch.float16; pass images.float\(\)$"),
        (torch.full((1, 1, 2, 2), 200.0), "grey levels: divide them by 255"),
        (torch.full((1, 1, 2, 2), 256.0), "look normalised"),
        (torch.full((1, 1, 2, 2), -1.0), "look normalised: make the normalisation a layer of the model"),
        (torch.full((1, 1, 2, 2), 1.2), "look normalised"),
        (torch.full((1, 1, 2, 2), torch.nan), "look for nan in the data"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, words):
    with pytest.raises(DataError, match=words):
        attenuate(images, 1)


def test_no_tensor_is_refused():
    with pytest.raises(DataError, match="expected images as a tensor, got ndarray"):
        attenuate(picture(4, 4).numpy(), 1)


def test_rounding_outside_of_0_to_1_is_forgiven():
    image = torch.tensor([1 + 5e-7, -5e-7]).reshape(1, 1, 1, 2)
    assert torch.allclose(attenuate(image, 1), image, atol=1e-6)
