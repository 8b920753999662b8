"""The arrows between the rooms of the house point one way: read from the imports, and tried in a fresh process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gossamer

ROOT = Path(gossamer.__file__).parent
LIBRARY = {"core", "methods", "hardness", "corrupt", "attack", "analyze", "kernels"}
WORKBENCH = {"bench", "study", "figure", "report", "cli"}

# room: the other rooms it may import.  A room that is not here fails: give it a row.
ARROWS = {
    "core": set(),
    "methods": {"core"},
    "hardness": {"core"},
    "corrupt": {"core"},
    "attack": {"core"},
    "analyze": {"core"},
    "kernels": {"core"},
    "figure": {"core.errors"},  # everything else of gossamer's works on tensors
    "bench": {*LIBRARY, "figure"},
    "study": {*LIBRARY, "bench", "figure"},
    "report": {"core.errors", "figure", "study", "bench"},
    "cli": {*LIBRARY, *WORKBENCH},
    "__main__": {"cli"},
    "__init__": {"core", "methods"},
    "_version": set(),
}

# A file of core imports files of earlier rows only.  A file that is not here fails: give it its place.
CORE = (
    ("errors",),
    ("apportion", "interval"),
    ("named", "schedule", "distribution", "pattern", "newborn", "modes"),
    ("given",),
    ("masks",),
    ("rewire", "initialize"),
    ("method",),
    ("report",),
    ("sparsifier",),
    ("ema",),
)

CORE_PACKAGES = {"torch", "numpy"}
HEAVY = {"pandas", "matplotlib", "typer", "rich", "sklearn", "PIL", "scipy"}  # a library user should not wait for them
FORBIDDEN = {room: HEAVY - {"scipy"} for room in LIBRARY} | {"figure": {"torch"}, "report": {"torch"}}
FORBIDDEN["analyze"] -= {"sklearn"}  # its multidimensional scaling, imported where it is asked for
FORBIDDEN["corrupt"] -= {"PIL"}  # its JPEG is part of a corruption's definition, and sets on disk are image files


def imported(source: str) -> Iterator[str]:
    """Every module that a source imports, also inside of functions; names of ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def own(module: str) -> str | None:
    """``gossamer.core.masks.Masks`` -> ``core.masks.Masks``; None for other packages."""
    return module.removeprefix("gossamer.") if module.startswith("gossamer.") else None


def allowed(target: str, room: str) -> bool:
    """Whether a room may import ``core.masks.Masks`` and the like."""
    if target.split(".")[0] in (room, "_version", "__version__"):
        return True
    return any(f"{target}.".startswith(f"{door}.") for door in ARROWS[room])


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


FILES = files()
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


def test_every_room_has_a_row():
    assert {room_of(path) for path in FILES} <= set(ARROWS)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_room_imports_only_the_rooms_its_row_names(path):
    targets = {own(module) for module in imported(path.read_text(encoding="utf-8"))} - {None}
    assert {target for target in targets if not allowed(target, room_of(path))} == set()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_packages_that_a_room_must_not_need(path):
    packages = {module.split(".")[0] for module in imported(path.read_text(encoding="utf-8"))}
    assert not packages & FORBIDDEN.get(room_of(path), set())
    assert "torchvision" not in packages  # its CPU build does not exist everywhere, and its presence breaks others
    if room_of(path) == "core":
        assert packages <= CORE_PACKAGES | {"gossamer"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", sorted((ROOT / "core").glob("*.py")), ids=lambda path: path.stem)
def test_inside_of_the_core_arrows_point_one_way(path):
    earlier: set[str] = set()
    for row in CORE:
        if path.stem in row:
            break
        earlier |= set(row)
    else:
        assert path.stem == "__init__", f"give core/{path.name} its place in CORE"
        earlier = set()
    targets = {own(module) for module in imported(path.read_text(encoding="utf-8"))} - {None}
    # ``from gossamer.core import masks`` names the file last, ``from gossamer.core.masks import Masks`` in the middle
    assert {target.split(".")[1] for target in targets} <= earlier


def file_of(target: str, modules: set[str]) -> str:
    """``bench.data.Dataset`` -> ``bench.data.__init__``, ``core.masks.Masks`` -> ``core.masks``."""
    parent = target.rpartition(".")[0]
    candidates = (target, f"{target}.__init__", parent, f"{parent}.__init__")
    return next((name for name in candidates if name in modules), "__init__")


def test_no_circle_of_files_anywhere():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    arrows = {}
    for name, path in modules.items():
        targets = {own(module) for module in imported(path.read_text(encoding="utf-8"))} - {None}
        arrows[name] = {file_of(target, set(modules)) for target in targets}
    while leaves := [name for name, targets in arrows.items() if not targets & set(arrows)]:
        for name in leaves:
            del arrows[name]
    assert arrows == {}


def test_the_reading_of_imports_and_the_rules_find_what_they_should():
    source = (
        "import torch.nn as nn\nfrom gossamer.core import masks\ndef f():\n    from gossamer.bench.place import Bench\n"
    )
    assert set(imported(source)) == {"torch.nn", "gossamer.core.masks", "gossamer.bench.place.Bench"}
    assert allowed("core.masks", "hardness")
    assert not allowed("bench.place.Bench", "hardness")
    assert not allowed("analyze.flops", "hardness")
    assert not allowed("core.masks", "figure")
    assert allowed("core.errors.SettingError", "figure")
    assert not allowed("methods.rigl.RigL", "core")


def in_a_fresh_process(code: str) -> list[str]:
    """The modules that are loaded afterwards."""
    code += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_gossamer_loads_nothing_heavy_and_no_workbench():
    loaded = in_a_fresh_process("import gossamer")
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
    assert {name for name in loaded if own(name) and own(name).split(".")[0] in WORKBENCH} == set()


def test_importing_all_of_the_library_loads_no_workbench():
    rooms = sorted({room_of(path) for path in FILES} & LIBRARY)
    loaded = in_a_fresh_process("\n".join(f"import gossamer.{room}" for room in rooms))
    assert {f"gossamer.{room}" for room in rooms} <= set(loaded)
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()  # Pillow and scipy come when they are needed
    assert {name for name in loaded if own(name) and own(name).split(".")[0] in WORKBENCH} == set()


def test_the_core_stands_without_the_methods():
    core = [path.stem for path in (ROOT / "core").glob("*.py")]
    code = (
        "import sys, types, pathlib\n"
        f"package = types.ModuleType('gossamer'); package.__path__ = [{str(ROOT)!r}]\n"
        "sys.modules['gossamer'] = package\n"  # so that gossamer/__init__.py is not run
    )
    loaded = in_a_fresh_process(code + "\n".join(f"import gossamer.core.{name}" for name in core if name != "__init__"))
    assert {name for name in loaded if own(name) and not own(name).startswith("core")} == set()
