"""``Capture``: a thin face on the labelled tree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from attnscope.errors import NothingCapturedError, UnknownGridError, UnknownLayerError, UnknownWordError, choices
from attnscope.maps.heat import branch_meant, elsewhere, heat_of
from attnscope.maps.held import Held
from attnscope.maps.kept import kept_nbytes
from attnscope.maps.measures import MEASURES, SeesModel, attention_kinds
from attnscope.maps.narrow import labels
from attnscope.maps.resample import How, resample
from attnscope.maps.schema import grid_name, parse_grid
from attnscope.maps.tables import contents, layer_table, token_table

__all__ = ["Capture"]


class Capture(Held, SeesModel):
    """The attention of one run, labelled.

    Made by `attnscope.capture` and `attnscope.open`. While a run goes on it shows the steps that are finished.

    Parameters
    ----------
    source
        A labelled tree, or a recording that may still grow.
    label
        Makes a tree of a recording, as it is by now.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> with attnscope.capture(pipe) as cap:
    ...     image = pipe("a red circle above a blue square", num_inference_steps=2).images[0]
    >>> cap.at(8).dims
    ('step', 'layer', 'head', 'pixel', 'token')
    >>> cap.word("red").dims
    ('y', 'x')
    """

    #: How a capture is shown in a notebook. ``maps`` may not import ``widget``; ``attnscope/__init__.py`` fills it in.
    viewer: ClassVar[Callable[[Capture], Any] | None] = None

    # --- tables -----------------------------------------------------------------------------------------------

    @property
    def layers(self) -> pd.DataFrame:
        """One row for each captured layer and kind, in network order."""
        return layer_table(itertools.chain.from_iterable(map(self._arrays, self.kinds)))

    @property
    def tokens(self) -> pd.DataFrame:
        """One row for each kept token: ``token``, ``token_text``, ``word``, ``word_index``, ``token_kind``, ...

        Where the texts differ, between branches or images, each has its rows, and ``branch``, ``image`` stand in front.
        """
        return token_table(self._arrays(self._over_tokens)[0])

    @property
    def missing(self) -> dict[str, str]:
        """Every attention site that was not captured (by its dotted path), with the reason."""
        missing: dict[str, str] = {}
        for site in self.attrs["missing"]:
            before = missing.get(site["module"])
            missing[site["module"]] = site["reason"] if before is None else f"{before}; {site['reason']}"
        return missing

    @property
    def missing_sites(self) -> pd.DataFrame:
        """The same as a table: ``layer``, ``kind``, ``module``, ``reason``."""
        return pd.DataFrame(self.attrs["missing"], columns=["layer", "kind", "module", "reason"])

    @property
    def kinds(self) -> list[str]:
        """The kinds of attention that were captured: ``"cross"``, ``"image"``, ``"self"``."""
        return attention_kinds(self.tree)

    @property
    def _over_tokens(self) -> str:
        return "image" if self.kinds == ["image"] else "cross"

    # --- maps -------------------------------------------------------------------------------------------------

    def _arrays(self, kind: str = "cross") -> list[xr.DataArray]:
        if kind not in self.tree.children:
            msg = f"Attention of kind {kind!r} was not captured. {choices(kind, self.kinds)}"
            raise UnknownLayerError(msg)
        nodes: Any = self.tree[kind].children.values()
        # Copies share the data: who loads one does not change what is kept.
        return [node["attention"].copy(deep=False) for node in nodes]

    def at(self, grid: int | str | Sequence[int], kind: str = "cross") -> xr.DataArray:
        """Maps of all layers of one native grid.

        Parameters
        ----------
        grid
            Rows and columns: ``16``, ``"16x24"`` or ``(16, 24)``.
        kind
            Kind of attention.

        Returns
        -------
        xarray.DataArray
            ``(step, layer, head, pixel, token)``, after ``branch``, ``image``, ``frame`` where there are several.

        Raises
        ------
        UnknownGridError
            If no captured layer has this grid.
        """
        name = grid_name(*parse_grid(grid))
        for array in self._arrays(kind):
            if grid_name(*array.attrs["grid"]) == name:
                return array
        grids = [grid_name(*array.attrs["grid"]) for array in self._arrays(kind)]
        msg = f"No captured layer has the grid {name}. {choices(name, grids)}"
        raise UnknownGridError(msg)

    def layer(self, label: str, kind: str = "cross") -> xr.DataArray:
        """Maps of one layer: ``(step, head, pixel, token)``, after the dims of `at` that lead.

        Raises
        ------
        UnknownLayerError
            If no captured layer has this label.
        """
        for array in self._arrays(kind):
            if label in array["layer"].values:
                # Layers that share a grid may differ in heads; those that this one does not have are no data.
                layer = array.sel(layer=label)
                return layer.isel(head=slice(int(layer.coords["heads"])))
        msg = f"No captured layer is called {label!r}. {choices(label, self.layers['layer'])}"
        raise UnknownLayerError(msg)

    def stack(
        self, size: int | str | Sequence[int] | None = None, how: How = "area", kind: str = "cross"
    ) -> xr.DataArray:
        """All layers on one grid, in network order.

        Parameters
        ----------
        size
            Rows and columns; the finest captured grid where it is not given.
        how
            ``"area"``, ``"nearest"``, ``"bilinear"`` or ``"bicubic"``, see `attnscope.maps.resample.resample`.
        kind
            Kind of attention.

        Returns
        -------
        xarray.DataArray
            ``(step, layer, head, pixel, token)`` float32; NaN for heads that a layer does not have.
        """
        arrays = self._arrays(kind)
        grid = tuple(arrays[0].attrs["grid"]) if size is None else parse_grid(size)  # type: ignore[arg-type]
        heads = max(array.sizes["head"] for array in arrays)
        parts = [_pad_heads(resample(array, grid, how), heads) for array in arrays]
        stacked = xr.concat(parts, "layer", coords="minimal", compat="override", combine_attrs="override")
        return stacked.sel(layer=list(self.layers.query("kind == @kind")["layer"]))

    def word(
        self,
        word: str,
        occurrence: int | None = None,
        *,
        size: int | str | Sequence[int] | None = None,
        how: How = "area",
    ) -> xr.DataArray:
        """Heat map of a word: its tokens summed, then the mean over steps, layers and heads.

        Every layer counts the same, whatever its grid and heads; what was not captured (NaN) does not count.

        Parameters
        ----------
        word
            A word of the prompt; where images have prompts of their own, of each.
        occurrence
            Which one, from 0, where it stands there several times; None sums all of them.
        size, how
            Grid of the result and the way onto it, as in `stack`.

        Returns
        -------
        xarray.DataArray
            ``(y, x)`` in pixels of the picture, after ``image`` and ``frame`` where there are several. The probability,
            in [0, 1], with which the average head looks at the word from there. Of several branches it is the
            conditional one; ``attrs["branch"]`` says which, and ``attrs["token"]`` where the word stands, for each
            image where that differs.

        Raises
        ------
        UnknownWordError
            If the prompt has no such word; of several prompts, if one of them has not.
        """
        array = self._arrays()[0]
        if "branch" in array.dims:
            branch = branch_meant(labels(array, "branch"))
            try:
                return self.sel(branch=branch).word(word, occurrence, size=size, how=how)
            except UnknownWordError as error:
                msg = f"{error}{elsewhere(self.tokens, word, branch)}"
                raise UnknownWordError(msg) from None
        heat = heat_of(self, self._arrays(), word, occurrence, size, how)
        return heat.assign_attrs(branch=next(iter(labels(array, "branch")), "cond"))

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept: of self-attention, those of queries, keys and log-sum-exps."""
        every = itertools.chain.from_iterable(map(self._arrays, self.kinds))
        return sum(kept_nbytes(array) for array in every)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything to a Zarr v3 store, without loss, for `attnscope.open`; ``overwrite`` replaces one."""
        from attnscope.maps.io import save

        return save(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        try:
            kinds = {kind: self._arrays(kind) for kind in self.kinds}
        except NothingCapturedError:
            return "<attnscope.Capture: nothing captured yet>"
        first = next(iter(kinds.values()))[0]
        parts = [*contents(first), f"{first.sizes['step']} steps"]
        for kind, arrays in kinds.items():
            grids = ", ".join(f"{a.sizes['layer']} at {grid_name(*a.attrs['grid'])}" for a in arrays)
            of_self = "" if kind == "cross" else f" of {kind}-attention"
            parts.append(f"{sum(array.sizes['layer'] for array in arrays)} layers{of_self} ({grids})")
        if "token" in first.dims:
            parts.append(f"{first.sizes['token']} tokens")
        if MEASURES in self.tree.children:
            parts.append("sub-layers measured")
        prompts = [self.prompt] if isinstance(self.prompt, str) else list(self.prompt or [])
        prompt = " | ".join(map(repr, prompts)) or "a bare model"
        steps = self.attrs.get("steps")
        parts += (
            [] if self.attrs.get("finished", True) else [f"not finished{f' ({steps} steps expected)' if steps else ''}"]
        )
        return f"<attnscope.Capture of {prompt}: {', '.join(parts)}, {self.nbytes / 1e6:.1f} MB>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        nothing = self._recording is not None and self._recording.empty
        if Capture.viewer is None or nothing or not {"cross", "self"} & set(self.kinds):
            return {"text/plain": repr(self)}
        return Capture.viewer(self)


def _pad_heads(array: xr.DataArray, heads: int) -> xr.DataArray:
    if array.sizes["head"] == heads:
        return array
    return array.pad(head=(0, heads - array.sizes["head"])).assign_coords(head=np.arange(heads))
