import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer import RigL, Sparsifier
from gossamer import masks as mask_ops
from gossamer.analyze.wiring.history import MaskHistory
from gossamer.core.errors import StateError
from tests import networks
from tests.reference import history as reference


def mask(*alive):
    return torch.tensor(alive) > 0


def random_walk(seed, updates, density):
    """Masks of two layers, each a change of the one before, and their steps."""
    draws = torch.Generator().manual_seed(seed)
    now = {name: torch.rand(shape, generator=draws) < density for name, shape in (("a", (3, 4)), ("b", (5,)))}
    steps, walk = [0], [now]
    for _ in range(updates):
        now = {name: one ^ (torch.rand(one.shape, generator=draws) < 0.3) for name, one in now.items()}
        steps.append(steps[-1] + int(torch.randint(1, 200, (), generator=draws)))
        walk.append(now)
    return steps, walk


def follow(steps, walk):
    history = MaskHistory(walk[0], step=steps[0])
    for step, masks in zip(steps[1:], walk[1:], strict=True):
        history.record(step, masks)
    return history


def test_four_weights_by_hand():
    history = MaskHistory({"a": mask(1, 1, 0, 0)})
    history.record(10, {"a": mask(1, 0, 1, 0)})
    history.record(30, {"a": mask(1, 1, 0, 0)})  # the second comes back, the third was there for 20 steps
    assert history.rows() == [
        {
            "step": 0,
            "live": 2,
            "born": 0,
            "died": 0,
            "density": 0.5,
            "overlap_start": 1.0,
            "overlap_previous": 1.0,
            "survived": 1.0,
            "unbroken": 1.0,
            "kept": 1.0,
            "age": 0.0,
            "explored": 0.5,
        },
        {
            "step": 10,
            "live": 2,
            "born": 1,
            "died": 1,
            "density": 0.5,
            "overlap_start": 1 / 3,
            "overlap_previous": 1 / 3,
            "survived": 0.5,
            "unbroken": 0.5,
            "kept": 0.5,
            "age": 5.0,
            "explored": 0.75,
        },
        {
            "step": 30,
            "live": 2,
            "born": 1,
            "died": 1,
            "density": 0.5,
            "overlap_start": 1.0,
            "overlap_previous": 1 / 3,
            "survived": 1.0,
            "unbroken": 0.5,
            "kept": 0.5,
            "age": 15.0,
            "explored": 0.75,
        },
    ]


@given(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from([0.0, 0.2, 0.9, 1.0]))
@settings(max_examples=25, deadline=None)
def test_it_counts_as_sets_do(seed, updates, density):
    steps, walk = random_walk(seed, updates, density)
    history = follow(steps, walk)
    sets = [reference.places(masks) for masks in walk]
    assert history.rows() == [reference.row(steps[: n + 1], sets[: n + 1], 17) for n in range(len(steps))]
    layers = [(n, name, size) for n in range(len(steps)) for name, size in (("a", 12), ("b", 5))]
    assert history.layer_rows() == [
        {"step": steps[n], "layer": name}
        | reference.row(steps[: n + 1], [reference.places({name: m[name]}) for m in walk[: n + 1]], size)
        for n, name, size in layers
    ]


def test_the_overlap_is_that_of_the_core():
    steps, walk = random_walk(0, 3, 0.5)
    for row in follow(steps, walk).layer_rows()[-2:]:
        assert row["overlap_start"] == mask_ops.overlap(walk[0], walk[-1])[row["layer"]]
        assert row["overlap_previous"] == mask_ops.overlap(walk[-2], walk[-1])[row["layer"]]


def test_shares_of_nothing_are_none():
    history = MaskHistory({"a": mask(0, 0)})
    row = history.rows()[0]
    assert [key for key, value in row.items() if value is None] == [
        "overlap_start",
        "overlap_previous",
        "survived",
        "unbroken",
        "kept",
        "age",
    ]


def test_a_sparsifier_in_a_loop():
    model = networks.mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sparsifier = Sparsifier(RigL(sparsity=0.8, total_steps=20, every=3), model, optimizer)
    history, walk, steps = MaskHistory(sparsifier.masks), [dict(sparsifier.masks)], [0]
    for step in range(10):
        networks.backward(model, step)
        if sparsifier.step():
            history.record(step, sparsifier.masks)
            walk.append(dict(sparsifier.masks))
            steps.append(step)
        optimizer.step()
    assert steps == [0, 3, 6, 9]
    sets = [reference.places(masks) for masks in walk]
    assert history.rows()[-1] == reference.row(steps, sets, 362)
    assert history.rows()[-1]["explored"] > history.rows()[0]["explored"]


