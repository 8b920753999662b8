import copy
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from gossamer.bench.models import MODELS, Normalize, build, describe, small_dense, small_dense_width
from gossamer.bench.models.families import source_of
from gossamer.core.distribution import erk
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.named import select, shapes

MNIST = {"num_classes": 10, "image_size": 28, "channels": 1}
CIFAR100 = {"num_classes": 100, "image_size": 32, "channels": 3}
SMALLEST = {"lenet5": 16, "mlp300": 1, "convnet": 1, "resnet18": 1, "resnet34": 1, "vgg16": 32, "vgg19": 16}


def maskable(model: nn.Module) -> int:
    return sum(weight.numel() for weight in select(model).values())


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "weights"), [("resnet18", 11_210_432), ("resnet34", 21_311_168), ("vgg19", 20_070_080)]
)
def test_maskable_weights_of_the_papers_networks(name: str, weights: int):
    with torch.device("meta"):
        assert maskable(build(name, **CIFAR100)) == weights


def test_lenet5_has_44190_weights_and_236_biases():
    model = build("lenet5", **MNIST)
    assert (maskable(model), parameters(model)) == (44_190, 44_190 + 236)


def test_mlp300_is_784_300_100_10():
    assert shapes(select(build("mlp300", **MNIST))) == {
        "fc1.weight": (300, 784),
        "fc2.weight": (100, 300),
        "fc3.weight": (10, 100),
    }


def test_the_papers_small_dense_lenet5_has_2399_parameters():
    assert parameters(build("lenet5", hidden=(3, 3, 27, 20), **MNIST)) == 2_399


def test_the_papers_small_dense_mlp_has_two_layers_of_8():
    assert maskable(build("mlp300", hidden=(8, 8), **MNIST)) == 784 * 8 + 64 + 80


def test_vgg16_has_the_layers_of_snips_vgg_d():
    with torch.device("meta"):
        model = build("vgg16", num_classes=10, image_size=32, channels=3)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert all(m.bias is not None for m in convolutions)
    assert [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Linear)] == [(512, 512)] * 2 + [
        (10, 512)
    ]
    assert sum(isinstance(m, nn.MaxPool2d) for m in model.modules()) == 5


def test_erk_densities_of_resnet18_at_sparsity_80():
    with torch.device("meta"):
        densities = erk(shapes(select(build("resnet18", **CIFAR100))), 0.8)
    special = {"layer2.0.conv1.weight": 0.7393, "layer3.0.conv1.weight": 0.3640, "layer4.0.conv1.weight": 0.1806}
    others = {"layer2": 0.4891, "layer3": 0.2418, "layer4": 0.1202}
    for name, density in densities.items():
        dense = 1.0 if "shortcut" in name else others.get(name.split(".")[0], 1.0)
        assert round(density, 4) == special.get(name, dense), name


def test_erk_densities_of_vgg19_at_sparsity_80():
    with torch.device("meta"):
        densities = erk(shapes(select(build("vgg19", **CIFAR100))), 0.8)
    rounded = [round(density, 4) for density in densities.values()]
    assert rounded == [1, 1, 1, 0.6714, 0.4997] + [0.3319] * 3 + [0.2479] + [0.1650] * 7 + [1]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("image_size", "channels"), [(8, 1), (28, 1), (32, 3), (64, 3)])
def test_models_train_on_every_image_size_they_accept(name: str, image_size: int, channels: int):
    if image_size < SMALLEST[name]:
        with pytest.raises(
            SettingError, match=f"{name} needs images of {SMALLEST[name]}x{SMALLEST[name]} or more, not"
        ):
            build(name, num_classes=7, image_size=image_size, channels=channels)
        return
    torch.manual_seed(0)
    model = build(name, num_classes=7, image_size=image_size, channels=channels, width=0.1)
    logits = model(torch.rand(2, channels, image_size, image_size))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(("name", "smallest"), [(name, size) for name, size in SMALLEST.items() if size > 1])
def test_the_smallest_images_work_and_smaller_ones_are_refused(name: str, smallest: int):
    model = build(name, num_classes=2, image_size=smallest, channels=1, width=0.1).eval()
    assert model(torch.zeros(1, 1, smallest, smallest)).shape == (1, 2)
    with pytest.raises(SettingError, match=f"not {smallest - 1}x{smallest - 1}; convnet, mlp300 and resnet18 take any"):
        build(name, num_classes=2, image_size=smallest - 1, channels=1)


