"""What a benchmark says of the machine that it ran on."""

import platform
from pathlib import Path


def processor() -> str:
    """What the processor calls itself, and how many cores there are."""
    info = Path("/proc/cpuinfo")
    names = [text for text in info.read_text().splitlines() if "model name" in text] if info.exists() else []
    return f"{names[0].partition(': ')[2] if names else platform.machine()}, {len(names) or '?'} cores"
