"""What a page says is what Python says: the sentence, the code, the numbers, each written in two languages."""

import math
import re

import numpy as np
import pytest
from pages import ScopePage
from widget.synthetic import recording, with_self

import attnscope
from attnscope.analysis import compare
from attnscope.figures.view import cell_at
from attnscope.maps.capture import Capture

PIN = [0.31, 0.66]
FINE, COARSE = "up.1.0", "mid.0"
CROSS = {
    "strongest word": {},
    "strongest word without padding": {"drop": ["bos", "eos", "pad"], "renormalise": True},
    "one word of all layers": {"token": 2},
    "one word of all layers, pinned": {"token": 2, "uv": PIN},
    "a word of two pieces": {"level": "layer", "layer": FINE, "token": [3, 4], "uv": PIN},
    "a piece of a word": {"level": "head", "layer": FINE, "head": 1, "token": 4, "uv": PIN},
    "one of two equal words": {"level": "head", "layer": FINE, "head": 2, "token": 6, "uv": PIN},
    "both equal words": {"level": "head", "layer": FINE, "head": 2, "token": [1, 6], "uv": PIN},
    "words in another order": {"level": "head", "layer": FINE, "head": 0, "token": [6, 2], "uv": PIN},
    "three words in colours": {"level": "layer", "layer": COARSE, "token": [1, 2, 6]},
    "three words in colours of all layers": {"token": [2, 3, 4, 5]},
    "words in colours, their own scales": {"level": "head", "layer": FINE, "head": 0, "token": [2, 5], "scale": "own"},
    "words summed": {"level": "layer", "layer": FINE, "token": [2, 5], "hues": False, "uv": PIN},
    "words summed in another order": {"level": "head", "head": "mean", "layer": FINE, "token": [5, 2], "hues": False},
    "the first token": {"level": "layer", "layer": FINE, "token": 0, "uv": PIN},
    "the padding": {"level": "layer", "layer": FINE, "token": 10, "uv": PIN},
    "a block": {"level": "block", "layer": FINE, "token": 2, "uv": PIN},
    "a block, strongest": {"level": "block", "layer": COARSE},
    "maximum over heads": {"level": "head", "layer": FINE, "head": "max", "token": 2, "uv": PIN},
    "maximum over heads of a layer": {"level": "layer", "layer": FINE, "head": "max", "token": 2, "uv": PIN},
    "some heads": {"level": "head", "layer": FINE, "head": [0, 2], "token": 2, "uv": PIN},
    "some heads of a layer": {"level": "layer", "layer": FINE, "head": [0, 2], "token": 5, "uv": PIN},
    "a head and its layer": {"level": "layer", "layer": FINE, "head": 1, "token": 5, "uv": PIN},
    "a head and the model": {"level": "unet", "layer": FINE, "head": 1, "token": 5},
    "renormalised": {"level": "head", "layer": FINE, "head": 1, "token": 2, "renormalise": True, "uv": PIN},
    "renormalised without some": {
        "level": "layer",
        "layer": COARSE,
        "token": 2,
        "renormalise": True,
        "drop": ["bos", "pad"],
    },
    "renormalised over all layers": {"token": 2, "renormalise": True, "drop": ["bos", "eos", "pad"], "uv": PIN},
    "renormalised maximum": {"level": "head", "layer": FINE, "head": "max", "token": 2, "renormalise": True, "uv": PIN},
    "dropped": {"level": "head", "layer": FINE, "head": 1, "token": 2, "drop": ["bos"], "uv": PIN},
    "square root": {"level": "layer", "layer": FINE, "token": 2, "transform": "sqrt"},
    "logarithm": {"level": "head", "layer": FINE, "head": 1, "token": 2, "transform": "log", "uv": PIN},
    "ranks": {"level": "layer", "layer": FINE, "token": 2, "transform": "rank", "uv": PIN},
    "times chance": {"level": "head", "layer": FINE, "head": 1, "token": 2, "transform": "uniform"},
    "times chance without padding": {"token": 2, "transform": "uniform", "drop": ["pad"]},
    "times chance, renormalised": {"token": 2, "transform": "uniform", "drop": ["pad"], "renormalise": True},
    "words times chance": {"level": "layer", "layer": FINE, "token": [2, 5], "transform": "uniform"},
    "clipped": {"level": "layer", "layer": FINE, "token": 2, "clip": [2.5, 97.5]},
    "clipped from above, in colours": {"token": [2, 5], "clip": [0, 99]},
    "clipped logarithm": {"level": "head", "layer": FINE, "head": 1, "token": 2, "clip": [5, 95], "transform": "log"},
    "fixed": {"level": "layer", "layer": FINE, "token": 2, "scale": "fixed", "limits": [0.01, 0.3], "clip": [1, 99]},
    "fixed, words in colours": {"token": [2, 5], "scale": "fixed", "limits": [0, 0.3]},
    "fixed logarithm": {
        "level": "layer",
        "layer": FINE,
        "token": 2,
        "scale": "fixed",
        "limits": [0, 0.3],
        "transform": "log",
    },
    "fixed without limits": {"level": "layer", "layer": FINE, "token": 2, "scale": "fixed"},
    "fixed times chance": {"token": 2, "scale": "fixed", "limits": [0.01, 0.3], "transform": "uniform"},
    "shared by layers": {"token": 2, "scale": "shared"},
    "own of a layer": {"level": "layer", "layer": FINE, "token": 2, "scale": "own"},
    "run of a head": {"level": "head", "layer": FINE, "head": 1, "token": 2, "scale": "run"},
    "contour": {"level": "head", "layer": FINE, "head": 1, "token": 2, "blend": "contour"},
    "contour of the strongest word": {"blend": "contour"},
    "mask": {"token": 2, "blend": "mask"},
    "mask of the strongest word": {"level": "layer", "layer": FINE, "blend": "mask"},
    "mask of words in colours": {"token": [2, 5], "blend": "mask"},
    "contours of words in colours": {"level": "head", "layer": FINE, "head": 1, "token": [2, 5], "blend": "contour"},
    "shared and clipped": {"token": [2, 5], "scale": "shared", "clip": [1, 99]},
    "run of a layer": {"level": "layer", "layer": FINE, "token": 2, "scale": "run"},
    "smooth": {"token": 2, "smooth": True},
    "an earlier step": {"token": 2, "step": 4, "uv": PIN},
    "a box": {"level": "head", "layer": FINE, "head": 1, "token": 2, "region": [0.1, 0.2, 0.52, 0.7]},
}
SELF = {
    "received": {},
    "received of a block": {"level": "block", "layer": FINE},
    "received of a layer": {"level": "layer", "layer": FINE},
    "received of a head": {"level": "head", "layer": FINE, "head": 1},
    "received of some heads": {"level": "head", "layer": "down.0.0", "head": [0, 2]},
    "received, maximum": {"level": "head", "layer": "down.0.0", "head": "max"},
    "received, times chance": {"level": "layer", "layer": FINE, "transform": "uniform"},
    "row of all layers": {"uv": PIN},
    "column of all layers": {"uv": PIN, "direction": "column"},
    "row of a layer": {"level": "layer", "layer": FINE, "uv": PIN},
    "row of a head": {"level": "head", "layer": COARSE, "head": 1, "uv": PIN},
    "column of a head": {"level": "head", "layer": FINE, "head": 0, "uv": PIN, "direction": "column"},
    "row of some heads": {"level": "head", "layer": "down.0.0", "head": [0, 2], "uv": PIN},
    "row, maximum": {"level": "head", "layer": "down.0.0", "head": "max", "uv": PIN},
    "row, times chance": {"level": "head", "layer": FINE, "head": 0, "uv": PIN, "transform": "uniform"},
    "row in the corner": {"level": "layer", "layer": COARSE, "uv": [1.0, 1.0], "transform": "log"},
    "row, ranks": {"level": "layer", "layer": COARSE, "uv": [0.0, 0.0], "transform": "rank"},
    "row, clipped": {"level": "head", "layer": FINE, "head": 1, "uv": PIN, "clip": [1, 99]},
    "row, fixed": {"level": "head", "layer": FINE, "head": 1, "uv": PIN, "scale": "fixed", "limits": [0, 0.02]},
    "row, renormalised": {"level": "head", "layer": FINE, "head": 1, "uv": PIN, "renormalise": True, "drop": ["bos"]},
    "row, mask": {"level": "head", "layer": FINE, "head": 1, "uv": PIN, "blend": "mask"},
    "a box of columns": {"level": "layer", "layer": FINE, "region": [0, 0, 1, 0.9], "direction": "column"},
    "a box of one cell": {"level": "head", "layer": COARSE, "head": 1, "region": [0.5, 0.5, 0.51, 0.51]},
    "a box and a pixel": {"level": "head", "layer": COARSE, "head": 1, "region": [0, 0, 0.5, 0.51], "uv": PIN},
    "a box of all layers": {"region": [0, 0, 0.5, 0.51]},
    "a box of rows": {"level": "head", "layer": FINE, "head": 1, "region": [0.1, 0.2, 0.52, 0.7]},
}
COMPARED = {
    "step": {"level": "head", "layer": FINE, "head": 1, "token": 2, "compare": {"step": 0}, "uv": PIN},
    "head": {"level": "head", "layer": FINE, "head": 1, "token": 2, "compare": {"head": 2}},
    "head of a layer": {"level": "layer", "layer": FINE, "token": 2, "compare": {"head": 2}},
    "heads": {"level": "head", "layer": FINE, "head": 1, "token": 2, "compare": {"head": "max"}},
    "coarser layer": {"level": "head", "layer": FINE, "head": 1, "token": 2, "compare": {"layer": COARSE}, "uv": PIN},
    "layer of all": {"token": 2, "compare": {"layer": COARSE}},
    "word": {"level": "layer", "layer": FINE, "token": 2, "compare": {"token": 6}},
    "word by name": {"level": "layer", "layer": FINE, "token": 2, "compare": {"token": "foxglove"}},
    "words in colours": {"level": "head", "layer": FINE, "head": 1, "token": [2, 5], "compare": {"step": 0}},
    "word and step": {"token": 2, "compare": {"step": 4, "token": [3, 4]}},
    "strongest": {"compare": {"step": 0}},
    "renormalised": {"token": 2, "renormalise": True, "drop": ["bos"], "compare": {"step": 0}},
    "log": {"level": "head", "layer": FINE, "head": 1, "token": 2, "transform": "log", "compare": {"step": 0}},
    "own": {"level": "head", "layer": FINE, "head": 1, "token": 2, "scale": "own", "compare": {"step": 0}},
    "capture": {"level": "head", "layer": FINE, "head": 1, "token": 2, "compare": {"capture": 1}, "uv": PIN},
    "direction": {
        "kind": "self",
        "level": "head",
        "layer": FINE,
        "head": 1,
        "uv": PIN,
        "compare": {"direction": "column"},
    },
    "self step": {"kind": "self", "compare": {"step": 0}},
    "self head": {"kind": "self", "level": "head", "layer": COARSE, "head": 1, "uv": PIN, "compare": {"head": 0}},
    "self layer": {"kind": "self", "level": "layer", "layer": FINE, "uv": PIN, "compare": {"layer": COARSE}},
}
STATES = {
    **{f"cross: {name}": {"kind": "cross", **state} for name, state in CROSS.items()},
    **{f"self: {name}": {"kind": "self", **state} for name, state in SELF.items()},
    **{f"side: {name}": {"compare_as": "side", **state} for name, state in COMPARED.items()},
    **{f"difference: {name}": {"compare_as": "difference", **state} for name, state in COMPARED.items()},
    **{f"{way}: step": {"compare_as": way, **COMPARED["step"]} for way in ("swipe",)},
}
#: What only a page can say, since only there numbers travel.
ONLY_THERE = ("; 8-bit", "; queries and keys in 16 bits", "; ≈ the widest range seen so far")


