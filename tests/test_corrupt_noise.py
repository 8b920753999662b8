"""Noise kinds: their laws against scipy's, their tables against the laws, their draws against the tables."""

import numpy as np
import pytest
import torch
from scipy import stats

from gossamer.corrupt import CORRUPTIONS, FAMILIES, corrupt
from gossamer.corrupt.laws import alias, draw
from gossamer.corrupt.noise import impulse_law, normal_law, poisson_law
from gossamer.corrupt.streams import Streams
from tests.reference import corrupt_noise as reference

LEVELS = (0, 1, 17, 100, 128, 254, 255)
RATES = sorted({row[0] for rows in CORRUPTIONS["shot_noise"].constants.values() for row in rows} | {2, 8, 33})
FLAT = torch.full((256,), 0.04, dtype=torch.float64)


def law_of(table):
    """What an alias table stands for: every column half itself, half its alias, by its threshold."""
    kept = (table >> 8).double() / 2**23
    law = kept / 256
    return law.scatter_add(1, (table & 255).long(), (1 - kept) / 256)


@pytest.mark.parametrize("rate", RATES)
def test_shot_noise_has_the_law_of_truncated_poisson_counts(rate):
    law = poisson_law(rate).numpy()
    for level in LEVELS:
        assert law[level] == pytest.approx(reference.poisson(level, rate), abs=1e-12)


@pytest.mark.parametrize("std", [0.04, 0.18, 0.38, 0.6])
def test_normal_noise_has_the_law_of_truncated_normal_numbers(std):
    flat = normal_law(torch.full((256,), std, dtype=torch.float64)).numpy()
    speckled = normal_law(std * torch.arange(256, dtype=torch.float64) / 255).numpy()
    for level in LEVELS:
        assert flat[level] == pytest.approx(reference.normal(level, std), abs=1e-12)
        assert speckled[level] == pytest.approx(reference.normal(level, std * level / 255), abs=1e-12)


@pytest.mark.parametrize("amount", [0.01, 0.27, 1.0])
def test_impulse_noise_has_the_law_of_salt_and_pepper(amount):
    law = impulse_law(amount).numpy()
    for level in LEVELS:
        assert law[level] == pytest.approx(reference.impulse(level, amount), abs=1e-12)


def test_a_normal_law_by_hand():
    # black keeps its level where the noise stays below 1 / 255, 0.098 standard deviations of 0.04
    assert normal_law(FLAT)[0, 0] == pytest.approx(stats.norm.cdf(1 / 255 / 0.04))
    # white is white where the noise is 0 or more
    assert normal_law(FLAT)[255, 255] == pytest.approx(0.5)


@pytest.mark.parametrize("law", [poisson_law(60), poisson_law(3), normal_law(FLAT), impulse_law(0.03)])
def test_alias_tables_stand_for_their_laws(law):
    assert law.sum(dim=1) == pytest.approx(1, abs=1e-12)
    assert (law_of(alias(law)) - law).abs().max() < 256 * 2.0**-32  # each column rounds by at most 2⁻³²


def test_alias_tables_of_laws_that_need_no_alias_or_one_only():
    even = torch.full((256, 256), 1 / 256, dtype=torch.float64)
    assert torch.equal(alias(even) & 255, torch.arange(256, dtype=torch.int32).expand(256, -1))
    same = torch.eye(256, dtype=torch.float64)
    assert (law_of(alias(same)) - same).abs().max() < 1e-4 / 256  # thresholds of 2²³ are kept at 2²³ - 1


def test_draws_follow_the_table():
    law = poisson_law(12)
    images = torch.full((1, 1, 400, 400), 90, dtype=torch.uint8)
    drawn = draw(images, alias(law), Streams(0, "shot_noise", 3, [0]))
    counts = np.bincount(drawn.flatten().numpy(), minlength=256)
    expected = law[90].numpy() * drawn.numel()
    often = expected > 5
    assert counts[expected < 1e-9].sum() == 0
    scaled = expected[often] * counts[often].sum() / expected[often].sum()
    assert stats.chisquare(counts[often], scaled).pvalue > 0.01


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"])
def test_mean_and_spread_of_each_level(name):
    levels = torch.tensor([0, 40, 128, 255], dtype=torch.uint8)
    images = levels[:, None, None, None].expand(-1, 3, 224, 224)
    laws = {
        "gaussian_noise": lambda level: reference.normal(level, 0.12),
        "shot_noise": lambda level: reference.poisson(level, 25),
        "impulse_noise": lambda level: reference.impulse(level, 0.06),
        "speckle_noise": lambda level: reference.normal(level, 0.20 * level / 255),
    }
    drawn = corrupt(images, name, 2).double()
    for level, own in zip(levels.tolist(), drawn, strict=True):
        law, out = laws[name](level), np.arange(256)
        mean = (law * out).sum()
        std = np.sqrt((law * (out - mean) ** 2).sum())
        assert abs(float(own.mean()) - mean) <= 4 * std / np.sqrt(own.numel()) + 1e-6
        assert float(own.std()) == pytest.approx(std, rel=0.02, abs=1e-6)


def test_values_are_drawn_for_themselves():
    """Also the channels of one pixel, of impulse noise too."""
    images = torch.full((1, 3, 224, 224), 128, dtype=torch.uint8)
    hit = (corrupt(images, "impulse_noise", 5) != 128).double()[0]
    assert abs(np.corrcoef(hit.flatten(1).numpy())[np.triu_indices(3, 1)]).max() < 4 / 224
    assert abs(np.corrcoef(hit[0, :-1].flatten(), hit[0, 1:].flatten())[0, 1]) < 4 / 224


@pytest.mark.parametrize("family", FAMILIES)
def test_noise_does_not_depend_on_the_size_but_on_the_constants(family):
    images = torch.full((3, 1, 96, 96), 128, dtype=torch.uint8)
    expected = CORRUPTIONS["gaussian_noise"].constants[family][0][0] * 255
    assert corrupt(images, "gaussian_noise", 1, family=family).double().std() == pytest.approx(expected, rel=0.03)
