"""METEOR 1.5 and the Penn Treebank tokenizer, which are Java programs that the package ``pycocoevalcap`` carries."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

__all__ = ["absent_parts", "meteor", "ptb_tokens"]

TOKENIZER_JAR = "tokenizer/stanford-corenlp-3.4.1.jar"
METEOR_JAR = "meteor/meteor-1.5.jar"
PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
"""Tokens that coco-caption throws away. In lower case a bracket is ``-lrb-``, so it stays, there as here."""


def absent_parts() -> tuple[str, ...]:
    """Name what METEOR and the PTB tokenizer need and this machine lacks: ``pycocoevalcap``, ``java``, or nothing."""
    present = {"pycocoevalcap": _carried(METEOR_JAR) and _carried(TOKENIZER_JAR), "java": shutil.which("java")}
    return tuple(name for name, found in present.items() if not found)


def ptb_tokens(texts: Sequence[str]) -> list[list[str]]:
    """Split captions as the official evaluation does: Stanford's PTBTokenizer in lower case, punctuation dropped.

    ``A man's dog.`` becomes ``a man 's dog``. Source: salaniz/pycocoevalcap, ``tokenizer/ptbtokenizer.py`` (VALOR
    carries the same under ``cococaption/``), which feeds one caption a line. There a caption that is empty at the end
    of the list, or has a line separator other than ``\\n``, shifts or loses lines; here white space is joined to single
    spaces first and empty captions never reach Java, so each caption gets its own tokens. All N are split in one run.

    Args:
        texts: N captions.

    Returns:
        N lists of tokens; an empty one where nothing is said.

    Raises:
        RuntimeError: Java or the package is absent, or the Java program failed.
    """
    lines = [" ".join(text.split()) for text in texts]
    filled = [line for line in lines if line]
    split = iter(_ptb_lines(filled)) if filled else iter(())
    return [next(split) if line else [] for line in lines]


def _ptb_lines(lines: Sequence[str]) -> list[list[str]]:
    options = ["-preserveLines", "-lowerCase", "-encoding", "utf-8"]
    done = subprocess.run(
        [_java(), "-cp", _jar(TOKENIZER_JAR), "edu.stanford.nlp.process.PTBTokenizer", *options],
        input="\n".join(lines) + "\n",
        capture_output=True,
        encoding="utf-8",
    )
    split = done.stdout.removesuffix("\n").split("\n")
    if done.returncode or len(split) != len(lines):
        what = f"{len(split)} lines for {len(lines)} captions, exit status {done.returncode}"
        raise RuntimeError(f"PTB tokenizer: Java gave {what}: {done.stderr.strip()[-500:]}")
    return [[word for word in line.split() if word not in PUNCTUATION] for line in split]


def meteor(said: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """METEOR 1.5 of the whole set, 0..1: statistics of all videos are summed before precision and recall are taken.

    Words match as they are, by stem, by WordNet synonym or by paraphrase; each video counts with its best reference.
    Source: Denkowski and Lavie, Meteor Universal (2014), run as in salaniz/pycocoevalcap, ``meteor/meteor.py``
    (``-l en -norm``). Loading its tables takes Java some ten seconds and up to 2 GB.

    Args:
        said: N captions as tokens; an empty one counts as nothing said.
        references: for each of the N videos, at least one caption as tokens.

    Raises:
        RuntimeError: Java or the package is absent, or the Java program failed.
    """
    with _stdio([_java(), "-Xmx2G", "-jar", _jar(METEOR_JAR), *"- - -stdio -l en -norm".split()]) as (ask, answers):
        statistics = []
        for caption, truth in zip(said, references, strict=True):
            _write(ask, ["SCORE", *map(_line, truth), _line(caption)])
            statistics.append(_number_line(answers))
        _write(ask, ["EVAL", *statistics])
        lines = [_number_line(answers) for _ in range(len(statistics) + 1)]
    return float(lines[-1])  # one line a video came before it


@contextmanager
def _stdio(command: list[str]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a program to talk with; it ends when its input is closed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8") as process:
        assert process.stdin and process.stdout
        try:
            yield process.stdin, process.stdout
        except BrokenPipeError as error:
            raise RuntimeError("METEOR: Java ended before it gave a score; it takes up to 2 GB of memory") from error


def _write(ask: IO[str], fields: Iterable[str]) -> None:
    ask.write(" ||| ".join(fields) + "\n")
    ask.flush()


def _number_line(answers: IO[str]) -> str:
    line = answers.readline().strip()
    if not line:
        raise RuntimeError("METEOR: Java ended before it gave a score; it takes up to 2 GB of memory")
    return line


def _line(tokens: Sequence[str]) -> str:
    return " ".join(" ".join(tokens).replace("|||", " ").split())


def _carried(jar: str) -> Path | None:
    spec = find_spec("pycocoevalcap")
    folders = (spec and spec.submodule_search_locations) or ()
    return next((Path(folder) / jar for folder in folders if (Path(folder) / jar).is_file()), None)


def _jar(name: str) -> str:
    return str(_carried(name) or _refuse())


def _java() -> str:
    return shutil.which("java") or _refuse()


def _refuse() -> str:
    absent = " and ".join(absent_parts())
    raise RuntimeError(f"captions: {absent} absent; METEOR and the PTB tokenizer need `pip install pycocoevalcap` and "
                       "a Java runtime, or choose the plain tokenizer, which gives no METEOR")  # fmt: skip
