"""The deviation of a network's outputs, all samples at once in numpy."""

import numpy as np
import torch


def deviations(model, inputs):
    """Of all outputs together, and the mean over outputs of each one's."""
    with torch.no_grad():
        outputs = model.eval()(inputs).double().numpy()
    return np.std(outputs), np.mean([np.std(outputs[:, column]) for column in range(outputs.shape[1])])
