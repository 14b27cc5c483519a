"""A store with a run of 8 layers and results of every kind, drawn so that there is something to see."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from jobs.report.options import ReportOptions
from jobs.report.writing import write_report
from store.objects.ledger import commit, never
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip
from store.results.schemas import TABLES

RUN = "3f2a9c10"
SITES, LAYERS, WIDTH = ("resid", "attn", "mlp"), range(8), 64
CONCEPTS = {
    "chord": ("major", "minor", "diminished", "augmented"),
    "style": ("bossa nova", "disco", "folk", "funk", "metal", "reggae", "swing", "techno", "waltz"),
    "key": ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"),
}
NUMBER = "tempo_bpm"
PEAKS = {"resid": 0.9, "attn": 0.75, "mlp": 0.8}
EASE = {"chord": 0.8, "style": 0.95, "key": 0.15, NUMBER: 0.9}
AUTOMATIC = 0.33
"""What an automatic strength came to."""
MONITORED = "constant monitor:0.9"
FITTED = datetime(2026, 11, 22, 12, tzinfo=UTC).replace(tzinfo=None)


def write_table(store: Store, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    """A part of results as a job would write it."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=TABLES[kind].schema()), buffer)
    commit(store.objects, f"results/{kind}/part.parquet", buffer.getvalue(), kind="results", sound=never)


def _make_run(path: Path) -> Store:
    store = open_store(path, create=True)
    clips = [
        Clip(
            f"clip{n:03d}",
            f"{n}.wav",
            0.0,
            4.0,
            f"song {n // 2}",
            "train",
            f"{n:064x}",
            0.0,
            {"chord": "major"},
        )
        for n in range(40)
    ]
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    store.add_dataset("songs", info, clips, [])
    arrays = [
        ArraySpec(f"{site}.mean", ("layer", "feature"), (len(LAYERS), 2), "float32", {"layers": list(LAYERS)})
        for site in SITES
    ]
    document = {
        "dataset": {"name": "songs", "fingerprint": "d5"},
        "model": {"name": "pocket", "fingerprint": "f00dcafe12345678", "random_weights": False},
        "dtype": "float32",
    }
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    run = store.create_run(RUN, document=document, arrays=arrays, clips=planned)
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            for array in arrays:
                pending.add(array.name, 0, np.zeros((len(unit.clips), len(LAYERS), 2), np.float32))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
    return store


def _curve(concept: str, site: str, layer: int | None) -> float:
    """Rises to a peak in the middle, then falls a little."""
    if layer is None:
        return 0.55 * EASE[concept]
    bump = np.exp(-(((layer - 4.5) / 4) ** 2))
    return float(PEAKS[site] * EASE[concept] * (0.35 + 0.65 * bump))


def _place(site: str, layer: int | None) -> dict[str, Any]:
    return {"run_id": RUN, "site": site, "reduction": "mean", "layer": layer}


def _places() -> Iterator[tuple[str, int | None]]:
    yield from product(SITES, LAYERS)
    for site in ("mel", "mfcc", "chroma"):
        yield site, None


