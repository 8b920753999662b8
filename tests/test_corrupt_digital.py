"""Brightness, contrast, saturation, elastic transform, pixelate and JPEG against slow twins and Pillow."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, features

from gossamer.corrupt import CORRUPTIONS, corrupt
from gossamer.corrupt.elastic import elastic_transform
from gossamer.corrupt.jpeg import jpeg_compression
from gossamer.corrupt.pixelate import pixelate
from tests.corruptions import pictures, streams_of
from tests.reference import corrupt_colour, corrupt_elastic


def in_fractions(images):
    return images.double() / 255


@pytest.mark.parametrize("shift", [0.05, 0.5, 1.0])
def test_brightness_is_that_of_hsv(shift):
    images = in_fractions(pictures(3))
    ours = CORRUPTIONS["brightness"].apply(images, shift, None)
    for image, own in zip(images.numpy(), ours.numpy(), strict=True):
        assert own == pytest.approx(corrupt_colour.brightness(image, shift), abs=1e-12)


@pytest.mark.parametrize(("factor", "shift"), [(0.3, 0.0), (1.5, 0.0), (2.5, 0.2), (30.0, 0.2)])
def test_saturation_is_that_of_hsv(factor, shift):
    images = in_fractions(pictures(3))
    ours = CORRUPTIONS["saturate"].apply(images, factor, shift, None)
    for image, own in zip(images.numpy(), ours.numpy(), strict=True):
        assert own == pytest.approx(corrupt_colour.saturate(image, factor, shift), abs=1e-12)


def test_colours_by_hand():
    pixels = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, 0.25, 0.0]], dtype=torch.float64)
    image = pixels.T.reshape(1, 3, 1, 3)
    brighter = CORRUPTIONS["brightness"].apply(image, 0.25, None)[0, :, 0].T
    assert brighter.tolist() == [[0.25, 0.25, 0.25], [0.75, 0.75, 0.75], [0.75, 0.375, 0.0]]
    redder = CORRUPTIONS["saturate"].apply(image, 0.5, 0.2, None)[0, :, 0].T  # grey has hue 0: it turns red
    assert redder.flatten().tolist() == pytest.approx([0, 0, 0, 0.5, 0.4, 0.4, 0.5, 0.325, 0.15])


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_is_about_the_mean_of_each_channel(channels):
    images = in_fractions(pictures(3, channels=channels))
    ours = CORRUPTIONS["contrast"].apply(images, 0.3, None)
    for image, own in zip(images.numpy(), ours.numpy(), strict=True):
        assert own == pytest.approx(corrupt_colour.contrast(image, 0.3), abs=1e-12)


def test_contrast_keeps_what_is_flat():
    levels = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 32, 32)
    assert torch.equal(corrupt(levels, "contrast", 5), levels)


@pytest.mark.parametrize("family", CORRUPTIONS["elastic_transform"].constants)
@pytest.mark.parametrize("severity", range(1, 6))
def test_elastic_transform_is_scipys(family, severity):
    strength, sigma, jitter = CORRUPTIONS["elastic_transform"].constants[family][severity - 1]
    images = in_fractions(pictures(2, 40))
    drawn = streams_of("elastic_transform", severity, 2)
    corners = ((2 * drawn.uniform(3, 2) - 1) * jitter).numpy()
    fields = (2 * drawn.uniform(2, 40, 40) - 1).numpy()
    ours = elastic_transform(images, strength, sigma, jitter, streams_of("elastic_transform", severity, 2))
    for image, own, corner, field in zip(images.numpy(), ours.numpy(), corners, fields, strict=True):
        twin = corrupt_elastic.elastic_transform(image, strength, sigma, corner, field)
        assert own == pytest.approx(twin, abs=1e-9)


def test_elastic_transform_keeps_what_is_flat():
    levels = torch.arange(0, 256, 5, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 32, 32)
    assert torch.equal(corrupt(levels, "elastic_transform", 5), levels)


def in_pillow(levels):
    array = np.ascontiguousarray(levels.permute(1, 2, 0).numpy())
    return Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])


def from_pillow(image):
    array = np.asarray(image)
    return torch.tensor(array if array.ndim == 3 else array[:, :, None]).permute(2, 0, 1)


@pytest.mark.parametrize("size", [8, 28, 32, 33, 64, 97, 224])
@pytest.mark.parametrize("scale", [0.95, 0.85, 0.75, 0.65, 0.5, 0.3, 0.208, 0.1, 0.001])
def test_pixelate_is_pillows(size, scale):
    stream = torch.Generator().manual_seed(size)
    noise = torch.randint(0, 256, (1, 3, size, size), generator=stream).to(torch.uint8)
    images = torch.cat([pictures(1, size), noise])
    ours = pixelate(images, scale, None)
    small = max(1, int(size * scale))
    for image, own in zip(images, ours, strict=True):
        twin = in_pillow(image).resize((small, small), Image.Resampling.BOX).resize((size, size), Image.Resampling.BOX)
        assert torch.equal(own, from_pillow(twin))


def test_pixelate_by_hand():
    image = torch.tensor([[[[10, 20], [30, 41]]]], dtype=torch.uint8)
    assert pixelate(image, 0.5, None).unique().tolist() == [26]  # rows: 15 and 35.5, rounded up; 25.5, rounded up


needs_libjpeg_turbo = pytest.mark.skipif(
    not features.check_feature("libjpeg_turbo"), reason="Pillow was built with another JPEG library"
)


def through_pillow(levels, quality):
    file = BytesIO()
    in_pillow(levels).save(file, "JPEG", quality=quality)
    return from_pillow(Image.open(file))


@needs_libjpeg_turbo
@pytest.mark.parametrize("size", [8, 15, 28, 30, 32, 48, 64, 97, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(size, channels):
    stream = torch.Generator().manual_seed(size)
    noise = torch.randint(0, 256, (1, channels, size, size), generator=stream).to(torch.uint8)
    images = torch.cat([pictures(2, size, channels), noise, noise // 128 * 255])
    for quality in (1, 5, 7, 15, 25, 32, 49, 50, 65, 80, 95, 100):
        ours = jpeg_compression(images, quality, None)
        for image, own in zip(images, ours, strict=True):
            assert torch.equal(own, through_pillow(image, quality))


def test_jpeg_of_a_flat_grey_block_by_hand():
    # 135 is 7 above the middle: a wave of 8 · 7 = 56, at quality 50 in steps of 16 that is 3.5, rounded to 4: 8 above
    assert jpeg_compression(torch.full((1, 1, 8, 8), 135, dtype=torch.uint8), 50, None).unique().tolist() == [136]
    # 131: 24 is 1.5 steps, rounded to 2: 4 above
    assert jpeg_compression(torch.full((1, 1, 8, 8), 131, dtype=torch.uint8), 50, None).unique().tolist() == [132]
