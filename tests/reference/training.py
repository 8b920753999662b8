"""A bare torch loop: what ``gossamer train`` must be equal to, bit for bit."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossamer import Sparsifier
from gossamer.bench.data import batches


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    method: Any,
    *,
    epochs: int,
    batch_size: int,
    seed: int = 0,
    smoothing: float = 0.0,
    clip: float | None = None,
    augment: Callable[[Tensor, int], Tensor] = lambda images, step: images,
) -> None:
    sparsifier = None if method is None else Sparsifier(method, model, optimizer, seed=seed)
    model.train()
    step = 0
    for epoch in range(epochs):
        for chosen in batches(len(labels), batch_size, seed=seed, epoch=epoch):
            optimizer.zero_grad()
            outputs = model(augment(images[chosen].float() / 255, step))
            cross_entropy(outputs, labels[chosen], label_smoothing=smoothing).backward()
            if sparsifier is not None:
                sparsifier.step()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            scheduler.step()
            step += 1
