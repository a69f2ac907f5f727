"""Still images: upright, RGB, eight bits, without transparency."""

import struct

import cv2
import numpy as np
import pytest

from crabplus.media import MediaError, Probe, frames, image, make_media, probe, waveform

PICTURE = np.zeros((6, 8, 3), np.uint8)
PICTURE[:3, :4] = (250, 10, 10)
PICTURE[3:, 4:] = (10, 10, 250)


def write(path, picture, *options):
    """Writes RGB, RGBA or grey."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(path.suffix, picture, options)
    assert done
    path.write_bytes(data.tobytes())
    return path


def test_png(tmp_path):
    path = write(tmp_path / "a.png", PICTURE)
    assert np.array_equal(image(path), PICTURE)
    assert probe(path) == Probe("image", None, None, (8, 6), False, True)
    media = make_media(path, "frame")
    assert (media.kind, media.sound, media.size, media.duration) == ("image", "none", (8, 6), None)


def test_a_png_named_jpg_is_fine(tmp_path):
    path = write(tmp_path / "a.png", PICTURE)
    assert np.array_equal(image(path.rename(tmp_path / "a.jpg")), PICTURE)


def test_jpg(tmp_path):
    big = cv2.resize(PICTURE, (80, 60), interpolation=cv2.INTER_NEAREST)
    found = image(write(tmp_path / "a.jpg", big)).astype(int)
    assert np.abs(found[10, 10] - (250, 10, 10)).max() < 12
    assert np.abs(found[50, 70] - (10, 10, 250)).max() < 12


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (3, lambda a: np.rot90(a, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (8, lambda a: np.rot90(a)),
        (2, lambda a: a[:, ::-1]),
    ],
)
def test_exif_orientation(orientation, upright, tmp_path):
    big = cv2.resize(PICTURE, (80, 48), interpolation=cv2.INTER_NEAREST)
    path = write(tmp_path / "a.jpg", big)
    plain, data = image(path), path.read_bytes()
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    assert np.array_equal(image(path), upright(plain))
    assert probe(path).size == upright(plain).shape[1::-1]


def test_transparency_is_put_on_white(tmp_path):
    alpha = np.dstack([PICTURE, np.full((6, 8), 255, np.uint8)])
    alpha[:, :2, 3], alpha[:, 2:4, 3] = 0, 128
    found = image(write(tmp_path / "a.png", alpha))
    assert (found[:, :2] == 255).all()
    assert np.abs(found[0, 2].astype(int) - (252, 132, 132)).max() <= 1
    assert np.array_equal(found[:, 4:], PICTURE[:, 4:])


def test_grey_and_sixteen_bits(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert np.array_equal(image(write(tmp_path / "a.png", grey)), np.dstack([grey] * 3))
    assert np.array_equal(image(write(tmp_path / "b.png", grey.astype(np.uint16) * 257)), np.dstack([grey] * 3))
    assert np.array_equal(image(write(tmp_path / "c.png", PICTURE.astype(np.uint16) * 257)), PICTURE)
    assert image(write(tmp_path / "d.jpg", grey)).shape == (6, 8, 3)


def test_resizing(tmp_path):
    path = write(tmp_path / "a.png", PICTURE)
    assert np.array_equal(image(path, size=(4, 3)), cv2.resize(PICTURE, (4, 3), interpolation=cv2.INTER_AREA))


def test_kinds_are_not_mixed(tmp_path, clip):
    path = write(tmp_path / "a.png", PICTURE)
    with pytest.raises(MediaError, match="still image"):
        frames(path, 1)
    with pytest.raises(MediaError, match="no sound track"):
        waveform(path)
    with pytest.raises(MediaError, match="no still picture"):
        image(clip("h264.mp4"))


@pytest.mark.parametrize("name", ["a.jpg", "progressive.jpg", "a.png"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_cut_short(name, share, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1) if name.startswith("progressive") else ()
    path = write(tmp_path / name, noise, *options)
    assert image(path).shape == (64, 64, 3)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaError, match=name):
        image(path)
    with pytest.raises(MediaError, match=name):
        probe(path)


def test_png_with_a_wrong_byte(tmp_path):
    path = write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(MediaError, match="checksum"):
        image(path)
