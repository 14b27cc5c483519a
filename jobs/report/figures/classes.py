"""Figure: recall of every class at the chosen layer."""

from analysis.charts.dots import dots
from analysis.charts.parts import Chart, Data, rows_of
from jobs.report.answers import Answers, where
from jobs.report.figures.dot_rows import dot_row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import ConceptFigure
from jobs.report.subjects import Subject

MARKS = {
    "value": "accuracy",
    "low": "accuracy_low",
    "high": "accuracy_high",
    "control_low": "control_low",
    "control_high": "control_high",
    "baseline": "share",
}
CLASSES = """\
SELECT class, accuracy, accuracy_low, accuracy_high, macro_f1 AS f1, roc_auc, control_accuracy AS control,
       control_low, control_high, baseline_accuracy AS share
FROM probes {where} AND class IS NOT NULL
QUALIFY 1 = row_number() OVER (PARTITION BY class ORDER BY created_at DESC)
ORDER BY accuracy DESC, class"""


def class_figure(answers: Answers, subject: Subject) -> Figure | None:
    """Recall of every class at the chosen layer."""
    if subject.probe_id is None or subject.metric != "accuracy":
        return None
    sql = CLASSES.format(where=where(probe_id=subject.probe_id))
    answer = answers.ask(sql)
    if not answer.num_rows:
        return None
    title = f"Class by class: {subject.title} at {subject.place}"
    return Figure(
        anchor(subject.run_id, subject.title, "classes"),
        title,
        "Dot: share of a class's held-out clips that the probe named, with its interval. Grey bar: the same "
        "on shuffled labels. Tick: the class's share of all clips.",
        (Panel(recalls(answer, title)),),
        data_table(answer),
        sql,
    )


def recalls(data: Data, title: str) -> Chart:
    """Classes as dots."""
    rows = [dot_row(row["class"], row, MARKS) for row in rows_of(data)]
    return dots(rows, title=title, x_name="recall", domain=(0, 1))


FIGURE = ConceptFigure(class_figure)
