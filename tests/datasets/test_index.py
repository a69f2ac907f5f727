"""The index of samples: written whole, opened at once, parsed one by one."""

import pickle
from pathlib import Path

import pytest

from crabplus.datasets.avuie import Index, index_path, read, write
from crabplus.schema import LabelAnswer, Sample, SchemaError

SAMPLES = [Sample(f"né{n}", "own", "ks", "test", answer=LabelAnswer("a")) for n in range(7)]


def test_there_and_back(tmp_path: Path) -> None:
    index = Index(write(tmp_path, "ks", "test", iter(SAMPLES)))
    assert list(index) == SAMPLES == list(read(tmp_path, "ks", "test"))
    assert (index[-1], index[2:4], len(index)) == (SAMPLES[-1], SAMPLES[2:4], 7)
    with pytest.raises(IndexError):
        index[7]


def test_it_travels_to_another_process(tmp_path: Path) -> None:
    index = Index(write(tmp_path, "ks", "test", SAMPLES))
    sent = pickle.dumps(index)
    assert len(sent) < 500 and list(pickle.loads(sent)) == SAMPLES


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_index_without_samples(tmp_path: Path, content: bytes) -> None:
    path = index_path(tmp_path, "ks", "test")
    path.parent.mkdir()
    path.write_bytes(content)
    assert len(Index(path)) == 0


def test_lines_without_anything_on_them_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "ks", "test", SAMPLES)
    path.write_bytes(b"\n" + path.read_bytes().replace(b"\n", b"\n\n") + b"{\n")
    index = Index(path)
    assert index[:7] == SAMPLES and len(index) == 8
    with pytest.raises(SchemaError, match=r"line 16: Sample: not JSON: .*ends too soon|line 16"):
        index[7]


def test_a_last_line_without_its_end_is_read_and_a_damaged_one_named(tmp_path: Path) -> None:
    path = write(tmp_path, "ks", "test", SAMPLES)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert list(Index(path)) == SAMPLES
    path.write_bytes(path.read_bytes()[:-5])
    assert Index(path)[5] == SAMPLES[5]
    with pytest.raises(SchemaError, match=r"test.jsonl, line 7: "):
        Index(path)[6]


def test_a_failed_write_leaves_the_old_index(tmp_path: Path) -> None:
    write(tmp_path, "ks", "test", SAMPLES)

    def broken():
        yield SAMPLES[0]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, "ks", "test", broken())
    assert list(read(tmp_path, "ks", "test")) == SAMPLES