@pytest.mark.parametrize("name", MODELS)
def test_models_compile_in_one_piece_copy_and_save(name: str):
    torch.manual_seed(0)
    model = build(name, num_classes=3, image_size=32, channels=1, width=0.05).eval()
    images = torch.rand(2, 1, 32, 32)
    kept = images.clone()
    logits = model(images)
    twin = build(name, num_classes=3, image_size=32, channels=1, width=0.05).eval()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(copy.deepcopy(model)(images), logits)
    assert torch.equal(twin(images), logits)
    assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(images), logits)
    assert torch.equal(images, kept)


@pytest.mark.parametrize("name", MODELS)
def test_normalisation_is_a_layer_without_parameters_that_changes_no_name(name: str):
    sizes = {"num_classes": 3, "image_size": 32, "channels": 3, "width": 0.1}
    torch.manual_seed(0)
    plain = build(name, **sizes).eval()
    torch.manual_seed(0)
    model = build(name, normalize=((0.1, 0.2, 0.3), (0.5, 0.25, 1.0)), **sizes).eval()
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in plain.named_parameters()]
    images = torch.rand(2, 3, 32, 32)
    by_hand = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.5, 0.25, 1.0]).view(3, 1, 1)
    assert torch.equal(model(images), plain(by_hand))
    assert {n for n, _ in model.named_buffers()} - {n for n, _ in plain.named_buffers()} == {
        "normalize.mean",
        "normalize.std",
    }


def test_resnet_stems_differ_between_small_and_large_images():
    small, large = (build("resnet34", num_classes=2, image_size=s, channels=3, width=0.1) for s in (63, 64))
    assert (small.conv1.kernel_size, small.conv1.stride, small.conv1.padding) == ((3, 3), (1, 1), (1, 1))
    assert (large.conv1.kernel_size, large.conv1.stride, large.conv1.padding) == ((7, 7), (2, 2), (3, 3))


def test_resnet_classifier_has_no_bias_and_only_changing_shapes_have_projections():
    model = build("resnet18", width=0.1, **CIFAR100)
    assert model.fc.bias is None
    projections = [name for name in select(model) if "shortcut" in name]
    assert projections == [f"layer{stage}.0.shortcut.conv.weight" for stage in (2, 3, 4)]


def test_resnet_block_adds_its_input():
    torch.manual_seed(0)
    block = build("resnet18", width=0.1, **CIFAR100).layer1[0].eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(1, 6, 4, 4)
    assert torch.equal(block(x), x)


def test_vgg19_ends_in_an_average_over_2_by_2_positions():
    torch.manual_seed(0)
    model = build("vgg19", width=0.1, **CIFAR100).eval()
    x = torch.rand(2, 3, 32, 32)
    features = model.features(x)
    assert features.shape[2:] == (2, 2)
    pooled = nn.functional.avg_pool2d(features, 2).flatten(1)
    assert torch.allclose(model(x), model.fc(pooled), atol=1e-6)


def test_lenet5_and_mlp300_start_glorot_uniform_with_zero_biases():
    torch.manual_seed(0)
    for model in (build("lenet5", **MNIST), build("mlp300", **MNIST)):
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                assert not p.any()
            elif p.numel() > 2000:
                receptive = math.prod(p.shape[2:])
                limit = math.sqrt(6 / ((p.shape[0] + p.shape[1]) * receptive))
                assert 0.98 * limit < p.abs().max() <= limit
                assert p.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize(("name", "fan"), [("resnet18", 1), ("convnet", 1), ("vgg19", 0)])
def test_convolutions_start_he_normal_on_the_papers_fan(name: str, fan: int):
    torch.manual_seed(0)
    model = build(name, num_classes=10, image_size=32, channels=3)
    wide = [w for w in select(model).values() if w.ndim == 4 and w.shape[0] != w.shape[1] and w.numel() > 4000]
    assert wide
    for weight in wide:
        expected = math.sqrt(2 / (weight.shape[fan] * math.prod(weight.shape[2:])))
        assert weight.std().item() == pytest.approx(expected, rel=0.05)


def test_vgg19_classifier_starts_normal_with_std_one_hundredth():
    torch.manual_seed(0)
    model = build("vgg19", **CIFAR100)
    assert model.fc.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.fc.bias.any()


def test_width_scales_every_hidden_layer_and_never_below_one():
    model = build("lenet5", width=0.5, **MNIST)
    assert [m.weight.shape[0] for m in (model.conv1, model.conv2, model.fc1, model.fc2, model.fc3)] == [
        3,
        8,
        60,
        42,
        10,
    ]
    tiny = build("convnet", width=1e-6, **MNIST)
    assert {m.out_channels for m in tiny.modules() if isinstance(m, nn.Conv2d)} == {1}


