"""What makes data hard, read from words: ranges, names, and that nothing else decides a run."""

import pytest

from gossamer.attack import P1_EVALUATE, P1_TRAIN
from gossamer.bench.adversarial import Adversarial, evaluation_attack, training_attack
from gossamer.bench.difficulty import PLAIN, Corrupted, Hard, kinds
from gossamer.core.errors import MissingError, SettingError, UnknownNameError
from gossamer.corrupt import CORRUPTIONS, P1_KINDS, STANDARD, frost_source
from gossamer.hardness import SCORES


def test_by_default_nothing_is_hard() -> None:
    assert (PLAIN.keep, PLAIN.corrupted, PLAIN.hard, PLAIN.adversarial) == (1.0, None, None, None)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_may_choose(name: str) -> None:
    assert Hard.parse(f"{name}:0.3", drop=0.1) == Hard(score=name, keep=0.3, drop=0.1)


def test_a_score_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown difficulty score 'grant'; did you mean 'grand'"):
        Hard.parse("grant:0.3")


@pytest.mark.parametrize(("keep", "drop"), [(0.5, 0.6), (1.0, 0.01), (0.5, 1.0), (0.5, -0.1), (0.5, float("nan"))])
def test_more_than_all_cannot_be_kept_and_dropped(keep: float, drop: float) -> None:
    with pytest.raises(SettingError, match=rf"expected keep \+ drop of at most 1, got {keep} \+ {drop}; lower one"):
        Hard(keep=keep, drop=drop)


def test_all_of_it_may_be_kept_and_dropped() -> None:
    assert Hard(keep=0.75, drop=0.25).drop == 0.25


def test_kinds_have_names_for_many() -> None:
    assert kinds("p1") == P1_KINDS == ("gaussian_noise", "impulse_noise", "defocus_blur")
    assert kinds("standard") == STANDARD
    assert kinds("all") == (*STANDARD, *(k for k, v in CORRUPTIONS.items() if v.group == "extra"))
    assert [len(kinds(word)) for word in ("standard", "all", "bar", "all,bar")] == [15, 19, 10, 29]
    grey = kinds("all,bar", channels=1)  # a word leaves out what does not fit, a name is taken at its word
    assert set(kinds("all,bar")) - set(grey) == {"spatter", "saturate", "plasma_noise"}
    assert kinds("saturate", channels=1) == ("saturate",)


def test_kinds_are_each_there_once_in_the_order_of_the_words() -> None:
    assert kinds(" fog , gaussian_noise,p1, fog,") == ("fog", "gaussian_noise", "impulse_noise", "defocus_blur")


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown corruption 'gausian_noise'; did you mean 'gaussian_noise'"):
        kinds("fog,gausian_noise")
    with pytest.raises(UnknownNameError, match=r"unknown corruption 'standart'; did you mean 'standard'"):
        Corrupted.parse("standart")
    with pytest.raises(UnknownNameError, match="unknown corruption 'mist'"):
        Corrupted(kinds=("mist",))


@pytest.mark.parametrize("text", ["", ",", " "])
def test_no_kind_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"expected at least one kind of corruption, got none; 'p1' names"):
        Corrupted.parse(text)


@pytest.mark.parametrize("severity", [7, -1, 2.5, True])
def test_a_severity_that_does_not_exist_is_refused(severity: int) -> None:
    with pytest.raises(SettingError, match=rf"expected a severity of 1 to 5 .* got {severity}"):
        Corrupted(severity=severity)


def test_a_severity_that_changes_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match=r"expected a severity of 1 to 6, got 0, which changes nothing; leave"):
        Corrupted(severity=0)
    assert Corrupted(severity=6).severity == 6


def test_other_refusals_of_corruption() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown family of corruption constants 'cifar'; did you mean"):
        Corrupted(family="cifar")
    with pytest.raises(SettingError, match=r"expected a seed of 0 or more, got -3"):
        Corrupted(seed=-3)


