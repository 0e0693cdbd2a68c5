"""The same figure from three back ends, and prompts that try to be more than text."""

import io
import json
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from widget.synthetic import recording

from attnscope.errors import ExportError
from attnscope.figures import matplotlib, plotly
from attnscope.figures.colours import hexadecimal
from attnscope.figures.compose import compose
from attnscope.figures.poster import poster, poster_png
from attnscope.figures.sheet import compose_sheet
from attnscope.figures.view import View
from attnscope.maps.capture import Capture

VIEWS = [
    View(level="head", layer="up.1.0", step=4, head=1, token=(3, 4), uv=(0.3, 0.9)),
    View(level="head", layer="up.1.0", step=4),
    View(level="layer", layer="mid.0", step=7, token=(2,), scale="own", transform="sqrt"),
    View(level="layer", layer="up.1.0", step=7, token=(2,), scale="run", transform="log"),
    View(level="unet", layer="up.1.0", step=0, token=(2,), show_preview=True),
    View(level="unet", layer="up.1.0", step=0, scale="shared"),
]
PIXELS = {"kind": "self", "layer": "up.1.0", "step": 4}
STATES = [
    View(level="head", head=1, **PIXELS),
    View(level="head", head=(0, 2), uv=(0.3, 0.9), **PIXELS),
    View(level="layer", sort="entropy", scale="run", **PIXELS),
    View(level="unet", uv=(0.3, 0.9), direction="column", **PIXELS),
    View(level="block", transform="uniform", clip=(1, 99), uv=(0.3, 0.9), **PIXELS),
    View(level="head", layer="up.1.0", step=4, head="max", token=(2, 3, 4), drop=("bos",), renormalise=True),
    View(level="layer", layer="up.1.0", step=4, token=(2, 5), clip=(2, 98), sort="similarity"),
    View(level="unet", layer="up.1.0", step=4, token=(2, 5), blend="contour", scale="shared"),
    View(level="head", layer="up.1.0", step=4, token=(2,), blend="contour", region=(0.1, 0.2, 0.5, 0.7)),
    View(level="head", layer="up.1.0", step=4, token=(2,), blend="mask", smooth=True, transform="rank"),
    View(level="head", layer="up.1.0", step=4, token=(2,), scale="fixed", limits=(0.1, 0.4), order="value"),
    View(level="head", layer="up.1.0", step=4, token=(2,), compare={"step": 0, "head": 1}, diverging="vik"),
    View(level="unet", layer="up.1.0", step=4, compare={"step": 0}),
    View(level="head", uv=(0.3, 0.9), compare={"layer": "mid.0"}, scale="own", **PIXELS),
]


def text_of_svg(data: bytes) -> str:
    from xml.etree import ElementTree

    texts = ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}text")
    return "\n".join("".join(text.itertext()) for text in texts)


def plain_of_pdf(data: bytes) -> bytes:
    return b"".join(
        zlib.decompress(part) for part in re.findall(rb"FlateDecode.*?stream\r?\n(.*?)endstream", data, re.S)
    )


@pytest.mark.parametrize("view", [*VIEWS, *STATES], ids=range(len(VIEWS) + len(STATES)))
def test_every_back_end_draws_every_view(cap_self, view, tmp_path):
    check_drawn(compose(cap_self, view), tmp_path)


def check_drawn(spec, tmp_path):
    json.dumps(spec.to_json(), allow_nan=False)
    for suffix in matplotlib.SUFFIXES:
        assert matplotlib.save(spec, tmp_path / f"figure{suffix}", scale=1).stat().st_size > 1000
    assert Image.open(tmp_path / "figure.png").info["Description"] == spec.caption
    drawn = " ".join(text_of_svg((tmp_path / "figure.svg").read_bytes()).split())
    assert spec.caption in drawn
    figure = plotly.draw(spec)
    maps = sum(panel.map is not None for panel in spec.panels)
    assert sum(trace["type"] == "heatmap" for trace in figure.to_dict()["data"]) == maps
    assert figure.layout.meta["caption"] == spec.caption
    assert not [part.name for part in tmp_path.iterdir() if part.name.endswith(".part")]


def test_panels_stay_on_the_page_and_apart(cap_self):
    for view in [*VIEWS, *STATES]:
        spec = compose(cap_self, view)
        boxes = [panel.box for panel in spec.panels]
        for index, one in enumerate(boxes):
            assert one.x >= 0
            assert one.x + one.width <= spec.width + 1e-6
            assert one.y + one.height <= spec.height
            for two in boxes[:index]:
                apart = one.x >= two.x + two.width or two.x >= one.x + one.width
                assert apart or one.y >= two.y + two.height or two.y >= one.y + one.height


