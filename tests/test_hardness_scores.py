"""Every score of the table is called as the table says, ranks alike, and is in the document."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from gossamer import hardness
from gossamer.hardness import SCORES, rank_correlation
from tests import networks

DOCUMENT = (Path(__file__).parents[1] / "docs" / "hardness.md").read_text(encoding="utf-8")


def call(name, samples=9):
    score, labels = SCORES[name], torch.arange(samples) % 10
    stream = torch.Generator().manual_seed(0)
    if score.needs == "gradients":
        network = networks.mlp()
        return score.function(network, torch.randn(samples, 8, generator=stream), labels, chunk=4)
    leading = (2, 3) if score.needs == "epochs" else (2,)
    logits = torch.randn(*leading, samples, 10, generator=stream)
    features = (torch.randn(2, samples, 6, generator=stream),) if score.needs == "features" else ()
    return score.function(logits, labels, *features)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_called_as_its_row_says(name):
    scores = call(name)
    assert scores.shape == (9,)
    assert scores.dtype == torch.float64
    assert not scores.isnan().any()


@pytest.mark.parametrize("name", SCORES)
def test_a_row_is_complete(name):
    score = SCORES[name]
    assert score.function is getattr(hardness, name)
    assert score.needs in ("logits", "epochs", "features", "gradients")
    assert score.about
    assert re.search(r"\d{4}, \d{4}\.\d{5}$", score.paper)
    assert re.search(r"\d{4}\.\d{5}", score.paper)[0] in score.function.__doc__


def test_consistency_takes_epochs_too():
    logits = torch.randn(2, 3, 9, 10, generator=torch.Generator().manual_seed(0))
    assert hardness.consistency(logits, torch.arange(9)).shape == (9,)


def test_larger_is_harder_for_every_score_of_one_answer():
    """Samples from certainly right to certainly wrong: every score that looks at single answers ranks them alike."""
    logits = torch.stack([torch.linspace(6, -6, 13), torch.zeros(13)], dim=1)
    labels = torch.zeros(13, dtype=torch.int64)
    expected = torch.arange(13.0)
    for name in ("el2n", "margin", "loss"):
        assert rank_correlation(SCORES[name].function(logits, labels), expected) == 1.0
    epochs = torch.stack([logits, logits])
    for name in ("aum", "confidence"):
        assert rank_correlation(SCORES[name].function(epochs, labels), expected) == 1.0
    layer = nn.Linear(1, 2, bias=False)
    layer.weight.data = torch.tensor([[1.0], [0.0]])
    ones = torch.ones(13, 1)
    assert rank_correlation(SCORES["last_layer_grand"].function(logits, labels, ones), expected) == 1.0
    whole = torch.cat([SCORES["grand"].function(Shift(z), torch.ones(1, 1), labels[:1]) for z in logits[:, 0]])
    assert rank_correlation(whole, expected) == 1.0


class Shift(nn.Module):
    """Logits (z, 0) whatever the image."""

    def __init__(self, z):
        super().__init__()
        self.z = nn.Parameter(torch.stack([z, torch.zeros_like(z)]))

    def forward(self, images):
        return self.z.expand(len(images), 2)


def test_the_document_has_a_row_for_every_score_and_its_paper():
    rows = dict(re.findall(r"^\| `(\w+)` (\|.*)$", DOCUMENT, re.MULTILINE))
    assert list(rows) == list(SCORES)
    for name, rest in rows.items():
        assert re.search(r"\d{4}\.\d{5}", SCORES[name].paper)[0] in rest
        assert f"| {SCORES[name].needs} |" in rest


def test_the_block_of_the_document_prints_what_it_says(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/hardness.md", "exec"), {"__name__": "__main__"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert promised
    assert capsys.readouterr().out.splitlines() == promised
