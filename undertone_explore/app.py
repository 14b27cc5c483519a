# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The explorer as a notebook: `undertone explore STORE` runs it, `--edit FILE` opens a copy to change."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Undertone")


@app.cell
def _():
    from functools import lru_cache
    from html import escape

    import marimo as mo

    import undertone as ut
    from undertone_explore.scatter import ClipScatter, wav

    def text(words, *, alert=False):
        """Words of a store or a user as they are: nothing in them is markup."""
        return mo.Html(f'<p role="{"alert" if alert else "note"}">{escape(str(words))}</p>')

    def table(answer):
        """An answer that scrolls in itself, a line for each row."""
        style = "overflow:auto;max-width:100%;max-height:22rem;white-space:nowrap"
        cells = answer._repr_html_().replace("<td", '<td style="padding:1px 8px"')
        return mo.Html(f'<div style="{style}" tabindex="0">{cells}</div>')

    def stack(*parts):
        """What there is, one below the other."""
        return mo.vstack([one for one in parts if one is not None])

    def quoted(name):
        """The name of a column as SQL takes any name."""
        return '"' + name.replace('"', '""') + '"'

    return ClipScatter, escape, lru_cache, mo, quoted, stack, table, text, ut, wav


@app.cell
def _(mo, ut):
    store = ut.open_store(str(mo.cli_args().get("store")))
    may_write = "write" in mo.cli_args()
    return may_write, store


@app.cell
def _(may_write, mo, store, text):
    mode = "writes what you save" if may_write else "read-only: start with --write to save selections"
    mo.vstack([mo.md("# Undertone"), text(f"{store.url} · {mode}")])
    return


@app.cell
def _(mo, store):
    runs = list(store.runs)
    mo.stop(not runs, mo.md("This store has no run yet: `undertone extract` makes one."))
    chosen_run = mo.ui.dropdown(runs, value=runs[0], label="Run")
    return (chosen_run,)


@app.cell
def _(chosen_run, mo, store):
    run = store.run(chosen_run.value)
    pooled = [name for name in run.arrays if name.rsplit(".", 1)[-1] in ("mean", "std", "last")]
    mo.stop(not pooled, mo.md("This run keeps no array with one vector per clip, such as `resid.mean`."))
    first = "resid.mean" if "resid.mean" in pooled else pooled[0]
    chosen_array = mo.ui.dropdown(pooled, value=first, label="Site and reduction")
    return chosen_array, run


