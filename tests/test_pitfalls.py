"""One test for each way in which sparse training has been seen to go wrong elsewhere, P1 to P28."""

import copy
import io
import math

import pytest
import torch
from torch import nn, optim

from gossamer import (
    GMP,
    MEST,
    SET,
    GraNet,
    LayerCollapseWarning,
    RigL,
    SparseEMA,
    Sparsifier,
    Static,
    Uniform,
    masks,
)
from gossamer.core.distribution import counts, erk, live_weights
from gossamer.core.rewire import drop_signed, drop_smallest, grow_largest, keep_largest
from tests import networks
from tests.corridor import STEPS, Row, Walk, assert_same_bits, same_masks, sgd

RIGL = Row("rigl", "rigl", {"every": 3})
SET_OFTEN = Row("set", "set", {"every": 3})


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def adam(model):
    return optim.Adam(model.parameters(), lr=1e-2)


@pytest.mark.parametrize("seed", range(20))
def test_p01_the_start_has_exactly_the_weights_asked_for(seed):
    model = networks.mlp()
    sparsifier = Sparsifier(SET(sparsity=0.8, total_steps=9), model, sgd(model), seed=seed)
    assert masks.live(sparsifier.masks) == round(0.2 * 362)


def test_p02_the_number_does_not_drift_over_a_hundred_rewirings():
    walk = Walk.start(Row("rigl", "rigl", {"every": 1, "total_steps": 130, "fraction": 0.5}))
    start = {name: int(mask.sum()) for name, mask in walk.sparsifier.masks.items()}
    walk.go(0, 101)
    assert {name: int(mask.sum()) for name, mask in walk.sparsifier.masks.items()} == start


@pytest.mark.parametrize("seed", range(10))
def test_p03_zero_gradients_never_revive_the_living(seed):
    mask = torch.rand(40, 50, generator=stream(seed)) < 0.5
    grown = grow_largest(torch.zeros(40, 50), mask, 300, stream(seed))
    assert int(grown.sum()) == int(mask.sum()) + 300
    assert bool(grown[mask].all())


def test_p03_growth_by_zero_gradients_is_spread_at_random():
    nobody = torch.zeros(1000, dtype=torch.bool)
    grown = grow_largest(torch.zeros(1000), nobody, 500, stream())
    assert 200 < int(grown[:500].sum()) < 300  # the first 500 would be a sort's choice; 5 deviations are 56


def test_p04_of_a_hundred_equal_weights_seventy_live_on():
    everyone = torch.ones(100, dtype=torch.bool)
    assert int(drop_smallest(torch.ones(100), everyone, 30, stream()).sum()) == 70
    kept = keep_largest(
        {"a": torch.ones(60), "b": torch.ones(40)}, {"a": everyone[:60], "b": everyone[:40]}, 70, stream()
    )
    assert masks.live(kept) == 70


def test_p05_a_weight_that_died_is_zero_when_it_is_born_again():
    walk = Walk.start(Row("set", "set", {"every": 1, "fraction": 0.5, "fraction_end": 0.5}), optimizer=adam)
    ever, reborn = {name: mask.clone() for name, mask in walk.sparsifier.masks.items()}, 0
    for step in range(STEPS):
        before = walk.sparsifier.masks
        walk.optimizer.zero_grad()
        networks.backward(walk.model, step)
        walk.sparsifier.step()
        for name, mask in walk.sparsifier.masks.items():
            born = mask & ~before[name]
            assert not walk.params[name][born].any()
            reborn += int((born & ever[name]).sum())
            ever[name] |= mask
        walk.optimizer.step()
    assert reborn > 50


def test_p06_sets_rule_drops_the_same_share_on_both_sides_of_zero():
    weight = torch.randn(405, generator=stream())
    kept = drop_signed(weight, torch.ones(405, dtype=torch.bool), 0.3, stream())
    for side in (weight >= 0, weight < 0):
        dropped, alive = weight[side & ~kept].abs(), weight[side & kept].abs()
        assert len(dropped) == round(0.3 * int(side.sum()))
        assert dropped.max() < alive.min()


@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_p07_the_optimizer_forgets_the_dead_in_every_state(optimizer):
    walk = Walk.start(RIGL, optimizer=optimizer).go(0, STEPS)
    for name, mask in walk.sparsifier.masks.items():
        states = [s for s in walk.optimizer.state[walk.params[name]].values() if s.shape == mask.shape]
        assert states
        assert all(not state[~mask].any() and state[mask].any() for state in states)


def test_p07_a_newborns_first_step_is_one_gradient_long():
    walk = Walk.start(RIGL, optimizer=lambda model: optim.SGD(model.parameters(), lr=0.5, momentum=0.9)).go(0, 3)
    before = walk.sparsifier.masks
    walk.go(3, 4)
    for name, mask in walk.sparsifier.masks.items():
        born, weight = mask & ~before[name], walk.params[name]
        assert torch.equal(weight[born], -0.5 * weight.grad[born])


