"""See the attention of text-to-image diffusion models: exact, labelled, interactive.

>>> import attnscope
>>> pipe = attnscope.demo.pipeline()
>>> with attnscope.capture(pipe) as cap:
...     image = pipe("a red circle above a blue square", num_inference_steps=2).images[0]
>>> cap
<attnscope.Capture of 'a red circle above a blue square': 2 steps, 16 layers (...), 10 tokens, ... MB>
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

# The package `attnscope.capture` is imported before the function of the same name takes its place here.
import attnscope.capture  # noqa: F401
from attnscope import demo, errors
from attnscope.api import capture, open
from attnscope.beforehand import anatomy, estimate
from attnscope.maps.capture import Capture

if TYPE_CHECKING:
    import pandas as pd

    from attnscope.widget.scope import Scope

__version__ = "0.1.0"
__all__ = ["Capture", "Scope", "__version__", "anatomy", "capture", "demo", "errors", "estimate", "open"]


def _show(cap: Capture) -> Any:
    from attnscope.widget.display import mimebundle

    return mimebundle(cap)


def _take_apart(attrs: Mapping[Any, Any]) -> pd.DataFrame:
    from attnscope.capture.anatomy import anatomy_of_capture

    return anatomy_of_capture(attrs)


Capture.viewer = staticmethod(_show)
Capture.anatomist = staticmethod(_take_apart)


def __getattr__(name: str) -> Any:
    # The widget brings anywidget and ipywidgets along, which who only reads arrays does not need.
    if name == "Scope":
        from attnscope.widget.scope import Scope

        return Scope
    msg = f"module 'attnscope' has no attribute {name!r}"
    raise AttributeError(msg)
