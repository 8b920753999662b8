import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.errors import DataError, SettingError
from gossamer.hardness import el2n, hardest
from tests.reference import el2n as reference


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("squared", [False, True])
def test_el2n_agrees_with_the_class_by_class_twin(seed, squared):
    stream = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 8, 5, generator=stream, dtype=torch.float64) * 5
    labels = torch.randint(5, (8,), generator=stream)
    expected = reference.el2n(logits.tolist(), labels.tolist(), squared)
    torch.testing.assert_close(el2n(logits, labels, squared=squared), torch.tensor(expected, dtype=torch.float64))


def test_el2n_of_a_uniform_guess_by_hand():
    # p - y = (1/4 - 1, 1/4, 1/4, 1/4): norm √(9/16 + 3/16) = √3/2
    assert el2n(torch.zeros(1, 4), torch.tensor([2])).item() == pytest.approx(math.sqrt(3) / 2, rel=1e-15)


def test_el2n_runs_from_0_to_the_root_of_2():
    logits = torch.tensor([[1000.0, 0.0, 0.0], [1000.0, 0.0, 0.0]])
    certainly_right, certainly_wrong = el2n(logits, torch.tensor([0, 1])).tolist()
    assert certainly_right == 0.0
    assert certainly_wrong == pytest.approx(math.sqrt(2), rel=1e-15)


def test_small_errors_keep_their_digits():
    # two classes, margin 40: each error is e⁻⁴⁰ / (1 + e⁻⁴⁰); 1 - p would be 0 in float64
    assert el2n(torch.tensor([[40.0, 0.0]]), torch.tensor([0])).item() == pytest.approx(
        math.sqrt(2) * math.exp(-40), rel=1e-12
    )


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=8), st.integers(0, 2))
def test_el2n_stays_in_its_range(rows, label):
    scores = el2n(torch.tensor(rows, dtype=torch.float64), torch.full((len(rows),), label))
    assert ((scores >= 0) & (scores <= math.sqrt(2) + 1e-12)).all()


def test_several_models_average_norms_not_logits():
    models = torch.tensor([[[9.0, 0.0]], [[0.0, 9.0]]])
    label = torch.tensor([0])
    apart = [el2n(model, label) for model in models]
    assert torch.equal(el2n(models, label), (apart[0] + apart[1]) / 2)


def test_squared_ranks_as_the_norm_for_one_model_only():
    stream = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(100, 10, generator=stream), torch.randint(10, (100,), generator=stream)
    assert torch.equal(el2n(logits, labels).argsort(), el2n(logits, labels, squared=True).argsort())
    # two samples, two models: errors (0, 1.0) against (.6, .6): .5 < .6 in the mean, but .5 > .36 in the mean square
    margin = [math.inf, 0.0, 0.0, 0.0]
    for place, error in enumerate([1e-9, 1.0, 0.6, 0.6]):
        share = error / math.sqrt(2)  # of the wrong one of two classes
        margin[place] = math.log((1 - share) / share)
    pair = torch.tensor([[[margin[0], 0.0], [margin[2], 0.0]], [[margin[1], 0.0], [margin[3], 0.0]]]).double()
    zeros = torch.zeros(2, dtype=torch.int64)
    assert el2n(pair, zeros).tolist() == pytest.approx([0.5, 0.6])
    assert el2n(pair, zeros, squared=True).tolist() == pytest.approx([0.5, 0.36])


@pytest.mark.parametrize("logits", [torch.zeros(2, 3, 4, 5), torch.zeros(3), torch.zeros(0, 3), torch.zeros(4, 3)])
def test_el2n_refuses_shapes_that_do_not_fit(logits):
    with pytest.raises(DataError, match=r"expected logits \(N, C\) or \(K, N, C\) and labels \(N,\)"):
        el2n(logits, torch.zeros(len(logits) if len(logits) == 0 else 3, dtype=torch.int64))


def test_el2n_refuses_a_label_outside_the_classes():
    with pytest.raises(DataError, match=r"label 3 at index 1 is outside 0\.\.2 \(1 such labels\)"):
        el2n(torch.zeros(2, 3), torch.tensor([0, 3]))
    with pytest.raises(DataError, match=r"label -1 at index 0 is outside 0\.\.2"):
        el2n(torch.zeros(2, 3), torch.tensor([-1, 3]))


