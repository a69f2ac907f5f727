"""Who may import whom, as the design says it, read from the source with ``ast``; nothing is imported."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "crabplus"
ANYTHING = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__main__"}

MAY_IMPORT: dict[str, set[str]] = {
    "assets": set(),
    "whole": set(),
    "plugins": set(),
    # processes of a cluster are handed functions
    "spread": set(),
    # where models run
    "device": set(),
    "schema": set(),
    "ilora": set(),
    "media": {"schema"},
    "metrics": {"schema"},
    "tasks": {"schema", "metrics"},
    "models": {"schema", "media"},
    "segment": {"schema", "media", "device"},
    "report": {"schema", "media"},
    # a file with a dataset in it is run (plugins)
    "datasets": {"schema", "media", "tasks", "plugins"},
    "tidepool": {"schema", "media", "tasks", "datasets"},
    # reasoning reads an index and puts what was written back into it
    "reasoning": {"schema", "media", "tasks", "datasets"},
    "data": {"schema", "media", "tasks", "datasets", "models"},
    "config": set(),
    "constrain": {"schema", "tasks"},
    # how sure a model was of each part of an answer that its task has read
    "confidence": {"schema", "tasks"},
    # generate writes Prediction records
    "generate": {"schema", "data", "tasks", "models", "ilora", "loading", "constrain", "confidence"},
    "predictions": {"schema"},
    # which pack words the questions to a model: read without torch
    "wording": {"tasks", "models"},
    # windows of long media, and one answer out of theirs
    "windows": {"schema", "tasks"},
    # people's own files: what is asked of them, and of each window
    "own": {"schema", "media", "tasks", "windows"},
    # windows are asked, and each file has one reply
    "answers": {"schema", "media", "data", "models", "tasks", "generate", "windows", "own"},
    # which model and adapter are meant: read without torch
    "loading": {"models"},
    "evaluate": {"schema", "tasks", "metrics", "datasets"},
    # mask_scores puts the scores of masks, which it reads from segment's folder, beside those of evaluate
    "mask_scores": {"schema", "tasks", "metrics", "datasets", "segment", "evaluate"},
    # train hands the pack of wordings to its training data, names the Sample and Score of its judge (schema), and opens
    # the cache that media are read through (media), and keeps DeepSpeed quiet (device)
    "train": {
        "schema",
        "media",
        "config",
        "wording",
        "data",
        "tasks",
        "models",
        "ilora",
        "generate",
        "evaluate",
        "device",
    },
    # transfer takes the truth from its index (datasets), and draws samples for each metric (tasks, metrics); conflict
    # and suites train (config, train), and predictions say which model answered (loading); routing words prompts, to
    # know what was shown where (tasks)
    "analysis": {
        "schema",
        "ilora",
        "data",
        "models",
        "generate",
        "evaluate",
        "datasets",
        "tasks",
        "metrics",
        "config",
        "train",
        "loading",
    },
    # api gives a single file the source of media that data gives a whole list
    "api": {
        "schema",
        "media",
        "tasks",
        "data",
        "models",
        "ilora",
        "generate",
        "segment",
        "answers",
        "own",
        "loading",
        "wording",
        "device",
    },
    # ui probes what visitors upload (media), offers tasks by their plain names (own, tasks), films a clip for newcomers
    # where the model is the shipped one (models, tidepool), and makes masks (segment)
    "ui": {"api", "report", "schema", "media", "own", "tasks", "models", "tidepool", "segment", "listening"},
    # serve is handed a CrabPlus; it reads media that clients send (media), words tasks (tasks, own, windows), encodes
    # and batches for itself (models), holds answers to labels (constrain) and says how sure they are (confidence)
    "serve": {"schema", "media", "tasks", "models", "own", "windows", "confidence", "constrain", "listening"},
    # sockets and signals of ui and serve
    "listening": set(),
    # the demo is the whole of it in one run: it makes clips, asks the model, scores and reports
    "demo": ANYTHING - {"cli", "demo"},
    # commands, each of which imports what it needs when it runs
    "cli": ANYTHING - {"cli"},
    # the same commands, for python -m
    "__main__": {"cli"},
    # the package itself names CrabPlus, and loads it when it is first asked for
    "crabplus": {"api"},
}
LAZY = {"cli", "crabplus"}
HEAVY = {"torch", "torchvision", "transformers", "peft", "accelerate", "datasets", "cv2", "av", "matplotlib"}
NO_TORCH = {
    "schema", "metrics", "tasks", "media", "datasets", "predictions", "evaluate", "report", "tidepool", "segment",
    "mask_scores",
}  # fmt: skip
ILORA_NEEDS = {"torch", "transformers", "peft", "safetensors"}


def modules() -> dict[str, Path]:
    """Dotted name to file, for every module of the package."""
    names = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("crabplus", *path.relative_to(SOURCE).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def package(module: str) -> str:
    """The row of the table that a module belongs to."""
    return (module.split(".") + ["crabplus"])[1] if module != "crabplus" else "crabplus"


def imported(module: str, top_level: bool = False) -> Iterator[tuple[str, int]]:
    """Dotted names that a module imports, with their lines; with ``top_level`` only those that run on import."""
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in running(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, path, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in MODULES else base), node.lineno


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: nothing inside functions or ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from running(child)


def absolute(module: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".") + (["__init__"] if path.name == "__init__.py" else [])
    return ".".join(parts[: -node.level] + ([node.module] if node.module else []))


def is_ours(name: str) -> bool:
    return name == "crabplus" or name.startswith("crabplus.")


def test_every_package_is_in_the_table() -> None:
    assert {package(module) for module in MODULES} <= MAY_IMPORT.keys()


def test_the_table_has_no_circle() -> None:
    tuple(TopologicalSorter(MAY_IMPORT).static_order())


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_table(module: str) -> None:
    me = package(module)
    # assets are files, found through their package; whatever writes files may write them whole
    allowed = MAY_IMPORT[me] | {me, "crabplus", "assets", "whole"}
    wrong = [
        f"line {line}: {name}" for name, line in imported(module) if is_ours(name) and package(name) not in allowed
    ]
    assert not wrong, f"{module} may import {sorted(allowed)}, but: {wrong}"


def test_no_circle_of_modules() -> None:
    graph = {
        module: {name for name, _ in imported(module, top_level=True) if name in MODULES} - {module, "crabplus"}
        for module in MODULES
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle of imports: {' -> '.join(error.args[1])}")


def loaded(me: str) -> set[str]:
    """Modules of a package that importing it, or running it, loads; others are imported inside functions."""
    entry = "crabplus" if me == "crabplus" else f"crabplus.{me}"
    found: set[str] = set()
    waiting = {entry, f"{entry}.__main__"} & MODULES.keys()
    while waiting:
        module = waiting.pop()
        found.add(module)
        names = {name for name, _ in imported(module, top_level=True) if name in MODULES and package(name) == me}
        waiting |= names - found
    return found


@pytest.mark.parametrize("me", sorted(LAZY))
def test_entry_points_import_nothing_heavy(me: str) -> None:
    names = {
        name
        for module in loaded(me)
        for name, _ in imported(module, top_level=True)
        if name.split(".")[0] in HEAVY or (is_ours(name) and package(name) not in {me, *LAZY})
    }
    assert not names, f"{me} must import these inside its functions"


@pytest.mark.parametrize("me", sorted(NO_TORCH))
def test_no_torch_where_none_is_needed(me: str) -> None:
    wrong = {
        f"{module}: {name}"
        for module in MODULES
        if package(module) == me
        for name, _ in imported(module, top_level=True)
        if name.split(".")[0] in {"torch", "torchvision", "transformers", "peft"}
    }
    assert not wrong


def test_ilora_needs_only_the_core() -> None:
    outside = {
        name.split(".")[0] for module in MODULES if package(module) == "ilora" for name, _ in imported(module)
    } - {"crabplus"}
    assert outside - set(sys.stdlib_module_names) <= ILORA_NEEDS


def test_import_crabplus_is_lazy() -> None:
    code = "import sys, crabplus; print(crabplus.__version__, *sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent, timeout=120
    ).stdout.split()
    assert out[0][0].isdigit()
    assert not HEAVY & set(out)
