"""Lanczos as in the textbook: one start vector, full reorthogonalization, no look back."""

import torch


def lanczos(matrix, start, steps):
    """Ritz values, ascending, and the squares of the first entries of the eigenvectors of T."""
    vectors, diagonal, side = [start / start.norm()], [], []
    for _ in range(steps):
        image = matrix @ vectors[-1]
        diagonal.append(float(vectors[-1] @ image))
        for _ in range(2):
            for vector in vectors:
                image = image - (vector @ image) * vector
        side.append(float(image.norm()))
        if side[-1] < 1e-10:
            break
        vectors.append(image / side[-1])
    tridiagonal = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for i, entry in enumerate(side[: len(diagonal) - 1]):
        tridiagonal[i, i + 1] = tridiagonal[i + 1, i] = entry
    values, rotation = torch.linalg.eigh(tridiagonal)
    return values, rotation[0] ** 2


def top(matrix, count, tolerance, seed=0):
    """The largest eigenvalues, until the residual bound of each, |β · last entry|, is below the tolerance."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(len(matrix), generator=generator, dtype=torch.float64)
    vectors, diagonal, side = [start / start.norm()], [], []
    while True:
        image = matrix @ vectors[-1]
        diagonal.append(float(vectors[-1] @ image))
        for _ in range(2):
            for vector in vectors:
                image = image - (vector @ image) * vector
        length = float(image.norm())
        size = len(diagonal)
        tridiagonal = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        for i, entry in enumerate(side):
            tridiagonal[i, i + 1] = tridiagonal[i + 1, i] = entry
        values, rotation = torch.linalg.eigh(tridiagonal)
        if size >= count and (length * rotation[-1, -count:].abs() <= tolerance * values[-count:].abs()).all():
            return values[-count:].flip(0)
        side.append(length)
        vectors.append(image / length)
