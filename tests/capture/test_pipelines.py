"""Every kind of UNet pipeline: what is captured of each row is the softmax that was computed for it."""

from collections import Counter

import pytest
import reference
import torch
from zoo import CASES, pictures

import attnscope

EVERYTHING = {
    "kinds": ("cross", "self", "image"),
    "branches": ("cond", "uncond", "image", "perturbed", "edit", "safety"),
}
#: Of the stored softmax, which is computed in float64.
WORST = 2e-6
NAMES = {"neg": "uncond", "pos": "cond", "empty": "uncond"}


def branches(name, rows):
    """Say by hand what the rows of an exhibit are: (branch, image) of each."""
    plain = [NAMES.get(row.rstrip("0123456789"), f"edit {row[4:]}" if row.startswith("edit") else row) for row in rows]
    if name.startswith("instruct"):
        plain = [branch for branch in ("cond", "image", "uncond") for _ in range(len(rows) // 3)]
    elif "pag" in name and "off" not in name:
        positive = [index for index, branch in enumerate(plain) if branch == "cond"]
        for index in positive[len(positive) // 2 :]:
            plain[index] = "perturbed"
    count = Counter()
    for branch in plain:
        yield branch, count[branch]
        count[branch] += 1


def softmax_of(kind, softmaxes, array):
    """The stored softmax (batch, head, pixel, column) as a capture lays it out."""
    if kind == "image":
        return torch.cat(softmaxes[1:], -1)
    first = softmaxes[0]
    if kind == "self":
        return first[..., first.shape[-1] - array.sizes["key"] :]  # behind the text, where both are in one softmax
    if not (array["token_kind"] == "self").any():
        return first
    length = array.sizes["token"] - 1
    return torch.cat([first[..., :length], first[..., length:].sum(-1, keepdim=True)], -1)


def compare(array, kind, runs, layouts, name):
    """Hold every step and row of one layer to what was stored; gives how many were."""
    frames, compared = array.sizes.get("frame", 1), 0
    for step in array["step"].values:
        stored = softmax_of(kind, runs[step], array)
        names = layouts[step % len(layouts)]
        names = names[::frames] if len(names) > 1 and len(names) % frames == 0 and "video" not in name else names
        for row, (branch, image) in enumerate(branches(name, names)):
            for frame in range(frames):
                where = {"branch": branch, "image": image, "frame": frame}
                part = array.sel(step=step, **{dim: label for dim, label in where.items() if dim in array.dims})
                if row * frames + frame >= len(stored):  # the perturbed rows pass without attention
                    assert branch == "perturbed"
                    assert part.isnull().all()
                    continue
                expected = stored[row * frames + frame].numpy()
                assert abs(part.values[: len(expected)] - expected).max() <= WORST, (step, where)
                compared += 1
    return compared


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_each_row_is_its_stored_softmax(name):
    case = CASES[name]()
    if case.prepare:
        case.prepare()
    with reference.softmax(case.denoiser) as seen:
        plain = pictures(case.pipe(**case.arguments))
    if case.prepare:
        case.prepare()
    with attnscope.capture(case.pipe, dtype="float32", tokens="all", **EVERYTHING) as cap:
        picture = pictures(case.pipe(**case.arguments))
    assert torch.equal(picture, plain)
    layouts = [rows for rows in case.rows if rows != ("empty",)] or case.rows  # not those of an inversion
    compared = 0
    for kind in cap.kinds:
        for row in cap.layers.query("kind == @kind").itertuples():
            compared += compare(cap.layer(row.layer, kind=kind), kind, seen[row.module], layouts, name)
    assert compared
    for path in seen:
        assert path in set(cap.layers["module"]) or cap.missing[path], path