def capture(seed=7):
    made, _ = with_self(recording(dtype=np.float32, seed=seed), drawn=np.float16)
    return Capture(made)


@pytest.fixture(scope="module")
def cap():
    return capture()


@pytest.fixture(scope="module")
def other():
    return capture(seed=8)


@pytest.fixture(scope="module")
def html(cap, other, tmp_path_factory):
    path = tmp_path_factory.mktemp("twins") / "twins.html"
    every = list(cap.layers["layer"].unique())
    return attnscope.Scope(cap, against=other).to_html(path, dtype="float16", layers=every)


@pytest.fixture(scope="module")
def page(html, open_page_for_all):
    """One page that goes from state to state, as its reader does."""
    return ScopePage(open_page_for_all(html.as_uri()))


@pytest.fixture(params=STATES)
def both(request, cap, other, page):
    """The page and the scope in one state."""
    scope = attnscope.Scope(cap, against=other, **{"level": "unet", **STATES[request.param]})
    page.show(scope.state)
    assert page.errors() == []
    return page, scope


def test_page_and_python_say_the_same(both):
    page, scope = both
    assert alike(without(page.legend()), without(own(scope))), f"\n{page.legend()}\n{own(scope)}"
    assert page.code() == scope.code()
    if scope.compare is not None:
        compared(page, scope)
    elif scope.kind == "cross":
        bars(page, scope)
    if scope.uv is not None and scope.compare_as != "swipe":
        pinned(page, scope)


