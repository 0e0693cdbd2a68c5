"""Captures of several branches, prompts, frames and kinds: the scope shows one text, says so, and mislabels none."""

import warnings

import numpy as np
import pytest
from capture.taking import BOTH, take, texts
from zoo.case import NEGATIVE, OTHER, PROMPT

import attnscope
from attnscope.errors import NarrowedScopeWarning, UnknownRowError, ViewError
from attnscope.figures.poster import poster
from attnscope.maps.kept import kept
from attnscope.widget.scope import Scope


@pytest.fixture(scope="module")
def several():
    """Two prompts of two pictures each, with negative prompts of their own."""
    return take("sd several", {"branches": BOTH})


@pytest.fixture(scope="module")
def film():
    return take("animatediff", {"branches": BOTH})


def words(scope):
    shown = [entry["word"] for entry in scope._manifest["tokens"] if entry["word_index"] >= 0]
    return list(dict.fromkeys(shown))


def _swatches(panel):
    return panel.map.categories if panel.map else ()


def once(make):
    """Make a scope that warns, once."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = make()
    (warning,) = (one for one in said if issubclass(one.category, NarrowedScopeWarning))
    return made, str(warning.message)


def test_of_several_texts_the_conditional_one_of_the_first_image_is_shown(several):
    scope, said = once(lambda: Scope(several, token="circle"))
    assert words(scope) == list(dict.fromkeys(PROMPT.split()))
    assert (scope.branch, scope.image) == ("cond", 0)
    assert "2 branches (cond, uncond), 4 images, 4 texts" in said
    assert "shows branch 'cond', image 0" in said
    assert said.endswith('attnscope.Scope(cap.sel(branch="uncond", image=1)).')
    assert np.array_equal(scope.selected, Scope(several.sel(branch="cond", image=0), token="circle").selected)


def test_the_code_begins_with_the_part_that_is_shown(several):
    scope, _ = once(lambda: Scope(several, layer="mid.0", token="square"))
    assert scope.code().startswith('cap.sel(branch="cond", image=0).layer("mid.0")')
    assert np.array_equal(eval(scope.code(), {"cap": several}), scope.selected)


def test_the_page_copies_code_that_begins_with_that_part(several):
    """It is told by the manifest."""
    scope = Scope(several, branch="uncond", image=1)
    assert scope._manifest["source"] == 'cap.sel(branch="uncond", image=1)'
    assert Scope(several.sel(branch="uncond", image=1))._manifest["source"] == "cap"


def test_of_a_second_capture_of_several_texts_the_code_says_which(several):
    with pytest.warns(NarrowedScopeWarning):
        scope = Scope(several.sel(branch="cond", image=0), against=several, layer="mid.0", token=2)
    scope.state = {"compare": {"capture": 1}, "compare_as": "difference"}
    assert scope._manifest["source"] == "cap"
    assert scope._manifest["other"]["source"] == 'other.sel(branch="cond", image=0)'
    names = {"cap": several.sel(branch="cond", image=0), "other": several, "attnscope": attnscope}
    assert np.array_equal(eval(scope.code(), names), scope.selected)


def test_who_asks_for_a_text_gets_it_without_a_warning(several, recwarn):
    scope = Scope(several, branch="uncond", image=1, token="triangle")
    other = Scope(several.sel(branch="uncond", image=1), token="triangle")
    assert not [one for one in recwarn if issubclass(one.category, NarrowedScopeWarning)]
    for one in (scope, other):
        assert words(one) == ["a", "photo", "of", "triangle"]
        assert one.branch == "uncond"
        assert "branch uncond" in one.spec().caption
        assert one._manifest["title"] == f"negative prompt “{NEGATIVE}”"
        assert one._manifest["prompt"] is None
    assert scope.code() != other.code()


def test_a_text_that_is_not_there_is_no_view(several):
    with pytest.raises(ViewError, match=r"branch='perturbed' was not captured. Available: cond, uncond"):
        Scope(several, branch="perturbed")
    with pytest.raises(ViewError, match=r"image=4 was not captured. Available: 0, 1, 2, 3"):
        Scope(several, image=4)


def test_every_way_out_has_the_words_of_what_it_shows(several, tmp_path):
    scope = Scope(several.sel(branch="uncond", image=0), layer="mid.0", token="triangle")
    assert " summed, branch uncond; linear" in scope.spec().caption
    assert scope.figure().layout.images
    page = scope.to_html(tmp_path / "scope.html").read_text()
    assert "triangle" in page
    assert "circle" not in page.split('id="attnscope-traits"')[1].split("</script>")[0]
    assert scope.save(tmp_path / "scope.png").stat().st_size
    still = poster(scope._shown[0], scope.view)
    assert "branch uncond" in still.caption
    assert any("negative prompt" in text.text for text in still.texts)


def test_a_notebook_shows_such_a_capture_too(several):
    (data, _), said = once(several._repr_mimebundle_)
    assert "image 0" in said
    assert "‘above’" in data["text/html"]
    assert data["text/plain"] == repr(several)


def test_branches_of_one_text_are_switched_as_before(pipe, paint, recwarn):
    with attnscope.capture(pipe, branches=BOTH) as cap:
        paint("a star", negative_prompt="a star", num_inference_steps=1)
    scope = Scope(cap)
    assert not [one for one in recwarn if issubclass(one.category, NarrowedScopeWarning)]
    assert scope._manifest["branches"] == list(BOTH)
    scope.branch = "uncond"
    assert "branch uncond" in scope.spec().caption
    assert "branch='uncond'" in scope.code().replace('"', "'")


def test_of_a_film_the_first_frame_is_shown(film):
    scope, said = once(lambda: Scope(film))
    assert "5 frames" in said
    assert said.endswith('attnscope.Scope(cap.sel(branch="uncond", frame=1)).')
    assert scope._manifest["pictures"]
    assert len(film.images) == 5
    assert np.array_equal(np.asarray(film.sel(frame=0).image), np.asarray(film.images[0]))
    assert scope.spec().pictures


def test_a_branch_that_is_over_is_shown_as_nothing_and_not_as_zeros():
    """A callback has switched guidance off: at the last step there is no negative prompt."""
    cap = take("sd guided at first", {"branches": BOTH})
    scope = Scope(cap, branch="uncond", layer="mid.0", token="photo")
    assert scope.selected.isnull().all()
    assert "cells are not a number (magenta)" in scope.spec().caption
    assert Scope(cap, branch="uncond").spec().panels
    scope.step = 0
    assert not scope.selected.isnull().any()


def test_image_prompts_stay_beside_the_text():
    cap = take("ip adapter", {"kinds": ("cross", "image")})
    scope = Scope(cap, token="circle")
    assert words(scope) == list(dict.fromkeys(PROMPT.split()))
    assert scope._manifest["layers"] == [entry for entry in scope._manifest["layers"] if entry["kind"] == "cross"]
    assert scope.figure().layout.images


def test_a_joint_softmax_is_shown_with_its_pixels():
    cap = take("deepfloyd if", {})
    scope = Scope(cap, token="(picture)")
    assert scope._manifest["tokens"][-1]["kind"] == "self"
    assert "(picture)" in scope.spec().caption
    assert all(swatch.label != "(picture)" for panel in Scope(cap).spec().panels for swatch in _swatches(panel))


def test_image_prompts_alone_are_no_view():
    cap = take("ip adapter", {"kinds": "image"})
    assert cap.tokens["word"].tolist() == ["image 0"] * 4
    with pytest.raises(ViewError, match=r"holds image-attention only. Capture kinds=\('cross', 'image'\)"):
        Scope(cap)
    assert list(cap._repr_mimebundle_()) == ["text/plain"]


def test_views_of_a_panorama_have_no_picture_under_them():
    cap = take("panorama batched")
    scope = Scope(cap)
    assert scope._manifest["images"] == ["0", "1"]
    assert scope._manifest["pictures"] == []
    scope.image = 1
    assert not scope.spec().pictures
    assert len(cap.sel(image=1).images) == 1


def test_a_scope_follows_one_text_while_the_run_goes_on(pipe, paint):
    scope = Scope(token="star")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with attnscope.capture(pipe, branches=BOTH, scope=scope) as cap:
            paint(["a star", "a circle"], negative_prompt=["a square", ""])
    assert [one.category for one in said].count(NarrowedScopeWarning) == 1
    assert words(scope) == ["a", "star"]
    assert scope._manifest["steps"][-1]["step"] == 2
    assert np.array_equal(scope.selected, Scope(cap.sel(branch="cond", image=0), token="star").selected)
    assert scope.code().startswith('cap.sel(branch="cond", image=0)')


def test_a_live_scope_that_asks_for_a_branch_follows_it(pipe, paint, recwarn):
    scope = Scope(branch="uncond")
    with attnscope.capture(pipe, branches=BOTH, scope=scope) as cap:
        paint("a star", negative_prompt="a square")
    assert not [one for one in recwarn if issubclass(one.category, attnscope.errors.AttnscopeWarning)]
    assert words(scope) == ["a", "square"]
    assert np.array_equal(scope.selected, Scope(cap, branch="uncond").selected)


# --- the capture itself -------------------------------------------------------------------------------------------


def test_a_narrowed_capture_is_a_view_that_grows_with_the_run(pipe, paint):
    seen = []

    def look(pipeline, step, timestep, tensors):
        seen.append((cap if step == 0 else seen[0][0]).sel(branch="uncond").at("8x12").sizes["step"])
        if step == 0:
            seen[0] = (cap.sel(branch="uncond"), seen[0])
        return tensors

    with attnscope.capture(pipe, branches=BOTH) as cap:
        paint(negative_prompt="a square", callback_on_step_end=look)
    narrowed = seen[0][0]
    assert [seen[0][1], *seen[1:]] == [1, 2, 3]
    assert texts(narrowed) == ["a", "square"]
    for node in narrowed.tree["cross"].children.values():
        assert any(np.shares_memory(kept(node["attention"]).values, store.array) for store in cap._recording.stores)
    assert narrowed.nbytes * 2 == cap.nbytes


@pytest.mark.parametrize("store", [False, True])
def test_several_texts_survive_the_disk(pipe, paint, tmp_path, store):
    options = {"branches": BOTH, "kinds": ("cross", "self"), "measure": True, "dtype": "uint8"}
    with attnscope.capture(pipe, **options, store=tmp_path / "live.zarr" if store else None) as cap:
        paint(["a star", "a circle"], negative_prompt=["a square", ""])
    opened = attnscope.open(tmp_path / "live.zarr" if store else cap.save(tmp_path / "run.zarr"))
    chosen = {"branch": "uncond", "image": 0}
    assert repr(opened) == repr(cap)
    assert opened.tokens.equals(cap.tokens)
    assert list(opened.tokens)[:2] == ["branch", "image"]
    one, other = opened.sel(**chosen), cap.sel(**chosen)
    again = attnscope.open(one.save(tmp_path / "part.zarr"))
    for part in (one, again):
        assert part.at("8x12").sel(word="square").identical(other.at("8x12").sel(word="square"))
        assert np.array_equal(part.at("4x6", kind="self"), other.at("4x6", kind="self"))
        assert part.measures.identical(other.measures)
        assert (part.prompt, part.nbytes) == ("a star", other.nbytes)
        assert np.array_equal(part.images[0], other.images[0])
    assert opened.stack().sel(branch="cond", image=1).sel(word="circle").sizes["token"] == 1
    assert again.previews.equals(other.previews)


def test_what_is_not_there_to_be_chosen(several):
    with pytest.raises(UnknownRowError, match=r"branch='con' was not captured. Available: cond, uncond. Did you mean"):
        several.sel(branch="con")
    with pytest.raises(UnknownRowError, match=r"image=7 was not captured. Available: 0, 1, 2, 3"):
        several.sel(image=7)
    with pytest.raises(UnknownRowError, match=r"frame=0 was not captured. Available: none"):
        several.sel(frame=0)


def test_a_capture_says_what_it_holds(several, film):
    assert f"{PROMPT!r} | {OTHER!r}: 2 branches (cond, uncond), 4 images, 4 texts, 2 steps" in repr(several)
    assert "2 branches (cond, uncond), 5 frames, 2 texts" in repr(film)
    assert ": branch uncond, 2 steps" in repr(several.sel(branch="uncond", image=0))
    assert several.stack().dims[:3] == ("branch", "image", "step")
    assert several.previews.sizes["image"] == 4
    assert several.sel(image=2).previews.dims == ("step", "row", "column", "rgb")
