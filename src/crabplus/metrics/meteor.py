"""METEOR 1.5 and the Penn Treebank tokenizer, which are Java programs that the package ``pycocoevalcap`` carries."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO

__all__ = ["absent_parts", "meteor", "ptb_tokens"]

TOKENIZER_JAR = "tokenizer/stanford-corenlp-3.4.1.jar"
METEOR_JAR = "meteor/meteor-1.5.jar"
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""Tokens that coco-caption throws away. In lower case a bracket is ``-lrb-``, so it stays, there as here."""
ENDED = "Java ended before it gave a score; it takes up to 2 GB of memory"


def absent_parts() -> tuple[str, ...]:
    """Name what METEOR and the PTB tokenizer need and this machine lacks: ``pycocoevalcap``, ``java``, or nothing."""
    present = {"pycocoevalcap": _carried(METEOR_JAR) and _carried(TOKENIZER_JAR), "java": shutil.which("java")}
    return tuple(name for name, found in present.items() if not found)


def ptb_tokens(texts: Sequence[str]) -> list[list[str]]:
    """Split captions as the official evaluation does: Stanford's PTBTokenizer in lower case, punctuation dropped.

    ``A man's dog.`` becomes ``a man 's dog``. Source: salaniz/pycocoevalcap, ``tokenizer/ptbtokenizer.py`` (VALOR
    carries the same under ``cococaption/``), which feeds one caption a line. There a line separator other than line
    feed inside a caption gives all later captions the tokens of an earlier one, and an empty caption at the end gets
    none; here white space is joined to single spaces first and empty captions never reach Java. One run splits all N.

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
        ValueError: no caption, or another number of captions than of reference lists.
        RuntimeError: Java or the package is absent, or the Java program failed.
    """
    if not len(said):
        raise ValueError("METEOR: the score of no caption is undefined")
    options = ["-", "-", "-stdio", "-l", "en", "-norm"]
    command = [_java(), "-Xmx2G", "-jar", _jar(METEOR_JAR), *options]
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8") as java:
            assert java.stdin and java.stdout
            return _talk(java.stdin, java.stdout, said, references)
    except OSError as error:  # a pipe without a reader
        raise RuntimeError(f"METEOR: {ENDED}") from error


def _talk(
    ask: IO[str], answers: IO[str], said: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> float:
    """Get the statistics of each video, then hand them back together: N scores come, and last that of the set."""

    def send(fields: Iterable[str]) -> None:
        ask.write(" ||| ".join(fields) + "\n")
        ask.flush()

    def answer() -> str:
        line = answers.readline().strip()
        if not line:
            raise RuntimeError(f"METEOR: {ENDED}")
        return line

    statistics = []
    for caption, truth in zip(said, references, strict=True):
        send(["SCORE", *map(_line, truth), _line(caption)])
        statistics.append(answer())
    send(["EVAL", *statistics])
    return float([answer() for _ in range(len(statistics) + 1)][-1])


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
