"""What a capture says of its model: the norms that were measured, and the table of its anatomy that they go into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from attnscope.errors import NotMeasuredError, UnknownLayerError, choices

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MEASURES", "SeesModel", "attention_kinds"]

#: Name of the node.
MEASURES = "measures"


def attention_kinds(tree: xr.DataTree) -> list[str]:
    """Name the nodes that hold attention, those with a node for each grid."""
    return [str(name) for name, node in tree.children.items() if node.children]


class SeesModel:
    """The part of a `Capture` that is about the model rather than about its maps."""

    #: How the model that a capture's attrs describe is taken apart. ``maps`` may not import ``capture``, which needs
    #: torch; ``attnscope/__init__.py`` fills it in.
    anatomist: ClassVar[Callable[[Mapping[Any, Any]], pd.DataFrame] | None] = None

    @property
    def tree(self) -> xr.DataTree:
        """The data."""
        raise NotImplementedError

    @property
    def measures(self) -> xr.Dataset:
        """How much each sub-layer added to the residual stream, where ``measure=True`` asked for it.

        Returns
        -------
        xarray.Dataset
            ``added`` and ``stream``, each ``(step, layer, part)`` float32, after ``branch``, ``image``, ``frame`` where
            there are several: the L2 norm over the channels, averaged over the pixels, in the units of the model's
            hidden states, of what is really added (behind all gates) and of what it is added to. ``part`` is
            ``attn1``, ``attn2`` or ``ff``; ``module`` the path of the transformer block. What was not seen is NaN, and
            ``attrs["unseen"]`` names it, with the reason.

        Raises
        ------
        NotMeasuredError
            If the capture was made without ``measure=True``.

        Examples
        --------
        >>> import attnscope
        >>> pipe = attnscope.demo.pipeline()
        >>> with attnscope.capture(pipe, measure=True) as cap:
        ...     image = pipe("a green star", num_inference_steps=2).images[0]
        >>> share = cap.measures["added"] / cap.measures["stream"]
        >>> share.sel(place="up", part="attn2").mean("step").dims
        ('layer',)
        """
        if MEASURES not in self.tree.children:
            held = choices("", (f"{kind}-attention" for kind in attention_kinds(self.tree)))
            msg = (
                f"The sub-layers were not measured in this run. {held} "
                "Ask for it when you capture: `with attnscope.capture(pipe, measure=True) as cap:`."
            )
            raise NotMeasuredError(msg)
        return self.tree[MEASURES].to_dataset()

    def anatomy(self, layer: str) -> pd.DataFrame:
        """Take one layer apart: every step of it with its shapes, and what was measured in the run.

        The model is built again from its configuration, without weights, which takes torch and diffusers.

        Parameters
        ----------
        layer
            A label of `Capture.layers`; where transformers have several blocks, that of the transformer itself too.

        Returns
        -------
        pandas.DataFrame
            The rows of this layer in `attnscope.anatomy`, at the size at which the model ran, with two columns more.
            ``added`` and ``stream`` are the means of `measures` over steps, branches, images and frames, in the rows
            that stand for ``attn1``, ``attn2`` and ``ff`` in the transformer block; NaN elsewhere, and everywhere
            where nothing was measured.

        Raises
        ------
        UnknownLayerError
            If the model has no such layer.
        CaptureError
            If the model is of a class whose anatomy is not known.

        Examples
        --------
        >>> import attnscope
        >>> pipe = attnscope.demo.pipeline()
        >>> with attnscope.capture(pipe, measure=True) as cap:
        ...     image = pipe("a green star", num_inference_steps=2).images[0]
        >>> table = cap.anatomy("up.1.0")
        >>> table[table["added"].notna()]["operation"].tolist()
        ['attn1', 'attn2', 'ff']
        """
        table = self._anatomy
        rows = table[table["layer"] == layer]
        if rows.empty or not layer:
            msg = f"No layer of the model is called {layer!r}. {choices(layer, filter(None, table['layer']))}"
            raise UnknownLayerError(msg)
        rows = rows.reset_index(drop=True).assign(added=np.nan, stream=np.nan)
        return _with_norms(rows, self.measures) if MEASURES in self.tree.children else rows

    @cached_property
    def _anatomy(self) -> pd.DataFrame:
        take_apart = type(self).anatomist
        assert take_apart is not None
        return take_apart(self.tree.attrs)


def _with_norms(table: pd.DataFrame, measures: xr.Dataset) -> pd.DataFrame:
    """Fill in the means in the rows in which a block calls a sub-layer of its own."""
    means = measures.mean([dim for dim in measures.dims if dim not in ("layer", "part")])
    modules = [f"{module}.{part}" for module in means["module"].values for part in means["part"].values]
    called = table["module"].str.rpartition(".")[2] == table["operation"]
    for name in ("added", "stream"):
        values = pd.Series(means[name].transpose("layer", "part").values.ravel().astype(float), modules)
        table[name] = np.where(called, values.reindex(table["module"]), np.nan)
    return table
