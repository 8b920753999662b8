"""SNIP by its definition: switch every weight a little up and down and watch the loss."""

import torch


def connection_sensitivity(model, loss_fn, batch, names, nudge=1e-5):
    """|L((1+h)·w_j) - L((1-h)·w_j)| / 2h for one weight after the other, divided by the sum over all."""
    inputs, targets = batch
    scores = {}
    for name in names:
        weight = dict(model.named_parameters())[name]
        flat, effects = weight.data.view(-1), []
        for j in range(len(flat)):
            value = flat[j].item()
            losses = []
            for switch in (1 + nudge, 1 - nudge):
                flat[j] = switch * value
                losses.append(loss_fn(model(inputs), targets).item())
            flat[j] = value
            effects.append(abs(losses[0] - losses[1]) / (2 * nudge))
        scores[name] = torch.tensor(effects, dtype=torch.float64).view(weight.shape)
    total = sum(score.sum() for score in scores.values())
    return {name: score / total for name, score in scores.items()}


def keep(scores, count):
    """Let the least weight die until ``count`` live, one after the other."""
    alive = [(score, name, j) for name, layer in scores.items() for j, score in enumerate(layer.reshape(-1).tolist())]
    while len(alive) > count:
        alive.remove(min(alive))
    kept = {(name, j) for _, name, j in alive}
    return {
        name: torch.tensor([(name, j) in kept for j in range(layer.numel())]).view(layer.shape)
        for name, layer in scores.items()
    }
