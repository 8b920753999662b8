"""The constants of every kind, family and severity, against the published table typed a second time."""

import numpy as np
import pytest

from gossamer.corrupt import CORRUPTIONS, FAMILIES, SEVERITIES
from gossamer.corrupt.blur import factors
from gossamer.corrupt.families import constants
from tests.reference.corruption_constants import PUBLISHED, SIDES, ZOOMS, as_taken


def test_the_table_has_every_published_kind_family_and_severity():
    assert set(PUBLISHED) == {name for name, kind in CORRUPTIONS.items() if kind.group != "bar"}
    assert len(PUBLISHED) == 19
    for families in PUBLISHED.values():
        assert list(families) == list(FAMILIES)
        assert {len(rows) for rows in families.values()} == {len(SEVERITIES)}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", PUBLISHED)
def test_constants_are_the_published_ones(name, family):
    for severity in SEVERITIES:
        assert constants(CORRUPTIONS[name], family, severity) == as_taken(name, family, severity)


@pytest.mark.parametrize("family", FAMILIES)
def test_zoom_factors_are_as_many_as_published(family):
    for severity, (count, last) in zip(SEVERITIES, ZOOMS[family], strict=True):
        chosen = factors(*constants(CORRUPTIONS["zoom_blur"], family, severity))
        assert len(chosen) == count
        np.testing.assert_allclose(chosen[[0, -1]], [1, last])


@pytest.mark.parametrize(("family", "size"), FAMILIES.items())
def test_pixelate_shrinks_to_the_published_sides(family, size):
    scales = [constants(CORRUPTIONS["pixelate"], family, severity)[0] for severity in SEVERITIES]
    assert tuple(int(size * scale) for scale in scales) == SIDES[family]
