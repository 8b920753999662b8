"""Shared fixtures: real data where it is there, and a cache folder that is not the user's."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from gossamer.bench.data.catalogue import DEBIAN_FASHION_MNIST, IDX_FILES

SHARED = Path(os.environ.get("GOSSAMER_SHARED") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """``shared_data("mnist")``: its path under $GOSSAMER_SHARED, by default ../shared/data; skips where absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{name} is not in {SHARED}; set GOSSAMER_SHARED to a folder that has it")
        return path

    return find


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Bits do not depend on the machine's cores, and two threads a process slow tiny steps down 20 times."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of subprocesses
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def _own_data_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither the user's data nor the user's cache reaches a test, nor the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOSSAMER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("GOSSAMER_DATA", raising=False)
        yield


@pytest.fixture(scope="session")
def published_fashion_mnist() -> dict[str, bytes]:
    """The four files as their authors publish them; skips where Debian's package is absent.

    Debian's files have the same compressed content, but their gzip headers have lost the name and the time.
    """
    if not DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip(f"Debian's package dataset-fashion-mnist is not installed: no {DEBIAN_FASHION_MNIST}")
    times = (1504176606, 1504176606, 1504176627, 1504176627)  # when the authors compressed each file, 2017-08-31
    files = {}
    for name, time in zip(IDX_FILES, times, strict=True):
        content = (DEBIAN_FASHION_MNIST / f"{name}.gz").read_bytes()
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + content[8:10]  # RFC 1952: deflate, with a name
        files[f"{name}.gz"] = header + name.encode() + b"\0" + content[10:]
    return files
