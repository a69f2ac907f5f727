"""CREMA-D: labels out of file names, two conventions of splits, broken clips."""

from pathlib import Path

import pytest
from miniatures import cremad

from crabplus.datasets import DatasetError, get_dataset
from crabplus.datasets.cremad import fold_of
from crabplus.schema import LabelAnswer


def test_lists_become_samples(tmp_path: Path) -> None:
    cremad.make(tmp_path)
    dataset = get_dataset("cremad")
    anger, short, broken, fear = dataset.read(tmp_path, "train")
    assert (anger.id, anger.answer) == ("1001_IEO_ANG_HI", LabelAnswer("anger"))
    video, sound = anger.media
    assert (video.path, video.kind, video.sound) == ("VideoFlash/1001_IEO_ANG_HI.flv", "video", "file")
    assert (sound.path, sound.kind, sound.role) == ("AudioWAV/1001_IEO_ANG_HI.wav", "audio", "sound")
    assert anger.options == ("anger", "disgust", "fear", "happy", "neutral", "sad")
    assert anger.meta == {"actor": "1001", "sentence": "IEO", "level": "HI"}
    assert (short.id, fear.answer) == ("1040_ITH_SAD_XX", LabelAnswer("fear"))
    assert broken.meta["flaw"] == "broken or of a wrong length"
    assert dataset.notes == [
        "2 clips that are broken or misnamed: kept, 1040_ITH_SAD_XX, 1064_TIE_SAD_XX",
        "1 rows that stand twice: each read once",
    ]
    assert dataset.splits == {"train": 6698, "test": 744}


def test_lists_where_the_repository_has_them(tmp_path: Path) -> None:
    (tmp_path / "data" / "CREMAD").mkdir(parents=True)
    cremad.make(tmp_path / "data" / "CREMAD")
    assert [s.id for s in get_dataset("cremad").read(tmp_path, "test")] == ["1001_TAI_NEU_XX", "1019_DFA_HAP_XX"]


def test_folds_keep_actors_apart(tmp_path: Path) -> None:
    cremad.make(tmp_path)
    tested = {}
    for fold in "12345":
        dataset = get_dataset("cremad", fold=fold)
        test, train = (list(dataset.read(tmp_path, split)) for split in ("test", "train"))
        assert not {s.meta["actor"] for s in test} & {s.meta["actor"] for s in train}
        assert len(test) + len(train) == 8 and all(s.meta["fold"] == int(fold) for s in test + train)
        assert sum(dataset.splits.values()) == 7437
        tested[fold] = [s.meta["actor"] for s in test]
    assert tested == {
        "1": ["1001", "1018"], "2": ["1019"], "3": ["1054"], "4": ["1055", "1072"], "5": ["1073", "1091"]
    }  # fmt: skip
    assert [sum(fold_of(actor) == fold for actor in range(1001, 1092)) for fold in "12345"] == [18, 18, 18, 18, 19]


def test_folds_lack_what_is_broken_or_misnamed(tmp_path: Path) -> None:
    cremad.make(tmp_path)
    dataset = get_dataset("cremad", fold="4")
    list(dataset.read(tmp_path, "test"))
    assert dataset.notes == ["1 clips that are broken or misnamed: left out, 1064_IEO_DIS_MD"]
    list(dataset.read(tmp_path, "train"))
    assert dataset.notes == [
        "3 clips that are broken or misnamed: left out, 1040_ITH_SAD_XX, 1040_ITH_SAD_XX, 1076_MTI_NEU_XX"
    ]


def test_converted_videos_and_the_misnamed_sound_are_found(tmp_path: Path) -> None:
    cremad.make(tmp_path)
    for name in ("mp4/1040_ITH_SAD_XX.mp4", "AudioWAV/1040_ITH_SAD_X.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    anger, sad, *_ = get_dataset("cremad", folder="mp4").read(tmp_path, "train")
    assert [item.path for item in sad.media] == ["mp4/1040_ITH_SAD_XX.mp4", "AudioWAV/1040_ITH_SAD_X.wav"]
    assert anger.media[0].path == "mp4/1001_IEO_ANG_HI.flv"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1001_IEO_ANG_HI,SAD", "line 2: a name of CREMA-D and its emotion wanted, got 1001_IEO_ANG_HI, SAD"),
        ("1092_IEO_ANG_HI,ANG", "line 2: a name of CREMA-D"),
        ("1000_IEO_ANG_HI,ANG", "line 2: a name of CREMA-D"),
        ("1001_XYZ_ANG_HI,ANG", "line 2: a name of CREMA-D"),
        ("1001_IEO_JOY_HI,JOY", "line 2: a name of CREMA-D"),
        ("1001_IEO_ANG_HI", "line 2: 2 fields wanted, got 1"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "test.csv").write_text(f"1001_TAI_NEU_XX,NEU\n{row}\n")
    with pytest.raises(DatasetError, match=f"test.csv, {message}"):
        list(get_dataset("cremad").read(tmp_path, "test"))


def test_a_table_without_its_column(tmp_path: Path) -> None:
    (tmp_path / "SentenceFilenames.csv").write_text('"Stimulus_Number","File"\n')
    with pytest.raises(DatasetError, match="no column Filename among Stimulus_Number, File"):
        list(get_dataset("cremad", fold="1").read(tmp_path, "test"))
