"""A figure spec drawn with plotly: the same page, with the numbers under the pointer."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.colours import hexadecimal, lut
from attnscope.figures.layout import MUTED

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from attnscope.figures.spec import Bars, Box, ColourBar, FigureSpec, Line, Map, Panel, Text

__all__ = ["draw", "escape"]

#: Screen pixels a point.
_ZOOM = 4 / 3
_UNKNOWN = "not a number"
_FONT = "Inter, Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


def escape(text: str) -> str:
    """Make text that plotly shows as it is: no tags, no entities, and no LaTeX between dollar signs.

    Examples
    --------
    >>> escape("<b>$x$ & y")
    '&lt;b&gt;&#36;x&#36; &amp; y'
    """
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;")):
        text = text.replace(character, entity)
    return text


def draw(spec: FigureSpec) -> go.Figure:
    """Draw a figure.

    Parameters
    ----------
    spec
        What to draw.

    Returns
    -------
    plotly.graph_objects.Figure
        Panels as heatmaps on their native grid, with the values on hover; the caption below.
    """
    import plotly.graph_objects as go

    page = _Page(spec)
    for panel in spec.panels:
        page.panel(panel)
    for colour_bar in spec.colour_bars:
        page.colour_bar(colour_bar)
    for bars in spec.bars:
        page.bars(bars)
    for text in spec.texts:
        page.text(text)
    layout = {
        "width": round(spec.width * _ZOOM),
        "height": round(spec.height * _ZOOM),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": "white",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "color": "#1a1a1a"},
        "showlegend": False,
        "images": page.images,
        "annotations": page.annotations,
        "shapes": page.shapes,
        "meta": {"caption": spec.caption},
        **page.axes,
    }
    return go.Figure(data=page.traces, layout=layout)


class _Page:
    """Traces and layout in the making, as plotly's own JSON."""

    def __init__(self, spec: FigureSpec) -> None:
        self.spec = spec
        self.traces: list[dict[str, Any]] = []
        self.axes: dict[str, Any] = {}
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.shapes: list[dict[str, Any]] = []

    def x(self, points: float) -> float:
        return points / self.spec.width

    def y(self, points: float) -> float:
        return 1 - points / self.spec.height

    def write(self, x: float, y: float, text: str, size: float, *, bold: bool = False, **how: Any) -> None:
        if not text:
            return
        how = {"xanchor": "left", "yanchor": "bottom", "align": "left", **how}
        shown = f"<b>{escape(text)}</b>" if bold else escape(text)
        font = {"size": size * _ZOOM, "color": how.pop("color", "#1a1a1a")}
        # An annotation's box ends below its baseline.
        below = 0.32 * size if how["yanchor"] == "bottom" else 0
        where = {"x": self.x(x), "y": self.y(y + below), "xref": "paper", "yref": "paper"}
        self.annotations.append({**where, "text": shown, "font": font, "showarrow": False, "borderpad": 0, **how})

    def text(self, text: Text) -> None:
        x = text.x
        if text.rgb is not None:
            self.rectangle(x, text.y - 6, 6, 6, fillcolor=hexadecimal(text.rgb), line={"width": 0})
            x += 9
        self.write(x, text.y, text.text, text.size, bold=text.bold, color=text.colour, xanchor=text.anchor)

    def rectangle(self, x: float, y: float, width: float, height: float, *, kind: str = "rect", **how: Any) -> None:
        corners = {"x0": self.x(x), "x1": self.x(x + width), "y0": self.y(y + height), "y1": self.y(y)}
        self.shapes.append({"type": kind, "xref": "paper", "yref": "paper", **corners, **how})

    def axis(self, box: Box, x: dict[str, Any], y: dict[str, Any]) -> dict[str, str]:
        number = str(len(self.axes) // 2 + 1) if self.axes else ""
        hidden = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": True}
        across = [self.x(box.x), self.x(box.x + box.width)]
        down = [self.y(box.y + box.height), self.y(box.y)]
        self.axes[f"xaxis{number}"] = {**hidden, "domain": across, "anchor": f"y{number}", **x}
        self.axes[f"yaxis{number}"] = {**hidden, "domain": down, "anchor": f"x{number}", **y}
        return {"xaxis": f"x{number}", "yaxis": f"y{number}"}

    def panel(self, panel: Panel) -> None:
        box = panel.box
        if panel.picture is not None:
            self.image(box, self.spec.pictures[panel.picture], smooth=True)
        if panel.map is not None:
            self.map(box, panel.map, panel.title)
        self.rectangle(box.x, box.y, box.width, box.height, line={"width": 0.5, "color": "#9aa0a6"})
        for line in panel.lines:
            self.line(box, line)
        if panel.region is not None:
            u0, v0, u1, v1 = panel.region
            place = box.x + u0 * box.width, box.y + v0 * box.height, (u1 - u0) * box.width, (v1 - v0) * box.height
            for colour, width in (("white", 2.4), ("black", 0.9)):
                self.rectangle(*place, line={"width": width, "color": colour})
        if panel.point is not None:
            x, y = box.x + panel.point[0] * box.width, box.y + panel.point[1] * box.height
            for colour, width in (("white", 2.4), ("black", 0.9)):
                self.rectangle(x - 2.5, y - 2.5, 5, 5, kind="circle", line={"width": width, "color": colour})
        size = 6 if box.width < 100 else 7
        self.write(box.x, box.y - 3, panel.title, size)
        self.write(box.x + box.width, box.y - 3, panel.note, 6, color=MUTED, xanchor="right")

    def line(self, box: Box, line: Line) -> None:
        at = [(self.x(box.x + u * box.width), self.y(box.y + v * box.height)) for u, v in line.points]
        path = "M" + "L".join(f"{x:.6f},{y:.6f}" for x, y in at)
        for colour, width in (("black", 3.0), (line.colour, 1.5)):
            how = {"path": path, "xref": "paper", "yref": "paper", "line": {"width": width, "color": colour}}
            self.shapes.append({"type": "path", **how, "fillcolor": "rgba(0,0,0,0)"})

    def image(self, box: Box, png: bytes, *, smooth: bool, opacity: float = 1.0) -> None:
        size = {"sizex": self.x(box.width), "sizey": box.height / self.spec.height, "sizing": "stretch"}
        where = {"x": self.x(box.x), "y": self.y(box.y), "xref": "paper", "yref": "paper", "layer": "below"}
        source = "data:image/png;base64," + base64.b64encode(png).decode()
        self.images.append({"source": source, "opacity": opacity, **where, **size, "name": "picture" if smooth else ""})

    def map(self, box: Box, shown: Map, title: str) -> None:
        height, width = shown.values.shape
        # Without an anchor: cells fill the box, square or not.
        down = {"range": [height - 0.5, -0.5], "scaleanchor": False}
        axes = self.axis(box, {"range": [-0.5, width - 0.5]}, down)
        seen = np.isfinite(shown.values) & ((shown.values >= 0) if shown.categories else True)
        if shown.categories:
            names = [escape(swatch.label) for swatch in shown.categories]
            said = [[names[int(code)] if code >= 0 else _UNKNOWN for code in row] for row in shown.values]
            z = np.where(seen, shown.values + 0.5, 0) / len(names)
            edges = [(place + step) / len(names) for place in range(len(names)) for step in (0, 1)]
            colours = [hexadecimal(swatch.rgb) for swatch in shown.categories for _ in (0, 1)]
            scale = list(zip(edges, colours, strict=True))
        else:
            said = _numbers(shown)
            z = np.where(seen, shown.places(), 0)
            scale = _scale(shown)
        opacity = shown.opacity
        if shown.hues:
            # No scale of one number gives two colours: they are a picture, and the numbers lie over it unseen.
            cells = {"z": shown.rgba().tolist(), "colormodel": "rgba256", "zsmooth": "fast" if shown.smooth else False}
            self.traces.append({"type": "image", **cells, **axes, "hoverinfo": "skip", "name": "colours"})
            opacity = 0
        smooth = "best" if shown.smooth and not shown.categories else False
        trace = {"type": "heatmap", "zmin": 0, "zmax": 1, "zsmooth": smooth, "showscale": False, **axes}
        hover = {"text": said, "hovertemplate": "%{text}<br>row %{y}, column %{x}<extra></extra>", "hoverinfo": "text"}
        z = np.where(seen, z, np.nan)
        self.traces.append({**trace, **hover, "z": z, "colorscale": scale, "opacity": opacity, "name": escape(title)})
        if not seen.all():
            missing = {"z": np.where(seen, np.nan, 1.0), "colorscale": [(0, "#ff00ff"), (1, "#ff00ff")]}
            self.traces.append({**trace, **hover, **missing, "name": _UNKNOWN})

    def colour_bar(self, bar: ColourBar) -> None:
        from PIL import Image

        box, file = bar.box, io.BytesIO()
        Image.fromarray(np.ascontiguousarray(lut(bar.cmap)[::-1, None])).save(file, "PNG")
        self.image(box, file.getvalue(), smooth=False)
        self.rectangle(box.x, box.y, box.width, box.height, line={"width": 0.5, "color": "#9aa0a6"})
        for place, text in bar.ticks:
            y = box.y + (1 - place) * box.height
            self.rectangle(box.x + box.width, y, 2, 0, kind="line", line={"width": 0.5, "color": "#9aa0a6"})
            self.write(box.x + box.width + 3.5, y, text, 6, yanchor="middle")
        side = {"textangle": -90, "color": MUTED, "xanchor": "center", "yanchor": "middle"}
        self.write(box.x + box.width + 28, box.y + box.height / 2, bar.label, 6.2, **side)

    def bars(self, bars: Bars) -> None:
        box, left = bars.box, bars.label_width
        inner = type(box)(box.x + left, box.y, max(10.0, box.width - left - 26), box.height)
        rows = len(bars.bars)
        values = [bar.value if np.isfinite(bar.value) else 0.0 for bar in bars.bars]
        axes = self.axis(inner, {"range": [0, max(*values, 1e-12)]}, {"range": [rows - 0.5, -0.5]})
        colours = ["#3b6fb6" if bar.chosen else "#b8c4d6" for bar in bars.bars]
        said = [f"{escape(bar.label)}: {bar.number}" for bar in bars.bars]
        bar_trace = {"type": "bar", "orientation": "h", "x": values, "y": list(range(rows)), "width": 0.62}
        hover = {"hovertext": said, "hovertemplate": "%{hovertext}<extra></extra>", "textposition": "none"}
        self.traces.append({**bar_trace, **hover, "marker": {"color": colours}, **axes, "name": "tokens"})
        row = box.height / rows
        for index, (bar, value) in enumerate(zip(bars.bars, values, strict=True)):
            y = box.y + (index + 0.5) * row
            end = inner.x + inner.width * value / max(*values, 1e-12) + 3
            self.write(box.x + left - 3, y, bar.label, 6.5, bold=bar.chosen, xanchor="right", yanchor="middle")
            self.write(end, y, bar.number, 6, bold=bar.chosen, yanchor="middle")
        self.write(box.x, box.y - 3, bars.title, 7)


def _scale(shown: Map) -> list[tuple[float, str]]:
    if shown.constant is not None:
        return [(0, "#808080"), (1, "#808080")]
    if shown.mask:
        return [(0, "rgba(0,0,0,1)"), (1, "rgba(0,0,0,0)")]
    return [(index / 255, hexadecimal(rgb)) for index, rgb in enumerate(lut(shown.cmap))]


def _numbers(shown: Map) -> list[list[str]]:
    """What is said of each cell: its value, or that of each word."""
    rows, columns = shown.values.shape

    def cell(y: int, x: int) -> str:
        if not np.isfinite(shown.values[y, x]):
            return _UNKNOWN
        if not shown.hues:
            return shown.number(float(shown.values[y, x]))
        return "<br>".join(f"{escape(hue.label)} {shown.number(float(hue.values[y, x]))}" for hue in shown.hues)

    return [[cell(y, x) for x in range(columns)] for y in range(rows)]
