"""Painting the scenes of the picture book: flat shapes, few colours, smooth edges.

Each thing is painted in its colour, a darker shade of it and cream, so that its colour can be
recognised wherever it stands. Shapes are given in a box from -1 to 1, y downwards.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from attnscope.demo.book import Background, Colour, Kind, Scene, Thing

RGB = tuple[int, int, int]
Point = tuple[float, float]

CREAM: RGB = (253, 246, 228)
PALETTE: dict[Colour, RGB] = {
    "red": (214, 56, 48),
    "orange": (242, 140, 38),
    "yellow": (250, 208, 66),
    "green": (46, 142, 88),
    "blue": (50, 112, 204),
    "purple": (132, 76, 176),
    "pink": (244, 146, 178),
    "brown": (130, 84, 54),
}
# The main colour of each background, then the further ones painted on it.
GROUNDS: dict[Background, tuple[RGB, ...]] = {
    "paper": ((246, 238, 220),),
    "night": ((36, 44, 88), (28, 34, 70)),
    "meadow": ((216, 234, 238), (202, 220, 172), (184, 208, 150)),
}
_OVERSAMPLING = 4


def shade(colour: RGB, factor: float = 0.72) -> RGB:
    """Return a darker shade of a colour."""
    red, green, blue = (round(channel * factor) for channel in colour)
    return (red, green, blue)


def tint(colour: RGB, amount: float = 0.45) -> RGB:
    """Return a colour mixed with an amount (0 to 1) of cream."""
    red, green, blue = (
        round(channel + (cream - channel) * amount) for channel, cream in zip(colour, CREAM, strict=True)
    )
    return (red, green, blue)


def draw(scene: Scene, pixels: int = 128) -> NDArray[np.uint8]:
    """Paint a scene.

    Parameters
    ----------
    scene
        What to paint.
    pixels
        Side of the picture.

    Returns
    -------
    array of uint8, (height, width, rgb)
    """
    side = pixels * _OVERSAMPLING
    image = Image.new("RGB", (side, side), GROUNDS[scene.background][0])
    canvas = ImageDraw.Draw(image)
    _BACKGROUND_PAINTERS[scene.background](canvas, side)
    for thing in scene.things:
        _PAINTERS[thing.kind](_Brush(canvas, thing, side))
    return np.asarray(image.resize((pixels, pixels), Image.Resampling.BOX))


class _Brush:
    """Paints shapes given in the box of one thing onto the canvas."""

    def __init__(self, canvas: ImageDraw.ImageDraw, thing: Thing, side: int) -> None:
        self.canvas = canvas
        self.centre = (thing.x * side, thing.y * side)
        self.scale = thing.size * side / 2
        self.colour = PALETTE[thing.colour]
        self.shade = shade(self.colour)
        self.tint = tint(self.colour)

    def at(self, point: Point) -> Point:
        return (
            self.centre[0] + point[0] * self.scale,
            self.centre[1] + point[1] * self.scale,
        )

    def polygon(self, points: list[Point], fill: RGB) -> None:
        self.canvas.polygon([self.at(point) for point in points], fill=fill)

    def ellipse(self, centre: Point, radii: Point, fill: RGB) -> None:
        (x, y), (rx, ry) = centre, radii
        self.canvas.ellipse([self.at((x - rx, y - ry)), self.at((x + rx, y + ry))], fill=fill)

    def box(self, corner: Point, opposite: Point, fill: RGB, radius: float = 0.0) -> None:
        self.canvas.rounded_rectangle([self.at(corner), self.at(opposite)], radius * self.scale, fill=fill)


def _circle(brush: _Brush) -> None:
    brush.ellipse((0, 0), (0.92, 0.92), brush.colour)


def _square(brush: _Brush) -> None:
    brush.box((-0.86, -0.86), (0.86, 0.86), brush.colour, radius=0.08)


def _triangle(brush: _Brush) -> None:
    brush.polygon([(0, -0.92), (1, 0.84), (-1, 0.84)], brush.colour)


def _star(brush: _Brush) -> None:
    points = []
    for corner in range(10):
        radius = (1.0, 0.46)[corner % 2]
        angle = math.pi * corner / 5
        points.append((radius * math.sin(angle), 0.06 - radius * math.cos(angle)))
    brush.polygon(points, brush.colour)


def _heart(brush: _Brush) -> None:
    points = []
    for i in range(60):
        t = 2 * math.pi * i / 60
        across = math.sin(t) ** 3
        down = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((0.98 * across, -down / 16.0 - 0.1))
    brush.polygon(points, brush.colour)


def _house(brush: _Brush) -> None:
    brush.box((0.38, -0.92), (0.62, -0.2), brush.shade)
    brush.box((-0.74, -0.2), (0.74, 0.92), brush.colour)
    brush.polygon([(-1, -0.12), (0, -0.94), (1, -0.12)], brush.shade)
    brush.box((-0.5, 0.14), (-0.06, 0.54), CREAM)
    brush.box((0.2, 0.22), (0.56, 0.92), CREAM)


def _tree(brush: _Brush) -> None:
    brush.box((-0.16, 0.3), (0.16, 0.98), brush.shade)
    brush.ellipse((0, -0.5), (0.56, 0.48), brush.colour)
    brush.ellipse((-0.42, 0.02), (0.5, 0.46), brush.colour)
    brush.ellipse((0.42, 0.02), (0.5, 0.46), brush.colour)


def _sailboat(brush: _Brush) -> None:
    brush.box((-0.07, -0.96), (0.03, 0.5), brush.shade)
    brush.polygon([(0.06, -0.94), (0.06, 0.3), (0.88, 0.3)], brush.colour)
    brush.polygon([(-0.12, -0.7), (-0.12, 0.3), (-0.72, 0.3)], brush.colour)
    brush.polygon([(-0.98, 0.42), (0.98, 0.42), (0.62, 0.92), (-0.62, 0.92)], brush.shade)


def _mushroom(brush: _Brush) -> None:
    brush.box((-0.3, -0.1), (0.3, 0.94), brush.tint, radius=0.2)
    head = [brush.at((-0.98, -0.92)), brush.at((0.98, 1.0))]
    brush.canvas.pieslice(head, 180, 360, fill=brush.colour)
    for centre, radius in (((-0.5, -0.26), 0.17), ((0.02, -0.54), 0.2), ((0.52, -0.24), 0.16)):
        brush.ellipse(centre, (radius, radius), CREAM)


def _fish(brush: _Brush) -> None:
    brush.polygon([(0.4, 0), (1, -0.56), (0.86, 0), (1, 0.56)], brush.shade)
    brush.polygon([(-0.3, -0.4), (0.1, -0.78), (0.36, -0.3)], brush.shade)
    brush.ellipse((-0.2, 0), (0.78, 0.54), brush.colour)
    brush.ellipse((-0.6, -0.1), (0.15, 0.15), CREAM)


def _paint_paper(canvas: ImageDraw.ImageDraw, side: int) -> None:
    """Leave the page as it is."""


def _paint_night(canvas: ImageDraw.ImageDraw, side: int) -> None:
    """Paint small stars, at the same places on every page, and a dark hill."""
    rng = random.Random(5)
    for column in range(4):
        for row in range(3):
            x = (column + rng.uniform(0.15, 0.85)) / 4 * side
            y = (row + rng.uniform(0.15, 0.85)) / 4 * side
            radius = side * rng.choice((0.010, 0.014))
            canvas.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(214, 206, 176))
    _hill(canvas, side, GROUNDS["night"][1], 0.84, 0.05, 1.1)


def _paint_meadow(canvas: ImageDraw.ImageDraw, side: int) -> None:
    """Paint two hills under a pale sky."""
    _hill(canvas, side, GROUNDS["meadow"][1], 0.62, 0.05, 0.4)
    _hill(canvas, side, GROUNDS["meadow"][2], 0.82, 0.04, 2.9)


def _hill(canvas: ImageDraw.ImageDraw, side: int, fill: RGB, top: float, swing: float, phase: float) -> None:
    """Paint everything under a wave; top and swing are parts of the side."""
    line = [(x * side / 32, side * (top + swing * math.sin(x / 32 * 4.2 + phase))) for x in range(33)]
    canvas.polygon([*line, (side, side), (0, side)], fill=fill)


_BACKGROUND_PAINTERS: dict[Background, Callable[[ImageDraw.ImageDraw, int], None]] = {
    "paper": _paint_paper,
    "night": _paint_night,
    "meadow": _paint_meadow,
}
_PAINTERS: dict[Kind, Callable[[_Brush], None]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "house": _house,
    "tree": _tree,
    "sailboat": _sailboat,
    "mushroom": _mushroom,
    "fish": _fish,
}
