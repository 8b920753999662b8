import pytest
import torch

from gossamer import NM, RigL, RigLInverted
from gossamer.core.errors import SettingError
from tests.layers import gradients, layer, parameters, stream, walk
from tests.reference import nm
from tests.reference import rigl as reference


def method(kind=RigL, **settings):
    return kind(**{"sparsity": 0.7, "total_steps": 100, "every": 5, **settings})


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("kind", [RigL, RigLInverted])
def test_a_layer_agrees_with_the_weight_by_weight_twin(seed, kind):
    weight, mask, grad, draws = layer(seed)
    rigl, step = method(kind, fraction=0.1 + seed / 60), 5 * (seed % 15)
    count = round(reference.drop_fraction(rigl.fraction, step, 78) * int(mask.sum()))
    changed = rigl.rewire(step, {"w": mask}, {"w": torch.nn.Parameter(weight)}, {"w": grad}, draws)["w"]
    expected = reference.rewire(
        weight.reshape(-1).tolist(), mask.reshape(-1).tolist(), grad.reshape(-1).tolist(), count, kind is RigLInverted
    )
    assert changed.reshape(-1).tolist() == expected


def four(kind, w, alive, grad, **settings):
    alive = torch.tensor([alive]) > 0
    params, grads = {"w": torch.nn.Parameter(torch.tensor([w]))}, {"w": torch.tensor([grad])}
    return method(kind, fraction=0.5, **settings).rewire(0, {"w": alive}, params, grads, stream(0))["w"][0].tolist()


def test_four_weights_by_hand():
    # the .1 dies, the position with gradient 5 is born
    assert four(RigL, [0.1, 9.0, 0.0, 0.0], [1, 1, 0, 0], [0.0, 0.0, 5.0, 1.0]) == [False, True, True, False]


def test_four_weights_by_hand_the_sign_of_a_gradient_does_not_count():
    assert four(RigL, [0.1, 9.0, 0.0, 0.0], [1, 1, 0, 0], [0.0, 0.0, 1.0, -5.0]) == [False, True, False, True]


def test_four_weights_by_hand_inverted():
    # the .1 dies, its own gradient 3 is larger than the 1 that is born
    assert four(RigLInverted, [0.1, 9.0, 0.0, 0.0], [1, 1, 0, 0], [3.0, 0.0, 5.0, 1.0]) == [False, True, False, True]


def test_a_weight_that_died_may_be_born_again_at_once():
    assert four(RigL, [0.1, 9.0, 0.0, 0.0], [1, 1, 0, 0], [7.0, 0.0, 5.0, 1.0]) == [True, True, False, False]


def test_all_zero_gradients_never_pick_a_live_weight():
    rigl, params = method(), parameters(0)
    masks = rigl.masks(params, stream(0))
    before = {name: int(mask.sum()) for name, mask in masks.items()}
    zeros = {name: torch.zeros_like(weight) for name, weight in params.items()}
    for step in range(5, 60, 5):
        masks = rigl.rewire(step, masks, params, zeros, stream(step))
        assert {name: int(mask.sum()) for name, mask in masks.items()} == before


def test_a_layer_that_is_full_is_left_alone():
    params = parameters(0, ((4, 4),))
    full = {"0.weight": torch.ones(4, 4) > 0}
    assert method().rewire(5, full, params, gradients(params, 0), stream(0))["0.weight"].all()


def test_the_interval_the_fraction_and_the_end_are_those_of_the_authors_script():
    rigl = RigL(sparsity=0.8, total_steps=32_000)
    moments = [step for step in range(32_000) if rigl.due(step)]
    assert (moments[0], moments[1], moments[-1], len(moments)) == (100, 200, 24_900, 249)
    assert (rigl.drop_fraction(0), rigl.drop_fraction(25_000), rigl.drop_fraction(31_000)) == (0.3, 0.0, 0.0)
    assert rigl.drop_fraction(12_500) == pytest.approx(0.15)


def test_layers_keep_their_numbers_through_a_whole_training():
    numbers = {tuple(int(mask.sum()) for mask in masks.values()) for _, masks in walk(method(), parameters(1))}
    assert len(numbers) == 1


@pytest.mark.parametrize("kind", [RigL, RigLInverted])
@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (3, 5)])
def test_the_pattern_holds_at_every_step_and_the_number_too(kind, n, m):
    shapes = ((8, 8), (6, 10), (4, 6, 3, 3))
    rigl = method(kind, sparsity=0.8, pattern=NM(n, m))
    numbers = set()
    for _, masks in walk(rigl, parameters(1, shapes)):
        assert all(nm.fits(mask, n, m) for mask in masks.values())
        numbers.add(sum(int(mask.sum()) for mask in masks.values()))
    assert numbers == {round(0.2 * (64 + 60 + 216))}


def test_a_pattern_that_is_full_still_rewires():
    rigl, params = method(sparsity=0.5, pattern=NM(2, 4), fraction=0.5), parameters(0, ((8, 8),))
    masks = rigl.masks(params, stream(0))
    changed = rigl.rewire(5, masks, params, gradients(params, 0), stream(0))
    assert int(changed["0.weight"].sum()) == 32
    assert nm.fits(changed["0.weight"], 2, 4)
    assert not torch.equal(changed["0.weight"], masks["0.weight"])


def test_a_pattern_does_not_bind_a_layer_kept_dense():
    shapes = ((4, 4), (16, 16))
    for _, masks in walk(method(sparsity=0.7, pattern=NM(2, 4), dense=("0.weight",)), parameters(0, shapes)):
        assert masks["0.weight"].all()
        assert nm.fits(masks["1.weight"], 2, 4)
        assert int(masks["1.weight"].sum()) == round(0.3 * 272) - 16


def test_a_training_of_no_steps_is_refused():
    with pytest.raises(
        SettingError, match=r"expected total_steps ≥ 1 for RigL, got 0; pass epochs · batches per epoch"
    ):
        RigL(sparsity=0.5, total_steps=0)
