"""The cache gives what decoding gives, bit for bit, whatever becomes of its folder."""

import os
import pickle
import shutil
import time
import warnings

import numpy as np
import pytest
import torch

from crabplus.media import Decoder, MediaError, cache, image, waveform
from crabplus.media.cache import MediaCache
from crabplus.media.entries import pack, unpack
from crabplus.models.source import CachedFiles, Files
from crabplus.schema import Media

VIDEO = Media("clip", "video", "h264.mp4", duration=4.0)
WINDOW = Media("clip", "video", "h264.mp4", start=1.3, end=3.1)
SOUND = Media("sound", "audio", "sound.wav")
PICTURE = Media("frame", "image", "0.jpg")
READS = {
    "frames": lambda source: source.frames(VIDEO, 5, (40, 30)),
    "frames of a window": lambda source: source.frames(WINDOW, 3, (40, 30)),
    "middle frame": lambda source: source.image(WINDOW, (40, 30)),
    "picture": lambda source: source.image(PICTURE, (40, 30)),
    "sound of a track": lambda source: source.wave(VIDEO, 16_000),
    "sound of a window": lambda source: source.wave(WINDOW, 8_000),
    "sound": lambda source: source.wave(SOUND, 16_000),
}


def entries(folder, kind="safetensors"):
    return sorted(folder.rglob(f"*.{kind}"))


def change_end(path):
    """Other samples in a wav of the same size."""
    path.write_bytes(path.read_bytes()[:-1000] + bytes(range(250)) * 4)


def check(found, wanted):
    if isinstance(wanted, tuple):
        assert type(found[1]) is float and found[1] == wanted[1]
        found, wanted = found[0], wanted[0]
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(found)


@pytest.mark.parametrize("what", READS)
def test_what_decoding_gives_bit_for_bit(what, root, kept, no_decoder):
    wanted = READS[what](Files(root))
    check(READS[what](CachedFiles(root, kept)), wanted)
    no_decoder()
    again = MediaCache(kept._store.folder, 10**8)
    check(READS[what](CachedFiles(root, again)), wanted)
    assert (kept.usage().misses, again.usage().hits, again.usage().entries) == (1, 1, 1)


def test_other_settings_are_other_entries(root, kept):
    path = root / "h264.mp4"
    for settings in [(2,), (3,), (2, 1.0), (2, 0.0, 3.0), (2, None, None, (8, 8))]:
        kept.frames(path, *settings)
    kept.waveform(path, rate=16_000)
    kept.waveform(path, rate=8_000)
    assert (kept.usage().entries, kept.usage().hits) == (7, 0)


@pytest.mark.parametrize("what", ["VERSION", "decoders"])
def test_another_version_decodes_anew(what, root, kept, monkeypatch):
    kept.image(root / "0.jpg")
    monkeypatch.setattr(cache, what, 2 if what == "VERSION" else lambda: ("av 0.1",))
    kept.image(root / "0.jpg")
    assert kept.usage().misses == 2


def test_versions_are_those_installed():
    import av

    found = dict(text.split() for text in cache.decoders())
    assert found["av"] == av.__version__ and any(name.startswith("opencv") for name in found)


def test_the_same_content_elsewhere_is_the_same_entry(root, kept, no_decoder, age):
    wanted = kept.image(root / "0.jpg")
    age(shutil.copy(root / "0.jpg", root / "copy.jpg"))
    kept.image(root / "copy.jpg")
    no_decoder()
    check(kept.image(root / "copy.jpg"), wanted)
    assert kept.usage().entries == 1


def test_a_name_that_belies_the_content_is_refused_all_the_same(root, kept, age):
    kept.image(root / "0.jpg")
    age(shutil.copy(root / "0.jpg", root / "0.mp4"))
    with pytest.raises(MediaError, match="mislabelled"):
        kept.image(root / "0.mp4")


def test_a_changed_original_is_read_anew(root, kept, put_picture, age):
    before = kept.image(root / "0.jpg")
    put_picture(root / "0.jpg", seed=99)
    age(root / "0.jpg", 5_000)
    after = kept.image(root / "0.jpg")
    check(after, image(root / "0.jpg"))
    assert not np.array_equal(before, after) and kept.usage().hits == 0