@app.cell
def _(chosen_array, mo, run, store):
    layers = store.sql(
        "SELECT DISTINCT unnest(layers) AS layer FROM arrays WHERE run_id = $run AND name = $name ORDER BY 1",
        run=run.id,
        name=chosen_array.value,
    )["layer"]
    chosen_layer = mo.ui.slider(
        steps=layers, value=layers[len(layers) // 2], label="Layer", show_value=True, debounce=True
    )
    chosen_method = mo.ui.dropdown(["pca", "umap"], value="pca", label="Map")
    return chosen_layer, chosen_method, layers


@app.cell
def _(mo, quoted, store):
    known = store.sql("SELECT * FROM clips LIMIT 0").columns
    technical = {"clip_id", "sha256", "uri", "start_seconds", "duration_seconds", "tail_seconds"}
    columns = sorted(
        (name for name in known if name not in technical), key=("dataset", "split", "group_id").__contains__
    )
    counted = ", ".join(f"count(DISTINCT {quoted(name)})" for name in columns)
    counts = store.sql(f"SELECT {counted} FROM clips").arrow().to_pydict().values()
    telling = [name for name, (count,) in zip(columns, counts, strict=True) if 2 <= count <= 20]
    chosen_colour = mo.ui.dropdown(columns, value=(telling or columns)[0], label="Colour")
    chosen_query = mo.ui.text(placeholder="SELECT clip_id, … FROM …", label="or by a query", full_width=True)
    by_error = mo.ui.checkbox(label="how wrong a probe for it is, out of fold")
    return by_error, chosen_colour, chosen_query, columns


@app.cell
def _(by_error, chosen_array, chosen_colour, chosen_layer, chosen_method, chosen_query, chosen_run, mo):
    mo.vstack(
        [
            mo.hstack([chosen_run, chosen_array, chosen_method, chosen_layer], justify="start", wrap=True),
            mo.hstack([chosen_colour, by_error], justify="start", wrap=True),
            chosen_query,
        ]
    )
    return


@app.cell
def _(ClipScatter, mo, store, ut):
    picks, set_picks = mo.state(())
    scatter = ClipScatter(lambda clip_id: ut.clip_sound(store, clip_id), set_picks)
    return picks, scatter


@app.cell
def _(mo, scatter):
    mo.ui.anywidget(scatter)
    return


@app.cell
def _(lru_cache, may_write, mo, run, ut):
    @lru_cache(maxsize=64)
    def plane_of(array, layer, method):
        """The map of a layer, turned to that of the layer before so that clips can be followed."""
        with mo.status.spinner("Drawing the map", remove_on_exit=True) as waiting:
            found = ut.clip_map(
                run,
                array=array,
                layer=layer,
                method=method,
                keep=may_write,
                progress=lambda told: waiting.update(subtitle=told.line),
            )
        return found.turned_to(drawn[-1]) if drawn else found

    drawn = []
    return drawn, plane_of


@app.cell
def _(chosen_array, chosen_layer, chosen_method, drawn, mo, plane_of, text, ut):
    try:
        plane = plane_of(chosen_array.value, chosen_layer.value, chosen_method.value)
    except ut.UndertoneError as error:
        mo.stop(bool(error), text(error, alert=True))
    drawn[:] = [plane]
    return (plane,)


@app.cell
def _(by_error, chosen_colour, chosen_query, plane, quoted, scatter, text, ut):
    column = f"SELECT clip_id, {quoted(chosen_colour.value)} FROM clips"
    query = chosen_query.value.strip() or column
    title = "query" if chosen_query.value.strip() else chosen_colour.value
    trouble = ""
    try:
        values = plane.errors(query) if by_error.value else plane.values(query)
    except ut.UndertoneError as error:
        values, trouble = [None] * len(plane.clip_ids), str(error)
    scatter.show(plane, values, f"error of {title}" if by_error.value else title)
    shares = (
        ""
        if plane.shares is None
        else " The axes hold {:.0%} and {:.0%} of the variance.".format(*plane.shares)
    )
    facts = [
        f"{len(plane.clip_ids):,} clips; trustworthiness {plane.trust:.2f}.{shares}",
        *plane.notes,
        trouble,
    ]
    text(" ".join(filter(None, facts)), alert=bool(trouble))
    return


@app.cell
def _(picks, scatter):
    picked = picks()
    scatter.mark(picked)
    return (picked,)


@app.cell
def _(may_write, mo, picked):
    selection_name = mo.ui.text(label="Name", value="picked")
    selection_label = mo.ui.text(label="Label", value="yes")
    save = mo.ui.run_button(label="Save as labels", disabled=not (may_write and picked))
    return save, selection_label, selection_name


@app.cell
def _(
    columns,
    may_write,
    mo,
    picked,
    plane,
    quoted,
    save,
    selection_label,
    selection_name,
    stack,
    store,
    table,
    text,
    ut,
):
    import pyarrow as pa

    picked_table = pa.table({"clip_id": pa.array(picked, pa.string())})
    saved = ""
    if save.value:
        name, label = selection_name.value, selection_label.value
        chosen = set(picked)
        others = [one for one in plane.clip_ids if one not in chosen]
        try:
            ut.save_selection(store, name, {label: picked, f"not {label}": others})
            saved = f"Saved. Use it: SELECT clip_id, label FROM selections WHERE selection = '{name}'"
        except ut.UndertoneError as error:
            saved = str(error)
    shown = ", ".join(quoted(one) for one in ("clip_id", "uri", "start_seconds", *columns))
    found = store.sql(
        f"SELECT {shown} FROM clips SEMI JOIN picked USING (clip_id)", tables={"picked": picked_table}
    )
    filled = [one for one in found.columns if found.arrow()[one].null_count < len(found)]
    found = store.sql(f"SELECT {', '.join(map(quoted, filled)) or 1} FROM found", tables={"found": found})
    listed = stack(
        *[
            mo.md(
                f"**{len(picked)} clips picked.**" if picked else "Drag round clips on the map to pick some."
            ),
            table(found) if picked else None,
            mo.hstack([selection_name, selection_label, save], justify="start", wrap=True)
            if may_write
            else None,
            text(saved) if saved else None,
        ]
    )
    return listed, picked_table


@app.cell
def _(chosen_layer, layers, mo, picked):
    find = mo.ui.run_button(label="Find its direction", disabled=not picked)
    steered_layers = mo.ui.multiselect(layers, value=[chosen_layer.value], label="Layers")
    prompt = mo.ui.text(label="Prompt", value="", full_width=True)
    alpha = mo.ui.slider(0.0, 1.5, 0.05, value=0.4, label="α", show_value=True)
    seconds = mo.ui.slider(1, 10, 1, value=3, label="Seconds", show_value=True)
    seed = mo.ui.number(0, 2**31 - 1, 1, value=0, label="Seed")
    hear = mo.ui.run_button(label="Hear it", disabled=not picked)
    return alpha, find, hear, prompt, seconds, seed, steered_layers


@app.cell
def _(find, picked, plane, text, ut):
    measured = None
    if find.value and picked:
        try:
            direction = plane.direction_of(picked)
            low, high = direction.interval or (float("nan"),) * 2
            verdict = "no better than random ones" if direction.within_random else "better than random ones"
            measured = text(
                f"Held-out ROC-AUC {direction.score or float('nan'):.2f} [{low:.2f}, {high:.2f}], {verdict} "
                f"(95 % of these stay within {direction.random_score or 0:.2f}). Clips picked for their "
                "place on this map are apart by the picking alone: listen before believing."
            )
        except ut.UndertoneError as error:
            measured = text(error, alert=True)
    return (measured,)


@app.cell
def _(lru_cache, ut):
    model_of = lru_cache(maxsize=1)(ut.load_model)
    return (model_of,)


@app.cell
def _(
    alpha,
    chosen_array,
    hear,
    mo,
    model_of,
    picked,
    plane_of,
    prompt,
    run,
    seconds,
    seed,
    steered_layers,
    text,
    ut,
    wav,
):
    sounds = None
    if hear.value and picked:
        try:
            with mo.status.spinner("Making two sounds", remove_on_exit=True):
                along = [
                    plane_of(chosen_array.value, one, "pca").direction_of(picked)
                    for one in steered_layers.value
                ]
                asked = {"text": prompt.value, "seconds": float(seconds.value), "seed": int(seed.value)}
                model = model_of(run.model)
                plain = ut.generate(model, **asked)
                with ut.steer(model, along, alpha=float(alpha.value)):
                    steered = ut.generate(model, **asked)
            sounds = mo.hstack(
                [
                    mo.vstack([mo.md(name), mo.audio(wav(sound))])
                    for name, sound in (("Unsteered", plain), ("Steered", steered))
                ],
                justify="start",
                wrap=True,
            )
        except ut.UndertoneError as error:
            sounds = text(error, alert=True)
    return (sounds,)


@app.cell
def _(alpha, find, hear, measured, mo, prompt, seconds, seed, sounds, stack, steered_layers):
    steering = stack(
        *[
            mo.hstack([find], justify="start"),
            measured,
            prompt,
            mo.hstack([alpha, steered_layers, seconds, seed, hear], justify="start", wrap=True),
            sounds,
        ]
    )
    return (steering,)


@app.cell
def _(mo):
    history, set_history = mo.state(("SELECT * FROM picked LIMIT 20",))
    return history, set_history


@app.cell
def _(history, mo):
    statement = mo.ui.text_area(value=history()[-1], label="One SELECT", rows=4, full_width=True)
    ask = mo.ui.run_button(label="Ask")
    return ask, statement


@app.cell
def _(ask, history, mo, picked_table, plane, set_history, statement, store, table, text, ut):
    answer = None
    if ask.value:
        place = plane.table().arrow().select(["clip_id", "x", "y"])
        try:
            answer = table(store.sql(statement.value, tables={"picked": picked_table, "map": place}))
        except ut.UndertoneError as error:
            answer = text(error, alert=True)
        if statement.value not in history():
            set_history((*history(), statement.value)[-20:])
    asked_before = mo.accordion({"History": mo.vstack([text(one) for one in reversed(history())])})
    return answer, asked_before


@app.cell
def _(answer, ask, asked_before, mo, stack, statement):
    questions = stack(
        *[
            mo.md("Tables beside the catalog's: `picked` (clip_id) and `map` (clip_id, x, y)."),
            statement,
            ask,
            answer,
            asked_before,
        ]
    )
    return (questions,)


@app.cell
def _(escape, mo, store, ut, wav):
    MOST_SOUNDS = 24
    swept = None
    if "sweep_generations" in store.results:
        rows = store.sql(
            "SELECT sweep, text, target, role, array_to_string(layers, ' ') AS layers, alpha, generation_id "
            "FROM sweep_generations QUALIFY 1 = row_number() OVER (PARTITION BY generation_id) "
            "ORDER BY sweep, target, text, role DESC, layers, alpha LIMIT $most",
            most=MOST_SOUNDS,
        ).rows()

        def sound_of(row):
            try:
                return mo.audio(wav(ut.stored_sound(store, row["generation_id"]))).text
            except ut.UndertoneError as error:
                return f"<p role='alert'>{escape(str(error))}</p>"

        cells = "".join(
            f"<div><b>{escape(str(row['role']))} → {escape(str(row['target']))}</b><br>"
            f"{escape(str(row['text']))}<br>layers {escape(str(row['layers'] or '–'))}, "
            f"α {row['alpha'] or 0:g}{sound_of(row)}</div>"
            for row in rows
        )
        style = "display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:12px"
        swept = mo.accordion({"Sounds": mo.Html(f'<div style="{style}">{cells}</div>')})
    return (swept,)


@app.cell
def _(listed, mo, stack):
    stack(mo.md("## Picked"), listed)
    return


@app.cell
def _(mo, stack, steering):
    stack(mo.md("## Steer"), steering)
    return


@app.cell
def _(mo, questions, stack):
    stack(mo.md("## SQL"), questions)
    return


@app.cell
def _(mo, stack, swept):
    stack(mo.md("## Sweeps"), swept if swept is not None else mo.md("This store has no sweep."))
    return


if __name__ == "__main__":
    app.run()
