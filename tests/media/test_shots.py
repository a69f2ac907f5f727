"""Hard cuts of videos."""

import numpy as np
import pytest

from crabplus.media import MediaError, cuts
from crabplus.media.shots import _sudden
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import write_clip


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of ten seconds."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_clip(path, *(ask("ave", "test", number, 3).scene for number in range(3)))
    return path


def test_cuts_are_where_scenes_change(film):
    assert cuts(film) == pytest.approx([10, 20], abs=0.2)
    assert cuts(film, 9, 15) == pytest.approx([10], abs=0.2) and cuts(film, 11, 19) == []
    assert cuts(film, 10, 20) == pytest.approx([10], abs=0.2)  # seen although the window begins with it


def test_one_scene_has_none(clip):
    assert cuts(clip("vfr.mp4"), 0, 0.1) == []


def test_what_moves_all_the_time_is_no_cut():
    rng = np.random.default_rng(0)
    restless = rng.uniform(20, 30, 50)
    assert not any(_sudden(restless)) and not any(_sudden(np.full(50, 5.0))) and _sudden(np.array([])) == []
    calm = rng.uniform(0, 2, 50)
    calm[20] = 30.0
    assert [n for n, cut in enumerate(_sudden(calm)) if cut] == [20]


def test_sound_and_pictures_have_none(clip):
    with pytest.raises(MediaError, match="no moving pictures"):
        cuts(clip("plain.mp3"))
