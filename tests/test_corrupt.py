"""What holds for every kind of corruption: reproducible pictures, refusals with words, severities 0 and 6."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.corrupt import CORRUPTIONS, FAMILIES, STANDARD, apply, corrupt
from gossamer.corrupt.families import LARGEST, by_family, constants, family_of
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams
from gossamer.corrupt.table import EXTRA
from tests.corruptions import COLOURLESS, pictures

EVERY = pytest.mark.parametrize("name", CORRUPTIONS)
PUBLISHED = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog"),
    *("brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)


def test_the_kinds_stand_in_the_published_order():
    assert STANDARD == PUBLISHED
    assert EXTRA == ("speckle_noise", "gaussian_blur", "spatter", "saturate")
    bar = [name for name, kind in CORRUPTIONS.items() if kind.group == "bar"]
    assert list(CORRUPTIONS) == [*STANDARD, *EXTRA, *bar]


@EVERY
@settings(max_examples=4, deadline=None)
@given(
    order=st.permutations(range(5)),
    severity=st.integers(1, LARGEST),
    chunk=st.sampled_from([1, 2 * 3 * 32 * 32, apply.CHUNK]),
)
def test_a_picture_depends_on_its_index_alone(name, order, severity, chunk):
    images, numbers = pictures(5), [3, 1, 400, 7, 2**40]
    whole = corrupt(images, name, severity, seed=5, index=numbers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "CHUNK", chunk)
        mixed = corrupt(images[order], name, severity, seed=5, index=torch.tensor(numbers)[order])
        alone = corrupt(images[order[:1]], name, severity, seed=5, index=[numbers[order[0]]])
    assert torch.equal(mixed, whole[order])
    assert torch.equal(alone, whole[order[:1]])


@pytest.mark.parametrize("name", [name for name, kind in CORRUPTIONS.items() if kind.random])
def test_random_kinds_differ_by_seed_and_index(name):
    image = pictures(1)
    first = corrupt(image, name, 5)
    assert not torch.equal(corrupt(image, name, 5, seed=1), first)
    assert not torch.equal(corrupt(image, name, 5, index=[1]), first)


@pytest.mark.parametrize("name", [name for name, kind in CORRUPTIONS.items() if not kind.random])
def test_the_others_do_not(name):
    image = pictures(1)
    assert torch.equal(corrupt(image, name, 5, seed=1, index=[9]), corrupt(image, name, 5))


@EVERY
def test_memory_layout_and_type_do_not_matter(name):
    images = pictures(2)
    levels = corrupt(images, name, 4)
    assert torch.equal(corrupt(images.contiguous(memory_format=torch.channels_last), name, 4), levels)
    for dtype in (torch.float32, torch.float64, torch.float16):
        floats = corrupt(images.to(dtype) / 255, name, 4)
        assert floats.dtype == dtype
        assert torch.equal((floats.float() * 255).round(), levels.float())


@EVERY
def test_less_precise_products_do_not_matter(name):
    images = pictures(2)
    expected = corrupt(images, name, 4)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")  # where the processor can: sums of products of eight bits
        assert torch.equal(corrupt(images, name, 4), expected)
    finally:
        torch.set_float32_matmul_precision(before)


@EVERY
def test_the_given_images_and_all_other_random_numbers_are_left_alone(name):
    images = pictures(2)
    before = images.clone(), torch.get_rng_state(), np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - watched
    corrupt(images, name, 3)
    after = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - watched
    assert torch.equal(images, before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(after["key"], before[2]["key"])
    assert after["pos"] == before[2]["pos"]


@EVERY
def test_severity_0_changes_nothing_and_gives_a_copy(name):
    images = pictures(2).float() / 300  # not even to whole levels
    same = corrupt(images, name, 0)
    assert torch.equal(same, images)
    assert same.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("size", FAMILIES.values())
@EVERY
def test_severity_6_still_shows_a_picture(name, size):
    images = pictures(1, size)
    changed = corrupt(images, name, 6)
    assert changed.float().std() > 1
    assert (changed.float() - images.float()).abs().mean() > 2


@pytest.mark.parametrize("name", COLOURLESS)
def test_grey_images(name):
    images = pictures(2, 28, 1)
    changed = corrupt(images, name, 5, family="cifar-c")
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)


@pytest.mark.parametrize(("family", "size"), [("cifar-c", 8), ("tinyimagenet-c", 8), ("imagenet-c", 16)])
@EVERY
def test_the_smallest_images_that_are_taken(name, family, size):
    for severity in (1, 3, 5, 6):
        assert corrupt(pictures(1, size), name, severity, family=family).shape == (1, 3, size, size)


def test_no_images_give_none():
    none = torch.zeros(0, 3, 32, 32)
    assert corrupt(none, "fog", 3, index=[]).shape == none.shape


def test_a_gradient_is_neither_needed_nor_kept():
    images = (pictures(2).float() / 255).requires_grad_()
    assert not corrupt(images, "fog", 3).requires_grad
    assert not corrupt(images, "fog", 0).requires_grad


def test_no_kind_sees_more_values_at_once_than_a_chunk(monkeypatch):
    seen = []

    def spy(images, constant, streams):
        seen.append(len(images))
        assert list(streams.indices) == list(range(sum(seen) - len(images), sum(seen)))
        return images

    kind = Corruption(spy, by_family(cifar=(1,) * 5, tiny=(1,) * 5, imagenet=(1,) * 5), "noise")
    monkeypatch.setitem(CORRUPTIONS, "spy", kind)
    monkeypatch.setattr(apply, "CHUNK", 4 * 3 * 32 * 32 + 5)
    assert torch.equal(corrupt(pictures(10), "spy", 1), pictures(10))
    assert seen == [4, 4, 2]


def test_every_level_survives_the_way_through_fractions(monkeypatch):
    kind = Corruption(lambda images, streams: images, {"cifar-c": ((),) * 5}, "noise")
    monkeypatch.setitem(CORRUPTIONS, "same", kind)
    levels = torch.arange(256, dtype=torch.uint8).repeat(4).view(1, 1, 32, 32)
    assert torch.equal(corrupt(levels, "same", 1), levels)
    assert torch.equal(corrupt(levels.float() / 255, "same", 1), levels.float() / 255)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_holds_every_level_to_be_read_again(half):
    every = torch.arange(256, dtype=torch.uint8).repeat(4).view(1, 1, 32, 32)
    fractions = (every.double() / 255).to(half)
    assert not torch.equal(fractions.double() * 255, every.double())  # a level is no exact fraction there
    assert torch.equal(apply.levels(fractions), every)
    changed, expected = corrupt(fractions, "contrast", 1), corrupt(every, "contrast", 1)
    assert changed.dtype == half
    assert torch.equal(apply.levels(changed), expected)
    assert torch.equal(changed, (expected.double() / 255).to(half))


def test_results_are_clipped_and_truncated(monkeypatch):
    values = torch.tensor([-0.5, 0.999 / 255, 1 / 255, 99.9999 / 255, 1.7], dtype=torch.float64)

    def lay(images, streams):
        images[0, 0, 0, :5] = values
        return images

    monkeypatch.setitem(CORRUPTIONS, "lay", Corruption(lay, {"cifar-c": ((),) * 5}, "noise"))
    assert corrupt(pictures(1), "lay", 1)[0, 0, 0, :5].tolist() == [0, 0, 1, 99, 255]


def test_severity_6_by_hand():
    kind = Corruption(
        lambda: None,
        {"cifar-c": ((),) * 3 + ((0.2, 4, 0.0, 0.5, "a", 10), (0.3, 5, 0.4, 0.5, "b", 20))},
        "noise",
        bounds=((None, None), (None, None), (None, None), (None, None), (None, None), (None, 30)),
    )
    # 0.3² / 0.2; 25 / 4 = 6.25, whole; nothing to go on from; equal; no number; 40, bounded
    assert constants(kind, "cifar-c", 6) == (pytest.approx(0.45), 6, 0.4, 0.5, "b", 30)
    assert constants(kind, "cifar-c", 5) == (0.3, 5, 0.4, 0.5, "b", 20)


@EVERY
def test_every_family_has_five_severities_of_equal_length(name):
    kind = CORRUPTIONS[name]
    for family in FAMILIES:
        rows = kind.constants[family]
        assert len(rows) == 5
        assert len({len(row) for row in rows}) == 1
        assert not kind.bounds or len(kind.bounds) == len(rows[0])


def test_the_family_follows_the_size():
    assert [family_of(size) for size in (32, 64, 224)] == list(FAMILIES)
    images = pictures(1, 64)
    own, other = (corrupt(images, "contrast", 1, family=family) for family in (None, "cifar-c"))
    assert own.float().std() < other.float().std()  # factors 0.4 and 0.75


REFUSED = (
    ("unknown corruption 'gausian_noise'; did you mean 'gaussian_noise'", UnknownNameError, {"name": "gausian_noise"}),
    (r"expected a severity of 1 to 5 \(0 changes nothing, 6 is extrapolated\), got 7", SettingError, {"severity": 7}),
    ("expected a severity of 1 to 5 .* got -1", SettingError, {"severity": -1}),
    ("expected a severity of 1 to 5 .* got 2.0", SettingError, {"severity": 2.0}),
    ("expected a severity of 1 to 5 .* got True", SettingError, {"severity": True}),
    ("expected a whole number of 0 or more as seed, got None", SettingError, {"seed": None}),
    ("expected a whole number of 0 or more as seed, got 0.5", SettingError, {"seed": 0.5}),
    ("expected a whole number of 0 or more as seed, got -1", SettingError, {"seed": -1}),
    ("expected images of 32, 64 or 224 pixels.* got 28; .* family='cifar-c'", SettingError, {"size": 28}),
    ("expected images of 32, 64 or 224 pixels.* got 96; .* family='tinyimagenet-c'", SettingError, {"size": 96}),
    ("unknown family of corruption constants 'cifar'; did you mean 'cifar-c'", UnknownNameError, {"family": "cifar"}),
    ("expected images of 16 pixels or more for the constants of 'imagenet-c', got 8", SettingError,
     {"size": 8, "family": "imagenet-c"}),
    ("expected 3 indices, .* got 2: 1, 2", DataError, {"index": [1, 2]}),
    ("expected 3 indices, .* got 4: 1, 2, 3, ...", DataError, {"index": [1, 2, 3, 4]}),
    ("expected 3 indices, whole numbers of 0 or more.* got 3: 0, 1, -1", DataError, {"index": [0, 1, -1]}),
    ("expected 3 indices, whole numbers of 0 or more.* got 3: 0.0, 1.0, 2.0", DataError, {"index": torch.arange(3.0)}),
)  # fmt: skip


@pytest.mark.parametrize(("words", "error", "given"), REFUSED, ids=[words[:60] for words, _, _ in REFUSED])
def test_settings_that_are_refused(words, error, given):
    call = {"name": "fog", "severity": 3, **given}
    images = pictures(3, call.pop("size", 32))
    with pytest.raises(error, match=words):
        corrupt(images, call.pop("name"), call.pop("severity"), **call)


BLACK = torch.zeros(1, 3, 32, 32)
UNFIT = (
    (r"fog: expected square images .* got \(3, 32, 32\); .* images\[None\]", BLACK[0]),
    (r"expected square images .* got \(1, 3, 32, 28\)", BLACK[..., :28]),
    (r"expected square images .* got \(1, 4, 32, 32\)", torch.zeros(1, 4, 32, 32)),
    (r"expected uint8 levels or floats in \[0, 1\], got torch.int64; convert by .byte\(\)", BLACK.long()),
    (r"expected floats in \[0, 1\], got 0 to 255; .* divide levels by 255", torch.cat([BLACK, BLACK + 255])),
    (r"expected floats in \[0, 1\], got -2 to 0; corrupt before normalising", torch.cat([BLACK, BLACK - 2])),
    (r"expected floats in \[0, 1\], got nan to nan", BLACK / 0),
    (r"expected images as a tensor, got ndarray; pass torch\.from_numpy\(images\)", BLACK.numpy()),
)


@pytest.mark.parametrize(("words", "images"), UNFIT, ids=[words[:40] for words, _ in UNFIT])
def test_images_that_are_refused(words, images):
    with pytest.raises(DataError, match=words):
        corrupt(images, "fog", 3)


@pytest.mark.parametrize("name", [name for name, kind in CORRUPTIONS.items() if kind.colour])
def test_grey_images_where_colours_are_needed_are_refused(name):
    with pytest.raises(DataError, match=rf"{name}: expected images with 3 channels, got 1: .* images.expand"):
        corrupt(pictures(1, channels=1), name, 1)


def test_numpy_numbers_are_numbers():
    images = pictures(2)
    ours = corrupt(images, "fog", 3, seed=2, index=[4, 5])
    assert torch.equal(corrupt(images, "fog", np.int64(3), seed=np.int64(2), index=np.array([4, 5])), ours)


@pytest.mark.parametrize("draw", ["normal", "uniform", "bits"])
def test_streams_belong_to_image_and_call(draw):
    both, alone = (getattr(Streams(0, "fog", 1, indices), draw) for indices in ([5, 9], [9]))
    first, second = both(3), both(3)
    assert torch.equal(alone(3), first[1:])
    assert torch.equal(alone(3), second[1:])
    drawn = [first[:1], first[1:], second[:1], second[1:]]
    drawn += [getattr(Streams(*key, [9]), draw)(3) for key in [(1, "fog", 1), (0, "snow", 1), (0, "fog", 2)]]
    assert len({tuple(numbers.flatten().tolist()) for numbers in drawn}) == len(drawn)


def test_whole_numbers_of_a_stream():
    drawn = Streams(0, "fog", 1, [5, 9]).integers(-2, 3, 500)
    assert drawn.unique().tolist() == [-2, -1, 0, 1, 2]
    assert torch.equal(Streams(0, "fog", 1, [9]).integers(-2, 3, 500), drawn[1:])


def test_bits_are_uniform():
    bits = Streams(0, "fog", 1, range(50)).bits(1001)
    assert bits.dtype == torch.int32
    assert bits.shape == (50, 1001)
    assert 0 <= int(bits.min()) < int(bits.max()) < 2**31
    for place in range(31):  # each of 50 050 bits: standard error 0.0022
        assert abs((bits >> place & 1).float().mean() - 0.5) < 0.01