def test_p08_adams_first_update_of_a_newborn_can_be_brought_to_its_neighbours_size():
    def largest_first_update(how):
        walk = Walk.start(Row("set", "set", {"every": 200, "total_steps": 400}), optimizer=adam, newborn=how)
        walk.go(0, 200)
        before = walk.sparsifier.masks
        walk.go(200, 201)
        born = {name: mask & ~before[name] for name, mask in walk.sparsifier.masks.items()}
        return max(
            float(walk.params[name].detach()[places].abs().max()) for name, places in born.items() if places.any()
        )

    # .1 / √(.001 / (1 - .999²⁰¹)) = 1.35 learning rates, the same for every newborn with any gradient
    assert largest_first_update("fresh") == pytest.approx(1.35e-2, rel=0.01)
    assert largest_first_update("mean") < 0.7e-2


def test_p09_clipping_sees_the_sparse_gradient():
    walk = Walk.start(RIGL)
    networks.backward(walk.model, 0)
    walk.sparsifier.step()
    alive = [weight.grad[walk.sparsifier.masks[name]] for name, weight in walk.params.items()]
    alive += [weight.grad for name, weight in walk.model.named_parameters() if name not in walk.params]
    expected = torch.cat([grad.reshape(-1) for grad in alive]).norm()
    torch.testing.assert_close(nn.utils.clip_grad_norm_(walk.model.parameters(), 1e9), expected)


def test_p10_weight_decay_finds_no_hidden_weights_to_move():
    walk = Walk.start(RIGL, optimizer=lambda model: optim.AdamW(model.parameters(), weight_decay=0.1)).go(0, 5)
    assert list(walk.model.state_dict()) == list(networks.mlp().state_dict())  # there is one copy of the weights only
    walk.assert_dead_are_zero()


def test_p11_an_overflow_postpones_the_rewiring_and_leaves_no_nan():
    walk = Walk.start(RIGL).go(0, 3)
    before = walk.sparsifier.masks
    networks.backward(walk.model, 3, scale=math.inf)
    assert not walk.sparsifier.step()  # a scaler skips optimizer.step() here
    assert same_masks(before, walk.sparsifier.masks)
    assert all(not weight.grad[~before[name]].any() for name, weight in walk.params.items())  # NaN · 0 would be NaN
    walk.optimizer.zero_grad()
    networks.backward(walk.model, 4)
    assert walk.sparsifier.step()
    assert walk.sparsifier.clock == 5


def test_p12_accumulation_needs_no_setting():
    halves, whole = (Walk.start(RIGL, dtype=torch.float64).go(0, 3) for _ in range(2))
    images, labels = networks.batch(whole.model, 3)
    for walk, parts in ((halves, 2), (whole, 1)):
        walk.optimizer.zero_grad()
        for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            (nn.functional.cross_entropy(walk.model(some), theirs) / parts).backward()
        assert walk.sparsifier.step()
    assert same_masks(halves.sparsifier.masks, whole.sparsifier.masks)
    assert halves.sparsifier.clock == whole.sparsifier.clock == 4


def test_p13_growth_goes_by_the_size_of_the_reduced_gradient():
    model = nn.Linear(4, 1, bias=False)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    method = RigL(sparsity=0.75, total_steps=4, every=1, stop=1.0, fraction=1.0)
    sparsifier = Sparsifier(method, model, optimizer)
    ranks = torch.tensor([[[0.2, 9.0, 1.0, 0.0]], [[0.2, -9.0, 1.0, 0.0]]])
    for _ in range(2):
        model.weight.grad = ranks.mean(0)  # what the reduction leaves; the mean of sizes would choose the second
        sparsifier.step()
    assert sparsifier.masks["weight"].tolist() == [[False, False, True, False]]
    assert model.weight.grad.tolist() == [[0.0, 0.0, 1.0, 0.0]]


def test_p14_masks_come_from_an_own_stream_and_leave_the_global_one_alone():
    runs = []
    for rank in range(2):
        torch.manual_seed(rank)
        before = torch.get_rng_state()
        runs.append(Walk.start(SET_OFTEN).go(0, STEPS).sparsifier.masks)
        assert torch.equal(before, torch.get_rng_state())
    assert same_masks(*runs)


