"""Fits probes, k-means and directions for the demo, as their commands would."""

from shlex import quote

import click

from jobs.demo.steps import Show
from jobs.execution import FitEngine

CONCEPTS = "SELECT clip_id, style, instrument, drums, tempo_bpm FROM clips"
STYLES = "SELECT clip_id, style FROM clips"
KMEANS_STARTS = 3


def fit_probes(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """Linear probes of four concepts at every site and layer, with controls and handcrafted features."""
    from jobs.probe.options import ProbeOptions
    from jobs.probe.report import print_probed
    from jobs.probe.running import probe_run

    show(lambda: _say("probe", store, run, CONCEPTS))
    found = probe_run(ProbeOptions(store, run, CONCEPTS, engine=engine))
    show(lambda: print_probed(found, "text"))


def cluster(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """k-means of every layer, against the styles and the instruments."""
    from jobs.kmeans.options import KmeansOptions
    from jobs.kmeans.report import print_clusterings
    from jobs.kmeans.running import fit_and_store

    show(lambda: _say("kmeans", store, run, STYLES))
    options = KmeansOptions(store, run, STYLES, starts=KMEANS_STARTS, engine=engine)
    found = fit_and_store(options)
    show(lambda: print_clusterings(found, "text"))


def find_directions(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """Directions of the styles, with random ones to compare them with."""
    from jobs.directions.fitting import fit_and_store
    from jobs.directions.options import DirectionOptions
    from jobs.directions.report import print_directions

    show(lambda: _say("directions", store, run, STYLES))
    methods = "diffmean,mse,random"
    options = DirectionOptions(store, run, STYLES, methods=methods, sites="resid", engine=engine)
    found = fit_and_store(options)
    show(lambda: print_directions(found, "text"))


def _say(command: str, store: str, run: str, labels: str) -> None:
    click.echo(f'undertone {command} {quote(store)} {run} --labels "{labels}"')
