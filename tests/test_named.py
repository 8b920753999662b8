import pytest
import torch
from torch import nn

from gossamer import select
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.named import is_depthwise, shapes, unwrap


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.Flatten(), nn.Linear(8, 5)
    )


def test_the_first_layer_and_the_classifier_are_in_norms_and_biases_are_not():
    assert list(select(network())) == ["0.weight", "3.weight", "5.weight"]


def test_the_selected_weights_are_the_models_own():
    model = network()
    assert select(model)["5.weight"] is model[5].weight
    assert shapes(select(model)) == {"0.weight": (8, 3, 3, 3), "3.weight": (8, 4, 3, 3), "5.weight": (5, 8)}


@pytest.mark.parametrize("layer", [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d])
def test_every_kind_of_convolution_is_in(layer):
    assert list(select(nn.Sequential(layer(2, 4, 3)))) == ["0.weight"]


def test_weights_without_gradient_stay_selected_so_that_the_optimizer_check_can_name_them():
    model = network()
    model[0].weight.requires_grad_(False)
    assert "0.weight" in select(model)


# --- tied weights ------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.decoder = nn.Linear(4, 6, bias=False)
        self.again = self.decoder
        self.decoder.weight = self.embedding.weight


def test_a_tied_weight_is_listed_once_under_its_first_name():
    model = Tied()
    assert list(select(model)) == ["embedding.weight"]
    assert select(model)["embedding.weight"] is model.decoder.weight


@pytest.mark.parametrize("alias", ["embedding.weight", "decoder.weight", "again.weight"])
def test_a_tied_weight_may_be_named_by_any_of_its_names(alias):
    assert list(select(Tied(), where=[alias])) == ["embedding.weight"]


def test_all_names_of_a_tied_weight_together_still_select_it_once():
    assert len(select(Tied(), where=["embedding.weight", "decoder.weight"])) == 1


# --- grouped and depthwise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(8, 8, 3, groups=8), True),
        (nn.Conv2d(8, 16, 3, groups=8), True),  # a multiplier of 2
        (nn.Conv1d(2, 2, 3, groups=2), True),
        (nn.ConvTranspose2d(8, 8, 3, groups=8), True),
        (nn.Conv2d(8, 8, 3, groups=4), False),
        (nn.Conv2d(1, 8, 3), False),  # one channel is all there is
        (nn.Conv2d(8, 8, 1), False),
        (nn.Linear(1, 8), False),
    ],
)
def test_depthwise_is_one_input_channel_of_several(layer, expected):
    assert is_depthwise(layer) == expected


def test_grouped_convolutions_are_in_and_depthwise_ones_are_not_unless_named():
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3, groups=4))
    assert list(select(model)) == ["1.weight"]
    assert list(select(model, where=["0.weight"])) == ["0.weight"]
    with pytest.raises(SettingError, match="got none"):
        select(model, where=lambda name, _: name == "0.weight")  # a predicate only narrows


# --- attention -----------------------------------------------------------------------------------------------------


def test_attention_projections_are_in():
    assert list(select(nn.MultiheadAttention(8, 2))) == ["in_proj_weight", "out_proj.weight"]
    unequal = nn.MultiheadAttention(8, 2, kdim=4, vdim=6)
    assert list(select(unequal)) == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]


def test_a_transformer_layer_has_four_matrices():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    assert list(select(layer)) == [
        "self_attn.in_proj_weight",
        "self_attn.out_proj.weight",
        "linear1.weight",
        "linear2.weight",
    ]


# --- wrappers ------------------------------------------------------------------------------------------------------


def test_names_do_not_depend_on_wrappers():
    model = network()
    compiled = torch.compile(model, backend="eager")
    for wrapped in (compiled, nn.DataParallel(model), nn.DataParallel(compiled)):
        assert unwrap(wrapped) is model
        assert list(select(wrapped)) == list(select(model))
        assert all(select(wrapped)[name] is weight for name, weight in select(model).items())


def test_a_model_with_an_attribute_called_module_is_not_taken_for_a_wrapper():
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Linear(3, 2)
            self.head = nn.Linear(2, 2)

    assert list(select(Holder())) == ["module.weight", "head.weight"]


# --- where ---------------------------------------------------------------------------------------------------------


def test_a_predicate_sees_name_and_parameter_and_narrows():
    model = network()
    assert list(select(model, where=lambda name, weight: weight.dim() == 4 and not name.startswith("0"))) == [
        "3.weight"
    ]


def test_a_collection_replaces_the_default_and_keeps_the_models_order():
    model = network()
    for where in (["5.weight", "1.weight"], ("1.weight", "5.weight"), {"5.weight": 0, "1.weight": 0}):
        assert list(select(model, where=where)) == ["1.weight", "5.weight"]


def test_masks_serve_as_a_collection():
    masks = {"0.weight": torch.ones(8, 3, 3, 3) > 0}
    assert list(select(network(), where=masks)) == ["0.weight"]


def test_a_bare_parameter_of_a_module_of_ones_own_can_be_named():
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(torch.zeros(3, 3))

    with pytest.raises(SettingError, match="got none"):
        select(Mine())
    assert list(select(Mine(), where=["matrix"])) == ["matrix"]


def test_a_string_is_not_a_collection_of_names():
    with pytest.raises(SettingError, match=r"got the string '0\.weight'; pass \['0\.weight'\]"):
        select(network(), where="0.weight")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown parameter '0\.wieght'; did you mean '0\.weight'\? known: "):
        select(network(), where=["0.wieght"])


@pytest.mark.parametrize("where", [[], lambda name, weight: False])
def test_nothing_left_is_refused(where):
    with pytest.raises(
        SettingError, match=r"at least one convolution or linear weight to make sparse, got none; widen"
    ):
        select(network(), where=where)


def test_a_model_without_matrices_is_refused():
    with pytest.raises(SettingError, match="got none"):
        select(nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()))


def test_a_reparametrised_weight_is_not_selected_for_it_cannot_hold_zeros():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), nn.Linear(2, 2))
    assert list(select(model)) == ["1.weight"]