def test_masks_that_are_changed_in_place_by_their_owner_are_not_ours():
    start = {"a": mask(1, 1, 0, 0)}
    history = MaskHistory(start)
    start["a"].fill_(False)
    now = {"a": mask(1, 0, 1, 0)}
    history.record(5, now)
    now["a"].fill_(True)
    history.record(6, {"a": mask(1, 0, 1, 0)})
    assert history.rows()[-1]["survived"] == 0.5
    assert (history.rows()[-1]["born"], history.rows()[-1]["died"]) == (0, 0)


def test_the_first_update_may_be_at_the_step_of_the_start():
    history = MaskHistory({"a": mask(1, 0)}, step=4)
    history.record(4, {"a": mask(0, 1)})
    assert [row["step"] for row in history.rows()] == [4, 4]
    with pytest.raises(StateError, match="expected a step after 4, got 4"):
        history.record(4, {"a": mask(0, 1)})


def test_memory_does_not_grow_with_the_weights_of_each_record():
    history = MaskHistory({"a": torch.ones(1000) > 0})

    def stored():
        state = history.state_dict()
        return sum(
            bits["a"].nbytes for bits in state.values() if isinstance(bits, dict) and hasattr(bits["a"], "nbytes")
        )

    before = stored()
    for step in range(1, 20):
        history.record(step, {"a": torch.ones(1000) > 0})
    assert stored() == before == 4000 + 4 * 125


@pytest.mark.parametrize("stop", [0, 2, 5])
def test_a_resumed_history_goes_on_as_if_never_stopped(stop):
    steps, walk = random_walk(1, 5, 0.4)
    stored = io.BytesIO()
    torch.save(follow(steps[: stop + 1], walk[: stop + 1]).state_dict(), stored)
    stored.seek(0)
    history = MaskHistory(walk[stop], step=steps[stop])  # as a resumed loop makes it, with the masks of that moment
    history.load_state_dict(torch.load(stored, weights_only=True))
    for step, masks in zip(steps[stop + 1 :], walk[stop + 1 :], strict=True):
        history.record(step, masks)
    whole = follow(steps, walk)
    assert history.rows() == whole.rows()
    assert history.layer_rows() == whole.layer_rows()


def test_a_state_does_not_change_with_what_is_recorded_later():
    steps, walk = random_walk(2, 4, 0.4)
    history = follow(steps[:3], walk[:3])
    state = history.state_dict()
    as_taken = {name: since.clone() for name, since in state["since"].items()}
    expected = follow([*steps[:3], steps[4]], [*walk[:3], walk[4]]).rows()
    for _ in range(2):  # what is recorded in between would show in ages and births
        history.record(steps[3], walk[3])
        history.load_state_dict(state)
        other = MaskHistory(walk[0])
        other.load_state_dict(state)
        other.record(steps[4], walk[4])
        assert other.rows() == expected
        assert all(torch.equal(since, as_taken[name]) for name, since in state["since"].items())


def test_a_step_that_does_not_come_after_the_last_is_refused():
    history = MaskHistory({"a": mask(1, 0)})
    history.record(7, {"a": mask(1, 0)})
    for step in (3, 7):
        with pytest.raises(StateError, match=rf"a step after 7, got {step}; .*: history.load_state_dict\(\.\.\.\)"):
            history.record(step, {"a": mask(1, 0)})


def test_masks_of_another_network_are_refused():
    history = MaskHistory({"a": mask(1, 0)})
    with pytest.raises(StateError, match=r"mask of shape \(2,\) for 'a', got \(3,\); these masks belong to another"):
        history.record(1, {"a": mask(1, 0, 0)})
    with pytest.raises(StateError, match=r"got none for \['a'\] and \['b'\] besides"):
        history.record(1, {"b": mask(1, 0)})
    assert len(history.rows()) == 1


def test_no_masks_are_refused():
    with pytest.raises(StateError, match=r"expected masks to follow, got none; pass for instance sparsifier.masks"):
        MaskHistory({})


def test_masks_that_are_not_bool_are_refused():
    with pytest.raises(StateError, match=r"expected a bool mask for 'a', got torch\.float32"):
        MaskHistory({"a": torch.ones(2)})


def test_a_state_of_another_network_is_refused():
    state = MaskHistory({"a": mask(1, 0)}).state_dict()
    with pytest.raises(StateError, match=r"a history of masks \{'b': \(2,\)\}, got one of \{'a': \(2,\)\}; make it"):
        MaskHistory({"b": mask(1, 0)}).load_state_dict(state)
