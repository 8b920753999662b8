"""What the tests of selection share: precisions, and the comparison of a choice with the twin's."""

import math

import torch

from tests.reference import largest as reference

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
EVERYONE = torch.ones(4, dtype=torch.bool)
NAN = math.nan


def indices(mask):
    return set(mask.reshape(-1).nonzero()[:, 0].tolist())


def assert_good_choice(chosen, scores, candidates, count):
    sure, equal = reference.largest(scores.reshape(-1).tolist(), candidates.reshape(-1).tolist(), count)
    assert int(chosen.sum()) == count
    assert sure <= indices(chosen) <= sure | equal
