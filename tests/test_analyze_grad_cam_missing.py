"""What is said where captum is not installed; it does not matter here whether it is."""

import sys

import pytest

from gossamer.analyze.channels.grad_cam import grad_cam
from gossamer.core.errors import MissingError
from tests.pictures import network, pictures


def test_without_captum_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingError, match=r"expected the package captum.*pip install 'gossamer\[cam\]'"):
        grad_cam(network(), pictures()[0])
