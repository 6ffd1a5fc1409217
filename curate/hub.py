"""`curate push`: a Version on the Hugging Face hub, in one commit, by huggingface_hub.

The token comes from HF_TOKEN in the environment alone; it is sent to the hub and nowhere else, neither kept nor told, and not over plain HTTP to others.
Files go by the hub's LFS protocol, not by Xet: that waits without an end where a server does not answer, and commits a part at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curate.describing import CARD, texts
from curate.errors import InputError
from curate.lineage import find_version
from curate.versions import MANIFEST, Version, read_version, verify
from curate.workspace import Workspace

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import DatasetInfo, HfApi

__all__ = ["Hub", "Pushed", "Wish", "command", "parcel", "push"]

HUB, REVIEWS = "https://huggingface.co", "reviews.jsonl"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
PATIENCE = 60.0
"""Seconds that a server may take to answer or to take more bytes."""
LONGEST_WAIT = 300
"""Seconds that a server may ask to wait before another try."""
TRIES = 20
"""How often the hub may say that another dataset is being made before it is given up; huggingface_hub asks for ever."""


@dataclass(frozen=True)
class Hub:
    """Where to. endpoint: the hub's address. token: of who pushes. patience: seconds that it may take to answer."""

    endpoint: str
    token: str
    patience: float = PATIENCE

    def __repr__(self) -> str:
        return f"Hub({self.endpoint!r})"

    @classmethod
    def from_environment(cls, endpoint: str | None = None) -> Hub:
        """Raises InputError where there is no token, or the address is none that it may be sent to."""
        where = (endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        parts = urlsplit(where)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise InputError("--endpoint", f"{parts.hostname or where!r} is no address of a hub", "Give one such as https://huggingface.co")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise InputError("--endpoint", f"{parts.hostname} would get the token over plain HTTP, where others can read it", "Give an address with https")
        token = os.environ.get("HF_TOKEN", "").strip()
        if not token:
            raise InputError("HF_TOKEN", "is not set, so the hub cannot know who pushes", "Put a token with write access into the environment")
        return cls(where, token)


@dataclass(frozen=True)
class Wish:
    """What is asked for. name: OWNER/NAME. private: of the dataset. reviews: take reviews.jsonl along. overwrite: a dataset that Curate did not make."""

    name: str
    private: bool = False
    reviews: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or "--" in self.name or ".." in self.name or self.name.endswith((".git", ".", "-")):
            raise InputError(self.name, "is not OWNER/NAME as the hub has it", "Give letters, digits, ., _ and -, such as me/my-data")


@dataclass(frozen=True)
class Pushed:
    """What was sent. files: bytes by file. deleted: files of an earlier Version that this one lacks. left_out: files that stay here. paths: places on this
    machine that manifest.json names, and recipe.yaml of Versions of before. url, commit: of the commit; "" where nothing was sent.
    """

    name: str
    files: Mapping[str, int]
    left_out: tuple[str, ...]
    paths: tuple[str, ...]
    deleted: tuple[str, ...] = ()
    url: str = ""
    commit: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object that `curate push --json` prints."""
        told = {"name": self.name, "url": self.url, "commit": self.commit, "files": dict(self.files), "bytes": sum(self.files.values())}
        return {**told, "deleted": [*self.deleted], "left_out": [*self.left_out], "paths": [*self.paths]}


def _checked(folder: Path) -> Version:
    """A Version whose files are as its manifest says; what was added beside them stays here. Raises InputError naming the first that is not."""
    version = read_version(folder)
    wrong, remedy = verify(version), "Export again, and push that"
    for names, what in ((wrong.missing, "is missing"), (wrong.changed, "is not what the manifest says")):
        if names:
            raise InputError(str(folder / names[0]), what, remedy)
    if wrong.manifest:
        raise InputError(str(folder / MANIFEST), wrong.manifest[0], remedy)
    return version


def _places(value: Any) -> Iterator[str]:
    """Absolute paths in plain data."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _places(part)
    elif isinstance(value, list):
        for part in value:
            yield from _places(part)
    elif isinstance(value, str) and "\n" not in value and Path(value).is_absolute():
        yield value


def parcel(folder: Path, wish: Wish) -> tuple[dict[str, Path | bytes], Pushed]:
    """What a push sends: a file, or its bytes where it is made now, by its name; and what is told of it. Raises InputError where a file is not as hashed."""
    import yaml

    manifest = _checked(folder).manifest
    left = tuple(n for n in (REVIEWS,) if n in manifest["files"] and not wish.reviews)
    made = {} if CARD in manifest["files"] else {n: text.encode() for n, text in texts(folder, manifest).items()}
    sent: dict[str, Path | bytes] = {**made, **{n: folder / n for n in (*sorted(manifest["files"]), MANIFEST) if n not in left}}
    sizes = {n: len(part) if isinstance(part, bytes) else part.stat().st_size for n, part in sent.items()}
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    paths = tuple(dict.fromkeys([*_places(recipe), *_places({k: v for k, v in manifest.items() if k != "files"})]))
    return sent, Pushed(wish.name, sizes, left, paths)


def push(folder: Path, wish: Wish, hub: Hub) -> Pushed:
    """Put a Version on the hub in one commit; until that is done the dataset there is as it was. Raises InputError naming what the hub said."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    sent, told = parcel(folder, wish)
    disable_progress_bars()
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with _clearly(hub, wish.name), _patient(hub.patience):
        there = _there(api, wish, hub.patience)
        gone = tuple(sorted(_earlier(api, there, wish) - {*sent} - {".gitattributes"}))
        operations = [CommitOperationDelete(path_in_repo=n) for n in gone]
        adding = [CommitOperationAdd(path_in_repo=n, path_or_fileobj=part if isinstance(part, bytes) else str(part)) for n, part in sent.items()]
        version = read_version(folder)
        words = f"{version.name}: {version.kept:,} of {version.rows:,} rows"
        done = api.create_commit(wish.name, [*operations, *adding], commit_message=words, repo_type="dataset", parent_commit=there.sha, num_threads=2)
    return Pushed(wish.name, told.files, told.left_out, told.paths, gone, f"{hub.endpoint}/datasets/{wish.name}", done.oid)


def _there(api: HfApi, wish: Wish, patience: float) -> DatasetInfo:
    """The dataset on the hub, made where it is not there. Raises InputError where it is not as asked, or not Curate's."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.dataset_info(wish.name, timeout=patience)  # by itself it waits for ever, whatever the client says
    except RepositoryNotFoundError:
        api.create_repo(wish.name, repo_type="dataset", private=wish.private)
        return api.dataset_info(wish.name, timeout=patience)
    if wish.private and not found.private:
        raise InputError(wish.name, "is there and public, and --private asks for a private one", "Make it private on the hub first, or choose another name")
    names = {s.rfilename for s in found.siblings or ()}
    if names - {".gitattributes"} and not {MANIFEST, "selected.parquet"} <= names and not wish.overwrite:
        raise InputError(wish.name, "is there and holds files that Curate did not write", "Choose another name, or write into it with --overwrite")
    return found


def _earlier(api: HfApi, there: DatasetInfo, wish: Wish) -> set[str]:
    """Files on the hub that its manifest says an earlier push wrote."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import get_session, hf_raise_for_status

    names = {s.rfilename for s in there.siblings or ()}
    if MANIFEST not in names:
        return set()
    url = hf_hub_url(wish.name, MANIFEST, repo_type="dataset", revision=there.sha, endpoint=api.endpoint)
    found = get_session().get(url, headers=build_hf_headers(token=api.token))
    hf_raise_for_status(found)
    try:
        said = found.json()
    except ValueError:
        return set()
    files = said.get("files") if isinstance(said, dict) else None
    return names & {*files} if isinstance(files, dict) else set()


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """huggingface_hub with an end to its waiting: by itself it waits for ever, and as long as a server asks."""
    import httpx2
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http

    def client() -> httpx2.Client:
        made = _http.default_client_factory()
        made.timeout = httpx2.Timeout(seconds, connect=min(seconds, 15.0))
        made.event_hooks = {**made.event_hooks, "response": [*made.event_hooks["response"], _counting()]}
        return made

    xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    set_client_factory(client)
    try:
        yield
    finally:
        set_client_factory(_http.default_client_factory)
        constants.HF_HUB_DISABLE_XET = xet


def _counting() -> Callable[[httpx2.Response], None]:
    conflicts = [0]

    def _look(answer: httpx2.Response) -> None:
        asked = answer.headers.get("retry-after", "")
        if asked.isdigit() and int(asked) > LONGEST_WAIT:
            raise InputError(str(answer.url.host), f"asks to wait {int(asked):,} s ({answer.status_code})", "Push again then")
        conflicts[0] += answer.status_code == 409
        if conflicts[0] > TRIES:
            raise InputError(str(answer.url.host), f"said {TRIES} times that another dataset is being made", "Push again later")

    return _look


@contextmanager
def _clearly(hub: Hub, name: str) -> Iterator[None]:
    """What goes wrong on the way, as one message without the token."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, RuntimeError, ValueError, KeyError, OSError) as error:
        cause: BaseException = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        raise InputError(*_explained(cause, hub, name)) from None


def _explained(error: BaseException, hub: Hub, name: str) -> tuple[str, str, str]:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    where, host = f"{hub.endpoint}/datasets/{name}", urlsplit(hub.endpoint).netloc
    if isinstance(error, InputError):
        return error.where, error.what, error.remedy
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        known = {
            401: ("the hub does not know the token in HF_TOKEN (401)", "Put one that is valid, with write access, into the environment"),
            403: ("the token in HF_TOKEN may not write there (403)", "Use one with write access to the owner's datasets"),
            412: ("somebody else wrote there at the same time (412)", "Look at what is there, and push again"),
            413: ("a file is too large for the hub (413)", "Export fewer rows or fewer formats"),
            429: ("the hub asks to slow down (429)", "Push again later"),
        }
        if status in known:
            return (where, *known[status])
        said = " ".join(str(error.server_message or error).split())[:300].replace(hub.token, "…")
        return where, f"the hub refused ({status}: {said})", "Push again later" if status >= 500 else "Mend what it names"
    if isinstance(error, httpx2.TimeoutException):
        return host, f"does not answer within {hub.patience:g} s", "Check the network and the address, and push again; the dataset there is as it was"
    if isinstance(error, httpx2.TransportError):
        said = str(error).replace(hub.token, "…")
        return host, f"cannot be reached ({said})", "Check the network and the address; the dataset there is as it was"
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300].replace(hub.token, "…")
    return where, f"the hub gave no answer that can be used ({said})", "Check the address; the dataset there is as it was"


def command(args: argparse.Namespace, tell: Any) -> int:
    """`curate push`."""
    wish = Wish(args.name, args.private, args.reviews, args.overwrite)
    folder = find_version(args.version, Workspace(Path(args.workspace).expanduser().absolute())).folder
    if args.dry_run:
        told = parcel(folder, wish)[1]
    else:
        hub = Hub.from_environment(args.endpoint)
        tell("pushing", 0, 1, "commit")
        told = push(folder, wish, hub)
        tell("pushing", 1, 1, "commit")
    if args.json:
        print(json.dumps(told.as_json(), ensure_ascii=False))
        return 0
    for name, size in told.files.items():
        print(f"{size:>14,} bytes  {name}")
    for line in (*(f"deleted: {n}" for n in told.deleted), *(f"stays here: {n}; --reviews takes it along" for n in told.left_out)):
        print(line)
    if told.paths:
        print(f"what is sent names places of this machine: {', '.join(told.paths)}")
    print(told.url or "nothing was sent")
    return 0