def test_p15_weights_gradients_and_states_stay_where_they_are():
    walk = Walk.start(RIGL, optimizer=adam).go(0, 1)
    held = [*walk.model.parameters(), *(p.grad for p in walk.model.parameters())]
    held += [value for state in walk.optimizer.state.values() for value in state.values()]
    addresses = [tensor.data_ptr() for tensor in held]
    for step in range(1, STEPS):
        walk.optimizer.zero_grad(set_to_none=False)
        networks.backward(walk.model, step)
        walk.sparsifier.step()
        walk.optimizer.step()
    assert [tensor.data_ptr() for tensor in held] == addresses
    assert held[0] is walk.model[0].weight


@pytest.mark.parametrize("sparsity", [0.05, 0.3, 0.5, 0.8, 0.9, 0.95])
def test_p16_erk_caps_full_layers_and_still_keeps_the_total(sparsity):
    shapes = {"stem": (16, 3, 3, 3), "wide": (256, 128, 3, 3), "one": (256, 64, 1, 1), "head": (10, 256)}
    densities = erk(shapes, sparsity)
    assert all(0 < density <= 1 for density in densities.values())
    assert sum(counts(shapes, densities).values()) == live_weights(shapes, sparsity)
    assert densities["stem"] == 1.0  # 25 / 432 against 387 / 294 912: never below 1 here


def test_p17_what_stays_dense_is_made_up_for_and_both_sparsities_are_reported():
    model = networks.mlp()
    report = Sparsifier(RigL(sparsity=0.6, total_steps=9, dense=("4.weight",)), model, sgd(model)).report()
    assert report.asked == report.live == round(0.4 * 362)
    assert {row.name: row.live for row in report.rows}["4.weight"] == 90
    assert (report.parameters, report.nonzero) == (362 + 35, report.live + 35)
    assert f"sparsity {1 - 145 / 362:.6f} (of all 397 parameters" in str(report)


def test_p18_depthwise_convolutions_are_dense_by_rule_and_grouped_ones_are_not():
    model = networks.convnet()
    report = Sparsifier(RigL(sparsity=0.8, total_steps=9), model, sgd(model)).report()
    rows = {row.name: row for row in report.rows}
    assert rows["3.weight"].why == "dense: depthwise convolutions are left out"
    assert 0 < rows["4.weight"].density < 1


def test_p19_a_tied_weight_has_one_mask_and_is_counted_once():
    walk = Walk.start(RIGL, networks.tied).go(0, STEPS)
    assert masks.size(walk.sparsifier.masks) == 60 + 36
    assert walk.model.read.weight is walk.model.write.weight
    walk.assert_dead_are_zero()


