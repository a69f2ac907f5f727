"""Several processes in one cache folder, and those that are killed there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from crabplus.media import waveform

SOURCE = Path(__file__).parents[2] / "src"

# Two workers read the same originals while a third damages entries under them.
TOGETHER = """
import contextlib, logging, multiprocessing, os, random, sys
from pathlib import Path
import numpy as np
from crabplus.media import cache
logging.disable()

class Fake:
    def image(self, path, size):
        return np.frombuffer(Path(path).read_bytes() * 2000, np.uint8).reshape(-1, 100, 1)

cache.default_decoder = Fake

def read(kept, folder, number):
    order = random.Random(number)
    wrong = 0
    for turn in range(100_000):
        if turn >= 1000 and turn % 100 == 0 and kept.usage().misses > 30:
            break  # on a busy machine the third process is late, and seldom has its turn
        path = Path(folder) / str(order.randrange(8))
        wrong += not np.array_equal(kept.image(path), Fake().image(path, None))
    print(wrong, kept.usage().misses, flush=True)

def spoil(kept):
    order = random.Random(0)
    while True:
        found = [path for _, _, path in kept._store.files() if path.endswith("s")]
        with contextlib.suppress(FileNotFoundError, IndexError):
            path = order.choice(found)
            data = Path(path).read_bytes()
            Path(path + "x").write_bytes(data[: order.randrange(len(data))])
            os.replace(path + "x", path)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[3])
    kept = cache.MediaCache(sys.argv[2], 10**8)
    readers = [context.Process(target=read, args=(kept, sys.argv[1], number)) for number in range(2)]
    spoiler = context.Process(target=spoil, args=(kept,), daemon=True)
    for process in (*readers, spoiler):
        process.start()
    for process in readers:
        process.join(120)
    spoiler.kill()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_processes_that_share_a_folder_never_read_anything_wrong(how, tmp_path, script, age):
    if how == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    folder = tmp_path / "originals"
    folder.mkdir()
    for number in range(8):
        (folder / str(number)).write_bytes(bytes([number] * 50))
        age(folder / str(number))
    said = script(TOGETHER, str(folder), str(tmp_path / "cache"), how).splitlines()
    wrong, misses = zip(*(map(int, line.split()) for line in said), strict=True)
    assert wrong == (0, 0)
    assert sum(misses) > 50  # entries were damaged under them, and written by both


LIMITED = """
import multiprocessing, sys
from pathlib import Path
import numpy as np
from crabplus.media import cache

class Fake:
    def image(self, path, size):
        return np.full((100, 500, 1), size[0], np.uint16)

cache.default_decoder = Fake

def fill(kept, path, number):
    for step in range(100):
        kept.image(path, (100 * number + step, 1))

if __name__ == "__main__":
    kept = cache.MediaCache(sys.argv[2], 10_000_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=fill, args=(kept, sys.argv[1], number)) for number in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(120)
    print(kept.usage().size, *(process.exitcode for process in writers))
"""


@pytest.mark.slow
def test_processes_keep_the_limit_together(root, tmp_path, script):
    size, *codes = map(int, script(LIMITED, str(root / "0.jpg"), str(tmp_path / "cache")).split())
    assert codes == [0, 0, 0]
    assert 9_500_000 < size < 10_000_000 + 3 * 101_000


STOPPED = """
import os, sys, time
from pathlib import Path
from crabplus.media.cache import MediaCache
write, replace = Path.write_bytes, os.replace

def stop():
    print("now", flush=True)
    time.sleep(600)

def half(path, data):
    if sys.argv[3] == "before its end":
        write(path, data[: len(data) // 2])
        stop()
    return write(path, data)

def never(*paths):
    if sys.argv[3] == "before its name":
        stop()
    replace(*paths)

Path.write_bytes, os.replace = half, never
MediaCache(sys.argv[2], 10**8).waveform(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a process is killed by signal")
@pytest.mark.parametrize("when", ["before its end", "before its name"])
def test_a_writer_that_is_killed_leaves_nothing_wrong(when, root, kept, tmp_path, age):
    path = root / "sound.wav"
    os.utime(path, (time.time() + 100,) * 2)  # so new that no record is written, only an entry
    writer = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(path), str(kept._store.folder), when],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    with writer:
        assert writer.stdout.readline() == b"now\n"
        writer.send_signal(signal.SIGKILL)
    (partial,) = (path for path in kept._store.folder.rglob("*") if path.is_file())
    assert partial.suffix == ".partial"
    assert np.array_equal(kept.waveform(path), waveform(path))
    assert np.array_equal(kept.waveform(path), waveform(path))
    assert kept.usage().hits == 1
    age(partial)
    assert kept.usage().entries == 1 and not partial.exists()