def bars(page, scope):
    """Every word's bar at the pin, in the box, or on average."""
    before, values = scope.state, {}
    scope.state = {"token": None, "uv": None}
    maps = scope.selected
    scope.state = before
    grid = len(np.unique(maps["y"])), len(np.unique(maps["x"]))
    rows = maps.transpose("pixel", "token").values.reshape(*grid, -1).astype(float)
    if scope.region is not None:
        u0, v0, u1, v1 = scope.region
        v, u = ((np.arange(cells) + 0.5) / cells for cells in grid)
        rows = rows[(v >= v0) & (v <= v1)][:, (u >= u0) & (u <= u1)]
    row = rows.mean((0, 1)) if scope.uv is None else rows[cell_at(grid, scope.uv)]
    for word, kind, token, value in zip(
        *(maps[name].values for name in ("word_index", "token_kind", "token")), row, strict=True
    ):
        first = (
            int(token)
            if kind != "prompt"
            else next(t for t, w in zip(maps.token.values, maps.word_index.values, strict=True) if w == word)
        )
        values[int(first)] = values.get(int(first), 0) + value
    shown = {int(token): number(text) for token, text in page.bars().items()}
    assert shown.keys() == values.keys()
    for token, value in values.items():
        assert abs(shown[token] - value) < 0.00051, (token, shown[token], value)


