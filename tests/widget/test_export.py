import base64
import gzip
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from widget.synthetic import recording

from attnscope.errors import ExportError, FrontEndError, UnknownLayerError, ViewError
from attnscope.maps.capture import Capture
from attnscope.widget import html
from attnscope.widget.contents import choose
from attnscope.widget.encode import decode
from attnscope.widget.scope import Scope

NASTY = "</script><script>alert(1)</script><!-- \u2028 & 'x' $\\frac <b>"


class Page(HTMLParser):
    """The elements of a page as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.tags: list[str] = []
        self.meta: list[dict] = []
        self._at: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "meta":
            self.meta.append(attributes)
        self._at = attributes.get("id") or tag
        self.found.setdefault(self._at, "")

    def handle_endtag(self, tag):
        self._at = None

    def handle_data(self, data):
        if self._at is not None:
            self.found[self._at] += data


def read(path):
    page = Page(path.read_text(encoding="utf-8"))
    traits, index = (json.loads(page.found[f"attnscope-{name}"]) for name in ("traits", "index"))
    return page, traits, index, gzip.decompress(base64.b64decode(page.found["attnscope-data"]))


def test_the_file_holds_everything(cap, tmp_path):
    path = Scope(cap, layer="mid.0", head=1, token="foxglove", step=4).to_html(tmp_path / "scope.html")
    _, traits, index, data = read(path)
    assert (traits["layer"], traits["head"], traits["token"], traits["step"]) == ("mid.0", 1, [3, 4], 4)
    kinds = [key.split("|")[0] for key in index["items"]]
    # No atlases: with every head of every layer the page takes the mean itself.
    assert {kind: kinds.count(kind) for kind in kinds} == {"layer": 12, "heads": 3, "range": 4, "preview": 3}
    (section,) = index["items"]["layer|4|0|cond|mid.0"]
    captured = cap.layer("mid.0").sel(step=4).transpose("head", "token", "pixel").values
    assert section["encoding"] == "q8"
    np.testing.assert_allclose(decode(section, data).reshape(2, 11, -1), captured, atol=captured.max() / 254)
    assert all(section["offset"] % 8 == 0 for sections in index["items"].values() for section in sections)
    offset, length = index["buffers"]["_picture"]
    assert data[offset : offset + 4] == b"\x89PNG"
    assert length == traits["_manifest"]["pictures"][0][1]
    start, size = index["buffers"]["_first_buffer"]
    first = traits["_first"]["items"][0]
    assert first["id"] == "atlas|4|0|cond|"
    section = first["sections"][2]
    means = cap.layer(section["name"]).sel(step=4).astype("float32").mean("head").transpose("token", "pixel").values
    decoded = decode(section, data[start : start + size]).reshape(means.shape)
    np.testing.assert_allclose(decoded, means, atol=means.max() / 254 + 1e-3)


def test_several_images_are_all_there(cap_images, tmp_path):
    _, _, index, _ = read(Scope(cap_images).to_html(tmp_path / "scope.html", layers="mid.0", steps=[0]))
    assert [key for key in index["items"] if key.startswith("layer")] == [
        f"layer|0|{image}|cond|mid.0" for image in range(3)
    ]


def test_a_prompt_stays_text_and_nothing_is_fetched(tmp_path):
    path = Scope(Capture(recording(prompt=NASTY))).to_html(tmp_path / "scope.html")
    text = path.read_text(encoding="utf-8")
    page, traits, _, _ = read(path)
    assert traits["_manifest"]["prompt"] == NASTY
    assert page.tags.count("script") == 4
    assert "\u2028" not in text
    assert "<!--" not in text
    assert page.found["title"] == f"attnscope: {NASTY}".replace(" \u2028", "")
    policy = next(meta["content"] for meta in page.meta if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith(
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    )
    assert not re.search(r"https?://", text)


def test_the_size_is_said_and_about_right(tmp_path, capsys, monkeypatch):
    from widget import synthetic

    steps = [synthetic.Step(index, 900.0 - index) for index in range(12)]
    monkeypatch.setattr(synthetic, "STEPS", steps)
    cap = Capture(recording())
    for options in ({}, {"layers": ["mid.0"]}, {"steps": [3, 5, 6, 8]}):
        path = Scope(cap).to_html(tmp_path / "scope.html", **options)
        said = capsys.readouterr().out
        size = path.stat().st_size
        estimate = float(re.search(r"about ([\d.]+) MB", said).group(1)) * 1e6
        assert abs(estimate - size) < 0.15 * size + 0.05e6
        assert "estimated by compressing 3 of the steps" in said


def test_the_estimate_is_within_fifteen_percent(cap, tmp_path, monkeypatch):
    from widget import synthetic

    monkeypatch.setattr(synthetic, "STEPS", [synthetic.Step(index, 900.0 - index) for index in range(12)])
    scope = Scope(Capture(recording()))
    (chosen,), _ = choose(scope._packets, scope._facts, scope.state)
    estimate, sampled = chosen.estimate()
    size = scope.to_html(tmp_path / "scope.html").stat().st_size - len(scope._picture) * 4 / 3
    assert sampled == 3
    assert estimate == pytest.approx(size, rel=0.15)


def test_too_much_is_refused_before_it_is_made(cap, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "LIMIT_BYTES", 50_000)
    scope = Scope(cap)
    with pytest.raises(ExportError, match=r"more than 0 MB\. Include less, such as steps=\[0.*force=True"):
        scope.to_html(tmp_path / "scope.html")
    assert list(tmp_path.iterdir()) == []
    assert scope.to_html(tmp_path / "scope.html", force=True).is_file()


def test_a_part_of_it(cap, tmp_path):
    scope = Scope(cap, layer="up.1.0", step=7)
    _, traits, index, _ = read(scope.to_html(tmp_path / "scope.html", layers=["mid.0"], steps=[0, 4]))
    assert [step["step"] for step in traits["_manifest"]["steps"]] == [0, 4]
    assert len(traits["_manifest"]["mass"]["mid.0"]) == 2
    assert len(traits["_manifest"]["layers"]) == 4
    assert (traits["step"], traits["level"]) == (4, "unet")
    assert {key.split("|")[4] for key in index["items"] if key.startswith("layer")} == {"mid.0"}
    assert len([key for key in index["items"] if key.startswith("range")]) == 4
    assert [key for key in index["items"] if key.startswith("atlas")] == ["atlas|0|0|cond|", "atlas|4|0|cond|"]
    assert traits["_first"]["items"][0]["id"] == "atlas|4|0|cond|"
    assert (scope.step, scope.level) == (7, "layer")


def test_what_is_not_there_cannot_be_exported(cap, tmp_path):
    scope = Scope(cap)
    with pytest.raises(UnknownLayerError, match=r"'up\.9\.9'"):
        scope.to_html(tmp_path / "scope.html", layers=["up.9.9"])
    with pytest.raises(ViewError, match="step=1 was not captured"):
        scope.to_html(tmp_path / "scope.html", steps=[1])
    with pytest.raises(ViewError, match="names no step"):
        scope.to_html(tmp_path / "scope.html", steps=[])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_front_end_says_how_to_build_it(cap, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_STATIC", tmp_path / "nothing")
    with pytest.raises(FrontEndError, match="`make`"):
        Scope(cap).to_html(tmp_path / "scope.html")


def test_a_failed_write_leaves_what_was_there(cap, tmp_path, monkeypatch):
    path = tmp_path / "scope.html"
    path.write_text("before")
    monkeypatch.setattr(html.Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Scope(cap).to_html(path)
    assert path.read_text() == "before"
    assert [part.name for part in tmp_path.iterdir()] == ["scope.html"]
