"""Servers of notebooks, each on a port of its own with a home of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request

JUPYTER = [
    "--no-browser",
    "--allow-root",
    "--expose-app-in-browser",
    "--ServerApp.ip=127.0.0.1",
    "--IdentityProvider.token=",
    "--ServerApp.disable_check_xsrf=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
]
MARIMO = ["--headless", "--host=127.0.0.1", "--no-token", "--no-sandbox", "--no-skew-protection"]
QUIET = '{"fetchNews": "false", "checkForUpdates": false}'


@contextlib.contextmanager
def serve(folder, module, *arguments, ready):
    """Run a Python module as a server over a folder until it is no longer needed; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hosts = ("JUPYTER", "MARIMO")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hosts)}
    env |= {"HOME": str(folder), "IPYTHONDIR": str(folder / "ipython")}
    command = [sys.executable, "-m", module, *arguments, f"--port={port}"]
    with (folder / f"{module}.log").open("w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url + ready):
            assert server.poll() is None, (folder / f"{module}.log").read_text()[-3000:]
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def jupyter(folder, module):
    """JupyterLab (``jupyterlab``) or Notebook 7 (``notebook``), which asks nobody for news."""
    settings = folder / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(QUIET)
    with serve(folder, module, *JUPYTER, f"--ServerApp.root_dir={folder}", ready="/api/status") as url:
        yield url


@contextlib.contextmanager
def marimo(path):
    """The app in a file."""
    with serve(path.parent, "marimo", "-q", "run", str(path), *MARIMO, ready="/health") as url:
        yield url
