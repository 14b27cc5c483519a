"""The report is one accessible file whose numbers are those of SQL."""

import base64
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.report.building import build_page
from jobs.report.options import ReportOptions
from jobs.report.rendering import render
from jobs.report.writing import write_report
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import CatalogWarning, InvalidInput, NotFound
from store.opening import Store, open_store

Node = Any
"""As the fixtures give it: tag, attributes, children, all(), words()."""
CHARTS = {"probes", "clusters", "directions"}
SWEEP = "5eed"


def figures(page: Node) -> list[Node]:
    return list(page.all("figure", class_="figure"))


def texts(table: Node) -> list[list[str]]:
    """The body of a table."""
    (body,) = table.all("tbody")
    return [[cell.text for cell in row.children] for row in body.all("tr")]


def expected_cell(value: Any) -> str:
    """What a reader should see of a value: written independently of the report."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return {True: "yes", False: "no"}[value]
    if isinstance(value, list):
        return ", ".join(map(expected_cell, value))
    if isinstance(value, str):
        return value
    return (f"{value:.3f}" if isinstance(value, float) else str(value)).replace("-", "−", 1)


def sql_of(figure: Node) -> str:
    (code,) = figure.all("code")
    return str(code.text)


def test_every_table_is_the_answer_to_the_sql_below_it(fitted_store: Store, report_page: Node) -> None:
    catalog = refresh_catalog(fitted_store)
    compared = 0
    for figure in figures(report_page):
        answer = run_query(catalog, sql_of(figure))
        (table,) = figure.all("table")
        if list(table.all("th", scope="row")):
            continue  # a matrix, compared below
        shown = [name for name in answer.column_names if answer.column(name).null_count < len(answer)]
        heads = [head.text for head in table.all("th", scope="col")]
        assert heads == [name.replace("_", " ") for name in shown]
        rows = zip(*(answer.column(name).to_pylist() for name in shown), strict=True)
        assert texts(table) == [[expected_cell(value) for value in row] for row in rows]
        compared += 1
    assert compared == 1 + 3 * 4 + 1 + 12, "overview; curves and classes; a curve for tempo; the sweep"


def test_the_confusion_matrix_is_that_of_sql(fitted_store: Store, report_page: Node) -> None:
    (figure,) = [one for one in figures(report_page) if str(one.attributes["id"]).endswith("chord-confusion")]
    answer = run_query(refresh_catalog(fitted_store), sql_of(figure)).to_pylist()
    counts = {(row["actual"], row["predicted"]): row["clips"] for row in answer}
    (table,) = figure.all("table")
    classes = [head.text for head in table.all("th", scope="col")][1:]
    assert classes == ["augmented", "diminished", "major", "minor"]
    assert texts(table) == [[one, *(str(counts.get((one, two), 0)) for two in classes)] for one in classes]
    assert sum(counts.values()) > 60


def test_the_cosines_are_those_of_the_stored_vectors(fitted_store: Store, report_page: Node) -> None:
    (figure,) = [one for one in figures(report_page) if str(one.attributes["id"]).endswith("cosines")]
    sql = (
        "SELECT concept || ': ' || positive AS name, vector FROM vectors "
        "WHERE site = 'resid' AND layer = 5 AND method = 'diffmean'"
    )
    rows = run_query(refresh_catalog(fitted_store), sql).to_pylist()
    vectors = {row["name"]: row["vector"] for row in rows}
    (table,) = figure.all("table")
    names = [head.text for head in table.all("th", scope="col")][1:]
    assert names == sorted(vectors)
    for name, *cosines in texts(table):
        dots = [sum(a * b for a, b in zip(vectors[name], vectors[other], strict=True)) for other in names]
        assert [float(cosine.replace("−", "-")) for cosine in cosines] == pytest.approx(dots, abs=6e-4)


def test_the_chosen_layer_is_the_one_with_the_best_score(fitted_store: Store, report_page: Node) -> None:
    sql = "FROM probes WHERE concept = 'style' AND layer IS NOT NULL ORDER BY accuracy DESC LIMIT 1"
    (best,) = run_query(refresh_catalog(fitted_store), sql).to_pylist()
    said = f"Best read at {best['site']} {best['layer']} ({best['loss']} probe, accuracy "
    assert f"{said}{best['accuracy']:.3f})." in report_page.words()


def test_every_curve_has_a_panel_per_site_with_every_layer(report_page: Node) -> None:
    curves = [one for one in figures(report_page) if str(one.attributes["id"]).split("-")[-1] in CHARTS]
    assert len(curves) == 10
    for figure in curves:
        assert [title.text for title in figure.all("h5", class_="panel-title")] == ["resid", "attn", "mlp"]
        for points in figure.points():
            layers = Counter(point["series"] for point in points if "series" in point)
            assert set(layers.values()) == {8}


def test_a_sweep_is_drawn_by_layer_with_its_random_control(fitted_store: Store, report_page: Node) -> None:
    (figure,) = [one for one in figures(report_page) if one.attributes["id"] == f"{SWEEP}-layers"]
    assert [title.text for title in figure.all("h5")] == ["folk → disco", "folk → metal"]
    sql = (
        "SELECT layer, value FROM effects WHERE target = 'metal' AND alpha = 0.8 AND metric = 'transfer' "
        "AND method = 'diffmean' AND schedule = 'constant' "
        "AND split = 'all' ORDER BY layer"
    )
    rows = run_query(refresh_catalog(fitted_store), sql).to_pylist()
    points = [point for point in figure.points()[1] if point.get("series") == "α 0.8"]
    assert [(point["x"], point["y"]) for point in points] == [(row["layer"], row["value"]) for row in rows]
    assert "random: from 0.020 at layer 0 to 0.020 at layer 7" in figure.charts()[1]["description"]


def test_the_trade_off_has_a_path_per_layer_and_the_strengths_on_it(report_page: Node) -> None:
    (figure,) = [one for one in figures(report_page) if one.attributes["id"] == f"{SWEEP}-trade-off"]
    for points in figure.points():
        settings = [point for point in points if "setting" in point]
        names = {point["series"] for point in settings}
        assert len(names - {"auto layer 5"}) == 5
        assert "random" in names
        assert any(name.startswith("layer 5") for name in names)
        strengths = {point["setting"] for point in settings} - {"α auto"}
        assert strengths == {"α 0.1", "α 0.2", "α 0.4", "α 0.8"}


def test_the_area_below_the_front_stands_beside_that_of_random_directions(
    fitted_store: Store, report_page: Node
) -> None:
    (figure,) = [one for one in figures(report_page) if one.attributes["id"] == f"{SWEEP}-trade-off"]
    titles = [title.text for title in figure.all("h5")]
    sql = "SELECT metric, max(random) AS most FROM effects WHERE target = '{}' AND split = 'all' GROUP BY ALL"
    for title, target in zip(titles, ("disco", "metal"), strict=True):
        found = re.fullmatch(rf"folk → {target} · area (0\.\d+) \(random directions (0\.\d+)\)", title)
        assert found, title
        most = {
            row["metric"]: row["most"]
            for row in run_query(refresh_catalog(fitted_store), sql.format(target)).to_pylist()
        }
        steered, random = map(float, found.groups())
        assert random == pytest.approx(most["similarity"] * most["transfer"], abs=1e-3)  # all transfer alike
        assert random < steered


def test_sounds_of_the_chosen_setting_stand_beside_their_controls(
    fitted_store: Store, report_page: Node
) -> None:
    (figure,) = [one for one in figures(report_page) if one.attributes["id"] == f"{SWEEP}-sounds"]
    labels = [player.attributes["aria-label"] for player in figure.all("audio")]
    roles = ("unsteered", "steered", "random direction", "asked for in words")
    assert labels == [f"folk → {target}: {role}" for target in ("disco", "metal") for role in roles]
    steered = list(figure.all("audio"))[5].attributes["src"]
    stored = fitted_store.objects.get("audio/metalsteered.flac")
    assert base64.b64decode(steered.partition(",")[2]) == stored


def figure_of(page: Node, name: str) -> Node:
    (found,) = [one for one in figures(page) if one.attributes["id"] == f"{SWEEP}-{name}"]
    return found


def cells(figure: Node) -> dict[tuple[str, str], str]:
    """The number in each cell of the first matrix of a figure."""
    return {(point["row"], point["column"]): point["text"] for point in figure.points()[0]}


def dot_rows(figure: Node, place: int) -> dict[str, dict[str, Any]]:
    """The rows of a dot plot by their names."""
    return {point["name"]: point for point in figure.points()[place]}


def test_damage_stands_beside_the_transfer_of_each_pair(report_page: Node) -> None:
    figure = figure_of(report_page, "damage")
    drawn = figure.points()
    assert len(drawn) == 2, "distance to recordings, and variation over time"
    assert all({row["name"] for row in rows} == {"folk → disco (drone)", "folk → metal"} for rows in drawn)
    rows = [[cell.words() for cell in row.all("td")] for row in figure.all("tr")]
    assert any("24.000" in " ".join(row) and "11.000" in " ".join(row) for row in rows)


def test_a_scorer_that_cannot_hear_a_concept_is_said_to_be_deaf(report_page: Node) -> None:
    warnings = [one.words() for one in report_page.all("p", class_="warning")]
    assert any(
        "features cannot tell classes of style apart: it names the class of 0.30 of 60 labelled clips"
        in words
        for words in warnings
    )


def test_failures_are_named_and_counted_by_strength(report_page: Node) -> None:
    figure = figure_of(report_page, "failures")
    counts = cells(figure)
    assert counts["α 0.1", "no change"] == "8/16", "metal at eight layers"
    assert counts["α 0.8", "distortion"] == "9/19", "disco at eight layers and by mse"
    assert counts["α 0.8", "wrong concept"] == "9/19"
    assert {text for (strength, _), text in counts.items() if strength == "α 0.4"} == {"0/17"}
    (caption,) = figure.all("figcaption")
    for name in (
        "Not scored: ",
        "no change: ",
        "drone: ",
        "distortion: ",
        "wrong concept: ",
        "source lost: ",
    ):
        assert name in caption.text


def test_sounds_side_by_side_are_of_one_recording_and_of_the_plan_whose_effects_are_shown(
    fitted_store: Store, report_page: Node
) -> None:
    played = [player.attributes["src"] for player in figure_of(report_page, "sounds").all("audio")]
    expected = [
        fitted_store.objects.get(f"audio/{target}{role}.flac")
        for target in ("disco", "metal")
        for role in ("unsteered", "steered", "random", "prompt")
    ]
    assert [base64.b64decode(str(one).split(",")[1]) for one in played] == expected


def test_players_of_a_failing_setting_say_what_is_wrong(report_page: Node) -> None:
    titles = [title.words() for title in figure_of(report_page, "sounds").all("p", class_="sound-title")]
    assert titles == ["folk → disco drone distortion wrong concept", "folk → metal"]


def test_interference_is_a_map_of_slopes_with_its_index(report_page: Node) -> None:
    figure = figure_of(report_page, "interference")
    slopes = cells(figure)
    assert len(slopes) == 3 * 4
    assert slopes["folk → metal", "style: metal"] == ".40"
    assert slopes["folk → metal", "mode: minor"] == "−.20"
    assert slopes["major → minor", "mode: major"] == "−.50"
    titles = [title.text for title in figure.all("h5")]
    assert titles == ["interference index 0.31 (random directions 0.05)"]


def test_the_number_that_names_a_layer_has_its_correlation_and_verdict(
    fitted_store: Store, report_page: Node
) -> None:
    figure = figure_of(report_page, "layer-choice")
    assert [title.text for title in figure.all("h5")] == ["α 0.1", "α 0.2", "α 0.4", "α 0.8"]
    sql = "SELECT correlation, low, verdict FROM layer_choice WHERE alpha = 0.4 AND predictor = 'ari'"
    (row,) = run_query(refresh_catalog(fitted_store), sql).to_pylist()
    assert (row["low"], row["verdict"]) == (None, "undecided")  # two pairs, but of one concept
    drawn = dot_rows(figure, 2)["ARI: undecided"]["value"]
    assert drawn == pytest.approx(row["correlation"])


def test_effect_over_layers_stands_beside_what_the_layers_know(report_page: Node) -> None:
    figure = figure_of(report_page, "beside")
    effect, known = figure.charts()
    assert [title.text for title in figure.all("h5")] == [
        "style at resid: transfer",
        "style at resid: what its layers know",
    ]
    assert "transfer: from" in effect["description"]
    for name in ("probe: from", "ARI: from", "NMI: from"):
        assert name in known["description"]
    marks = [point["x"] for points in figure.points() for point in points if point.get("what") == "chosen"]
    assert len(marks) == 2


def test_figures_say_over_how_many_prompts_and_random_states_their_intervals_are(report_page: Node) -> None:
    for name, prompts in {"chosen": 2, "layers": 4, "trade-off": 4, "compared": 2, "automatic": 2}.items():
        (caption,) = figure_of(report_page, name).all("figcaption")
        assert f"over {prompts} prompts × 4 random states" in caption.words(), name


def test_an_automatic_strength_stands_beside_the_grid(report_page: Node) -> None:
    figure = figure_of(report_page, "automatic")
    assert [title.text for title in figure.all("h5")] == ["folk → metal"]
    (points,) = figure.points()
    strengths: dict[str, list[float]] = {}
    for point in points:
        strengths.setdefault(point.get("series", ""), []).append(point.get("x"))
    assert strengths["grid"] == [0.1, 0.2, 0.4, 0.8]
    assert strengths["auto"] == [0.33]
    assert strengths["monitor 0.9"] == [0.4, 0.8]
    (caption,) = figure.all("figcaption")
    for idea in ("in-distribution target", "distortion-matched cap", "Monitor"):
        assert idea in caption.text
    trades = [point for point in figure_of(report_page, "trade-off").points()[1] if "series" in point]
    automatic = {point["setting"] for point in trades if point["series"] == "auto layer 5"}
    assert automatic == {"α auto"}


def test_what_people_heard_stands_beside_clap(report_page: Node) -> None:
    figure = figure_of(report_page, "ratings")
    agreed, rated = dot_rows(figure, 0), dot_rows(figure, 1)
    assert agreed["likeness: agree"]["value"] == pytest.approx(0.976, abs=5e-4)  # 1 but for ties
    assert any(name.startswith("choice: ") for name in agreed)
    means = {"hidden reference": 100.0, "steered": 60.0, "random direction": 70.0}
    for name, mean in means.items():
        assert rated[name]["value"] == pytest.approx(mean), "mean over α of 90 − 80 α and 85 − 40 α"


def test_losses_are_compared_where_they_were_chosen_on_the_other_half(
    fitted_store: Store, report_page: Node
) -> None:
    figure = figure_of(report_page, "compared")
    (heading,) = figure.all("h4")
    assert heading.text == "Losses compared, each at its best setting"
    assert [title.text for title in figure.all("h5")] == ["folk → disco", "folk → metal"]
    choosing = (
        "SELECT setting_id FROM effects WHERE split = 'selection' AND metric = 'transfer' "
        "AND target = 'metal' AND method = 'diffmean' ORDER BY value DESC LIMIT 1"
    )
    catalog = refresh_catalog(fitted_store)
    (best,) = run_query(catalog, choosing).to_pylist()
    reported = (
        f"SELECT value FROM effects WHERE setting_id = '{best['setting_id']}' AND split = 'evaluation' "
        "AND metric = 'transfer'"
    )
    (row,) = run_query(catalog, reported).to_pylist()
    rows = dot_rows(figure, 1)
    assert rows["diffmean"]["value"] == row["value"]
    assert "mse" in rows


def test_every_drawing_has_words_and_a_table(report_page: Node) -> None:
    charts = report_page.charts()
    assert len(charts) > 30
    assert all(len(chart["description"]) > 20 for chart in charts)
    for figure in figures(report_page):
        assert len(list(figure.all("table"))) == 1
        assert next(row.words() for row in figure.all("summary")).startswith("Numbers of:")


def test_ids_are_unique_and_references_lead_somewhere(report_page: Node) -> None:
    nodes = list(everything(report_page))
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    assert len(ids) == len(set(ids)) > 40
    for node in nodes:
        href = node.attributes.get("href")
        labels = str(node.attributes.get("aria-labelledby", "")).split()
        for target in [str(href).removeprefix("#")] * bool(href) + labels:
            assert target in ids


def everything(node: Node) -> list[Node]:
    return [found for child in node.children for found in (child, *everything(child))]


def test_the_file_needs_no_other(report_file: Path, report_page: Node) -> None:
    text = re.sub(
        r"<script>.*?</script>", "<script></script>", report_file.read_text("utf-8"), flags=re.DOTALL
    )
    assert text.count("<script></script>") == 2, "what draws, and our own"
    text = text.replace('<script type="application/json" class="specification">', "")
    assert not re.search(r"https?://|@import|url\(|<link|<iframe|<object|<embed|<script[^>]|\son\w+=", text)
    for node in everything(report_page):
        assert str(node.attributes.get("href", "#")).startswith("#")
        assert str(node.attributes.get("src", "data:")).startswith("data:")
    (policy,) = report_page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert str(policy.attributes["content"]).startswith("default-src 'none'")


def test_headings_go_down_one_step_at_a_time(report_page: Node) -> None:
    levels = [int(node.tag[1]) for node in everything(report_page) if re.fullmatch(r"h\d", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(following <= level + 1 for level, following in pairwise(levels))


def test_what_scrolls_can_be_reached_by_keyboard(report_page: Node) -> None:
    regions = [node for node in everything(report_page) if node.attributes.get("role") == "region"]
    assert len(regions) >= len(figures(report_page))
    assert all(region.attributes["tabindex"] == "0" and region.attributes["aria-label"] for region in regions)


def test_the_head_tells_what_was_read(report_page: Node) -> None:
    (facts,) = report_page.all("dl")
    for fact in ("Run 3f2a9c10", "Model pocket", "Dataset songs", "Clips 40, 4 s each", "Layers 8 (0 to 7)"):
        assert fact in facts.words()


def test_a_store_without_results_says_what_to_run_next(unfitted_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with pytest.raises(
        NotFound, match=r"Nothing was fitted .* undertone probe .*music\.store 3f2a9c10 --labels"
    ):
        write_report(ReportOptions(unfitted_store.url, path))
    assert not path.exists()


def test_a_store_without_runs_says_so(tmp_path: Path) -> None:
    from store.opening import open_store

    open_store(tmp_path / "empty.store", create=True)
    with pytest.raises(NotFound, match=r"no run to report yet.*undertone extract"):
        write_report(ReportOptions(str(tmp_path / "empty.store"), tmp_path / "report.html"))


def test_an_unknown_run_is_refused_with_the_choices(fitted_store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="3f2a9c10"):
        write_report(ReportOptions(fitted_store.url, tmp_path / "report.html", run="nonsense"))


def best_and(store: Store, site: str, layer: int) -> list[dict[str, Any]]:
    """Scores at a layer, and where each concept is read best."""
    query = f"""
        SELECT a.concept, a.loss, a.score, b.site AS best_site, b.layer AS best_layer
        FROM layers a JOIN (
            SELECT run_id, concept, arg_max(site, score) AS site, arg_max(layer, score) AS layer
            FROM layers GROUP BY ALL
        ) b USING (run_id, concept)
        WHERE a.site = '{site}' AND a.layer = {layer} AND starts_with(run_id, '3f2a')
        ORDER BY a.score DESC
    """
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), query).to_pylist()
    return rows


def test_a_layer_can_be_chosen(
    fitted_store: Store, tmp_path: Path, parse_page: Callable[[str], Node]
) -> None:
    path = tmp_path / "report.html"
    result = CliRunner().invoke(
        undertone, ["report", fitted_store.url, "-o", str(path), "--run", "3f2a", "--layer", "attn:2"]
    )
    assert result.exit_code == 0, result.output
    page = parse_page(path.read_text(encoding="utf-8"))
    titles = [node.text for node in everything(page) if node.attributes.get("class") == "figure-title"]
    assert "What is taken for what: chord at attn 2" in titles
    assert "Cosines between the diffmean directions at attn 2" in titles
    chord = next(row for row in best_and(fitted_store, "attn", 2) if row["concept"] == "chord")
    text = " ".join(node.text for node in everything(page))
    assert f"At attn 2, as asked: {chord['loss']} probe, accuracy {chord['score']:.3f}." in text
    assert f"Best read at {chord['best_site']} {chord['best_layer']} (" in text
    assert "chosen on these very scores" not in text


def test_a_layer_that_is_not_there_is_refused_with_the_choices(fitted_store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"resid:31 .* resid \(layers 0–7\)"):
        write_report(ReportOptions(fitted_store.url, tmp_path / "report.html", layer="resid:31"))
    with pytest.raises(InvalidInput, match="SITE:LAYER, for example resid:5"):
        write_report(ReportOptions(fitted_store.url, tmp_path / "report.html", layer="31"))


def test_what_the_store_lacks_stands_at_the_head_of_the_page(
    fitted_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parse_page: Callable[[str], Node],
) -> None:
    copy = shutil.copytree(fitted_store.url, tmp_path / "copy")
    shutil.rmtree(copy / "datasets")
    shutil.rmtree(copy / "records/datasets")
    monkeypatch.setattr("jobs.report.building._run_sections", lambda *_: iter(()))
    with pytest.warns(CatalogWarning, match="'songs' is gone"):
        page = build_page(open_store(copy))
    (head,) = parse_page(render(page, generator="")).all("header")
    (warning,) = head.all("p", **{"class": "warning"})
    assert "Dataset 'songs' is gone" in warning.words()
    assert "undertone verify" in warning.words()
    assert list(build_page(fitted_store).warnings) == []


def test_a_report_is_made_without_what_a_lost_dataset_or_result_takes_away(
    fitted_store: Store, tmp_path: Path, parse_page: Callable[[str], Node]
) -> None:
    copy = shutil.copytree(fitted_store.url, tmp_path / "copy")
    shutil.rmtree(copy / "datasets")
    for path in (copy / "results/confusions").iterdir():
        path.write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CatalogWarning)
        page = build_page(open_store(copy))
    html = parse_page(render(page, generator=""))
    (head,) = html.all("header")
    assert "dataset.json" in head.words()
    said = [warning for section in page.sections for warning in section.warnings]
    assert any("Something is left out here" in each and "results/confusions" in each for each in said)
    drawn = {figure.name for section in page.sections for figure in section.figures}
    whole = {figure.name for section in build_page(fitted_store).sections for figure in section.figures}
    assert drawn < whole
    assert any("probes" in name for name in drawn)
    assert all(not note.startswith(("Datasets/", "Results/")) for note in page.warnings)
