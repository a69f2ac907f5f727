"""Wording out of a checkout: from a source of our own in upstream's shape, with words of our own."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.datasets.avuie import published_path, read
from crabplus.tasks import TASKS, get_task, load_pack
from crabplus.tasks.upstream import MATCHING, PICTURES, SOURCE, pack_of, read_upstream
from published_records import TEST, TRAIN

QUESTION = {"avqa": "question", "avqa_thu": "question_text"}
HEAD = """import json, os

class {name}:
    def __init__(self, root):
        self.root, self.mode, self.samples = root, {mode!r}, []

    def _get_media_path(self, task_name, folder, filename):
        return os.path.join(task_name, folder, filename) if folder else os.path.join(task_name, filename)
"""
LOADER = """
    def add_{key}_samples(self):
        task_name, tot = {key!r}, 0
        with open(os.path.join(self.root, task_name, self.mode + '.json')) as f:
            samples = json.load(f)
        for sample in samples:
{assigned}
            if tot < 0:
                output = 'never'
            instruction = {instruction}
            user_content_list = []
            user_content_list.append({{'type':'text','text':"See and hear {key}:"}})
{media}
            user_content_list.append({{'type':'text','text':instruction}})
            conv = [
                {{'role':'system','content':'Be {{kind}}.'}},
                {{'role':'user','content':user_content_list}},
            ]
            self.samples.append(conv)
            tot += 1
"""


def loader(key: str, mode: str) -> str:
    """The loader of one key."""
    kinds = MATCHING.get(key, ("image" if key in PICTURES else "video", "audio"))
    assigned, media, seen = [], [], dict.fromkeys(kinds, 0)
    for kind in kinds:
        seen[kind] += 1
        name = f"{kind}{seen[kind]}_path" if kinds.count(kind) > 1 else f"{kind}_path"
        name = "visual_path" if name == "image_path" and mode == "test" else name
        folder = None if key in PICTURES else kind
        assigned.append(f"            {name} = self._get_media_path(task_name, {folder!r}, sample[{name!r}])")
        frames = 4 if key in ("meld", "mer24", "cremad", "mafw", "dfew") else 10
        size = "" if kind == "audio" else ",'resized_height':224,'resized_width':224"
        more = f"{size},'nframes':{frames}" if kind == "video" else size
        media.append(f"            user_content_list.append({{'type':{kind!r},{kind!r}:{name}{more}}})")
    instruction = f"'What about {key} in the {mode}?'" if key in ("ks", "ave") else f"f'''What of {key}? {{{{}}}}'''"
    if key in QUESTION:
        assigned.append(f"            question = sample[{QUESTION[key]!r}]")
        instruction = 'f"Say: {question}"'
    if key == "avqa_thu":
        assigned.append("            multi_choice = sample['multi_choice']")
        instruction = 'f"Say: {question}, one of {multi_choice}"'
    if key == "ref_avs":
        assigned.append(f"            said = sample[{'description' if mode == 'train' else 'object'!r}]")
        instruction = 'f"Where is <des>{said.lower()}</des>?"'
    return LOADER.format(key=key, assigned="\n".join(assigned), media="\n".join(media), instruction=instruction)


def source(change: Any = lambda text: text) -> str:
    parts = []
    for mode, name, keys in (("train", "OmniDataset", TRAIN), ("test", "OmniTestDataset", TEST)):
        parts += [HEAD.format(name=name, mode=mode), *(loader(key, mode) for key in keys)]
    return str(change("\n".join(parts)))


def checkout(folder: Path, change: Any = lambda text: text) -> Path:
    path = folder / SOURCE
    path.parent.mkdir(parents=True)
    path.write_text(source(change))
    return folder


def told(messages: Any) -> list[Any]:
    """Our messages in upstream's form: role, and pairs of kind and text or file."""
    made = []
    for message in messages:
        parts = []
        for part in message.parts:
            parts.append((part.kind, part.text if part.media is None else part.media.path))
        made.append((message.role, parts if message.role == "user" else parts[0][1]))
    return made


def wanted(conversation: Any) -> list[Any]:
    system, user = conversation
    parts = [(part["type"], part[part["type"]]) for part in user["content"]]
    return [("system", system["content"]), ("user", parts)]


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_conversation_is_that_of_the_source_to_the_letter(tmp_path: Path, split: str) -> None:
    pack = pack_of(read_upstream(checkout(tmp_path / "upstream")), split)
    made: dict[str, Any] = {}
    exec(source(), made)
    records = TRAIN if split == "train" else TEST
    for key, (record, _) in records.items():
        path = published_path(tmp_path, key, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([record]))
        theirs = made["OmniDataset" if split == "train" else "OmniTestDataset"](str(tmp_path))
        getattr(theirs, f"add_{key}_samples")()
        (sample,) = read(tmp_path, key, split)
        assert told(get_task(key).prompt(sample, pack)) == wanted(theirs.samples[0]), key
        assert pack.frames_of(key) == (4 if get_task(key).family == "emotion recognition" else 10)
    assert len(records) == len(TRAIN if split == "train" else TEST) > 15
    assert set(pack.keys) == set(TASKS)


def test_the_command_writes_a_pack_and_tells_what_differs(tmp_path: Path) -> None:
    folder, out = checkout(tmp_path / "upstream"), tmp_path / "pack.yaml"
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "packed-refs").write_text("# pack\nabc123 refs/heads/main\n")
    run = CliRunner().invoke(app, ["packs", "import-upstream", str(folder), "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "ks: otherwise in the test" in run.output and "mer24: train only" in run.output
    assert "19 of 19 keys" in run.output and "revision abc123; known is" in run.output
    assert load_pack(out) == pack_of(read_upstream(folder))
    assert "revision abc123" in out.read_text().splitlines()[0]


@pytest.mark.parametrize(("old", "new", "words"), [
    ('f"Say: {question}"', "make(question)", "a text wanted"),
    ('f"Say: {question}"', 'f"Say: {answer}"', "not known what stands for"),
    ("'type':'text','text':instruction", "'type':'audio','audio':instruction", "text, media and text wanted"),
    ("self.samples.append(conv)", "conv = merge(conv); self.samples.append(conv)", "not known"),
])  # fmt: skip
def test_what_is_not_understood_is_told_and_not_guessed(tmp_path: Path, old: str, new: str, words: str) -> None:
    found = read_upstream(checkout(tmp_path, lambda text: text.replace(old, new)))
    assert "avqa" not in found.found["train"] and words in found.problems["train"]["avqa"]


def test_media_in_another_order_are_told(tmp_path: Path) -> None:
    swapped = lambda text: text.replace("'type':'audio','audio'", "'type':'image','image'")  # noqa: E731
    found = read_upstream(checkout(tmp_path, swapped))
    assert "video, audio wanted, got" in found.problems["train"]["ave"]


@pytest.mark.parametrize(("content", "words"), [
    (None, "is not there; give the folder of a checkout"), ("def (", "not Python"), ("x = 1", "class OmniDataset"),
])  # fmt: skip
def test_what_is_no_checkout(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        path = tmp_path / SOURCE
        path.parent.mkdir(parents=True)
        path.write_text(content)
    run = CliRunner().invoke(app, ["packs", "import-upstream", str(tmp_path), "--out", str(tmp_path / "p.yaml")])
    assert run.exit_code == 2 and words in run.output and not (tmp_path / "p.yaml").exists()


def test_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    harm = "open(__file__ + '.ran', 'w')\n"
    read_upstream(checkout(tmp_path, lambda text: harm + text))
    assert not list(tmp_path.rglob("*.ran"))
