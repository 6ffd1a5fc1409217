"""Start the app: Streamlit on 127.0.0.1 over one workspace, in a process of its own that ends with this one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from curate.errors import InputError
from curate.people import ROLES, read_people
from curate.readers.file import find_files, resolve
from curate.recipe import load_recipe
from curate.workspace import Workspace

__all__ = ["serve"]

HERE = "127.0.0.1"


def face() -> Path:
    """The folder of app.py: beside the package in a checkout, inside it where it is installed."""
    inside = Path(__file__).parent / "_face"
    return inside if inside.exists() else Path(__file__).parent.parent


def _first(file: str | None) -> str:
    """What is opened first, as absolute text; "" for nothing. Raises InputError where it is not there."""
    if file is None:
        return ""
    path = resolve(file, Path())
    if Path(path).suffix in (".yaml", ".yml"):
        load_recipe(Path(path))
    elif path != file or Path(file).is_absolute():
        find_files([path])
    return path


def _hosts() -> list[str]:
    """Names that a request may call the server by: this machine's, and those of CURATE_HOSTS, with commas, such as a proxy's."""
    return [HERE, "localhost", *(name.strip() for name in os.environ.get("CURATE_HOSTS", "").split(",") if name.strip())]


def serve(workspace: Workspace, file: str | None, port: int, people: str = "") -> int:
    """Serve until interrupted; returns the exit code. file: a dataset, a recipe or a hub name to open first. people: who may do what (`curate.people`).

    Raises InputError where the port is taken, or the file that names people is wrong.
    """
    first = _first(file)
    people = people if people in ROLES or not people else str(Path(people).expanduser().absolute())
    read_people(people, workspace.root)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            raise InputError(f"{HERE}:{port}", f"cannot be listened on ({error.strerror})", "Choose another with --port") from error
    environment = {**os.environ, "CURATE_WORKSPACE": str(workspace.root), "CURATE_OPEN": first, "CURATE_FROM": str(Path().absolute())}
    environment |= {"CURATE_PEOPLE": people} if people else {}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")) if p)
    command = [sys.executable, "-m", "ui.server", "run", "app.py", "--server.address", HERE, "--server.port", str(port)]
    command += [part for name in _hosts() for part in ("--server.allowedHosts", name)]
    print(f"Curate: http://{HERE}:{port}", flush=True)
    process = subprocess.Popen(command, cwd=face(), env=environment)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
