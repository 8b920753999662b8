"""The published constants, typed from the table and not from the package: severities 1 to 5 of 19 kinds in 3 families.

Of make_cifar_c.py, make_tinyimagenet_c.py and make_imagenet_c.py in github.com/hendrycks/robustness. Where the
package's functions take something else than the scripts write, ``as_taken`` says what.
"""

PUBLISHED = {
    "gaussian_noise": {
        "cifar-c": (0.04, 0.06, 0.08, 0.09, 0.1),
        "tinyimagenet-c": (0.04, 0.08, 0.12, 0.15, 0.18),
        "imagenet-c": (0.08, 0.12, 0.18, 0.26, 0.38),
    },
    "shot_noise": {
        "cifar-c": (500, 250, 100, 75, 50),
        "tinyimagenet-c": (250, 100, 50, 30, 15),
        "imagenet-c": (60, 25, 12, 5, 3),
    },
    "impulse_noise": {
        "cifar-c": (0.01, 0.02, 0.03, 0.05, 0.07),
        "tinyimagenet-c": (0.01, 0.02, 0.05, 0.08, 0.14),
        "imagenet-c": (0.03, 0.06, 0.09, 0.17, 0.27),
    },
    "defocus_blur": {  # radius, sigma
        "cifar-c": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        "tinyimagenet-c": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        "imagenet-c": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    },
    "glass_blur": {  # sigma, largest offset, iterations
        "cifar-c": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        "tinyimagenet-c": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        "imagenet-c": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    },
    "motion_blur": {  # radius, sigma
        "cifar-c": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        "tinyimagenet-c": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        "imagenet-c": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    },
    "zoom_blur": {  # start, stop, step of np.arange
        "cifar-c": ((1, 1.06, 0.01), (1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.01), (1, 1.26, 0.01)),
        "tinyimagenet-c": ((1, 1.06, 0.01), (1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.01), (1, 1.26, 0.01)),
        "imagenet-c": ((1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.02), (1, 1.26, 0.02), (1, 1.31, 0.03)),
    },
    "snow": {  # mean, standard deviation, zoom, threshold, radius, sigma, share of the image
        "cifar-c": (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        "tinyimagenet-c": (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        "imagenet-c": (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    },
    "frost": {  # weight of the image, weight of the ice
        "cifar-c": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        "tinyimagenet-c": ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
        "imagenet-c": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    },
    "fog": {  # weight, decay
        "cifar-c": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        "tinyimagenet-c": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        "imagenet-c": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    },
    "brightness": {
        "cifar-c": (0.05, 0.1, 0.15, 0.2, 0.3),
        "tinyimagenet-c": (0.1, 0.2, 0.3, 0.4, 0.5),
        "imagenet-c": (0.1, 0.2, 0.3, 0.4, 0.5),
    },
    "contrast": {
        "cifar-c": (0.75, 0.5, 0.4, 0.3, 0.15),
        "tinyimagenet-c": (0.4, 0.3, 0.2, 0.1, 0.05),
        "imagenet-c": (0.4, 0.3, 0.2, 0.1, 0.05),
    },
    "elastic_transform": {  # alpha, sigma, affine alpha, in pixels
        "cifar-c": ((0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)),
        "tinyimagenet-c": ((0, 0, 5.12), (3.2, 19.2, 3.84), (6.4, 5.12, 3.84), (6.4, 1.92, 1.92), (10.24, 1.92, 1.28)),
        "imagenet-c": (
            (488, 170.8, 24.4),
            (488, 19.52, 48.8),
            (12.2, 2.44, 4.88),
            (17.08, 2.44, 4.88),
            (29.28, 2.44, 4.88),
        ),
    },
    "pixelate": {
        "cifar-c": (0.95, 0.9, 0.85, 0.75, 0.65),
        "tinyimagenet-c": (0.9, 0.8, 0.7, 0.6, 0.5),
        "imagenet-c": (0.6, 0.5, 0.4, 0.3, 0.25),
    },
    "jpeg_compression": {
        "cifar-c": (80, 65, 58, 50, 40),
        "tinyimagenet-c": (65, 58, 50, 40, 25),
        "imagenet-c": (25, 18, 15, 10, 7),
    },
    "speckle_noise": {
        "cifar-c": (0.06, 0.1, 0.12, 0.16, 0.2),
        "tinyimagenet-c": (0.15, 0.2, 0.25, 0.3, 0.35),
        "imagenet-c": (0.15, 0.2, 0.35, 0.45, 0.6),
    },
    "gaussian_blur": {
        "cifar-c": (0.4, 0.6, 0.7, 0.8, 1),
        "tinyimagenet-c": (0.5, 0.75, 1, 1.25, 1.5),
        "imagenet-c": (1, 2, 3, 4, 6),
    },
    "spatter": {  # mean, standard deviation, sigma, threshold, strength, mud
        "cifar-c": (
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
        "tinyimagenet-c": (
            (0.62, 0.1, 0.7, 0.7, 0.6, 0),
            (0.65, 0.1, 0.8, 0.7, 0.6, 0),
            (0.65, 0.3, 1, 0.69, 0.6, 0),
            (0.65, 0.1, 0.7, 0.68, 0.6, 1),
            (0.65, 0.1, 0.5, 0.67, 0.6, 1),
        ),
        "imagenet-c": (
            (0.65, 0.3, 4, 0.69, 0.6, 0),
            (0.65, 0.3, 3, 0.68, 0.6, 0),
            (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1),
            (0.67, 0.4, 1, 0.65, 1.5, 1),
        ),
    },
    "saturate": {  # factor, shift
        "cifar-c": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        "tinyimagenet-c": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        "imagenet-c": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    },
}

ICE = {"cifar-c": 0.2, "tinyimagenet-c": 0.3, "imagenet-c": 1}  # frost: how the photographs are scaled

# np.arange(start, stop, step): how many factors, and the last; a stop that floats may reach is sometimes among them
ZOOMS = {
    "cifar-c": ((7, 1.06), (12, 1.11), (16, 1.15), (21, 1.20), (26, 1.25)),
    "tinyimagenet-c": ((7, 1.06), (12, 1.11), (16, 1.15), (21, 1.20), (26, 1.25)),
    "imagenet-c": ((12, 1.11), (16, 1.15), (11, 1.20), (13, 1.24), (11, 1.30)),
}

# pixels of a side to which pixelate shrinks 32, 64 and 224
SIDES = {
    "cifar-c": (30, 28, 27, 24, 20),
    "tinyimagenet-c": (57, 51, 44, 38, 32),
    "imagenet-c": (134, 112, 89, 67, 56),
}


def as_taken(name: str, family: str, severity: int) -> tuple[float, ...]:
    """The published row as the package's function takes it: zoom_blur how far beyond 1, frost with the ice's scale."""
    row = PUBLISHED[name][family][severity - 1]
    values = row if isinstance(row, tuple) else (row,)
    if name == "zoom_blur":
        start, stop, step = values
        return round(stop - start, 2), step
    return (*values, ICE[family]) if name == "frost" else values
