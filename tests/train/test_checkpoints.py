"""A checkpoint that was cut short, changed or never finished is not gone on from; the one before it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crabplus.train.checkpoints import SEAL, newest, problem, seal

FILES = {"adapter_model.safetensors": bytes(range(256)) * 40, "trainer_state.json": b"{}", "deep/rng_state.pth": b"r"}


def checkpoint(folder: Path, step: int, sealed: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    for name, content in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    if sealed:
        seal(made)
    return made


def cut(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(FILES["adapter_model.safetensors"][:-1])


def flip(folder: Path) -> None:
    content = bytearray(FILES["adapter_model.safetensors"])
    content[5000] ^= 1
    (folder / "adapter_model.safetensors").write_bytes(content)


def lose(folder: Path) -> None:
    (folder / "deep/rng_state.pth").unlink()


def unseal(folder: Path) -> None:
    (folder / SEAL).unlink()


def half_seal(folder: Path) -> None:
    (folder / SEAL).write_bytes((folder / SEAL).read_bytes()[:-9])


def empty_seal(folder: Path) -> None:
    (folder / SEAL).write_text("[]")


DAMAGE = {
    cut: "has 10239 bytes of adapter_model.safetensors where 10240 were written",
    flip: "has a adapter_model.safetensors that is not what was written",
    lose: "lacks deep/rng_state.pth",
    unseal: "was not written to its end",
    half_seal: "has a damaged whole.json",
    empty_seal: "has a damaged whole.json",
}


def test_a_whole_one_is_taken(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 9)
    assert problem(made) is None and not list(made.glob("*.partial"))
    (made / "README.md").write_text("a note")  # what came later does not count
    assert newest(tmp_path) == (made, [])


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_one_is_moved_aside_and_the_one_before_it_is_taken(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    before, damaged = checkpoint(tmp_path, 90), checkpoint(tmp_path, 100)  # 100 comes behind 90
    damage(damaged)
    assert problem(damaged) == DAMAGE[damage]
    found, remarks = newest(tmp_path)
    assert found == before
    assert remarks == [f"checkpoint-100 {DAMAGE[damage]}: it was moved to damaged-100"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-90", "damaged-100"]
    assert (tmp_path / "damaged-100/trainer_state.json").is_file()
    assert newest(tmp_path) == (before, [])  # the second process finds it done


def test_several_damaged_and_none_whole(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        cut(checkpoint(tmp_path, step))
    checkpoint(tmp_path, 20, sealed=False)
    found, remarks = newest(tmp_path)
    assert found is None
    assert [remark.split()[0] for remark in remarks] == [f"checkpoint-{step}" for step in (20, 15, 10, 5)]
    flip(checkpoint(tmp_path, 20))  # a later run comes to the same step, and is damaged too
    assert newest(tmp_path)[0] is None and (tmp_path / "damaged-20" / SEAL).is_file()


def test_none_at_all(tmp_path: Path) -> None:
    assert newest(tmp_path) == (None, [])


def test_a_seal_covers_all_files_that_were_there(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 1, sealed=False)
    (made / f"{SEAL}.partial").write_text("of a run that was killed")
    seal(made)
    (made / "tally_0.json").write_text("{}")
    seal(made)  # again, with one file more
    (made / "tally_0.json").unlink()
    assert problem(made) == "lacks tally_0.json"