def test_frost_is_told_where_there_is_some() -> None:
    assert Corrupted(kinds=("fog",), frost="procedural").resolved_frost() is None
    assert Corrupted(kinds=("fog", "frost"), frost="procedural").resolved_frost() == "procedural"
    assert Corrupted(kinds=("frost",)).resolved_frost() == frost_source()
    with pytest.raises(MissingError, match="photographs of frost"):
        Corrupted(kinds=("frost",), frost="./nowhere").resolved_frost()


def test_the_attacks_are_p1s() -> None:
    how = Adversarial()
    train, evaluate = training_attack(str(how.train)), evaluation_attack(how.tested)
    assert train.step_sizes() == P1_TRAIN.step_sizes()  # type: ignore[union-attr]  # a PGD
    assert evaluate.step_sizes() == P1_EVALUATE.step_sizes()  # type: ignore[attr-defined]  # a PGD
    for own, paper in ((train, P1_TRAIN), (evaluate, P1_EVALUATE)):
        for name in ("eps", "norm", "steps", "random_start", "restarts", "loss", "batch_norm"):
            assert getattr(own, name) == getattr(paper, name)


def test_by_default_it_is_tested_within_the_radius_it_is_trained_for() -> None:
    assert Adversarial(train="fgsm").tested == Adversarial(train=None).tested == "pgd20"
    assert Adversarial(train="pgd3: eps=4/255 ,step=0.01, norm=l2,restarts=2").tested == "pgd20:eps=4/255,norm=l2"
    assert Adversarial(train="pgd3:eps=4/255", evaluate="fgsm").tested == "fgsm"


@pytest.mark.parametrize("mode", ["eval", "train_counted"])
def test_the_mode_of_batch_norm_may_be_named(mode: str) -> None:
    assert training_attack(f"pgd3:eps=4/255,batch_norm={mode}").batch_norm == mode
    assert training_attack("fgsm").batch_norm == "train"


def test_a_run_is_decided_by_the_attacks_with_all_their_settings() -> None:
    told = Adversarial(train="pgd2:restarts=3", evaluate="fgsm").resolved()
    assert [each.split("(")[0] for each in told] == ["PGD", "FGSM"]
    assert "restarts=3" in told[0]
    assert "batch_norm='train'" in told[0]
    assert "batch_norm='eval'" in told[1]
    assert Adversarial(train=None).resolved() == Adversarial().resolved()[1:]


def test_attacks_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown attack 'pdg10'; did you mean 'pgd'"):
        Adversarial(train="pdg10")
    with pytest.raises(UnknownNameError, match="unknown attack 'autoatack'; did you mean 'autoattack'"):
        Adversarial(evaluate="autoatack")


def test_a_radius_in_grey_levels_is_refused_with_what_to_write() -> None:
    with pytest.raises(SettingError, match=r"expected eps of linf in units of images in \[0, 1\], got 8.* eps=8/255"):
        Adversarial(train="pgd10:eps=8")
    with pytest.raises(SettingError, match="eps=8/255"):
        Adversarial(evaluate="pgd20:eps=8")


@pytest.mark.parametrize("text", ["autoattack", "square", "apgd-ce", "fab-t"])
def test_training_is_under_attacks_of_known_cost(text: str) -> None:
    with pytest.raises(SettingError, match=rf"expected fgsm or pgd to train under, .* got '{text}'.* --eval-attack"):
        Adversarial(train=text)
    assert Adversarial(evaluate=text).evaluate == text


def test_evaluation_is_of_the_network_in_evaluation_mode() -> None:
    with pytest.raises(SettingError, match=r"as it is evaluated, got batch_norm=train in 'pgd:batch_norm=train'; lea"):
        Adversarial(evaluate="pgd:batch_norm=train")


def test_no_test_image_is_refused() -> None:
    with pytest.raises(SettingError, match="expected at least 1 test image to attack, got 0"):
        Adversarial(images=0)
