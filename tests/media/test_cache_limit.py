"""The cache keeps its limit, serves as much as fits, and goes on where nothing can be written."""

import errno
import logging
from pathlib import Path

import numpy as np

from crabplus.media import store
from crabplus.media.cache import MediaCache
from crabplus.models.source import CachedFiles, Files
from crabplus.schema import Media


def entries(folder, kind="safetensors"):
    return sorted(folder.rglob(f"*.{kind}"))


def scan(source, numbers=range(16)):
    return [source.image(Media("frame", "image", f"{number}.jpg"), (32, 32)) for number in numbers]


def test_a_cyclic_scan_hits_as_much_as_fits(root, tmp_path, caplog):
    whole = MediaCache(tmp_path / "whole", 10**8)
    scan(CachedFiles(root, whole))
    limit = whole.usage().size // 2
    kept = MediaCache(tmp_path / "half", limit)
    wanted = scan(Files(root))
    hits = [0]
    for _ in range(3):
        for found, decoded in zip(scan(CachedFiles(root, kept)), wanted, strict=True):
            assert np.array_equal(found, decoded)
        hits.append(kept.usage().hits)
        assert kept.usage().size <= limit
    assert hits[1] == 0 and 6 <= hits[2] <= 8 and hits[3] == 2 * hits[2]
    assert [record.name for record in caplog.records] == ["crabplus.media.store"]
    assert "larger limit" in caplog.text


def test_what_nobody_used_gives_way_and_what_is_used_stays(root, tmp_path, no_decoder, age):
    first = MediaCache(tmp_path / "cache", 10**8)
    scan(CachedFiles(root, first), range(8))
    size, folder = first.usage().size, tmp_path / "cache"
    for path in [*entries(folder), *entries(folder, "sha256")]:
        age(path)
    kept = MediaCache(folder, size + size // 4)
    scan(CachedFiles(root, kept), range(4))  # in use from here on
    scan(CachedFiles(root, kept), range(8, 12))
    assert kept.usage().size <= size + size // 4
    scan(CachedFiles(root, kept), range(12, 16))  # there is no room for all of these
    assert kept.usage().size <= size + size // 4
    no_decoder()
    scan(CachedFiles(root, kept), [*range(4), *range(8, 12)])


def test_the_oldest_use_gives_way_first(tmp_path, age):
    names = [f"{number:02x}{'0' * 62}.safetensors" for number in range(20)]
    held = store.Store(tmp_path, 10**6)
    for name in names:
        held.write(name, bytes(1000))
    for order, number in enumerate(np.random.default_rng(0).permutation(20)):
        age(tmp_path / names[number][:2] / names[number], 9_000 - order)
        names.append(names[number])
    held = store.Store(tmp_path, 21_000)
    held.write(f"{'f' * 64}.safetensors", bytes(1000))
    left = {Path(path).name for _, _, path in held.files()}
    assert [name in left for name in names[20:]] == [False] * 2 + [True] * 18


def test_the_folder_is_not_looked_through_for_every_entry(root, kept, monkeypatch):
    looks, files = [], store.Store.files
    monkeypatch.setattr(store.Store, "files", lambda self: looks.append(1) or files(self))
    scan(CachedFiles(root, kept))
    assert len(looks) == 1


def test_only_files_of_the_cache_are_removed(root, tmp_path, age):
    folder = tmp_path / "cache" / "ab"
    folder.mkdir(parents=True)
    others = [folder / "model.safetensors", folder / "x.partial", tmp_path / "cache" / f"{'a' * 64}.safetensors"]
    for path in others:
        path.write_bytes(bytes(5000))
        age(path)
    kept = MediaCache(tmp_path / "cache", 4000)
    kept.image(root / "0.jpg", (32, 32))
    assert kept.usage().entries == 1 and all(path.exists() for path in others)


def test_a_full_disk_does_not_stop_anything(root, kept, monkeypatch, caplog):
    write = Path.write_bytes

    def fill(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    wanted = scan(Files(root))
    for _ in range(2):
        for found, decoded in zip(scan(CachedFiles(root, kept)), wanted, strict=True):
            assert np.array_equal(found, decoded)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    assert not [path for path in kept._store.folder.rglob("*") if path.is_file()]


def test_partial_files_go_when_their_writer_must_be_gone(root, kept, age):
    folder = kept._store.folder / "ab"
    folder.mkdir()
    old, new = (folder / f"ab{digit * 62}.safetensors.{'0' * 32}.partial" for digit in "01")
    for path in (old, new):
        path.write_bytes(b"half")
    age(old, 3_700)
    kept.image(root / "0.jpg")
    assert not old.exists() and new.exists()