def test_p20_a_killed_run_continues_bit_for_bit():
    whole, file = Walk.start(SET_OFTEN, optimizer=adam).go(0, STEPS), io.BytesIO()
    parts = ("model", "optimizer", "sparsifier")
    stopped = Walk.start(SET_OFTEN, optimizer=adam).go(0, 8)
    torch.save({part: getattr(stopped, part).state_dict() for part in parts}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = Walk.start(SET_OFTEN, optimizer=adam, network_seed=7)
    for part in parts:
        getattr(resumed, part).load_state_dict(state[part])
    assert_same_bits(whole.bits(), resumed.go(8, STEPS).bits())
    assert sum(bits.numel() for bits in state["sparsifier"]["masks"].values()) == 16 + 18 + 12  # bits, not floats


def test_p21_an_average_over_changing_masks_is_as_sparse_as_the_last():
    walk = Walk.start(Row("set", "set", {"every": 1}))
    ema = SparseEMA(walk.model, walk.sparsifier, decay=0.9)
    for step in range(STEPS):
        walk.go(step, step + 1)
        ema.update()
    faded = 0  # died, and still in the running average
    for name, mask in walk.sparsifier.masks.items():
        average = ema.averaged().get_parameter(name)
        assert average[mask].any()
        assert not average[~mask].any()
        faded += int(ema._average.module.get_parameter(name)[~mask].count_nonzero())
    assert faded > 0


def test_p22_statistics_of_batch_norm_are_left_to_the_caller():
    model = networks.convnet()
    with torch.no_grad():
        model(networks.batch(model, 0)[0])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    sparsifier = Sparsifier(RigL(sparsity=0.8, total_steps=9, every=1), model, sgd(model))
    for _ in range(3):
        for weight in model.parameters():
            weight.grad = torch.randn(weight.shape, generator=stream())
        sparsifier.step()
    assert before.keys() == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert model.training


def test_p22_torchs_update_bn_gives_a_pruned_network_the_statistics_of_its_own_activations():
    model = networks.convnet()
    batches = [networks.batch(model, step)[0] for step in range(4)]
    torch.optim.swa_utils.update_bn(batches, model)
    dense = model[1].running_var.clone()
    Sparsifier(Uniform(sparsity=0.8), model, sgd(model))
    assert torch.equal(model[1].running_var, dense)  # stale: those of the dense network
    torch.optim.swa_utils.update_bn(batches, model)
    own = torch.stack([model[0](batch).var(dim=(0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(model[1].running_var, own)


def test_p23_a_pruned_model_can_be_copied():
    walk = Walk.start(RIGL, networks.convnet).go(0, 5)
    twin = copy.deepcopy(walk.model)
    twin(networks.batch(twin, 0)[0]).sum().backward()
    for name, value in walk.model.state_dict().items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(value, twin.state_dict()[name])
            assert value.data_ptr() != twin.state_dict()[name].data_ptr()


def test_p24_the_optimizers_step_is_its_own_and_takes_a_closure():
    walk, plain = Walk.start(RIGL), Walk.start(RIGL).go(0, STEPS)
    assert "step" not in vars(walk.optimizer)

    def closure(step):
        walk.optimizer.zero_grad()
        images, labels = networks.batch(walk.model, step)
        loss = nn.functional.cross_entropy(walk.model(images), labels)
        loss.backward()
        walk.sparsifier.step()
        return loss

    losses = [walk.optimizer.step(lambda step=step: closure(step)) for step in range(STEPS)]
    assert all(loss.isfinite() for loss in losses)
    assert_same_bits(plain.bits(), walk.bits())


def test_p24_a_scheduler_that_wraps_the_optimizer_and_an_attached_sparsifier_get_on():
    walk = Walk.start(RIGL)
    walk.sparsifier.attach()
    scheduler = optim.lr_scheduler.StepLR(walk.optimizer, step_size=4, gamma=0.1)
    for step in range(STEPS):
        walk.optimizer.zero_grad()
        networks.backward(walk.model, step)
        walk.optimizer.step()
        scheduler.step()  # would warn if the optimizer's step were not called, and warnings are errors here
    assert scheduler.get_last_lr() == [pytest.approx(0.05 * 1e-4)]
    assert walk.sparsifier.clock == STEPS
    walk.assert_dead_are_zero()


@pytest.mark.parametrize("total", [2, 3, 5, 7, 16, 33])
@pytest.mark.parametrize("method", [GMP, GraNet, MEST])
def test_p25_a_schedule_ends_at_exactly_what_was_asked(method, total):
    model = networks.mlp()
    optimizer = sgd(model)
    chosen = method(sparsity=0.8, total_steps=total)
    assert chosen.target(total - 1) == 0.8
    walk = Walk(model, optimizer, Sparsifier(chosen, model, optimizer)).go(0, total)
    assert walk.alive() == round(0.2 * 362)


def test_p26_rewiring_again_and_again_without_training_keeps_the_number():
    walk, method = Walk.start(Row("granet", "granet", {"every": 1})), GraNet(sparsity=0.7, total_steps=STEPS, every=1)
    now, grads = walk.sparsifier.masks, {n: torch.randn(w.shape, generator=stream()) for n, w in walk.params.items()}
    with torch.no_grad():
        for turn in range(20):  # newborns are exactly zero, as small as any weight can be
            now = method.rewire(10, now, walk.params, grads, stream(turn))
            masks.apply_(walk.params, now)
            assert masks.live(now) == round(0.3 * 362)


def test_p27_a_layer_that_collapses_is_told_by_name_and_a_floor_prevents_it():
    def prune(floor):
        model = networks.mlp()
        with torch.no_grad():
            model[2].weight.mul_(1e-6)
        optimizer = optim.SGD(model.parameters(), lr=0.0)
        method = GMP(sparsity=0.9, total_steps=STEPS, every=3, floor=floor)
        return Walk(model, optimizer, Sparsifier(method, model, optimizer)).go(0, STEPS)

    with pytest.warns(LayerCollapseWarning, match=r"no live weight is left in \['2.weight'\]"):
        prune(floor=0)
    walk = prune(floor=4)
    assert int(walk.sparsifier.masks["2.weight"].sum()) == 4
    assert walk.alive() == round(0.1 * 362)


def test_p28_a_ticket_starts_from_the_initial_weights_statistics_and_optimizer():
    model = networks.convnet()
    initial = copy.deepcopy(model.state_dict())
    trained = Walk(model, sgd(model), None)
    trained.sparsifier = Sparsifier(GMP(sparsity=0.7, total_steps=STEPS, every=3), model, trained.optimizer)
    ticket = trained.go(0, STEPS).sparsifier.masks
    model.load_state_dict(initial)
    fresh = sgd(model)
    sparsifier = Sparsifier(Static(ticket), model, fresh)
    for name, value in model.state_dict().items():
        assert torch.equal(value, torch.where(ticket[name], initial[name], 0) if name in ticket else initial[name])
    assert not fresh.state
    assert (sparsifier.clock, masks.live(sparsifier.masks)) == (0, trained.alive())