def _probes(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for (site, layer), concept, loss in product(_places(), (*CONCEPTS, NUMBER), ("mse", "logistic")):
        classes = CONCEPTS.get(concept, ())
        chance = 1 / len(classes) if classes else 0.0
        reach = _curve(concept, site if layer is not None else "mlp", layer) * (1 if loss == "mse" else 0.95)
        score = chance + (1 - chance) * reach + 0.01 * random.standard_normal()
        control = chance + 0.02 * random.standard_normal() - (0.4 if not classes else 0)
        name = "accuracy" if classes else "r2"
        fit = {
            **_place(site, layer), "probe_id": f"{concept}-{site}-{layer}-{loss}", "concept": concept,
            "loss": loss, "class": None, name: score, f"{name}_low": score - 0.05,
            f"{name}_high": min(1.0, score + 0.04), "control_accuracy": control,
            "baseline_accuracy": chance + 0.03 if classes else None,
            "control_low": control - 0.04, "control_high": control + 0.04, "selectivity": score - control,
            "within_control": score < control + 0.04, "labels_hash": f"hash of {concept}",
            "created_at": FITTED,
        }  # fmt: skip
        yield fit
        for number, class_ in enumerate(classes):
            recall = score - 0.02 * number
            interval = {"accuracy": recall, "accuracy_low": recall - 0.1, "accuracy_high": recall + 0.05}
            yield {**fit, **interval, "macro_f1": score, "class": class_, "baseline_accuracy": chance}


def _confusions(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for (site, layer), (concept, classes), loss in product(_places(), CONCEPTS.items(), ("mse", "logistic")):
        right = EASE[concept] * 0.9
        for actual, predicted in product(classes, classes):
            clips = int(20 * (right if actual == predicted else (1 - right) * random.random() * 0.4))
            if clips:
                probe_id = f"{concept}-{site}-{layer}-{loss}"
                yield {"probe_id": probe_id, "actual": actual, "predicted": predicted, "clips": clips}


def _clusterings(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for site, layer, (concept, classes), seed in product(SITES, LAYERS, CONCEPTS.items(), range(4)):
        ari = 0.6 * _curve(concept, site, layer) + 0.03 * random.standard_normal()
        yield {
            **_place(site, layer), "concept": concept, "k": len(classes), "scaling": "z-score",
            "start_seed": seed, "inertia": 100 + random.random(), "ari": ari, "nmi": ari + 0.1,
            "silhouette": 0.2, "labels_hash": f"hash of {concept}", "created_at": FITTED,
        }  # fmt: skip


def _vectors(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for site, layer, (concept, classes), method in product(
        SITES, LAYERS, CONCEPTS.items(), ("diffmean", "mse", "random")
    ):
        shared = random.standard_normal(WIDTH)
        for positive in classes:
            vector = random.standard_normal(WIDTH) + (0.6 if method == "diffmean" else 0) * shared
            factor = {"diffmean": 3.0, "mse": 2.6, "random": 0.2}[method]
            yield {
                **_place(site, layer), "vector_id": f"{concept}-{positive}-{site}-{layer}-{method}",
                "concept": concept, "positive": positive, "negative": None, "method": method,
                "vector": (vector / np.linalg.norm(vector)).tolist(), "score": 0.8,
                "separability": factor * _curve(concept, site, layer) + 0.2 * random.random(),
                "labels_hash": f"hash of {concept}", "created_at": FITTED + timedelta(seconds=1),
            }  # fmt: skip


def _setting(
    target: str, layer: int, alpha: float, method: str = "diffmean", schedule: str = "constant"
) -> dict[str, Any]:
    return {
        "sweep": "strength", "sweep_id": "5eed", "run_id": RUN, "model": "pocket",
        "setting_id": f"{target}-{layer}-{alpha}-{method}-{schedule}", "concept": "style", "source": "folk",
        "target": target, "method": method, "site": "resid", "layer": layer, "layers": [layer],
        "alpha": None if alpha == AUTOMATIC else alpha, "mean_alpha": alpha,
        "kind": "interpolate", "scaling": "norm", "schedule": schedule,
        "rows": "conditional", "created_at": FITTED,
    }  # fmt: skip


def _effects(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Two pairs, steered at eight layers with four strengths: more α, more transfer, less similarity.

    The strongest settings of disco are damaged and turn into swing; the weakest of metal do nothing.
    """
    settings = [
        *product(("metal", "disco"), LAYERS, (0.1, 0.2, 0.4, 0.8), ["diffmean"], ["constant"]),
        *product(("metal", "disco"), [5], [0.8], ["mse"], ["constant"]),
        *product(("metal",), [5], [AUTOMATIC], ["diffmean"], ["constant"]),
        *product(("metal",), [5], [0.4, 0.8], ["diffmean"], [MONITORED]),
    ]
    for (target, layer, alpha, method, schedule), part in product(settings, ("all", "choose", "report")):
        transfer = 0.5 * (1 - np.exp(-4 * alpha)) * _curve("style", "resid", layer) + 0.01 * random.random()
        transfer *= 0.6 if method == "mse" else 1.0
        similarity = 1 - 0.6 * alpha - 0.02 * random.random()
        transfer *= 0.8 if schedule == MONITORED else 1.0
        chosen = (layer, alpha, method, schedule) == (5, 0.8, "diffmean", "constant")
        shared = _setting(target, layer, alpha, method, schedule) | {
            "chosen": chosen, "chosen_by": "clap", "drone": (target, alpha) == ("disco", 0.8),
            "split": part, "prompt": 0.45, "random_states": 4,
            "prompts": 4 if part == "all" else 2,
        }  # fmt: skip
        strong, weak = (target, alpha) == ("disco", 0.8), (target, alpha) == ("metal", 0.1)
        yield shared | _measured("clap", "transfer", transfer, 0.02, over=-0.01 if weak else transfer - 0.06)
        yield shared | _measured("clap", "similarity", similarity, similarity + 0.05, prompt=0.55)
        yield shared | _measured("clap", "kad_clips", 24.0 if strong else 12.0, 11.0, prompt=8.0)
        still = 3.0 if strong else 9.0
        yield shared | _measured("descriptors", "level", still, 10.0) | {"measured_class": "mel_variation_db"}
        yield shared | _measured("clap", "kad", 6.0 if strong else 0.5, 0.4, prompt=1.0)
        swing = _measured("clap", "change", 0.7 if strong else 0.0, 0.01, over=0.5 if strong else -0.02)
        yield shared | swing | {"measured_concept": "style", "measured_class": "swing"}


def _measured(
    scorer: str, metric: str, value: float, control: float, *, over: float = 0.0, prompt: float = 0.45
) -> dict[str, Any]:
    """Columns of one metric; `over` is the lower end of what it has over random directions."""
    return {
        "scorer": scorer, "metric": metric, "value": value, "low": value - 0.04, "high": value + 0.05,
        "random": control, "random_low": control - 0.02, "random_high": control + 0.03,
        "prompt": prompt, "prompt_low": prompt - 0.1, "prompt_high": prompt + 0.1,
        "over_random": value - control, "over_random_low": over,
    }  # fmt: skip


def _cross_effects() -> Iterator[dict[str, Any]]:
    """Two concepts steered: styles move modes by half of what they move themselves, not the other way."""
    way = {
        "sweep": "strength", "sweep_id": "5eed", "run_id": RUN, "method": "diffmean", "site": "resid",
        "layers": [5], "kind": "interpolate", "scaling": "norm", "schedule": "constant", "alphas": [0.4, 0.8],
        "scorer": "clap", "created_at": FITTED,
    }  # fmt: skip
    slopes = {
        ("style", "folk", "metal"): (-0.4, 0.4, 0.2, -0.2),
        ("style", "folk", "disco"): (-0.3, 0.1, -0.2, 0.2),
        ("mode", "major", "minor"): (0.0, 0.01, -0.5, 0.5),
    }
    measured = (("style", "folk"), ("style", "metal"), ("mode", "major"), ("mode", "minor"))
    for (concept, source, target), values in slopes.items():
        for (one, class_), slope in zip(measured, values, strict=True):
            yield way | {
                "concept": concept, "source": source, "target": target, "measured_concept": one,
                "measured_class": class_, "slope": slope, "low": slope - 0.1, "high": slope + 0.1,
                "random": 0.01,
            }  # fmt: skip
    yield way | {"slope": 0.31, "random": 0.05}


def _sounds(store: Store) -> Iterator[dict[str, Any]]:
    """A generation of each role, whose sound is in the store; and others that do not belong beside them.

    Of another recording, and of a plan that was replaced: both would be first by the names of some sounds.
    """
    cells = {
        "": {"audio_prompt": "b.wav"},
        "0": {"audio_prompt": "c.wav"},
        "1": {"audio_prompt": "a.wav", "plan_id": "replaced"},
    }
    for (prefix, cell), target, (number, role) in product(
        cells.items(), ("metal", "disco"), enumerate(("unsteered", "steered", "random", "prompt"))
    ):
        mixed = prefix if role in ("steered", "random") else prefix.replace("0", "z")
        generation = f"{mixed}{target}{role}"
        setting = _setting(target, 5, 0.8) if role in ("steered", "random") else {}
        plain = dict.fromkeys(("setting_id", "method", "site", "layers", "alpha"))
        yield {**_setting(target, 5, 0.8), **plain, **setting, **cell} | {
            "generation_id": generation, "role": role, "split": "evaluation", "template": "{class} music",
            "text": "folk music", "random_state": 0,
        }  # fmt: skip
        stream = io.BytesIO()
        pitch = 110 * (number + 1) + len(prefix) * 7
        samples = 0.1 * np.sin(2 * np.pi * pitch * np.arange(8000) / 16_000)
        soundfile.write(stream, samples, 16_000, format="FLAC")
        commit(store.objects, f"audio/{generation}.flac", stream.getvalue(), kind="sound", sound=never)


def _ratings() -> Iterator[dict[str, Any]]:
    """Two listeners and eight settings of metal: the stronger, the more often chosen, the less alike."""
    for listener, layer, alpha in product(("Ada", "Bo"), (4, 5), (0.1, 0.2, 0.4, 0.8)):
        place = {
            **_setting("metal", layer, alpha), "test_id": "7e57", "listener": listener, "seed": 1,
            "trial_id": f"{layer}-{alpha}", "alternatives": 3, "shown": 0, "answered_at": FITTED,
        }  # fmt: skip
        rated = {"reference": 100.0, "anchor": 20.0, "steered": 90 - 80 * alpha, "random": 85 - 40 * alpha}
        for role, value in rated.items():
            yield place | {"kind": "rating", "role": role, "value": value}
        yield place | {"kind": "choice", "role": "steered", "value": float(alpha > 0.3)}


def fill(store: Store) -> None:
    """Results of every kind, in the columns that the jobs give them."""
    random = np.random.default_rng(7)
    write_table(store, "probes", _probes(random))
    write_table(store, "confusions", _confusions(random))
    write_table(store, "clusterings", _clusterings(random))
    write_table(store, "vectors", _vectors(random))
    write_table(store, "effects", _effects(random))
    write_table(store, "cross_effects", _cross_effects())
    write_table(store, "ratings", _ratings())
    heard: dict[str, Any] = {
        "sweep": "strength",
        "sweep_id": "5eed",
        "run_id": RUN,
        "scorer": "features",
        "concept": "style",
    }
    heard |= {"clips": 60, "accuracy": 0.3, "low": 0.2, "high": 0.4, "chance": 0.33, "above_chance": False}
    write_table(store, "scorer_accuracy", [heard | {"unknown": [], "created_at": FITTED}])
    write_table(store, "sweep_generations", _sounds(store))


@pytest.fixture(scope="session")
def fitted_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run with probes, confusions, clusterings and vectors."""
    store = _make_run(tmp_path_factory.mktemp("fitted") / "music.store")
    fill(store)
    return store


@pytest.fixture
def unfitted_store(tmp_path: Path) -> Store:
    """A run that nothing was fitted on."""
    return _make_run(tmp_path / "music.store")


def rows_in(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every row of data inside a specification."""
    for rows in part.get("datasets", {}).values():
        yield from rows


@dataclass(slots=True)
class Node:
    """One element of a page."""

    tag: str
    attributes: dict[str, str | None]
    children: list["Node"]
    text: str = ""

    def all(self, tag: str, **attributes: str) -> Iterator["Node"]:
        """Descendants with a tag and attributes, in order."""
        for child in self.children:
            if child.tag == tag and all(
                child.attributes.get(k.rstrip("_")) == v for k, v in attributes.items()
            ):
                yield child
            yield from child.all(tag, **attributes)

    def charts(self) -> list[dict[str, Any]]:
        """Specifications of the charts below."""
        return [json.loads(one.text) for one in self.all("script", class_="specification")]

    def points(self) -> list[list[dict[str, Any]]]:
        """Of each chart, the rows of its data."""
        return [list(rows_in(chart)) for chart in self.charts()]

    def words(self) -> str:
        """All text below."""
        return " ".join(filter(None, [self.text.strip(), *(child.words() for child in self.children)]))


class PageParser(HTMLParser):
    """HTML as a tree; a tag that is closed wrongly is an error."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root", {}, [])
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs), [])
        self._open[-1].children.append(node)
        if tag not in self.VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data


@pytest.fixture(scope="session")
def parse_page() -> Callable[[str], Node]:
    """HTML text as a tree of nodes."""

    def parse(text: str) -> Node:
        parser = PageParser()
        parser.feed(text)
        parser.close()
        return parser.root

    return parse


@pytest.fixture(scope="session")
def report_file(fitted_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the fitted store."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(ReportOptions(fitted_store.url, path))
    return path


@pytest.fixture(scope="session")
def report_page(report_file: Path, parse_page: Callable[[str], Node]) -> Node:
    """The same as a tree."""
    return parse_page(report_file.read_text(encoding="utf-8"))
