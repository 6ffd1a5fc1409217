"""Long work as the face starts and ends it: `curate.jobs`, for those who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curate import jobs
from curate.jobs import Job
from curate.people import Deed
from curate.workspace import Workspace
from ui.person import allowed

__all__ = ["DEED_OF", "cancel", "dismiss", "start"]

DEED_OF: Mapping[str, Deed] = {
    "load": "open",
    **dict.fromkeys(("score", "decide", "probe", "grow", "follow"), "measure"),
    **dict.fromkeys(("run", "push", "verify", "replay"), "ship"),
}
"""What each command is that the face starts."""


def start(workspace: Workspace, args: Sequence[str], label: str, key: str = "", servers_own: bool = False) -> Job | None:
    """Start `curate ARGS` in the background; None where the person may not. servers_own: it is what the server was started to do, whoever looks first."""
    return jobs.start(workspace, args, label, key) if servers_own or allowed(DEED_OF[args[0]]) else None


def cancel(workspace: Workspace, job: Job) -> None:
    """End a running job and its processes at once."""
    if allowed("tend"):
        jobs.cancel(workspace, job)


def dismiss(workspace: Workspace, job: Job) -> None:
    """List a job that is over no longer. Raises InputError where it still runs."""
    if allowed("tend"):
        jobs.dismiss(workspace, job)
