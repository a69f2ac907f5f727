"""The wording of the published model, out of a user's own checkout of GeWu-Lab/Crab_Plus.

The file that builds its conversations is parsed and never run. Each of its loaders goes over the records of one task
key, gathers text and media in a list, and makes a conversation of it; what the texts are made of is followed through
the assignments of that loop. Whatever is not followed is told, key by key, and nothing is guessed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from crabplus.tasks.packs import Pack

SOURCE = "dataset/qwen2_5_omni/omni_dataset.py"
REVISION = "7ddc56d62c5ac794e8b9abef66b5a98f5971853e"
"""The revision that was read to write this; another one is taken too, if all of it is understood."""
LOADERS = {"train": "OmniDataset", "test": "OmniTestDataset"}
PLACES = {
    "question": "question", "question_text": "question", "description": "question", "object": "question",
    "multi_choice": "options",
}  # fmt: skip
"""Which place of an instruction a field of a record fills."""
MATCHING = {"a2v": ("audio", "video", "video"), "v2a": ("video", "audio", "audio")}
PICTURES = ("arig", "s4", "ms3", "ref_avs")


@dataclass(frozen=True)
class Field:
    """A field of a record, as it is or in small letters."""

    name: str
    lowered: bool = False


@dataclass(frozen=True)
class Opaque:
    """What is not followed."""

    code: str


Text = tuple[str | Field | Opaque, ...]


@dataclass(frozen=True)
class Conversation:
    """How one key is asked: system prompt, text before the media, kinds of media, instruction."""

    system: str
    lead: str
    media: tuple[str, ...]
    instruction: str
    frames: int | None
    size: tuple[int, int]


@dataclass
class Upstream:
    """What a checkout says.

    Attributes:
        digest: SHA-256 of the file; revision: of the checkout, where it tells.
        found: conversations by split and key; problems: by split and key, why there is none.
    """

    digest: str
    revision: str | None = None
    found: dict[str, dict[str, Conversation]] = field(default_factory=dict)
    problems: dict[str, dict[str, str]] = field(default_factory=dict)

    def differing(self) -> list[str]:
        """Keys that are asked otherwise in training than in the test."""
        train, test = (self.found[split] for split in LOADERS)
        return [key for key in train if key in test and train[key] != test[key]]


def read_upstream(folder: str | Path) -> Upstream:
    """Read a checkout.

    Raises:
        FileNotFoundError: the folder has no such file. ValueError: the file is no Python, or has no such loaders.
    """
    path = Path(folder) / SOURCE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; give the folder of a checkout of GeWu-Lab/Crab_Plus")
    content = path.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not Python: {error}") from error
    made = Upstream(sha256(content).hexdigest(), _revision(Path(folder)))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for split, name in LOADERS.items():
        if name not in classes:
            raise ValueError(f"{path}: class {name} wanted, got {', '.join(classes) or 'none'}")
        made.found[split], made.problems[split] = {}, {}
        for key, loader in _loaders(classes[name]):
            try:
                made.found[split][key] = _checked(key, _conversation(loader))
            except ValueError as error:
                made.problems[split][key] = str(error)
    return made


def pack_of(upstream: Upstream, split: str = "train", media: str = "whole") -> Pack:
    """The wording of a split as a pack; keys that the test does not have are asked as in training.

    Args:
        media: see :class:`Pack`; split: ``train`` or ``test``.

    Raises:
        ValueError: nothing could be read, or the keys do not share system prompt and size.
    """
    asked = {**upstream.found["train"], **upstream.found[split]}
    shared = {(one.system, one.size) for one in asked.values()}
    if len(shared) != 1:
        raise ValueError(f"one system prompt and size for all keys wanted, got {len(shared)}")
    ((system, size),) = shared
    frames = max((one.frames or 0 for one in asked.values()), default=0) or 1
    return Pack.model_validate({
        "name": "as-published", "version": 1, "canvas": size, "size": size, "frames": frames, "longest": 60,
        "system": system, "lettered": False, "media": media,
        "keys": {
            key: {"lead": one.lead, "instructions": [one.instruction], "frames": one.frames}
            for key, one in asked.items()
        },
    })  # fmt: skip


def _revision(folder: Path) -> str | None:
    """The commit of a git checkout, read from its files."""
    head = folder / ".git" / "HEAD"
    if not head.is_file():
        return None
    said = head.read_text(encoding="utf-8").strip()
    if not said.startswith("ref: "):
        return said
    name = said.removeprefix("ref: ")
    loose, packed = folder / ".git" / name, folder / ".git" / "packed-refs"
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def _loaders(owner: ast.ClassDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("add_") and node.name.endswith("_samples"):
            yield node.name.removeprefix("add_").removesuffix("_samples"), node


def _conversation(loader: ast.FunctionDef) -> Conversation:
    loops = [node for node in ast.walk(loader) if isinstance(node, ast.For)]
    if len(loops) != 1 or not isinstance(loops[0].target, ast.Name):
        raise ValueError(f"{loader.name}: one loop over its records wanted, got {len(loops)}")
    names: dict[str, Any] = {}
    for statement in loops[0].body:
        _follow(statement, names, loops[0].target.id)
    turns = names.get("conv")
    if not isinstance(turns, list) or len(turns) < 2:
        raise ValueError(f"{loader.name}: its conversation is put together in a way that is not known")
    system, user = (turn.get("content") if isinstance(turn, dict) else None for turn in turns[:2])
    parts = user if isinstance(user, list) else []
    texts = [part for part in parts if isinstance(part, dict) and part.get("type") == ("text",)]
    media = [part for part in parts if isinstance(part, dict) and part not in texts]
    if len(parts) < 3 or parts[0] not in texts or parts[-1] not in texts or len(texts) != 2:
        raise ValueError(f"{loader.name}: text, media and text wanted in the user's turn, got {len(parts)} parts")
    kinds = tuple(_plain(part.get("type")) for part in media)
    frames = {part["nframes"] for part in media if "nframes" in part}
    sizes = {(part["resized_width"], part["resized_height"]) for part in media if "resized_width" in part}
    if len(frames) > 1 or len(sizes) != 1 or not all(isinstance(n, int) for size in sizes for n in size):
        raise ValueError(f"{loader.name}: one number of frames and one size of pictures wanted")
    (size,) = sizes
    lead, instruction = (_instruction(part.get("text")) for part in (texts[0], texts[-1]))
    return Conversation(_plain(system), lead, kinds, instruction, next(iter(frames), None), size)


def _checked(key: str, made: Conversation) -> Conversation:
    """The same, if its media come in the order in which samples of the key hold them."""
    wanted = MATCHING.get(key, ("image" if key in PICTURES else "video", "audio"))
    if made.media != wanted:
        raise ValueError(f"{key}: {', '.join(wanted)} wanted, got {', '.join(made.media)}")
    return made


def _follow(statement: ast.stmt, names: dict[str, Any], record: str) -> None:
    """What a statement of a loop makes of its names."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        names[statement.targets[0].id] = _value(statement.value, names, record)
        return
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "append":
        gathered = _value(call.func.value, names, record)
        if isinstance(gathered, list) and len(call.args) == 1:
            gathered.append(_value(call.args[0], names, record))
        return
    for node in ast.walk(statement):  # what else is set somewhere inside is not known any more
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = Opaque(ast.unparse(statement))


