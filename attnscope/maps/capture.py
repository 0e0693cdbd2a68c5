"""``Capture``: a thin face on the labelled tree."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from attnscope.errors import NothingCapturedError, UnknownGridError, UnknownLayerError, choices
from attnscope.maps.build import from_recording
from attnscope.maps.kept import kept_nbytes
from attnscope.maps.measures import MEASURES, SeesModel, attention_kinds
from attnscope.maps.resample import How, resample
from attnscope.maps.schema import LAYER_COORDS, TOKEN_COORDS, grid_name, parse_grid
from attnscope.maps.words import word_positions

if TYPE_CHECKING:
    from PIL.Image import Image

    from attnscope.capture.recording import Recording

__all__ = ["Capture"]


class Capture(SeesModel):
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

    def __init__(
        self, source: xr.DataTree | Recording, label: Callable[[Recording], xr.DataTree] = from_recording
    ) -> None:
        self._label = label
        self._recording = None if isinstance(source, xr.DataTree) else source
        #: The tree and the version that it is of: one value, since another thread may ask while the run goes on.
        self._built = (source, -1) if isinstance(source, xr.DataTree) else (None, -1)

    @property
    def tree(self) -> xr.DataTree:
        """The data: one node per kind and native grid.

        Arrays are float32 in use, whatever they are kept in, and are read when asked for.

        Raises
        ------
        NothingCapturedError
            If no step has been seen yet.
        """
        tree, version = self._built
        if self._recording is not None and version != self._recording.version:
            if self._recording.empty:
                msg = "Nothing has been captured yet: run the pipeline inside the `with attnscope.capture(...)` block."
                raise NothingCapturedError(msg)
            version = self._recording.version  # before the tree, which then is of this version or a newer one
            tree = self._label(self._recording)
            self._built = tree, version
        assert tree is not None
        return tree

    # --- tables -----------------------------------------------------------------------------------------------

    @property
    def layers(self) -> pd.DataFrame:
        """One row for each captured layer and kind, in network order."""
        names = ("layer", *LAYER_COORDS)
        rows = []
        for array in itertools.chain.from_iterable(map(self._arrays, self.kinds)):
            height, width = array.attrs["grid"]
            columns = {name: array.coords[name].values.tolist() for name in names}
            for index in range(array.sizes["layer"]):
                row = {name: values[index] for name, values in columns.items()}
                row |= {"kind": array.attrs["kind"], "grid": grid_name(height, width)}
                rows.append(row | {"height": height, "width": width})
        order = {"down": 0, "mid": 1, "up": 2}
        rows.sort(key=lambda row: (order.get(row["place"], 3), row["block"], row["attention_index"], row["depth"]))
        columns = ["layer", "kind", "place", "module", "grid", "heads", "head_width", "height", "width", "block"]
        table = pd.DataFrame(rows, columns=[*columns, "attention_index", "depth"])
        return table.rename(columns={"attention_index": "attention"})

    @property
    def tokens(self) -> pd.DataFrame:
        """One row for each kept token: ``token``, ``token_text``, ``word``, ``word_index``, ``token_kind``, ..."""
        array = self._arrays()[0]
        return pd.DataFrame({name: array.coords[name].values for name in ("token", *TOKEN_COORDS)})

    @property
    def missing(self) -> dict[str, str]:
        """Every attention site that was not captured (by its dotted path), with the reason."""
        return {site["module"]: site["reason"] for site in self.attrs["missing"]}

    @property
    def missing_sites(self) -> pd.DataFrame:
        """The same as a table: ``layer``, ``kind``, ``module``, ``reason``."""
        return pd.DataFrame(self.attrs["missing"], columns=["layer", "kind", "module", "reason"])

    @property
    def kinds(self) -> list[str]:
        """The kinds of attention that were captured: ``"cross"``, ``"self"``."""
        return attention_kinds(self.tree)

    # --- maps -------------------------------------------------------------------------------------------------

    def _arrays(self, kind: str = "cross") -> list[xr.DataArray]:
        if kind not in self.tree.children:
            msg = f"Attention of kind {kind!r} was not captured. {choices(kind, self.kinds)}"
            raise UnknownLayerError(msg)
        nodes: Any = self.tree[kind].children.values()
        return [node["attention"] for node in nodes]

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
            ``(step, layer, head, pixel, token)``, after ``image`` where there are several.

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
        """Maps of one layer: ``(step, head, pixel, token)``, after ``image`` where there are several.

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
            A word of the prompt.
        occurrence
            Which one, from 0, where it stands there several times; None sums all of them.
        size, how
            Grid of the result and the way onto it, as in `stack`.

        Returns
        -------
        xarray.DataArray
            ``(y, x)`` in pixels of the picture, after ``image`` where there are several. The probability, in [0, 1],
            with which the average head looks at the word from there.

        Raises
        ------
        UnknownWordError
            If the prompt has no such word.
        """
        positions = word_positions(self.tokens, word, occurrence)
        arrays = self._arrays()
        grid = tuple(arrays[0].attrs["grid"]) if size is None else parse_grid(size)  # type: ignore[arg-type]
        total, layers = xr.DataArray(0.0), 0
        for array in arrays:
            maps = array.sel(token=positions).sum("token", skipna=False, keep_attrs=True)
            maps = maps.mean(("step", "head"), keep_attrs=True)
            seen = maps.dropna("layer", how="all")
            layers += seen.sizes["layer"]
            total = total + resample(seen.sum("layer", keep_attrs=True), grid, how)
        heat = (total / layers).unstack("pixel")
        return heat.rename(f"attention to {word}").assign_attrs(word=word, token=positions, layers=layers)

    # --- the run ----------------------------------------------------------------------------------------------

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """Where the maps came from: prompt, scheduler, guidance, sizes, seed, versions."""
        return self.tree.attrs

    @property
    def prompt(self) -> str | None:
        """The prompt, None where only embeddings were given."""
        return self.attrs["prompt"]

    @property
    def images(self) -> list[Image]:
        """The final pictures; empty where the run did not decode any."""
        from PIL import Image as pillow

        if "picture" not in self._pictures:
            return []
        return [pillow.fromarray(np.asarray(picture)) for picture in self._pictures["picture"].values]

    @property
    def image(self) -> Image | None:
        """The final picture, the first where there are several."""
        return next(iter(self.images), None)

    @property
    def previews(self) -> xr.DataArray | None:
        """Predicted picture at every step: ``(step, row, column, rgb)`` uint8, with ``image`` where several.

        A linear fit of the decoder, made from the run's own last latents and picture, so a cheap and coarse one.
        """
        if "preview" not in self._pictures:
            return None
        preview = self._pictures["preview"].rename(preview_row="row", preview_column="column")
        return preview.isel(image=0, drop=True) if preview.sizes["image"] == 1 else preview

    @property
    def version(self) -> int:
        """Counts what has changed while the run went on; 0 for a capture that was opened."""
        return 0 if self._recording is None else self._recording.version

    @property
    def _pictures(self) -> Mapping[Any, xr.DataArray]:
        return self.tree["pictures"].dataset.data_vars if "pictures" in self.tree.children else {}

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
        parts = [f"{first.sizes['step']} steps"]
        for kind, arrays in kinds.items():
            grids = ", ".join(f"{a.sizes['layer']} at {grid_name(*a.attrs['grid'])}" for a in arrays)
            of_self = "" if kind == "cross" else f" of {kind}-attention"
            parts.append(f"{sum(array.sizes['layer'] for array in arrays)} layers{of_self} ({grids})")
        if "token" in first.dims:
            parts.append(f"{first.sizes['token']} tokens")
        if MEASURES in self.tree.children:
            parts.append("sub-layers measured")
        prompt = "a bare model" if self.prompt is None else repr(self.prompt)
        steps = self.attrs.get("steps")
        parts += (
            [] if self.attrs.get("finished", True) else [f"not finished{f' ({steps} steps expected)' if steps else ''}"]
        )
        return f"<attnscope.Capture of {prompt}: {', '.join(parts)}, {self.nbytes / 1e6:.1f} MB>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        nothing = self._recording is not None and self._recording.empty
        if Capture.viewer is None or nothing or "cross" not in self.kinds:
            return {"text/plain": repr(self)}
        return Capture.viewer(self)


def _pad_heads(array: xr.DataArray, heads: int) -> xr.DataArray:
    if array.sizes["head"] == heads:
        return array
    return array.pad(head=(0, heads - array.sizes["head"])).assign_coords(head=np.arange(heads))
