"""What several datasets share: folders of one's own choice, and clips that have to sound."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from miniatures import mafw, ucf101

from crabplus.datasets import DatasetError, get_dataset


def heard(path: Path) -> None:
    """A tenth of a second of sound; the ending of its name does not matter to who reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.full(1600, 1000, "<i2").tobytes())


def silent(path: Path) -> None:
    """Two pictures without sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=8, width=64, height=48)
        for _ in range(2):
            file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        file.mux(video.encode())


def test_clips_without_sound_are_left_out_if_looked_for(tmp_path: Path) -> None:
    mafw.make(tmp_path)
    heard(tmp_path / "clips" / "00025.mp4")
    silent(tmp_path / "clips" / "10337.mp4")
    assert [s.id for s in get_dataset("mafw").read(tmp_path, "train")] == ["00025", "10337"]
    dataset = get_dataset("mafw", sound="probed")
    assert [s.id for s in dataset.read(tmp_path, "train")] == ["00025"]
    assert "1 clips without a sound track: left out" in dataset.notes


def test_a_clip_that_cannot_be_read_is_not_called_silent(tmp_path: Path) -> None:
    ucf101.make(tmp_path)
    heard(tmp_path / "UCF-101" / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g08_c01.avi")
    silent(tmp_path / "UCF-101" / "Archery" / "v_Archery_g09_c02.avi")
    dataset = get_dataset("ucf", sound="probed")
    names = [s.id for s in dataset.read(tmp_path, "train")]
    assert names == ["v_ApplyEyeMakeup_g08_c01", "v_HandStandPushups_g25_c07"]
    assert dataset.notes[-2:] == [
        "1 clips without a sound track: left out",
        "1 clips that are missing or cannot be read, so that nothing tells whether they sound: kept",
    ]


@pytest.mark.parametrize("folder", ["", "/srv/clips", "../clips"])
def test_a_folder_lies_below_the_root(folder: str) -> None:
    with pytest.raises(DatasetError, match="folder is one of clips, any folder below the root, not"):
        get_dataset("mafw", folder=folder)
    assert get_dataset("mafw", folder="a/b/").chosen["folder"] == "a/b"
