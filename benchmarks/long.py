"""What becomes of a long file: Tidepool clips in one file of twenty minutes, against the same clips one by one.

Event F1 at IoU 0.5 (one-to-one, same label) of key ``ave``: clip by clip; of the joined file as it is asked by default;
from its third second on, so that windows do not begin where clips do; and without looking for cuts. Then memory: a
process of its own asks files of 10 s, 20 minutes and 2 hours (the twenty minutes six times), and tells its peak and
that of its decoder. Results go to ``benchmarks/results/long.json``.
Run: python benchmarks/long.py [--clips N] [--threads N]
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import torch
import transformers
from machine import processor

from crabplus.api import CrabPlus
from crabplus.schema import Event, EventsAnswer, Reply
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip
from crabplus.tidepool.world import SECONDS

RESULTS = Path(__file__).parent / "results" / "long.json"
SEED, TIMES = 77, 6
PEAK = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[2]))
from crabplus import CrabPlus
plus = CrabPlus.from_pretrained("tiny", device="cpu")
start = time.perf_counter()
made = plus.ask(sys.argv[1], task="events")
seconds = time.perf_counter() - start
from crabplus.media.decode import default_decoder

def peak(process):  # of Linux; what getrusage says is no less than what the parent had
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20

print(peak("self"), peak(default_decoder()._worker.process.pid), seconds, len(made.windows) or 1)
"""


def f1(said: Iterable[Event], truth: Iterable[Event]) -> float:
    """Of events matched one to one, the surest first, with the true one of their label that they overlap most."""
    said, open_ = sorted(said, key=lambda event: -(event.confidence or 0)), list(truth)
    count, total = 0, len(said) + len(open_)
    for event in said:
        best = max(open_, key=lambda true: _iou(event, true), default=None)
        if best is not None and _iou(event, best) >= 0.5:
            open_.remove(best)
            count += 1
    return 2 * count / max(total, 1)


def _iou(one: Event, other: Event) -> float:
    if one.label != other.label:
        return 0.0
    common = min(one.end, other.end) - max(one.start, other.start)
    return max(common, 0.0) / (max(one.end, other.end) - min(one.start, other.start))


def events(reply: Reply) -> list[Event]:
    return list(reply.answer.events) if isinstance(reply.answer, EventsAnswer) else []


def repeat(source: Path, target: Path, times: int) -> None:
    """The file so many times over, without coding anything again."""
    with av.open(str(source)) as first, av.open(str(target), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in first.streams]
        for turn in range(times):
            with av.open(str(source)) as old:
                length = old.duration / av.time_base + 1  # a pause: sound begins before zero and ends late
                for packet in old.demux():
                    if packet.dts is None:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    new.mux(packet)


def moved(reply: Reply, seconds: float) -> list[Event]:
    return [Event(e.label, e.start + seconds, e.end + seconds, confidence=e.confidence) for e in events(reply)]


def measure_scores(plus: CrabPlus, folder: Path, clips: int) -> dict[str, Any]:
    asks = [ask("ave", "test", number, SEED) for number in range(clips)]
    for number, made in enumerate(asks):
        write_clip(folder / f"{number:04}.mp4", made.scene)
    write_clip(folder / "joined.mp4", *(made.scene for made in asks))
    truth = [
        Event(e.label, e.start + SECONDS * n, e.end + SECONDS * n)
        for n, made in enumerate(asks)
        if isinstance(made.answer, EventsAnswer)
        for e in made.answer.events
    ]
    single = plus.predict([folder / f"{number:04}.mp4" for number in range(clips)], task="events")
    apart = [event for n, reply in enumerate(single) for event in moved(reply, SECONDS * n)]
    start = time.perf_counter()
    whole = plus.ask(folder / "joined.mp4", task="events")
    seconds = time.perf_counter() - start
    late = plus.ask(folder / "joined.mp4", task="events", start=3.0)
    blind = plus.ask(folder / "joined.mp4", task="events", cuts=False)
    return {
        "clips": clips, "f1_one_by_one": round(f1(apart, truth), 4), "f1_joined": round(f1(events(whole), truth), 4),
        "f1_joined_from_3_s": round(f1(events(late), truth), 4),
        "f1_joined_without_cuts": round(f1(events(blind), truth), 4), "windows": len(whole.windows),
        "windows_without_cuts": len(blind.windows), "seconds_of_asking_per_minute": round(seconds / clips * 6, 2),
    }  # fmt: skip


def measure_memory(folder: Path, threads: int) -> list[dict[str, Any]]:
    repeat(folder / "joined.mp4", folder / "hours.mp4", TIMES)
    rows = []
    for name in ("0000.mp4", "joined.mp4", "hours.mp4"):
        command = [sys.executable, "-c", PEAK, str(folder / name), str(threads)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        own, decoder, seconds, windows = map(float, out[-4:])
        rows.append({"windows": int(windows), "peak_gib": round(own, 3), "decoder_peak_gib": round(decoder, 3),
                     "seconds": round(seconds, 1)})  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=120, help="of ten seconds")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    facts = {
        "command": f"python benchmarks/long.py --clips {options.clips} --threads {options.threads}",
        "data": f"tidepool, level standard, split test, seed {SEED}", "model": "tiny",
        "torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version(),
        "machine": processor(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        scores = measure_scores(CrabPlus.from_pretrained("tiny", device="cpu"), Path(folder), options.clips)
        made = {**facts, **scores, "memory": measure_memory(Path(folder), options.threads)}
    text = json.dumps(made, indent=1)
    print(text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