def test_convnet_stays_below_five_million_multiply_adds_on_28_by_28():
    (row,) = [row for row in describe() if row.name == "convnet"]
    assert row.image_size == 28
    assert row.forward_flops < 2 * 5e6


def test_describe_counts_each_row_of_the_table_without_a_random_draw():
    state = torch.get_rng_state()
    rows = {row.name: row for row in describe()}
    assert torch.equal(torch.get_rng_state(), state)
    assert list(rows) == list(MODELS)
    assert rows["lenet5"].forward_flops == 2 * (150 * 24**2 + 2400 * 8**2 + 120 * 256 + 84 * 120 + 840)
    with torch.device("meta"):
        assert rows["resnet34"].parameters == parameters(build("resnet34", num_classes=200, image_size=64, channels=3))


def breakpoints(widths: tuple[int, ...], most: int) -> list[float]:
    """Every factor up to 1 at which a rounded width changes, and the middles between them."""
    edges = sorted({(k + 0.5) / width for width in widths for k in range(1, most) if (k + 0.5) / width < 1})
    return [(a + b) / 2 for a, b in zip([0.0, *edges], [*edges, 1.0], strict=True)]


@pytest.mark.parametrize("budget", [797, 1_600, 2_210, 9_999, 44_189])
def test_small_dense_is_as_wide_as_trying_every_width_finds(budget: int):
    with torch.device("meta"):
        sizes = [maskable(build("lenet5", width=width, **MNIST)) for width in breakpoints((6, 16, 120, 84), 120)]
    expected = max(size for size in sizes if size <= budget)
    assert maskable(small_dense("lenet5", budget, **MNIST)) == expected


@pytest.mark.parametrize(("name", "budget"), [("resnet18", 112_104), ("vgg19", 2_000_000), ("convnet", 5_000)])
def test_small_dense_fits_its_budget_and_anything_wider_does_not(name: str, budget: int):
    width = small_dense_width(name, budget, **CIFAR100)
    with torch.device("meta"):
        assert maskable(build(name, width=width, **CIFAR100)) <= budget
        assert maskable(build(name, width=width + 2e-9, **CIFAR100)) > budget


def test_small_dense_may_be_wider_than_the_original():
    assert maskable(small_dense("mlp300", 300_000, **MNIST)) > 266_200


def test_small_dense_normalises_and_scales_widths_given_by_hand():
    model = small_dense("mlp300", 4_000, hidden=(8, 8), normalize=([0.5], [0.5]), **MNIST)
    assert isinstance(model.normalize, Normalize)
    assert [tuple(w.shape) for w in select(model).values()] == [(5, 784), (5, 5), (10, 5)]


def test_the_search_for_a_width_draws_no_random_numbers():
    state = torch.get_rng_state()
    small_dense_width("lenet5", 2_000, **MNIST)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_budget_below_one_unit_a_layer_is_refused():
    with pytest.raises(SettingError, match=r"budget of 794 weights is below the 795 of mlp300 with one unit a layer"):
        small_dense("mlp300", 794, **MNIST)


def test_a_budget_beyond_any_width_is_refused():
    with pytest.raises(SettingError, match=r"mlp300 stays within .* at 1024 times its width; lower the budget"):
        small_dense("mlp300", 10**15, **MNIST)


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "nets.py").write_text(
        "from torch import nn\n"
        "def small(num_classes, image_size, channels, width=1.0):\n"
        "    hidden = max(1, round(8 * width))\n"
        "    inputs = channels * image_size**2\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))\n"
        "def positional(classes):\n    return nn.Linear(1, classes)\n"
        "def words(num_classes, image_size, channels):\n    return 'a network'\n"
        "constant = 3\n"
    )
    (folder / "broken.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own_models")
