import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.errors import DataError
from gossamer.hardness import aum, confidence, consistency, forgetting, margin, rank_correlation, variability
from tests.reference import dynamics as reference

ALL = {"forgetting": forgetting, "aum": aum, "confidence": confidence, "variability": variability}
INF = math.inf


def random_runs(seed, runs=2, epochs=4, samples=8, classes=3):
    stream = torch.Generator().manual_seed(seed)
    logits = torch.randn(runs, epochs, samples, classes, generator=stream, dtype=torch.float64) * 3
    return logits, torch.randint(classes, (samples,), generator=stream)


def course(*runs):
    """Logits (K, E, 1, 2) of a sample of class 0 that is right where a letter is r."""
    places = {"r": [1.0, 0.0], "w": [0.0, 1.0], "t": [0.0, 0.0]}
    return torch.tensor([[[places[letter]] for letter in run] for run in runs])


@pytest.mark.parametrize("seed", range(20))
def test_dynamics_agree_with_their_twins(seed):
    logits, labels = random_runs(seed)
    runs, classes = logits.tolist(), labels.tolist()
    for name in ("aum", "confidence", "variability"):
        expected = torch.tensor(reference.over_runs(runs, classes, getattr(reference, name)), dtype=torch.float64)
        torch.testing.assert_close(ALL[name](logits, labels), expected)
    assert forgetting(logits, labels).tolist() == reference.forgetting(runs, classes)


@pytest.mark.parametrize(
    ("runs", "events"),
    [
        (["rrrr"], 0.0),
        (["wwrr"], 0.0),
        (["rwrw"], 2.0),
        (["wrwwr"], 1.0),
        (["wwww"], INF),
        (["tttt"], INF),  # a tie is not right
        (["rtrr"], 1.0),
        (["rwrw", "wrrr"], 1.0),  # the mean of 2 and 0
        (["wwww", "wwww"], INF),
        (["wwww", "rrrr"], 2.0),  # four epochs and 0
        (["wwww", "rwrw"], 3.0),
    ],
)
def test_forgetting_by_hand(runs, events):
    assert forgetting(course(*runs), torch.tensor([0])).tolist() == [events]


