"""Which thread of the kernel hears the browser."""

from __future__ import annotations

from typing import Any

__all__ = ["answer_beside_cells"]


def answer_beside_cells(comm: Any) -> None:
    """Let requests for maps be answered while a cell runs.

    JupyterLab names a subshell, a thread of its own in the kernel, in the messages of widgets. ipykernel 7.4 takes
    them to the main thread all the same, where they wait for the cell, since what a widget calls may not be safe in
    another thread. Reading packets is. Changes of the view may call an observer of the user's: they still wait.

    Parameters
    ----------
    comm
        Of a widget. Nothing is done where its kernel does not choose threads.
    """
    if comm is None or not hasattr(comm, "_reply_subshell_for"):
        return
    comm._reply_subshell_for = lambda data, named: named if _is_request(data) else None


def _is_request(data: Any) -> bool:
    return isinstance(data, dict) and data.get("method") == "custom"