def _value(node: ast.expr, names: dict[str, Any], record: str) -> Any:
    """A text as pieces, a number, a list or dict of such, or what is not followed."""
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else node.value
    if isinstance(node, ast.Name):
        return names.get(node.id, Opaque(node.id))
    if isinstance(node, ast.List):
        return [_value(item, names, record) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return {key: _value(value, names, record) for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.JoinedStr):
        return tuple(piece for part in node.values for piece in _pieces(_value(part, names, record)))
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
        return _value(node.value, names, record)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == record:
        return (Field(str(node.slice.value)),) if isinstance(node.slice, ast.Constant) else Opaque(ast.unparse(node))
    lowered = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "lower"
    if lowered and isinstance(inner := _value(node.func.value, names, record), tuple):  # type: ignore[attr-defined]
        return tuple(Field(piece.name, True) if isinstance(piece, Field) else piece for piece in inner)
    return Opaque(ast.unparse(node))


def _pieces(value: Any) -> Text:
    return value if isinstance(value, tuple) else (value if isinstance(value, Opaque) else str(value),)


def _plain(value: Any) -> str:
    """A text without fields."""
    if isinstance(value, tuple) and all(isinstance(piece, str) for piece in value):
        return "".join(value)
    raise ValueError(f"a plain text wanted, got {value!r:.80}")


def _instruction(value: Any) -> str:
    """A text with the places of an instruction."""
    if not isinstance(value, tuple):
        raise ValueError(f"a text wanted, got {value!r:.80}")
    written = []
    for piece in value:
        if isinstance(piece, Opaque) or isinstance(piece, Field) and piece.name not in PLACES:
            raise ValueError(f"not known what stands for {piece}")
        if isinstance(piece, str):
            written.append(piece.replace("{", "{{").replace("}", "}}"))
            continue
        place = PLACES[piece.name]
        if piece.lowered and place != "question":
            raise ValueError(f"not known what stands for {piece}")
        written.append("{lowered}" if piece.lowered else f"{{{place}}}")
    return "".join(written)
