"""Faces: a head whose mouth and brows show a mood. What the face is made of is drawn; what it means is asked."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MOUTHS = ("up", "down", "open", "flat", "skewed", "hidden")
BROWS = ("level", "high", "knit", "slanted")
DRAWN = 192  # pixels of the square in which a head is drawn
INK = (34, 26, 30)
FOAM = (236, 242, 244)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """What a face shows; a mouth that is ``hidden`` lies behind foam."""

    mouth: str
    brows: str


def head(face: Face, colour: tuple[int, int, int], pattern: NDArray[np.float32]) -> NDArray[np.float32]:
    """Picture of a head: (DRAWN, DRAWN, 4) float32, RGB in 0..255 multiplied by alpha, alpha in 0..1.

    Args:
        face: mouth and brows; colour: of the skin; pattern: (DRAWN, DRAWN) brightness of the skin, 0..1.
    """
    alpha = np.zeros((DRAWN, DRAWN), np.uint8)
    cv2.ellipse(alpha, (96, 100), (82, 88), 0, 0, 360, 255, -1, cv2.LINE_AA)
    rim = cv2.erode(alpha, np.ones((9, 9), np.uint8))
    skin = np.array(colour, np.float32) * pattern[..., None] * (0.4 + 0.6 * rim[..., None].astype(np.float32) / 255)
    canvas = np.ascontiguousarray(skin.clip(0, 255).astype(np.uint8))
    for x in (62, 130):
        cv2.ellipse(canvas, (x, 88), (17, 19), 0, 0, 360, (248, 248, 248), -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, 90), 9, INK, -1, cv2.LINE_AA)
    _brows(canvas, face.brows)
    _mouth(canvas, face.mouth)
    solid = alpha[..., None].astype(np.float32) / 255
    return np.concatenate([canvas.astype(np.float32) * solid, solid], axis=2)


def _brows(canvas: Image, brows: str) -> None:
    outer, inner = {"level": (58, 58), "high": (34, 34), "knit": (46, 70), "slanted": (68, 44)}[brows]
    for side in (-1, 1):
        cv2.line(canvas, (96 + side * 58, outer), (96 + side * 16, inner), INK, 9, cv2.LINE_AA)


def _mouth(canvas: Image, mouth: str) -> None:
    if mouth == "up":
        cv2.ellipse(canvas, (96, 122), (40, 30), 0, 10, 170, INK, 9, cv2.LINE_AA)
    elif mouth == "down":
        cv2.ellipse(canvas, (96, 166), (40, 30), 0, 190, 350, INK, 9, cv2.LINE_AA)
    elif mouth == "open":
        cv2.ellipse(canvas, (96, 144), (22, 26), 0, 0, 360, INK, -1, cv2.LINE_AA)
    elif mouth == "flat":
        cv2.line(canvas, (60, 144), (132, 144), INK, 9, cv2.LINE_AA)
    elif mouth == "skewed":
        cv2.line(canvas, (58, 160), (134, 128), INK, 9, cv2.LINE_AA)
    else:
        for x, y in ((58, 148), (84, 140), (110, 142), (134, 150), (72, 164), (100, 164), (122, 166)):
            cv2.circle(canvas, (x, y), 17, FOAM, -1, cv2.LINE_AA)
            cv2.circle(canvas, (x, y), 17, (150, 170, 178), 2, cv2.LINE_AA)
