"""What every committed file keeps to."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Written so that no pattern matches itself.
FORBIDDEN = {
    "an address of a package registry": rb"py[p]i\.org|pythonh[o]sted\.|npm[j]s\.|pytorch\.org/w[h]l|"
    rb"anaconda\.[o]rg|index-url[ =]+https?[:]//|find-links[ =]+https?[:]//",
    "an absolute path of a machine": rb"(?<![\w.$}~/-])/(?:work/(?:main|shared)|r[o]ot/|h[o]me/\w|Us[e]rs/\w|tm[p]/\w)|"
    rb"\b[A-Z]:\\\\?Us[e]rs",
    "a user and password in an address": rb"https?[:]//[^/\s\"']+[:][^/\s\"']+@",
}
LARGEST = 16 * 2**20


def committed() -> list[Path]:
    """Files that are committed, or would be by ``git add``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        out = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in out.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names_a_host_or_a_machine(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode(errors='replace')}"
        for path in committed()
        if (match := pattern.search(path.read_bytes()))
    ]
    assert not found, f"{what}: {found}"


def test_no_file_is_too_large() -> None:
    assert [path for path in committed() if path.stat().st_size > LARGEST] == []


def test_constraints_are_exact_and_fit_every_platform() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    assert [line for line in lines if line.lower().startswith(("nvidia-", "cuda-", "triton"))] == []
