"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Profile = Annotated[
    str,
    typer.Option("--profile", metavar="NAME|FILE", help="A profile's name, or a .toml file."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.FIELD=VALUE", help="Lay a value over the profile; repeatable."
    ),
]
StoreUri = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="PIXEL_STORE",
        metavar="URI",
        help="Where artifacts are: a folder or s3://bucket/prefix. "
        "Default: the profile's runtime.store.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|PATH|ID",
        help="base, warm_start or policy of the store; the folder of a model or of a LoRA "
        "adapter; a hub id at a commit (NAME@COMMIT).",
    ),
]
Base = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="PATH|ID",
        help="Where --model is a LoRA adapter: the model to merge it into, a folder or "
        "NAME@COMMIT. Default: the one that the adapter names.",
    ),
]
RootPathOption = Annotated[
    str,
    typer.Option(
        "--root-path",
        metavar="PATH|URL",
        help="Where a proxy puts the server: /prefix, or https://name/prefix as browsers see "
        "it.",
    ),
]
ForceFrom = Annotated[
    str | None,
    typer.Option("--from", metavar="STAGE", help="Make this stage and what follows anew."),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="STAGE", help="Make this stage and what it needs, no more."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show Prefect's own log.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Read every byte of what is in the store. Without it, a file that was read before "
        "and shows no change since (size, times, inode) is not read again.",
    ),
]