def pinned(page, scope):
    """The value of the map at the pin."""
    maps = scope.selected
    if "token" in maps.dims:
        if scope.token is None:
            return
        maps = maps.sum("token")
    role = "difference" if scope.compare_as == "difference" and scope.compare is not None else "a"
    if role == "a" and scope.kind == "self" and scope.level == "head" and scope.compare is None:
        role = scope.direction
    coords = ("key_y", "key_x") if "key" in maps.dims else ("y", "x")
    grid = tuple(len(np.unique(maps[name])) for name in coords)
    value = maps.values.reshape(grid)[cell_at(grid, scope.uv)]
    assert abs(number(page.pane_value(role)) - value) < 0.00051 + 0.001 * abs(value), (page.pane_value(role), value)


def compared(page, scope):
    """The numbers of A and B."""
    shown = page.compared()
    if scope.kind == "cross" and scope.token is None:
        assert shown["correlation"] == "–"
        return
    a, b = halves(scope)
    found = compare(a, b)
    assert math.isclose(number(shown["correlation"]), found["correlation"].item(), abs_tol=0.0051)
    assert math.isclose(number(shown["Jensen-Shannon"]), found["divergence"].item(), abs_tol=0.00051)
    assert math.isclose(number(shown["centroid moved"]), found["shift"].item(), abs_tol=0.051)


def halves(scope):
    """A and B by themselves."""
    from attnscope.figures.second import first, second
    from attnscope.figures.view import selected

    source, there, _ = second(scope._shown[0], scope.view, scope._second[0])
    return selected(scope._shown[0], first(scope.view))[0], selected(source, there)[0]


def own(scope):
    """The caption, without what a figure of a block adds on its other kind."""
    return scope.spec().caption.partition(" Below the picture:")[0]


def without(text):
    for part in ONLY_THERE:
        text = text.replace(part, "")
    return text


def number(text):
    text = text.strip().replace("−", "-")
    if text.startswith("<"):
        return 0.0003  # less than can be written
    return float(re.match(r"[±+]?(-?[\d.]+|NaN)", text)[1])


def alike(one, two):
    """Equal but for the last of three digits of a number with a fraction: received attention travels as float16."""
    pieces = [re.split(r"(\d+\.\d+(?:e-?\d+)?)", text) for text in (one, two)]
    if len(pieces[0]) != len(pieces[1]) or pieces[0][::2] != pieces[1][::2]:
        return False
    return all(
        abs(float(a) - float(b)) <= 0.0101 * max(float(a), float(b))
        for a, b in zip(*(p[1::2] for p in pieces), strict=True)
    )
