"""``camforge app``: the live page."""

from __future__ import annotations

from typing import Annotated

import typer

from camforge.cli.completion import models
from camforge.cli.shared import Device


def app(
    model: Annotated[
        str,
        typer.Option(metavar="MODEL", help="The model that the page begins with.", autocompletion=models),
    ] = "torchvision:resnet50",
    weights: Annotated[
        str | None, typer.Option(metavar="WEIGHTS", help="Of it: a file, a name of torchvision's, or random.")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Of this machine; 0: any.")] = 0,
    device: Device = "auto",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Serve a live page to this machine. Drop a photograph, choose model, methods, layers and targets.

    Threshold and opacity follow the hand; maps lie side by side; the code that makes the same can be copied. The page
    loads nothing from outside, and no other machine sees it. Ctrl-C ends it.

    \b
    Examples:
      camforge app
      camforge app --model timm:convnext_tiny --device cuda
      camforge app --model resnet18 --weights best.pt --port 8000 --no-browser
    """
    from camforge.app.maps import Explainer
    from camforge.app.server import Server

    with Server(Explainer(model, weights, device), port) as server:
        typer.echo(f"serving {server.address} until Ctrl-C")
        if browser:
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("ended")
