"""The endpoint under many clients for minutes: throughput against one at a time, errors, memory.

Clients ask about Tidepool clips of all nineteen keys that are not too long, each the next as soon as it has an answer;
who is told to come again waits a moment. Server and clients are processes of their own.
Results go to ``benchmarks/results/serve.json``.
Run: python benchmarks/serve.py [--clients 50] [--seconds 120] [--batch 8]
"""

import argparse
import asyncio
import base64
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil
import torch
import transformers
from machine import processor

from crabplus.tidepool.build import build
from crabplus.tidepool.keys import KEYS

RESULTS = Path(__file__).parent / "results" / "serve.json"
SEED, EACH = 3000, 4
LONGEST = 10.5  # seconds: the server refuses longer clips, as some of unav are
KINDS = {"video": "video/mp4", "image": "image/jpeg", "audio": "audio/wav"}
TAKES_QUESTION = ("avqa", "avqa_thu", "ref_avs")


def bodies(folder: Path) -> list[dict[str, Any]]:
    """Requests about clips, as a client would send them."""
    made = []
    for sample in build(folder, tuple(KEYS), "test", EACH, SEED):
        if any((item.duration or 0) > LONGEST for item in sample.media):
            continue
        shown = sorted(sample.media, key=lambda item: item.role != "given")
        parts = [_part(folder, item) for item in shown]
        if sample.task in TAKES_QUESTION:
            parts.append({"type": "text", "text": sample.question})
        labels = {"labels": list(sample.options)} if sample.task == "avqa_thu" else {}
        messages = [{"role": "user", "content": parts}]
        made.append({"model": "tiny", "messages": messages, "task": sample.task, **labels})
    return made


def _part(folder: Path, item: Any) -> dict[str, Any]:
    data = base64.b64encode((folder / item.path).read_bytes()).decode()
    return {"type": f"{item.kind}_url", f"{item.kind}_url": {"url": f"data:{KINDS[item.kind]};base64,{data}"}}


async def load(url: str, asked: list[dict[str, Any]], clients: int, seconds: float, memory: Any) -> dict[str, Any]:
    """Let clients ask for some time."""
    statuses: Counter[str] = Counter()
    took: list[float] = []
    rss: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int, client: httpx.AsyncClient) -> None:
        turn = number
        while time.perf_counter() < end:
            began = time.perf_counter()
            said = await client.post(f"{url}/chat/completions", json=asked[turn % len(asked)])
            statuses[str(said.status_code)] += 1
            if said.status_code == 200:
                took.append(time.perf_counter() - began)
            else:
                await asyncio.sleep(1)
            turn += clients

    async def watch() -> None:
        while time.perf_counter() < end:
            rss.append(memory() / 2**30)
            await asyncio.sleep(1)

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=600, limits=limits) as client:
        began = time.perf_counter()
        await asyncio.gather(watch(), *(one(number, client) for number in range(clients)))
        passed = time.perf_counter() - began
    took.sort()
    return {
        "clients": clients, "seconds": round(passed, 1), "statuses": dict(statuses),
        "answers_per_second": round(len(took) / passed, 3), "median_seconds": round(took[len(took) // 2], 2),
        "p95_seconds": round(took[int(len(took) * 0.95)], 2),
        "memory_gib": [round(rss[0], 3), round(rss[len(rss) // 2], 3), round(rss[-1], 3), round(max(rss), 3)],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--batch", type=int, default=8)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked = bodies(Path(folder))
        command = [sys.executable, "-m", "crabplus", "serve", "--port", "0", "--batch-size", str(chosen.batch)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
        try:
            assert server.stdout
            url = re.search(r"http\S+", server.stdout.readline())[0]  # type: ignore[index]
            memory = psutil.Process(server.pid).memory_info
            alone = asyncio.run(load(url, asked, 1, chosen.seconds / 2, lambda: memory().rss))
            many = asyncio.run(load(url, asked, chosen.clients, chosen.seconds, lambda: memory().rss))
        finally:
            server.terminate()
            server.wait(60)
    results = {
        "command": f"python benchmarks/serve.py --clients {chosen.clients} --seconds {chosen.seconds:g} --batch "
                   f"{chosen.batch}",
        "machine": processor(), "cores": os.cpu_count(), "python": platform.python_version(),
        "torch": torch.__version__, "transformers": transformers.__version__, "one_at_a_time": alone, "many": many,
        "throughput_ratio": round(many["answers_per_second"] / alone["answers_per_second"], 2),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
