"""A dataset of the Hugging Face hub, fetched by `datasets` and saved to disk."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from curate.errors import InputError

__all__ = ["fetch"]

_SECONDS = 5.0


def fetch(name: str, folder: Path) -> None:
    """Save org/name, or org/name:configuration, into a folder. Raises InputError within seconds where the hub cannot be reached or does not know the name."""
    import datasets
    from huggingface_hub import constants

    path, _, configuration = name.partition(":")
    try:
        if not constants.is_offline_mode():
            _knock(constants.ENDPOINT)
        datasets.load_dataset(path, configuration or None).save_to_disk(folder)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(name, "no such file here and no such dataset on the hub, or you may not read it", "Check the name, and log in to the hub") from error
    except OSError as error:
        what = f"no such file here, and the hub cannot be reached ({error})"
        raise InputError(name, what, "Check the path or the network, or give a dataset saved to disk") from error
    except (ValueError, datasets.exceptions.DatasetsError) as error:
        raise InputError(name, f"datasets cannot load it ({error})", "Name one of its configurations as org/name:configuration") from error


def _knock(address: str) -> None:
    """Raises OSError where nothing answers: `load_dataset` alone would try again for half a minute."""
    try:
        urlopen(Request(address, method="HEAD"), timeout=_SECONDS).close()
    except HTTPError as error:
        error.close()  # any answer will do
