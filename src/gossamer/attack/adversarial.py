"""Adversarial training as arXiv:2409.09196 does it: an attack in front of the loss, in anyone's loop.

One line: ``images = P1_TRAIN(model, images, labels, generator=generator)``; the loss is of the adversarial batch only.
"""

from dataclasses import replace

from gossamer.attack.pgd import PGD

P1_TRAIN = PGD(eps=8 / 255, step=2 / 255, steps=10, batch_norm="train")
"""The paper's training attack. Batch norm in training mode; running statistics count only the training step itself."""

P1_TRAIN_RELEASED = replace(P1_TRAIN, batch_norm="train_counted")
"""As the released code behaves: running statistics also count the attack's ten forward passes."""

P1_EVALUATE = PGD(eps=8 / 255, step=2 / 255, steps=20)
"""The paper's evaluation attack, in evaluation mode."""
