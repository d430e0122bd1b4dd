"""Talking to a model: ``pixel ask``, ``demo``, ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Base, Debug, Model, Overrides, RootPathOption, StoreUri
from flows.cli.terminal import clear_endings


def ask(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PICTURE... QUESTION",
            help="Pictures, or a video: paths or, with --allow-url, addresses. Then the "
            "question.",
        ),
    ] = None,
    example: Annotated[
        int,
        typer.Option(
            "--example", metavar="N", min=0, help="Instead, a question of the drawn world."
        ),
    ] = 0,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Whose model and evaluation settings. Default: tiny; with a model's own "
            "folder or id, that model's own dialogue.",
        ),
    ] = None,
    overrides: Overrides = None,
    model: Model = "policy",
    base: Base = "",
    store: StoreUri = None,
    choices: Annotated[
        str, typer.Option("--choices", metavar="A,B", help="To choose the answer from.")
    ] = "",
    operations: Annotated[
        bool,
        typer.Option("--operations/--no-operations", help="Let the model look closer."),
    ] = True,
    frames: Annotated[
        int, typer.Option("--frames", min=1, help="Shown of a video, evenly over it.")
    ] = 16,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="0: the likeliest words.")
    ] = 0.0,
    seed: Annotated[
        int, typer.Option("--seed", help="What is drawn from, above temperature 0.")
    ] = 0,
    device: Annotated[str, typer.Option("--device", metavar="cpu|cuda")] = "cpu",
    allow_url: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-url", metavar="HOST", help="Fetch pictures from this host; repeatable."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FOLDER", help="Write crops, boxes and steps here."),
    ] = None,
    as_json: AsJson = False,
    open_it: Annotated[
        bool, typer.Option("--open", help="Show the answer in a browser.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Ask a model about a picture or a video, and see each step it takes."""
    with clear_endings(debug):
        from flows.cli.ask import AskOptions, ask_model, split_choices

        *media, question = words or [""]
        ask_model(
            AskOptions(
                media=tuple(media),
                question=question,
                example=example,
                model=model,
                base=base,
                profile=profile,
                overrides=tuple(overrides or ()),
                store=store,
                choices=split_choices(choices),
                operations=operations,
                frames=frames,
                temperature=temperature,
                seed=seed,
                device=device,
                hosts=tuple(allow_url or ()),
                save=save,
                as_json=as_json,
                open_it=open_it,
            )
        )


def demo(
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Whose model, world and evaluation settings. Default: tiny; with a model's "
            "own folder or id, that model's own dialogue.",
        ),
    ] = None,
    overrides: Overrides = None,
    model: Model = "policy",
    base: Base = "",
    store: StoreUri = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Others than this machine can ask only if you say so."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")
    ] = 7860,
    root_path: RootPathOption = "",
    examples: Annotated[
        bool, typer.Option("--examples/--no-examples", help="Pictures to begin with.")
    ] = True,
    device: Annotated[str, typer.Option("--device", metavar="cpu|cuda")] = "cpu",
    debug: Debug = False,
) -> None:
    """Serve a page where the model is asked about pictures, and watched step by step."""
    with clear_endings(debug):
        from flows.cli.demo import DemoOptions, serve_demo

        serve_demo(
            DemoOptions(
                profile=profile,
                overrides=tuple(overrides or ()),
                store=store,
                model=model,
                base=base,
                host=host,
                port=port,
                root_path=root_path,
                examples=examples,
                device=device,
            )
        )


def serve(
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Whose model and evaluation settings. Default: tiny; with a model's own "
            "folder or id, that model's own dialogue.",
        ),
    ] = None,
    overrides: Overrides = None,
    model: Model = "policy",
    base: Base = "",
    name: Annotated[
        str, typer.Option("--name", help="What clients call it. Default: as --model has it.")
    ] = "",
    store: StoreUri = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Others than this machine can ask only if you say so."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")
    ] = 8000,
    allow_url: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-url", metavar="HOST", help="Fetch pictures from this host; repeatable."
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            help="Pages of this origin may ask from a browser (CORS), such as "
            "https://app.example.org; *: all; repeatable.",
        ),
    ] = None,
    root_path: RootPathOption = "",
    max_running: Annotated[
        int, typer.Option("--max-running", min=1, help="Requests answered at once.")
    ] = 16,
    max_waiting: Annotated[
        int,
        typer.Option("--max-waiting", min=0, help="Requests that may wait; others get 429."),
    ] = 64,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds a request may take.")
    ] = 120.0,
    grace: Annotated[
        float, typer.Option("--grace", min=0.0, help="Seconds to finish when told to stop.")
    ] = 30.0,
    max_picture_mb: Annotated[
        float, typer.Option("--max-picture-mb", min=0.001, help="All of a request's pictures.")
    ] = 20.0,
    max_pictures: Annotated[
        int, typer.Option("--max-pictures", min=1, help="Of one request.")
    ] = 8,
    operations: Annotated[
        bool, typer.Option("--operations/--no-operations", help="Whether it may zoom.")
    ] = True,
    device: Annotated[str, typer.Option("--device", metavar="cpu|cuda")] = "cpu",
    debug: Debug = False,
) -> None:
    """Serve a model as an OpenAI-compatible endpoint that runs the whole episode."""
    with clear_endings(debug):
        from flows.cli.serve import ServeOptions
        from flows.cli.serve import serve as serve_model
        from pixel_core.serving.http.admission import limits_of

        limits = limits_of(
            max_running=max_running,
            max_waiting=max_waiting,
            timeout_s=timeout,
            grace_s=grace,
            max_pictures=max_pictures,
            picture_bytes=int(max_picture_mb * 1_000_000),
        )
        serve_model(
            ServeOptions(
                profile=profile,
                overrides=tuple(overrides or ()),
                store=store,
                model=model,
                base=base,
                name=name,
                host=host,
                port=port,
                allow_urls=tuple(allow_url or ()),
                allow_origins=tuple(allow_origin or ()),
                root_path=root_path,
                operations=operations,
                device=device,
                limits=limits,
            )
        )
