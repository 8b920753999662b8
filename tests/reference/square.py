"""The Square attack's schedule and moves in plain Python, straight from Andriushchenko et al. 2020."""

from math import sqrt

Image = list[list[list[float]]]  # channels, rows, columns


def share(iteration: int, iterations: int, first: float) -> float:
    """Halved at 10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000 of 10 000 iterations, stretched to others."""
    place = int(iteration * 10_000 / iterations)
    for limit, halvings in (
        (10, 0),
        (50, 1),
        (200, 2),
        (500, 3),
        (1000, 4),
        (2000, 5),
        (4000, 6),
        (6000, 7),
        (8000, 8),
    ):
        if place <= limit:
            return first / 2**halvings
    return first / 2**9


def pyramid(h1: int, h2: int) -> list[list[float]]:
    """Section 4.2, rows r = 1..h1 and columns s = 1..h2."""
    n = max(h1, h2) // 2
    rows = []
    for r in range(1, h1 + 1):
        rows.append([])
        for s in range(1, h2 + 1):
            m = n - max(abs(r - h1 // 2 - 1), abs(s - h2 // 2 - 1))
            rows[-1].append(sum(1 / (n + 1 - k) ** 2 for k in range(m + 1)))
    return rows


def hill_and_valley(h: int) -> list[list[float]]:
    upper, lower = pyramid(h // 2, h), pyramid(h - h // 2, h)
    square = [*upper, *([-value for value in row] for row in lower)]
    length = sqrt(sum(value**2 for row in square for value in row))
    return [[value / length for value in row] for row in square]


def linf_move(best: Image, clean: Image, eps: float, side: int, place: tuple[int, int], signs: list[int]) -> Image:
    """Algorithm 2, then the projection onto the ball and onto [0, 1]."""
    moved = [[list(row) for row in channel] for channel in best]
    for channel, sign in enumerate(signs):
        for r in range(place[0], place[0] + side):
            for s in range(place[1], place[1] + side):
                middle = clean[channel][r][s]
                value = best[channel][r][s] + 2 * eps * sign
                value = min(max(value, middle - eps), middle + eps)
                moved[channel][r][s] = min(max(value, 0.0), 1.0)
    return moved


def l2_move(
    best: Image,
    clean: Image,
    eps: float,
    side: int,
    places: tuple[tuple[int, int], tuple[int, int]],
    signs: list[int],
    turned: bool,
) -> Image:
    """Algorithm 3, then the projection onto [0, 1]."""
    channels, height, width = len(clean), len(clean[0]), len(clean[0][0])
    pixels = [(r, s) for r in range(height) for s in range(width)]
    change = [{(r, s): best[channel][r][s] - clean[channel][r][s] for r, s in pixels} for channel in range(channels)]
    into, out_of = ([(r + i, s + j) for i in range(side) for j in range(side)] for r, s in places)
    unused = max(eps**2 - sum(value**2 for one in change for value in one.values()), 0)
    pattern = hill_and_valley(side)
    for one, sign in zip(change, signs, strict=True):
        length = sqrt(sum(one[pixel] ** 2 for pixel in into))
        shape = {}
        for i in range(side):
            for j in range(side):
                pixel = (places[0][0] + i, places[0][1] + j)
                shape[pixel] = sign * (pattern[j][i] if turned else pattern[i][j])
                shape[pixel] += one[pixel] / length if length > 0 else 0
        available = sqrt(sum(one[pixel] ** 2 for pixel in {*into, *out_of}) + unused / channels)
        for pixel in out_of:
            one[pixel] = 0.0
        total = sqrt(sum(value**2 for value in shape.values()))
        for pixel in into:
            one[pixel] = shape[pixel] / total * available
    return [
        [
            [min(max(clean[channel][r][s] + change[channel][r, s], 0.0), 1.0) for s in range(width)]
            for r in range(height)
        ]
        for channel in range(channels)
    ]