def test_pdf_keeps_text_and_maps_their_own_few_cells(cap, tmp_path):
    spec = compose(cap, VIEWS[0])
    data = matplotlib.save(spec, tmp_path / "figure.pdf").read_bytes()
    assert b"/Type0" in data or b"/TrueType" in data  # fonts, not outlines
    assert b"/Width 14" in data  # the map of 10x14 cells
    assert b"/Height 10" in data
    assert spec.caption[:17].encode() in data or spec.caption[:17].encode("utf-16-be") in data
    assert plain_of_pdf(data)


def test_the_same_figure_gives_the_same_file(cap, tmp_path):
    spec = compose(cap, VIEWS[0])
    for suffix in matplotlib.SUFFIXES:
        one, two = (matplotlib.save(spec, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
        assert one == two


@pytest.mark.parametrize(
    "prompt",
    [
        r"$\frac{1}{0}$ and $\undefined",
        "<script>alert(1)</script>",
        "<b>&amp;</b>",
        "\u2028\x07 %{z}",
        "\x00\x01\x08\x1b \ufffe\uffff",
        "红色的猫",
        "x" * 3000,
        "",
    ],
)
def test_a_prompt_is_only_text(prompt, tmp_path):
    cap = Capture(recording(prompt=prompt))
    spec = compose(cap, VIEWS[0])
    matplotlib.save(spec, tmp_path / "figure.svg")
    svg = (tmp_path / "figure.svg").read_bytes()
    assert b"<script" not in svg
    ElementTree.fromstring(svg)
    if prompt.isascii() and 0 < len(prompt) < 60 and prompt.isprintable():
        assert prompt in text_of_svg(svg)
    said = json.dumps(plotly.draw(spec).to_dict()["layout"]["annotations"])
    assert "<script" not in said
    assert "$" not in said
    assert len(poster_png(poster(cap, VIEWS[0]))) > 1000


def test_dollar_tokens_reach_no_mathematics(cap, tmp_path):
    spec = compose(cap, VIEWS[0].at(token=(7,)))
    matplotlib.save(spec, tmp_path / "figure.svg")
    assert "‘$\\frac’" in text_of_svg((tmp_path / "figure.svg").read_bytes())
    assert plotly.escape("$\\frac") == "&#36;\\frac"


def test_unknown_suffix_names_the_three(tmp_path):
    with pytest.raises(ExportError, match=r"'a\.jpg'.*\.png, \.svg, \.pdf"):
        matplotlib.suffix(tmp_path / "a.jpg")


def test_settings_of_others_are_left_as_they_were(cap):
    from matplotlib import rcParams

    before = dict(rcParams)
    matplotlib.draw(compose(cap, VIEWS[0]))
    assert dict(rcParams) == before


def test_scales(cap):
    run = compose(cap, VIEWS[3])
    limits = [panel.map.hi for panel in run.panels if panel.map]
    highest = float(cap.layer("up.1.0").sel(token=2).max())
    assert limits == [pytest.approx(highest, rel=1e-3)] * 4
    own = compose(cap, VIEWS[2])
    assert len({panel.map.hi for panel in own.panels if panel.map}) == 3
    shared = compose(cap, VIEWS[2].at(scale="auto"))
    assert len({panel.map.hi for panel in shared.panels if panel.map}) == 1


def test_bars_at_a_point_are_that_cell(cap):
    (bars,) = compose(cap, VIEWS[0]).bars
    cell = cap.layer("up.1.0").sel(step=4, head=1).values.reshape(10, 14, 11)[9, 4]
    np.testing.assert_allclose([bar.value for bar in bars.bars], cell, rtol=1e-6)
    assert [bar.chosen for bar in bars.bars].count(True) == 2


def test_not_a_number_is_said(cap_gap):
    spec = compose(cap_gap, VIEWS[0])
    assert "140 cells are not a number (magenta)" in spec.caption
    assert np.isnan(spec.panels[1].map.values).all()
    names = [trace["name"] for trace in plotly.draw(spec).to_dict()["data"]]
    assert "not a number" in names


def test_poster_says_what_each_map_is(cap):
    caption = poster(cap, VIEWS[0]).caption
    assert "mean of 4 layers" in caption
    assert "each by itself; linear, own scale of each map from 0" in caption
    assert "strongest" not in caption


def test_poster_fits_its_bytes(cap):
    rng = np.random.default_rng(0)
    noisy = recording()
    noisy.pictures = rng.integers(0, 256, noisy.pictures.shape, dtype=np.uint8)
    spec = poster(Capture(noisy), VIEWS[0])
    assert len(poster_png(spec)) <= 150_000
    tiny = poster_png(spec, limit=30_000)
    assert len(tiny) <= 30_000
    assert Image.open(io.BytesIO(tiny)).width > 200
    titles = [panel.title for panel in spec.panels]
    assert titles[0] == "picture"
    assert len(titles) == len(set(titles)) == 6


def test_without_a_picture(cap):
    bare = Capture(recording(decoded=False))
    for view in VIEWS:
        assert all(panel.map is not None for panel in compose(bare, view.at(show_preview=True)).panels)
    assert poster(bare, VIEWS[0]).panels


def test_outlines_are_lines_not_cells(cap, tmp_path):
    spec = compose(cap, STATES[8])
    panel = spec.panels[1]
    assert panel.lines
    assert panel.map.opacity == 0
    assert panel.region == (0.1, 0.2, 0.5, 0.7)
    assert not spec.colour_bars
    svg = matplotlib.save(spec, tmp_path / "figure.svg").read_bytes()
    assert svg.count(b"<image") == 2  # the picture, twice
    plain = compose(cap, STATES[8].at(blend="colour"))
    assert matplotlib.save(plain, tmp_path / "plain.svg").read_bytes().count(b"<image") == 4  # map and colours too
    shapes = plotly.draw(spec).to_dict()["layout"]["shapes"]
    assert sum(shape["type"] == "path" for shape in shapes) == 2 * len(panel.lines)


def test_outlines_of_words_have_their_colours(cap):
    panel = compose(cap, STATES[7]).panels[1]
    assert {line.colour for line in panel.lines} == {hexadecimal(hue.rgb) for hue in panel.map.hues}
    assert len(panel.map.hues) == 2


def test_a_mask_darkens_the_picture(cap):
    spec = compose(cap, STATES[9].at(transform="linear"))
    assert spec.panels[1].map.mask
    assert spec.colour_bars[0].cmap == "gray"
    trace = next(one for one in plotly.draw(spec).to_dict()["data"] if one["type"] == "heatmap")
    assert [colour for _, colour in trace["colorscale"]] == ["rgba(0,0,0,1)", "rgba(0,0,0,0)"]
    assert trace["zsmooth"] == "best"


def test_numbers_of_words_lie_over_their_colours(cap):
    spec = compose(cap, STATES[5])
    colours, trace = plotly.draw(spec).to_dict()["data"][:2]
    assert (colours["type"], trace["type"], trace["opacity"]) == ("image", "heatmap", 0)
    np.testing.assert_array_equal(colours["z"], spec.panels[1].map.rgba())
    assert re.fullmatch(r"red [\d.e-]+<br>foxglove [\d.e-]+", trace["text"][0][0])


def test_a_difference_has_its_own_colours(cap):
    spec = compose(cap, STATES[11])
    delta = spec.panels[-1]
    assert delta.title == "A − B at 10×14"
    bar = spec.colour_bars[-1]
    assert (bar.cmap, bar.label) == ("vik", "difference")
    assert (0.5, "0") in bar.ticks
    heatmap = [one for one in plotly.draw(spec).to_dict()["data"] if one["type"] == "heatmap"][-1]
    assert heatmap["colorscale"][0][1] == "#001261"


def test_a_sheet_has_a_panel_for_each_pin(cap_self, tmp_path):
    views = [STATES[8], STATES[5], STATES[1], STATES[11], VIEWS[5]]
    notes = ["here it is", "", "$x$ <b>", "", "all"]
    spec = compose_sheet(cap_self, views, notes)
    check_drawn(spec, tmp_path)
    assert [panel.title[:3] for panel in spec.panels] == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    assert {"here it is", "$x$ <b>", "all"} <= {text.text for text in spec.texts}
    for letter, view in zip("abc", views[:3], strict=True):
        alone = compose(cap_self, view.at(scale="own")).caption
        assert f"({letter}) {alone}" in spec.caption
    assert "(d) A: cross-attention" in spec.caption
    assert "difference A − B at 10×14" in spec.caption
    with pytest.raises(ValueError, match="got 0 and 0 notes"):
        compose_sheet(cap_self, [])
    with pytest.raises(ValueError, match="got 5 and 1 notes"):
        compose_sheet(cap_self, views, ["one"])


def test_head_views_say_how_concentrated_the_map_is(cap):
    (said,) = [text.text for text in compose(cap, STATES[8]).texts if text.text.startswith("50 % of the mass")]
    assert re.fullmatch(
        r"50 % of the mass of ‘red’ in [\d.]+ % of the pixels · entropy [\d.]+ bits · "
        r"peak [\d.]+ at \(y [\d.]+, x [\d.]+\)",
        said,
    )
