"""The files of a dataset: a local copy, or fetched from the hub at a commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixel_core.config import HubConfig
from pixel_core.errors import DataError, EndpointError, PixelError
from pixel_core.store.redaction import without_credentials


@dataclass(frozen=True)
class Copy:
    """``root`` holds the files; links in it may lead anywhere below ``links``."""

    root: Path
    links: Path


def check_settings(config: HubConfig) -> None:
    """Raise ``DataError`` unless the settings name a dataset whose content can't change."""
    if config.local:
        if not Path(config.local).is_dir():
            raise DataError(
                f"there is no folder {config.local!r}; set ingest.hub.local to a copy of the "
                "dataset's files"
            )
    elif not config.name:
        raise DataError(
            "ingest.hub.name and ingest.hub.local are both empty; name a dataset, or a folder "
            "with a copy of one"
        )
    elif not config.revision:
        raise DataError(
            f"ingest.hub.revision is empty: without a commit, {config.name!r} would be another "
            "dataset whenever its authors change it; give the 40 hexadecimal digits that `git "
            f"ls-remote https://huggingface.co/datasets/{config.name}` shows"
        )


def copy_of(config: HubConfig) -> Copy:
    """The dataset's files on this machine.

    Fetched into ``huggingface_hub``'s cache when they are not there yet, with progress;
    after an interruption it goes on. Raises ``DataError`` for a dataset that isn't there or
    isn't open to you, ``EndpointError`` when the hub does not answer.
    """
    check_settings(config)
    if config.local:
        root = Path(config.local)
        return Copy(root, root)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = snapshot_download(
            config.name,
            repo_type="dataset",
            revision=config.revision,
            allow_patterns=list(config.fetch) or None,
        )
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        # A gated dataset is a RepositoryNotFoundError as well.
        raise DataError(
            f"the dataset {config.name!r} at {config.revision} is not there, or not open to "
            f"you ({type(error).__name__}); check the name and the commit, and set HF_TOKEN "
            "for a private or gated one"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        raise _no_answer(config, error) from error
    # The cache keeps each file once, and links to it from every revision.
    return Copy(Path(folder), Path(folder).parent.parent)


def _no_answer(config: HubConfig, error: Exception) -> PixelError:
    from huggingface_hub import constants

    reason = without_credentials(str(error).strip().partition("\n")[0])[:300]
    return EndpointError(
        f"the dataset {config.name!r} can't be fetched from "
        f"{without_credentials(constants.ENDPOINT)}: {reason}; check the network and "
        "HF_ENDPOINT, or set ingest.hub.local to a copy of its files"
    )