def test_el2n_refuses_labels_that_are_no_whole_numbers():
    with pytest.raises(DataError, match=r"expected whole numbers as labels, got torch.float32"):
        el2n(torch.zeros(2, 3), torch.zeros(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_el2n_refuses_logits_that_are_not_finite(bad):
    logits = torch.zeros(2, 4, 3)
    logits[1, 2, 0] = bad
    with pytest.raises(DataError, match=r"1 samples have logits that are not finite \(model 1\).*diverged"):
        el2n(logits, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("seed", range(20))
def test_hardest_agrees_with_taking_the_easiest_away_one_by_one(seed):
    stream = torch.Generator().manual_seed(seed)
    scores = torch.randint(4, (15,), generator=stream).double()  # many ties
    keep = float(torch.rand(1, generator=stream)) * 0.9 + 0.1
    assert hardest(scores, keep).tolist() == reference.hardest(scores.tolist(), keep)


@given(st.integers(1, 400), st.floats(0.001, 1.0), st.integers(1, 12), st.booleans())
def test_hardest_keeps_exactly_the_rounded_share_over_all_and_per_class(count, keep, classes, per_class):
    wanted = round(keep * count)
    stream = torch.Generator().manual_seed(count)
    scores, labels = torch.rand(count, generator=stream), torch.randint(classes, (count,), generator=stream)
    if wanted == 0:
        with pytest.raises(SettingError, match="leaves none"):
            hardest(scores, keep, labels=labels, per_class=per_class)
        return
    chosen = hardest(scores, keep, labels=labels, per_class=per_class)
    assert len(chosen) == wanted
    assert torch.equal(chosen, chosen.unique())  # ascending, each once
    if per_class:
        for label in labels.unique():
            share = keep * int((labels == label).sum())
            taken = int((labels[chosen] == label).sum())
            assert math.floor(share + 1e-6) <= taken + 1e-6
            assert taken <= math.ceil(share - 1e-6)


def test_per_class_by_hand():
    #                        class 0: .1 .4 .3      class 1: .9 .8 .7      half of 6 is 3: 1.5 each, class 0 first
    scores, labels = torch.tensor([0.1, 0.9, 0.4, 0.8, 0.3, 0.7]), torch.tensor([0, 1, 0, 1, 0, 1])
    assert hardest(scores, 0.5).tolist() == [1, 3, 5]
    assert hardest(scores, 0.5, labels=labels, per_class=True).tolist() == [1, 2, 4]


def test_equal_remainders_go_to_the_first_class_although_float_arithmetic_differs():
    # .29 * 50 is 14.499999999999998 and .29 * 150 is 43.5: the same remainder, so class 0 has the 58th sample
    labels = torch.tensor([0] * 50 + [1] * 150)
    chosen = hardest(torch.zeros(200), 0.29, labels=labels, per_class=True)
    assert labels[chosen].bincount().tolist() == [15, 43]


def test_equal_scores_go_by_index_and_keep_1_keeps_all():
    assert hardest(torch.zeros(6), 0.5).tolist() == [0, 1, 2]
    assert hardest(torch.rand(6), 1.0).tolist() == list(range(6))


def test_infinite_scores_are_the_hardest():
    assert hardest(torch.tensor([1.0, math.inf, 2.0]), 0.34).tolist() == [1]


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.01, math.nan])
def test_hardest_refuses_a_share_outside_its_range(keep):
    with pytest.raises(SettingError, match=r"expected keep in \(0, 1\], the share of samples to keep, got"):
        hardest(torch.zeros(4), keep)


def test_hardest_refuses_nan_scores():
    with pytest.raises(DataError, match=r"1 of 3 scores are NaN"):
        hardest(torch.tensor([0.0, math.nan, 1.0]), 0.5)


@pytest.mark.parametrize("scores", [torch.zeros(2, 2), torch.zeros(0)])
def test_hardest_refuses_scores_of_another_shape(scores):
    with pytest.raises(DataError, match=r"expected scores \(N,\), one a sample"):
        hardest(scores, 0.5)


def test_per_class_needs_labels_that_fit():
    with pytest.raises(SettingError, match=r"per_class=True needs the labels"):
        hardest(torch.zeros(4), 0.5, per_class=True)
    with pytest.raises(DataError, match=r"expected as many labels as scores, got \(3,\) and \(4,\)"):
        hardest(torch.zeros(4), 0.5, labels=torch.zeros(3, dtype=torch.int64), per_class=True)
    with pytest.raises(DataError, match=r"label -1 at index 2"):
        hardest(torch.zeros(4), 0.5, labels=torch.tensor([0, 0, -1, 0]), per_class=True)


@pytest.mark.parametrize("seed", range(20))
def test_dropping_agrees_with_taking_the_hardest_away_first(seed):
    stream = torch.Generator().manual_seed(seed)
    scores = torch.randint(4, (15,), generator=stream).double()  # many ties
    keep, drop = (torch.rand(2, generator=stream) * 0.4 + 0.1).tolist()
    left = torch.ones(15, dtype=torch.bool)
    left[hardest(scores, drop) if round(drop * 15) else []] = False
    names = left.nonzero().flatten()
    # of what is left, as many as keep means of all
    expected = names[torch.argsort(scores[names], descending=True, stable=True)[: round(keep * 15)]].sort().values
    assert torch.equal(hardest(scores, keep, drop=drop), expected)


def test_dropping_by_hand():
    scores = torch.tensor([0.1, math.inf, 0.4, 0.8, 0.3, 0.7, 0.9, 0.0, 0.2, 0.5])
    assert hardest(scores, 0.3, drop=0.2).tolist() == [3, 5, 9]
    assert hardest(scores, 0.3, drop=0.7).tolist() == [0, 7, 8]
    assert hardest(scores, 0.3).tolist() == [1, 3, 6]


def test_dropping_per_class_by_hand():
    #            class 0: .1 .2 .3 .4; class 1: .9 .8 .7 .6
    scores = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6])
    labels = torch.tensor([0, 1] * 4)
    assert hardest(scores, 0.5, drop=0.25, labels=labels, per_class=True).tolist() == [2, 3, 4, 5]
    assert hardest(scores, 0.5, drop=0.25).tolist() == [4, 5, 6, 7]


