"""Adversarial training in a bare loop, dense and sparse."""

import torch
from torch.nn.functional import cross_entropy

from gossamer import RigL, Sparsifier
from gossamer.attack import P1_EVALUATE, P1_TRAIN, P1_TRAIN_RELEASED, PGD, paired, robust_accuracy
from tests.attacked import digits, network

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = digits()
EPS = 0.2


def train(attack=None, sparsity=None, steps=40):
    model, generator = network(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    sparsifier = None
    if sparsity is not None:
        sparsifier = Sparsifier(RigL(sparsity=sparsity, total_steps=steps, every=5), model, optimizer, seed=0)
    for _ in range(steps):
        places = torch.randint(len(IMAGES), (256,), generator=generator)
        images, labels = IMAGES[places], LABELS[places]
        if attack is not None:
            images = attack(model, images, labels, generator=generator)
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        if sparsifier is not None:
            sparsifier.step()
        optimizer.step()
    return model


def test_a_network_trained_on_adversarial_images_is_more_robust():
    evaluation = PGD(eps=EPS, steps=20)
    plain = robust_accuracy(train(), TEST_IMAGES, TEST_LABELS, evaluation)
    hardened = robust_accuracy(train(PGD(eps=EPS, steps=5, batch_norm="train")), TEST_IMAGES, TEST_LABELS, evaluation)
    comparison = paired(hardened.robust_right, plain.robust_right)
    assert comparison.low > 0.1
    assert comparison.p_value < 1e-6
    assert hardened.clean.value > 0.8


def test_with_a_sparsifier_the_density_stays():
    model = train(PGD(eps=EPS, steps=2, batch_norm="train"), sparsity=0.5, steps=12)
    weights = [model[0].weight, model[5].weight]
    alive = sum(int(weight.count_nonzero()) for weight in weights)
    assert alive == round(0.5 * sum(weight.numel() for weight in weights))


def test_batch_norm_counts_one_pass_a_step():
    before = int(network()[1].num_batches_tracked)
    assert int(train(P1_TRAIN, steps=3)[1].num_batches_tracked) == before + 3
    assert int(train(P1_TRAIN_RELEASED, steps=3)[1].num_batches_tracked) == before + 3 * 11


def test_the_settings_of_the_paper():
    for attack, steps in ((P1_TRAIN, 10), (P1_TRAIN_RELEASED, 10), (P1_EVALUATE, 20)):
        assert (attack.eps, attack.norm, attack.steps) == (8 / 255, "linf", steps)
        assert attack.step_sizes() == [2 / 255] * steps
        assert attack.random_start
        assert (attack.restarts, attack.loss) == (1, "ce")
    assert (P1_TRAIN.batch_norm, P1_TRAIN_RELEASED.batch_norm) == ("train", "train_counted")
    assert P1_EVALUATE.batch_norm == "eval"
