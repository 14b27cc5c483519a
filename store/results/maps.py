"""Columns of maps of clips, and of clips that somebody has picked and named."""

from dataclasses import dataclass

from store.results.table import Count, Number, Table, Text, Time, column


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipMapRow:
    """Where a clip lies on a map of a layer."""

    map_id: Text = column("id of the map; the clips of one share it")
    run_id: Text = column("run whose activations are drawn")
    array: Text = column("site and what was kept over time, such as resid.mean")
    layer: Count = column("number of the layer")
    method: Text = column("umap: neighbours are kept together")
    clip_id: Text = column("the clip")
    x: Number = column("its place")
    y: Number = column("its place")
    trust: Number = column("trustworthiness of the map: 1 where neighbours on it are neighbours in truth")
    clips: Count = column("clips of the layer, of which the map may show some")
    seed: Count = column("of the layout, and of which clips are drawn")
    created_at: Time = column("when it was made (UTC)")


CLIP_MAPS = Table("clip_maps", ClipMapRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRow:
    """A clip that somebody has picked and named."""

    selection: Text = column("name of the selection")
    label: Text = column("label that was given to the clip")
    clip_id: Text = column("the clip")
    created_at: Time = column("when it was saved (UTC)")


SELECTIONS = Table("selections", SelectionRow)