@given(st.integers(1, 300), st.floats(0.01, 1.0), st.floats(0.0, 1.0), st.integers(1, 9), st.booleans())
def test_dropping_never_changes_how_many_are_kept(count, keep, share, classes, per_class):
    drop = (1 - keep) * share
    if round(keep * count) == 0:
        return
    stream = torch.Generator().manual_seed(count)
    scores, labels = torch.rand(count, generator=stream), torch.randint(classes, (count,), generator=stream)
    chosen = hardest(scores, keep, labels=labels, per_class=per_class, drop=drop)
    assert len(chosen) == round(keep * count)
    assert torch.equal(chosen, chosen.unique())
    if not per_class:
        harder = int((scores > scores[chosen].max()).sum())
        assert harder == min(round(drop * count), count - len(chosen))


def test_halves_that_round_up_both_keep_the_kept():
    assert hardest(torch.tensor([0.1, 0.2, 0.3]), 0.5, drop=0.5).tolist() == [0, 1]  # two of 1.5, so one is left out


def test_dropping_all_but_what_is_kept_although_float_arithmetic_differs():
    assert len(hardest(torch.rand(10), 0.1, drop=0.7 + 0.2)) == 1
    assert len(hardest(torch.rand(100), 0.9, drop=0.1)) == 90


@pytest.mark.parametrize(("keep", "drop"), [(0.5, -0.1), (0.5, 0.6), (1.0, 0.01), (0.5, math.nan)])
def test_hardest_refuses_to_drop_more_than_is_left(keep, drop):
    with pytest.raises(SettingError, match=rf"expected drop in \[0, 1 - keep\].*got drop={drop} and keep={keep}"):
        hardest(torch.zeros(10), keep, drop=drop)
