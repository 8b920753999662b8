"""Frost: the photographs where they are, ice made of numbers elsewhere, and which of the two is said."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

import gossamer.corrupt.frost as module
from gossamer.core.errors import DataError, MissingError
from gossamer.corrupt import corrupt, frost_source
from gossamer.corrupt.families import constants
from gossamer.corrupt.frost import FROST, PHOTOGRAPHS, installed, resized, textures
from gossamer.corrupt.ice import KINDS, pictures
from gossamer.corrupt.streams import Streams
from tests.reference import corrupt_weather as reference

DRAWS = {32: 400, 64: 300, 224: 200}  # of each image; their mean change is then certain to 2 %


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(0)
    for name in PHOTOGRAPHS:
        Image.fromarray(draw.integers(0, 256, (80, 90, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def test_equals_its_twin(folder):
    images = torch.randint(0, 256, (30, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for severity in range(1, 7):
        weight, share, scale = constants(FROST, "cifar-c", severity)
        ices = [np.asarray(Image.open(folder / name)).transpose(2, 0, 1) for name in PHOTOGRAPHS]
        ices = [resized(ice, scale) for ice in ices]  # 16 x 18 pixels
        draws = Streams(3, "frost", severity, range(30)).uniform(3).tolist()
        result = corrupt(images, "frost", severity, family="cifar-c", seed=3, frost=folder).numpy()
        for image, (which, down, right), own in zip(images.numpy(), draws, result, strict=True):
            twin = reference.frost(image, weight, share, ices[int(5 * which)], int(4 * down), int(6 * right))
            assert abs(own.astype(int) - twin).max() <= 1
            assert (own != twin).mean() < 0.02  # sums that are whole but for rounding


@pytest.mark.parametrize("scale", [0.2, 0.3, 1.0, 1.5])
def test_resizing_equals_the_sum_at_every_pixel(scale):
    picture = np.random.default_rng(0).integers(0, 256, (21, 34), np.uint8)
    exact = reference.resized(picture, scale)
    assert (abs(resized(picture[None], scale)[0] - exact) <= 0.5 + 1e-9).all()


def test_a_picture_that_is_too_small_is_enlarged(folder):
    for ice in textures(folder, 0.2, 33, 3):
        assert ice.shape == (3, 33, 37)
    assert corrupt(torch.zeros(2, 3, 100, 100), "frost", 1, family="cifar-c", frost=folder).shape == (2, 3, 100, 100)


def test_photographs_lie_red_green_blue_and_transparency_does_not_count(tmp_path):
    for name in PHOTOGRAPHS:
        kind, colour = ("RGBA", (200, 100, 50, 0)) if name.endswith("png") else ("RGB", (200, 100, 50))
        Image.new(kind, (60, 50), colour).save(tmp_path / name, quality=100)
    for ice in textures(tmp_path, 1.0, 10, 3):
        assert ice.mean((1, 2)) == pytest.approx([200, 100, 50], abs=2)
    for ice in textures(tmp_path, 1.0, 10, 1):
        assert ice.mean() == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=2)


def test_made_ice_where_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert frost_source() == "procedural"
    images = torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)
    assert torch.equal(corrupt(images, "frost", 3), corrupt(images, "frost", 3, frost="procedural"))


def test_the_installed_package_is_read_without_importing_it(folder, tmp_path_factory, monkeypatch):
    site = tmp_path_factory.mktemp("site")
    (site / "imagecorruptions").mkdir()
    (site / "imagecorruptions" / "__init__.py").write_text("raise AssertionError('imported')")
    folder.rename(site / "imagecorruptions" / "frost")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "imagecorruptions", raising=False)
    assert installed() == site / "imagecorruptions" / "frost"
    assert frost_source() == "photographs (imagecorruptions)"
    images = torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)
    assert torch.equal(corrupt(images, "frost", 3), corrupt(images, "frost", 3, frost=installed()))
    assert not torch.equal(corrupt(images, "frost", 3), corrupt(images, "frost", 3, frost="procedural"))


def test_an_installed_package_without_photographs_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "imagecorruptions").mkdir()
    (tmp_path / "imagecorruptions" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "imagecorruptions", raising=False)
    assert frost_source() == "procedural"


def test_a_named_folder_is_named(folder):
    assert frost_source(folder) == f"photographs ({folder})"
    assert frost_source(str(folder)) == f"photographs ({folder})"
    assert frost_source("procedural") == "procedural"


def test_a_folder_without_the_photographs(folder):
    (folder / "frost2.png").unlink()
    (folder / "frost5.jpg").unlink()
    words = r"expected the photographs of frost frost1.png, .* but frost2.png, frost5.jpg cannot be found; .*--no-deps"
    with pytest.raises(MissingError, match=words):
        corrupt(torch.zeros(1, 3, 32, 32), "frost", 1, frost=folder)
    with pytest.raises(MissingError, match=words):
        frost_source(folder)


def test_a_photograph_that_is_none(folder):
    (folder / "frost3.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"expected a photograph in .*frost3.png, got .* install"):
        corrupt(torch.zeros(1, 3, 32, 32), "frost", 1, frost=folder)


def test_made_ice_has_the_colours_it_says():
    for ice, picture in zip(KINDS, pictures(), strict=True):
        assert picture.mean((1, 2)) == pytest.approx(ice.colour, abs=1)
        assert picture.std((1, 2)) == pytest.approx(ice.spread, rel=0.1)


def change(images, severity, frost):
    """Mean absolute change in levels."""
    return float((corrupt(images, "frost", severity, frost=frost).int() - images.int()).abs().double().mean())


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", DRAWS)
def test_made_ice_changes_images_as_much_as_the_published_frost(shared_data, size, severity):
    published = np.load(shared_data(f"corruption_parity_{size}.npz"))
    images = torch.from_numpy(published["images"]).permute(0, 3, 1, 2).repeat_interleave(DRAWS[size], 0)
    ratio = change(images, severity, "procedural") / published[f"frost_{severity}_stats"][0]
    assert 0.85 < ratio < 1.15


@pytest.mark.skipif(installed() is None, reason="the photographs of imagecorruptions are not installed")
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("size", DRAWS)
def test_made_ice_changes_images_as_much_as_the_photographs(size, severity):
    levels = torch.arange(5).mul(60)[:, None, None, None].expand(-1, 3, size, size)  # the darker, the more it changes
    images = levels.to(torch.uint8).repeat_interleave(DRAWS[size] // 10, 0)
    ratio = change(images, severity, "procedural") / change(images, severity, None)
    assert 0.85 < ratio < 1.15