def test_an_original_replaced_by_one_of_the_same_size_and_time_is_read_anew(root, kept):
    path, state = root / "sound.wav", os.stat(root / "sound.wav")
    kept.waveform(path)
    shutil.copy(path, root / "new.wav")
    change_end(root / "new.wav")
    os.replace(root / "new.wav", path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    check(kept.waveform(path), waveform(path))
    assert kept.usage().hits == 0


def test_a_new_file_that_changes_within_its_time_is_read_anew(root, kept):
    path, now = root / "sound.wav", time.time() + 1
    os.utime(path, (now, now))
    kept.waveform(path)
    change_end(path)
    os.utime(path, (now, now))
    check(kept.waveform(path), waveform(path))
    assert not entries(kept._store.folder, "sha256")


def test_an_original_that_changes_while_it_is_decoded_is_not_kept(root, kept, monkeypatch, put_picture, age):
    call = Decoder._call

    def change(*arguments):
        put_picture(root / "0.jpg", seed=99)
        age(root / "0.jpg", 5_000)
        return call(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "_call", change)
        kept.image(root / "0.jpg")
    assert kept.usage().entries == 0


DAMAGE = {
    "truncated": lambda data: data[:-7],
    "half": lambda data: data[: len(data) // 2],
    "cut in the header": lambda data: data[:20],
    "empty": lambda data: b"",
    "longer": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: np.random.default_rng(0).bytes(len(data)),
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "one digit of the seconds": lambda data: data.replace(b'"end":"4.0"', b'"end":"5.0"'),
    "no metadata": lambda data: data.replace(b"__metadata__", b"__metadatA__"),
    "of another file": lambda data: pack("0" * 64, np.zeros(3, np.float32)),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_entry_is_made_anew(how, root, kept, caplog):
    source = CachedFiles(root, kept)
    wanted = READS["frames"](source)
    (entry,) = entries(kept._store.folder)
    good = entry.read_bytes()
    entry.write_bytes(DAMAGE[how](good))
    assert entry.read_bytes() != good
    check(READS["frames"](source), wanted)
    assert "damaged" in caplog.text and caplog.records[0].name == "crabplus.media.cache"
    assert unpack(entry.stem, entry.read_bytes()).end == 4.0
    check(READS["frames"](source), wanted)
    assert (kept.usage().misses, kept.usage().hits) == (2, 1)


def test_a_damaged_entry_goes_where_nothing_is_taken_in_any_more(root, kept):
    wanted = kept.image(root / "0.jpg")
    (entry,) = entries(kept._store.folder)
    entry.write_bytes(b"garbage")
    kept._store.taking = False
    check(kept.image(root / "0.jpg"), wanted)
    assert not entry.exists()


def test_any_changed_byte_of_an_entry_is_noticed(root, kept):
    kept.image(root / "0.jpg", (2, 2))
    (entry,) = entries(kept._store.folder)
    good = entry.read_bytes()
    for place in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            try:
                found = unpack(entry.stem, bytes(bad))
            except ValueError:
                continue
            check(found, unpack(entry.stem, good))  # white space in the header


@pytest.mark.parametrize("text", [b"", b"1 2 3", b"\xff\xfe", b"0" * 200, None])
def test_a_damaged_record_is_made_anew(text, root, kept):
    wanted = kept.image(root / "0.jpg")
    (record,) = entries(kept._store.folder, "sha256")
    good = record.read_bytes()
    record.write_bytes(good[:-1] if text is None else text)
    check(kept.image(root / "0.jpg"), wanted)
    assert record.read_bytes() == good


def test_errors_are_those_of_decoding_and_are_not_kept(root, kept, put_picture):
    (root / "bad.jpg").write_bytes(b"no picture at all")
    (root / "empty.jpg").touch()
    for name in ("bad.jpg", "empty.jpg", "missing.jpg", ".", "h264.mp4"):
        for _ in range(2):
            with pytest.raises(MediaError) as caught:
                kept.image(root / name)
            with pytest.raises(MediaError) as wanted:
                image(root / name)
            assert str(caught.value) == str(wanted.value)
    with pytest.raises(MediaError, match="behind the end|starts"):
        kept.frames(root / "h264.mp4", 2, 90.0, 91.0)
    with pytest.raises(ValueError, match="count"):
        kept.frames(root / "h264.mp4", 0)
    assert kept.usage().entries == 0
    put_picture(root / "missing.jpg")
    check(kept.image(root / "missing.jpg"), image(root / "missing.jpg"))


def test_a_source_travels_by_pickle_and_counts_anew(root, kept, no_decoder, monkeypatch):
    for _ in range(3):
        wanted = READS["picture"](CachedFiles(root, kept))
    kept._store.taking = False
    source = pickle.loads(pickle.dumps(CachedFiles(root, kept)))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    source.image(Media("frame", "image", "1.jpg"), (40, 30))
    no_decoder()
    check(READS["picture"](source), wanted)
    usage = source._reader.usage()
    assert (usage.hits, usage.misses, usage.entries) == (1, 1, 2)


def test_arguments_out_of_range_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="limit"):
        MediaCache(tmp_path, 0)
    with pytest.raises(OSError):
        MediaCache(tmp_path / "file", 1)
