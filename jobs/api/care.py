"""Python's `report`, `verify`, `repair` and `upgrade` of a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, Unpack

from jobs.api.keywords import documented, options_from
from jobs.api.runs import Run
from jobs.api.shown import html_table
from jobs.api.stores import Store, open_store, url_of
from jobs.execution import FitEngine
from jobs.progress.reporters import Told
from jobs.terminal.results import readable_bytes
from jobs.upkeep.verify_options import VerifyOptions
from store.errors import counted

if TYPE_CHECKING:
    import altair as alt

    from analysis.charts.parts import Chart


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """A figure of a report: Altair charts, which a notebook shows, changes and saves."""

    title: str
    caption: str
    """What is drawn, and in what unit."""
    sql: str
    """The statement that gives its numbers."""
    charts: Mapping[str, "Chart"]
    """By the titles of its panels."""

    @property
    def chart(self) -> "alt.TopLevelMixin":
        """Its panels side by side, as one chart."""
        from analysis.charts.side_by_side import side_by_side

        return side_by_side(self.charts)

    def __repr__(self) -> str:
        return f"Drawing({self.title!r}, {counted(len(self.charts), 'chart')}; .chart shows it)"

    def _repr_mimebundle_(self, *given: Any, **options: Any) -> Any:
        return self.chart._repr_mimebundle_(*given, **options)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A page of what was found, in one HTML file that needs no other."""

    html: str
    title: str
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    """What it draws, by the names that its links have: "songs-style-probes" …"""

    def save(self, path: str | Path) -> Path:
        """Write it, under a name that ends in .html; returns the path."""
        from jobs.report.writing import check_report_name

        path = Path(path).expanduser()
        check_report_name(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {readable_bytes(len(self.html))} of HTML; .save(path) writes it)"

    def _repr_html_(self) -> str:
        frame = 'style="width:100%;height:40em;border:0"'
        return f'<iframe title="{escape(self.title)}" {frame} srcdoc="{escape(self.html)}"></iframe>'


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not what its record says."""

    key: str
    """Relative to the store."""
    detail: str
    """What is wrong."""
    cure: str
    """What makes it whole again."""


@dataclass(frozen=True, slots=True, repr=False)
class Verification:
    """What reading every file again has shown."""

    damage: tuple[Damage, ...]
    notes: tuple[str, ...]
    """What is strange, and no damage; how much was read, where that was not everything."""

    @property
    def intact(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage

    def __repr__(self) -> str:
        if self.intact:
            return f"Verification(everything is intact, {counted(len(self.notes), 'note')})"
        first = "\n".join(f"  {one.key}: {one.detail}; {one.cure}" for one in self.damage[:10])
        return f"Verification({len(self.damage)} damaged files)\n{first}"

    def _repr_html_(self) -> str:
        rows = [(one.key, one.detail, one.cure) for one in self.damage]
        note = "Everything is intact." if self.intact else counted(len(self.damage), "damaged file")
        return html_table(("damaged", "what is wrong", "what cures it"), rows, note=note)


def report(
    store: Store | str | Path,
    *,
    run: Run | str | None = None,
    place: tuple[str, int] | None = None,
    figures: Sequence[str] = (),
) -> Report:
    """Draw what probes, clusterings, directions and sweeps say of every layer.

    Args:
        store: a store, or its folder or URL.
        run: report this run only; by default every run that something was fitted on.
        place: (site, layer) to look at closely; by default each concept's best.
        figures: of plug-ins, by name, beside those that are built in.

    Raises:
        InvalidInput: there is no such figure.
        NotFound: there is nothing to report yet.
    """
    from jobs.report.writing import rendered_report

    opened = store if isinstance(store, Store) else open_store(store)
    chosen = run.id if isinstance(run, Run) else run
    page, html = rendered_report(opened.opened, url_of(store), run=chosen, place=place, figures=figures)
    drawn = {
        one.name: Drawing(one.title, one.caption, one.sql, {panel.title: panel.chart for panel in one.panels})
        for section in page.sections
        for one in section.figures
        if one.panels
    }
    return Report(html, page.title, drawn)


class Verified(TypedDict, total=False):
    """How much is read, where, and who is told how far that is."""

    sample: Annotated[float | str, 'share of the large files to read, such as 0.01 or "1%".']
    again: bool
    engine: Annotated[
        FitEngine, '"auto" and "inline" work in this process; "ray" in several, or on a cluster.'
    ]
    address: Annotated[str, 'of the Ray cluster; "local" for a private one.']
    workers: int | None
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


@documented(Verified, VerifyOptions)
def verify(
    store: Store | str | Path, run: Run | str | None = None, **given: Unpack[Verified]
) -> Verification:
    """Read every file again, of a store or of one run with its dataset and codes, and check all of them.

    Interrupted, the same call goes on where it stopped.

    Args:
        store: a store, or its folder or URL.
        run: check this run only.

    Raises:
        NotFound: there is no such store or run.
        InvalidInput: a sample that is no share.

    Examples:
        >>> verify(store)
        Verification(everything is intact, 0 notes)
    """
    from jobs.progress.reporters import told
    from jobs.upkeep.inspecting import values_of
    from jobs.upkeep.verifying import amount_read, run_verification
    from store.upkeep.inspection import damage

    fixed = {"store": url_of(store), "run": run.id if isinstance(run, Run) else run}
    options = options_from(VerifyOptions, given, {"sample": ("sample", str)}, **fixed)
    with told(given.get("progress", False)):
        done = run_verification(options)
    damaged = [values_of(one, done.url) for one in damage(done.found)]
    notes = [f"{one.key}: {one.detail}" for one in done.found if one.problem == "note"]
    return Verification(
        tuple(Damage(one["key"], one["detail"], one["cure"]) for one in damaged),
        (*notes, *filter(None, [amount_read(done)])),
    )


@dataclass(frozen=True, slots=True)
class Repair:
    """What was withdrawn or written anew."""

    units: int
    """Units of runs that were withdrawn."""
    withdrawn: tuple[str, ...]
    """Results, sounds, datasets and caches that were taken away."""
    written: tuple[str, ...]
    """Documents and records that were written anew."""
    next: tuple[str, ...]
    """What makes again what was withdrawn."""
    left: tuple[Damage, ...]
    """What cannot be mended from what is there."""


def repair(store: Store | str | Path, run: Run | str | None = None) -> Repair:
    """Verify a store, or one run, and withdraw what is damaged, so that the same calls make it again.

    Args:
        store: a store, or its folder or URL.
        run: repair this run only.

    Raises:
        Conflict: a driver is at work.
        NotFound: there is no such store or run.

    Examples:
        >>> repair(store).left
        ()
    """
    from jobs.upkeep.repairing import repaired

    done = repaired(url_of(store), run.id if isinstance(run, Run) else run)
    return Repair(
        units=sum(done.mended.units.values()),
        withdrawn=tuple(done.mended.withdrawn),
        written=tuple(done.mended.written),
        next=tuple(done.next),
        left=tuple(Damage(one["key"], one["detail"], one["cure"]) for one in done.left),
    )


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did."""

    recorded: int
    """Datasets, collections and results that have records now."""
    units: int
    """Units whose shards were written anew."""
    left_out: Mapping[str, str]
    """By damaged file that was left as it is, what is wrong and what cures it."""
    before: int
    """Format that the store had."""
    after: int
    """Format that it has now."""


def upgrade(store: str | Path, *, progress: Told = False) -> Upgrade:
    """Bring a store of an older format up to date, in place; called again it finishes what was begun.

    Args:
        store: its folder or URL.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        Conflict: a driver is at work.
        NotFound: there is no store.

    Examples:
        >>> upgrade(store.url)
        Upgrade(recorded=0, units=0, left_out={}, before=3, after=3)
    """
    from jobs.generate.records import is_whole_flac
    from jobs.progress.reporters import told
    from jobs.progress.reporting import stepped
    from store.objects.storage import open_objects
    from store.upkeep.upgrading import upgrade as upgraded

    with told(progress), stepped("upgrade", unit="files") as advance:
        done = upgraded(
            open_objects(store), is_whole_sound=is_whole_flac, report=lambda _, *counts: advance(*counts)
        )
    return Upgrade(len(done.recorded), done.units, done.left_out, done.before, done.after)