def test_one_run_needs_no_dimension_of_its_own():
    logits, labels = random_runs(0, runs=1)
    for score in ALL.values():
        assert torch.equal(score(logits[0], labels), score(logits, labels))


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 6))
def test_forgetting_of_several_runs_ranks_as_the_authors_code(seed, runs, epochs):
    # theirs: the sum over runs of the events, or of all epochs for a run that never learned the sample
    logits, labels = random_runs(seed, runs, epochs, samples=12)
    apart = torch.stack([forgetting(run, labels) for run in logits])
    theirs = apart.where(apart.isfinite(), float(epochs)).sum(0)
    ours = forgetting(logits, labels)
    assert torch.equal(ours.argsort(stable=True), theirs.argsort(stable=True))
    assert (ours[ours.isfinite()] < epochs).all()
    assert (forgetting(logits[:1], labels)[apart[0].isfinite()] <= epochs // 2).all()


def test_aum_is_the_mean_margin_and_minus_the_published_number():
    logits, labels = random_runs(3, runs=1)
    torch.testing.assert_close(aum(logits, labels), margin(logits[0], labels))
    # z_y - max other: 2 - 1 and 6 - 1, their mean 3
    assert aum(torch.tensor([[[2.0, 1.0]], [[6.0, 1.0]]]), torch.tensor([0])).tolist() == [-3.0]


def test_cartography_by_hand():
    # probabilities of the true class 1/2, 3/4, 3/4, 1: mean 3/4, deviation √(2/16 / 4)
    logits = torch.tensor([[[0.0, 0.0]], [[math.log(3), 0.0]], [[math.log(3), 0.0]], [[999.0, 0.0]]])
    label = torch.tensor([0])
    assert confidence(logits, label).item() == pytest.approx(0.25, rel=1e-6)
    assert variability(logits, label).item() == pytest.approx(math.sqrt(1 / 32), rel=1e-6)


def test_variability_and_confidence_disagree_on_what_is_always_wrong():
    ambiguous, hopeless = course("rwrw"), course("wwww")
    logits = torch.cat([ambiguous, hopeless], dim=2) * 9
    labels = torch.tensor([0, 0])
    assert variability(logits, labels).argmax() == 0
    assert confidence(logits, labels).argmax() == 1


def test_small_doubts_keep_their_digits():
    # margin 40 in both epochs: 1 - p is e⁻⁴⁰ / (1 + e⁻⁴⁰), and 0 if p is computed first
    logits = torch.tensor([[[40.0, 0.0]], [[40.0, 0.0]]])
    assert confidence(logits, torch.tensor([0])).item() == pytest.approx(math.exp(-40), rel=1e-12)


def test_consistency_over_epochs_is_the_share_of_wrong_epochs():
    logits = course("rwrw", "wwww")
    assert consistency(logits, torch.tensor([0])).tolist() == [0.75]


@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**6), runs=st.integers(1, 3), epochs=st.integers(2, 5), samples=st.integers(1, 9))
def test_samples_and_runs_are_interchangeable(name, seed, runs, epochs, samples):
    logits, labels = random_runs(seed, runs, epochs, samples)
    stream = torch.Generator().manual_seed(seed)
    scores = ALL[name](logits, labels)
    assert scores.shape == (samples,)
    assert scores.dtype == torch.float64
    order = torch.randperm(samples, generator=stream)
    torch.testing.assert_close(ALL[name](logits[:, :, order], labels[order]), scores[order])
    order = torch.randperm(runs, generator=stream)
    torch.testing.assert_close(ALL[name](logits[order], labels), scores)
    torch.testing.assert_close(ALL[name](logits + 7, labels), scores)
    if name != "forgetting":  # whose events have a direction in time
        torch.testing.assert_close(ALL[name](logits.flip(1), labels), scores)


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_ranges(seed, epochs):
    logits, labels = random_runs(seed, epochs=epochs)
    assert ((confidence(logits, labels) >= 0) & (confidence(logits, labels) <= 1)).all()
    assert ((variability(logits, labels) >= 0) & (variability(logits, labels) <= 0.5 + 1e-12)).all()
    assert (forgetting(logits, labels) >= 0).all()


def test_hard_samples_are_hard_by_all_but_variability():
    """Samples whose logits rise with speed: the slower, the harder, by every score that looks at the whole course."""
    epochs = torch.arange(1.0, 11)[:, None]
    speed = torch.linspace(-1, 3, 40)
    noise = torch.randn(10, 40, generator=torch.Generator().manual_seed(0)) * 0.01
    logits = torch.stack([speed * epochs + noise, torch.full((10, 40), 4.0)], dim=2)
    labels = torch.zeros(40, dtype=torch.int64)
    for score in (aum, confidence, consistency):
        assert rank_correlation(score(logits, labels), -speed) > 0.95
    never = forgetting(logits, labels).isinf()
    assert torch.equal(never, (logits[..., 0] <= logits[..., 1]).all(0))


@pytest.mark.parametrize("name", ALL)
def test_dynamics_refuse_shapes_that_do_not_fit(name):
    labels = torch.zeros(4, dtype=torch.int64)
    words = rf"{name}: expected logits \(E, N, C\) of one run or \(K, E, N, C\) of K runs and labels \(N,\)"
    for shape in [(4, 3), (2, 5, 3), (2, 0, 4, 3), (1, 1, 2, 4, 3)]:
        with pytest.raises(DataError, match=words):
            ALL[name](torch.zeros(shape), labels)


@pytest.mark.parametrize("name", ["forgetting", "variability"])
def test_changes_need_two_epochs(name):
    with pytest.raises(DataError, match=f"{name}: expected at least 2 epochs, got 1; record the logits each epoch"):
        ALL[name](torch.zeros(1, 4, 3), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("name", ALL)
def test_dynamics_name_the_run_and_the_epoch_that_diverged(name):
    logits, labels = random_runs(0)
    logits[1, 2, 5, 0] = math.inf
    with pytest.raises(DataError, match=r"1 samples have logits that are not finite \(model 1, epoch 2\)"):
        ALL[name](logits, labels)
