"""The files of a dataset: a local copy, or fetched from the hub at a commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixel_core.errors import DataError, EndpointError, PixelError
from pixel_core.workflow.store.manifest import without_credentials


@dataclass(frozen=True)
class Dataset:
    """Which files: ``name`` at the commit ``revision``, or a copy in ``local``."""

    name: str
    revision: str
    local: str
    #: The config section of the dataset, for errors ("ingest.hub").
    setting: str
    #: Patterns of the files to fetch; (): all.
    fetch: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """``root`` holds the files; links in it may lead anywhere below ``links``."""

    root: Path
    links: Path


def check_dataset(dataset: Dataset) -> None:
    """Raise ``DataError`` unless the settings pin a dataset's content."""
    setting = dataset.setting
    if dataset.local:
        if not Path(dataset.local).is_dir():
            raise DataError(
                f"there is no folder {dataset.local!r}; set {setting}.local to a copy of the "
                "dataset's files"
            )
    elif not dataset.name:
        raise DataError(
            f"{setting}.name and {setting}.local are both empty; name a dataset, or a folder "
            "with a copy of one"
        )
    elif not dataset.revision:
        raise DataError(
            f"{setting}.revision is empty: without a commit, {dataset.name!r} would be another "
            "dataset whenever its authors change it; give the 40 hexadecimal digits that `git "
            f"ls-remote https://huggingface.co/datasets/{dataset.name}` shows"
        )


def copy_of(dataset: Dataset) -> Copy:
    """The dataset's files on this machine.

    Downloaded into ``huggingface_hub``'s cache if missing, with progress; an interrupted
    download resumes. Raises ``DataError`` for a dataset that doesn't exist or isn't open to
    you, ``EndpointError`` if the hub does not answer, or not as a hub does, and the cache
    lacks a wanted file.
    """
    check_dataset(dataset)
    if dataset.local:
        root = Path(dataset.local)
        return Copy(root, root)
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import (
        CachedRepoTreeNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        XetDownloadError,
    )

    try:
        folder = snapshot_download(
            dataset.name,
            repo_type="dataset",
            revision=dataset.revision,
            allow_patterns=list(dataset.fetch) or None,
        )
        # Without an answer from the hub, the download returns what the cache has of this
        # commit, even a single file fetched on its own. It checks for missing files only if
        # the commit's file list is cached.
        get_cached_repo_tree(dataset.name, repo_type="dataset", revision=dataset.revision)
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        # A gated dataset is a RepositoryNotFoundError as well.
        raise DataError(
            f"the dataset {dataset.name!r} at {dataset.revision} is not there, or not open to "
            f"you ({type(error).__name__}); check the name and the commit, and set HF_TOKEN "
            "for a private or gated one"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        raise _no_answer(dataset, str(error)) from error
    except CachedRepoTreeNotFoundError as error:
        reason = (
            "the hub did not answer with the list of files, and what the cache holds may be a "
            "part of them"
        )
        raise _no_answer(dataset, reason) from error
    except (ValueError, KeyError, TypeError, RuntimeError, XetDownloadError) as error:
        # The library's error for a proxy's page, or for a mirror that is not quite a hub.
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        reason = f"what answers does not speak as the hub does ({told})"
        raise _no_answer(dataset, reason, xet=True) from error
    # The cache stores each file once and links to it from every revision.
    return Copy(Path(folder), Path(folder).parent.parent)


def _no_answer(dataset: Dataset, reason: str, *, xet: bool = False) -> PixelError:
    from huggingface_hub import constants

    reason = without_credentials(reason.strip().partition("\n")[0])[:300]
    without_xet = ", set HF_HUB_DISABLE_XET=1 if it lacks the hub's storage xet" if xet else ""
    return EndpointError(
        f"the dataset {dataset.name!r} can't be fetched from "
        f"{without_credentials(constants.ENDPOINT)}: {reason}; check the network and "
        f"HF_ENDPOINT{without_xet}, or set {dataset.setting}.local to a copy of its files"
    )
