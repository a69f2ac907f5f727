"""The worker process: ended when it hangs, replaced when it dies, shared by threads, left behind by nobody."""

import os
import pickle
import signal
import sys
import threading
import time

import numpy as np
import pytest

from crabplus.media import Decoder, MediaError, decode, probe

# A worker that sleeps on a file named hang, dies on one named crash, and breaks on one named bug.
UNRULY = """
import os, time
from crabplus.media import operations, worker
read = operations.OPERATIONS["probe"]
def unruly(path):
    if "hang" in path:
        time.sleep(3600)
    if "crash" in path:
        os.kill(os.getpid(), 9) if hasattr(os, "fork") else os._exit(3)
    if "bug" in path:
        raise TypeError("of our own making")
    return read(path)
operations.OPERATIONS["probe"] = unruly
worker.main()
"""


@pytest.fixture
def unruly(monkeypatch):
    monkeypatch.setattr(decode, "COMMAND", [sys.executable, "-P", "-c", UNRULY])
    with Decoder() as decoder:
        yield decoder


def gone(pid, within=60):
    """Whether a process ends; one of another parent, or a reaped one, has no entry any more."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_hang_is_ended_and_the_next_file_works(unruly, clip):
    assert unruly.probe(clip("sound.wav")).kind == "audio"
    worker = unruly._worker.process
    unruly.timeout = 1.0
    start = time.monotonic()
    with pytest.raises(MediaError, match="hang.mp4: took longer than 1 s; .*longer timeout") as caught:
        unruly.probe("hang.mp4")
    assert 0.9 < time.monotonic() - start < 20
    assert caught.value.path == "hang.mp4"
    assert worker.returncode is not None  # ended and reaped
    unruly.timeout = 60.0
    assert unruly.probe(clip("sound.wav")).kind == "audio"


def test_a_crash_is_an_error_of_the_file(unruly, clip):
    with pytest.raises(MediaError, match="crash.mp4: crashed the decoder"):
        unruly.probe("crash.mp4")
    assert unruly.probe(clip("sound.wav")).kind == "audio"


def test_an_error_of_our_own_is_not_blamed_on_the_file(unruly, clip):
    with pytest.raises(RuntimeError, match="of our own making"):
        unruly.probe("bug.mp4")
    pid = unruly._worker.process.pid
    assert unruly.probe(clip("sound.wav")).kind == "audio"
    assert unruly._worker.process.pid == pid


def test_a_worker_killed_in_between_is_replaced(clip):
    with Decoder() as decoder:
        decoder.probe(clip("sound.wav"))
        first = decoder._worker.process
        first.kill()
        assert decoder.probe(clip("sound.wav")).kind == "audio"
        assert decoder._worker.process.pid != first.pid


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal")
def test_a_stopped_worker_is_ended(clip):
    with Decoder() as decoder:
        decoder.probe(clip("sound.wav"))
        os.kill(decoder._worker.process.pid, signal.SIGSTOP)
        decoder.timeout = 0.5
        with pytest.raises(MediaError, match="took longer"):
            decoder.probe(clip("sound.wav"))


def test_an_interrupt_leaves_nothing_half_read(clip, monkeypatch):
    with Decoder() as decoder:
        decoder.probe(clip("sound.wav"))

        def interrupt(stream):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(decode, "receive", interrupt)
            decoder.probe(clip("h264.mp4"))
        assert decoder.probe(clip("sound.wav")).kind == "audio"


def test_a_worker_that_cannot_start_says_so(monkeypatch, clip):
    monkeypatch.setattr(decode, "COMMAND", [sys.executable, "-c", "raise SystemExit(3)"])
    with Decoder() as decoder, pytest.raises(RuntimeError, match="did not start .exit code 3"):
        decoder.probe(clip("sound.wav"))


def test_threads_share_one_worker(clip):
    names = ["h264.mp4", "sound.wav", "vp8.webm", "sound.flac"]
    with Decoder() as decoder:
        alone = {name: decoder.waveform(clip(name), 0.5, 2.0) for name in names}
        wrong = []

        def read(name):
            for _ in range(5):
                if not np.array_equal(decoder.waveform(clip(name), 0.5, 2.0), alone[name]):
                    wrong.append(name)

        threads = [threading.Thread(target=read, args=(name,)) for name in names * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert not wrong and not any(thread.is_alive() for thread in threads)


def test_a_decoder_travels_and_ends_with_its_owner(clip):
    decoder = pickle.loads(pickle.dumps(Decoder(timeout=7.0)))
    assert decoder.timeout == 7.0
    decoder.probe(clip("sound.wav"))
    worker = decoder._worker.process
    del decoder
    assert worker.returncode is not None
    with pytest.raises(ValueError, match="timeout"):
        Decoder(timeout=0)


def test_arrays_can_be_written_to(clip):
    with Decoder() as decoder:
        for array in (decoder.frames(clip("silent.mp4"), 2).images, decoder.waveform(clip("sound.wav"), 0, 1)):
            array[...] = 0


def test_a_call_costs_little(clip):
    """What is already known comes back at the cost of the pipes alone."""
    path = clip("sound.wav")
    probe(path)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        probe(path)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.002


@pytest.mark.slow
def test_imports_are_light(script):
    """The package imports no decoder, and the worker nothing heavier than numpy, av and cv2."""
    text = """
import sys
import crabplus.media
heavy = {"av", "cv2", "torch", "transformers", "pydantic", "PIL", "multiprocessing"}
print(sorted(heavy & set(sys.modules)))
import crabplus.media.worker, crabplus.media.operations
print(sorted((heavy - {"av", "cv2"}) & set(sys.modules) - {"multiprocessing"}))
"""
    assert script(text).split() == ["[]", "[]"]


LEAVING = """
import os, sys
import crabplus.media as media
media.probe(sys.argv[1])
print(media.default_decoder()._worker.process.pid)
sys.stdout.flush()
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="processes are looked up by signal")
@pytest.mark.parametrize("how", ["normally", "killed"])
def test_no_worker_outlives_its_owner(how, clip, script):
    assert gone(int(script(LEAVING, str(clip("sound.wav")), how, status=(0, -9))))


@pytest.mark.slow
def test_in_daemonic_processes(clip, script):
    text = """
import multiprocessing, sys
from crabplus import media

def work(path, queue):
    queue.put((multiprocessing.current_process().daemon, media.probe(path).kind, len(media.waveform(path, 0, 1))))

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=work, args=(sys.argv[1], queue), daemon=True)
    process.start()
    print(queue.get(timeout=200))
    process.join(60)
    print(process.exitcode)
"""
    assert script(text, str(clip("sound.wav"))).splitlines() == ["(True, 'audio', 16000)", "0"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork(clip, script):
    text = """
import os, signal, sys
from crabplus import media
path = sys.argv[1]
def read():
    return [media.waveform(path, 0, 1).sum().item() for _ in range(20)], media.default_decoder()._worker.process.pid
first, mine = read()
lock = media.default_decoder()._lock
lock.acquire()  # as a thread that is in the middle of a call
child = os.fork()
if not child:
    signal.alarm(200)
    sums, pid = read()
    os._exit(0 if sums == first and pid != mine else 1)
lock.release()
sums, pid = read()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), sums == first, pid == mine)
"""
    assert script(text, str(clip("h264.mp4"))).split() == ["0", "True", "True"]