class TestOwnFactory:
    def test_it_is_called_with_the_sizes_and_a_width(self):
        model = build("own_package.nets:small", **MNIST)
        assert shapes(select(model)) == {"1.weight": (8, 784), "3.weight": (10, 8)}
        assert maskable(small_dense("own_package.nets:small", 3_000, **MNIST)) == 3 * 794

    def test_it_is_normalised_from_outside(self):
        model = build("own_package.nets:small", normalize=([0.5], [0.25]), **MNIST)
        images = torch.rand(2, 1, 28, 28)
        assert torch.equal(model(images), model.network((images - 0.5) / 0.25))
        assert list(select(model)) == ["network.1.weight", "network.3.weight"]

    @pytest.mark.parametrize("module", ["own_packag.nets", "own_package.net", "", ".nets", "own package"])
    def test_a_module_that_is_not_there_is_named(self, module: str):
        with pytest.raises(SettingError, match=rf"there is no module '{module}'; write package.module:factory"):
            build(f"{module}:small", **MNIST)

    def test_an_import_that_fails_inside_is_their_own_error(self):
        with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
            build("own_package.broken:small", **MNIST)

    @pytest.mark.parametrize("attribute", ["smal", ""])
    def test_an_attribute_that_is_not_there_is_named(self, attribute: str):
        with pytest.raises(SettingError, match=f"module 'own_package.nets' has no '{attribute}'; name a class or"):
            build(f"own_package.nets:{attribute}", **MNIST)

    def test_an_attribute_that_cannot_be_called_is_refused(self):
        with pytest.raises(SettingError, match="'constant' is of type int; name a class or function that builds"):
            build("own_package.nets:constant", **MNIST)

    def test_a_factory_of_other_arguments_is_refused(self):
        with pytest.raises(SettingError, match=r"cannot be built from num_classes, .*; it takes \(classes\)"):
            build("own_package.nets:positional", **MNIST)

    def test_a_factory_without_width_cannot_be_narrowed(self):
        with pytest.raises(SettingError, match=r"cannot be built from num_classes, image_size, channels, width"):
            small_dense("own_package.nets:words", 10, **MNIST)

    def test_a_factory_that_returns_no_network_is_refused(self):
        with pytest.raises(SettingError, match=r"returned a str; it must return a torch.nn.Module"):
            build("own_package.nets:words", **MNIST)


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown model 'resnet81'; did you mean 'resnet18'\?"):
        build("resnet81", **MNIST)


def test_a_setting_that_a_model_does_not_have_is_refused():
    with pytest.raises(
        SettingError, match=r"'resnet18' cannot be built from .*hidden: .*'hidden'; it takes \(\*, num_cla"
    ):
        build("resnet18", hidden=(3,), **MNIST)


@pytest.mark.parametrize(("name", "hidden"), [("lenet5", (3, 3)), ("mlp300", (8, 0))])
def test_hidden_widths_that_do_not_fit_are_refused(name: str, hidden: tuple[int, ...]):
    with pytest.raises(SettingError, match=rf"{name} takes hidden=\(.*\) or \d other widths of at least 1, not"):
        build(name, hidden=hidden, **MNIST)


def test_one_class_is_refused():
    with pytest.raises(SettingError, match="num_classes is 1; a classifier needs at least 2"):
        build("lenet5", num_classes=1, image_size=28, channels=1)


@pytest.mark.parametrize("wrong", [{"image_size": 0}, {"channels": 0}])
def test_images_without_pixels_or_channels_are_refused(wrong: dict[str, int]):
    with pytest.raises(SettingError, match=r"image_size is \d+ and channels \d; both must be at least 1"):
        build("mlp300", **(MNIST | wrong))


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf])
def test_widths_that_are_no_factor_are_refused(width: float):
    with pytest.raises(SettingError, match=r"width is .*; it must be a finite number above 0"):
        build("mlp300", width=width, **MNIST)


def test_normalisation_for_other_channels_is_refused():
    with pytest.raises(SettingError, match="normalize has 3 means for images of 1 channels; pass one per channel"):
        build("mlp300", normalize=([0.0] * 3, [1.0] * 3), **MNIST)


def test_normalisation_with_fewer_stds_than_means_is_refused():
    with pytest.raises(SettingError, match="normalize has 1 means and 2 stds; pass one of each per channel"):
        Normalize([0.0], [1.0, 1.0])


@pytest.mark.parametrize("std", [0.0, -1.0, math.nan])
def test_normalisation_by_a_std_that_is_not_positive_is_refused(std: float):
    with pytest.raises(SettingError, match=r"normalize has std .*; each must be above 0"):
        Normalize([0.0], [std])


def test_a_changed_network_of_the_users_is_another_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "from torch import nn\n\ndef net(*, num_classes, image_size, channels):\n    return nn.Linear(4, {})\n"
    file = tmp_path / "changing_network.py"
    file.write_text(source.format(2))
    first = source_of("changing_network:net")
    assert first == source_of("changing_network:net") != ""
    file.write_text(source.format(3))
    assert source_of("changing_network:net") != first
    assert source_of("resnet18") == ""
