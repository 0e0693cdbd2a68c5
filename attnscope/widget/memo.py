"""What was computed once and may be asked for again, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["Memo"]


class Memo:
    """Keeps the arrays that were used last. Safe from several threads, which may both compute what neither finds.

    Parameters
    ----------
    limit
        The most bytes that are kept; a single array may be larger.

    Examples
    --------
    >>> import numpy as np
    >>> memo = Memo(limit=100)
    >>> memo.get("a", lambda: np.zeros(8)).size, memo.get("b", lambda: np.zeros(9)).size
    (8, 9)
    >>> memo.nbytes
    72
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.nbytes = 0
        self._kept: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Give what was kept under a key, or make it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self.nbytes += value.nbytes
            while self.nbytes > self.limit and len(self._kept) > 1:
                self.nbytes -= self._kept.popitem(last=False)[1].nbytes
        return value
