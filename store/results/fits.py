"""Columns of what is fitted to activations: labels, probes, clusterings and directions."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from store.results.table import Count, Counts, Flag, Number, Table, Text, Time, Vector, column


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """A label of a clip as a fit has used it."""

    labels_hash: Text = column("stands for the concept's labels as they were resolved")
    run_id: Text = column("run whose clips are labelled")
    concept: Text = column("label column of the query")
    clip_id: Text = column("the clip")
    group_id: Text = column("what splits did not cut through")
    split: Text = column("the dataset's or the query's own split, or NULL")
    class_: Text = column("its class, or NULL for numbers")
    number: Number = column("its number, or NULL for classes")


LABELS = Table("labels", LabelRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRow:
    """What a probe reads at one place: of a concept, or of one class of it."""

    probe_id: Text = column("id of the fit: one concept on one layer with one loss")
    run_id: Text = column("run whose activations were read")
    site: Text = column(
        "embed, resid, attn, head, xattn, mlp …; or mel, mfcc, chroma: statistics of the audio itself"
    )
    reduction: Text = column("what was kept over time; NULL for handcrafted features")
    layer: Count = column("number of the layer; NULL for handcrafted features")
    head: Count = column("attention head that alone was read, from 0; NULL where all of the site was")
    concept: Text = column("label column of the query")
    class_: Text = column(
        "the class that the row is about, against all others; NULL for the concept as a whole"
    )
    loss: Text = column(
        "mse (ridge), logistic (multinomial; binary for two classes) or logistic_ovr (class against rest)"
    )
    penalty: Number = column(
        "penalty per training row and unit of variance that was chosen; the median over folds",
        former="strength",
    )
    folds: Count = column("held-out parts that were scored")
    clips: Count = column("clips that were scored: a clip whose class is in no other fold is not")
    groups: Count = column("groups they belong to")
    classes: Count = column("number of classes; NULL for numbers")
    accuracy: Number = column("share of held-out clips whose class was named; for one class its recall")
    accuracy_low: Number = column(
        "lower end of its 95 % interval over groups, for probes fitted to as many groups"
    )
    accuracy_high: Number = column("upper end of that interval")
    balanced_accuracy: Number = column(
        "mean recall of the classes (chance 1 / classes); of one class and the rest (0.5)"
    )
    macro_f1: Number = column("mean F1 of the classes; for one class its F1")
    roc_auc: Number = column(
        "area under the ROC curve of the class against the others; for a concept the mean over classes"
    )
    r2: Number = column("share of the variance of held-out numbers that is explained")
    r2_low: Number = column("lower end of its 95 % interval over groups, for probes fitted to as many groups")
    r2_high: Number = column("upper end of that interval")
    rmse: Number = column("root mean squared error of held-out numbers, in their unit")
    baseline_accuracy: Number = column(
        "share of the most frequent class among the scored clips; for one class its own share"
    )
    control_accuracy: Number = column(
        "the same score (R²) after fits to labels of other groups; below 1 / classes by itself"
    )
    control_low: Number = column("lower end of the 95 % interval of that control, over shuffles and groups")
    control_high: Number = column("upper end of that interval")
    selectivity: Number = column("score − control")
    within_control: Flag = column(
        "true when the score is no better than the upper end of its control; NULL if unknown"
    )
    verdict: Text = column(
        "better than both (baseline and shuffled labels), or what it does not beat; or not measurable"
    )
    controls: Count = column("shuffled labellings that the control is made of")
    labels_hash: Text = column("stands for the concept's labels as they were resolved; see results_labels")
    split: Text = column("groups (cross-validation) or official (the test rows of the dataset)")
    created_at: Time = column("when it was fitted (UTC)")


PROBES = Table("probes", ProbeRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionRow:
    """How many clips of a class a probe named so."""

    probe_id: Text = column("the fit; see probes")
    actual: Text = column("class of the clips")
    predicted: Text = column("class that the probe named")
    clips: Count = column("held-out clips with both")


CONFUSIONS = Table("confusions", ConfusionRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteringRow:
    """A k-means of one layer beside the labels of a concept."""

    clustering_id: str = column("id of one start; the rows of several concepts share it")
    run_id: str = column("run whose activations were clustered")
    site: str = column("where in a block: embed, resid, attn, head, xattn, mlp …")
    reduction: str = column("what was kept over time; of frames and segments each one is a point")
    layer: int = column("number of the layer")
    concept: str = column("label column that the clusters are compared with")
    classes: int = column("number of its classes")
    k: int = column("number of clusters")
    scaling: str = column("none, zscore, l2 or pca (whitened)")
    batch_size: Count = column("points of a mini-batch; NULL where centres moved after all points")
    dimensions: Count = column("features of a point after scaling")
    start_seed: int = column("seed of the k-means++ start, as random_state in scikit-learn")
    inertia: float = column("sum of squared distances to the nearest centre, after scaling")
    iterations: Count = column("steps until the centres were at rest")
    ari: float = column("adjusted Rand index of clusters and classes; chance is 0")
    nmi: float = column("normalised mutual information (arithmetic mean)")
    ami: Number = column("adjusted mutual information; chance is 0")
    homogeneity: Number = column("1 where every cluster holds one class only")
    completeness: Number = column("1 where every class lies in one cluster")
    silhouette: Number = column(
        "mean silhouette of the clusters, on at most 2,000 points; for the best start of a command"
    )
    label_silhouette: Number = column("mean silhouette of the classes themselves, on the same points")
    points: Count = column("points that were clustered: clips, or their frames or segments")
    clips: Count = column("labelled clips; with several points a clip counts as its most frequent cluster")
    labels_query: Text = column("query that gave the labels")
    labels_hash: str = column("hash of the concept's labels as they were resolved")
    created_at: Time = column("when it was computed (UTC)")


CLUSTERINGS = Table("clusterings", ClusteringRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentRow:
    """Where a clip fell in a clustering."""

    clustering_id: Text = column("the best start of a command at its k, see clusterings")
    clip_id: Text = column("the clip")
    cluster: Count = column("its cluster, from 0; with several points per clip the most frequent one")
    share: Number = column("share of its points in that cluster")
    histogram: Counts = column("its points in each cluster")


ASSIGNMENTS = Table("assignments", AssignmentRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorRow:
    """A direction: a unit vector, and what held-out clips say of it."""

    vector_id: str = column("id of the direction; its beginning is enough where a command asks for one")
    run_id: str = column("run whose activations it was fitted on")
    model: str = column("name of the model")
    model_fingerprint: str = column("hash of the model's weights: a direction means nothing in another model")
    site: str = column("where in a block it belongs: embed, resid, attn, head, xattn, mlp …")
    reduction: str = column("what was kept over time of the rows it was fitted on")
    layer: int = column("number of the layer it belongs to")
    head: Count = column("attention head that it belongs to, from 0; NULL where to all of the site")
    concept: str = column("label column; text of it: between two texts on the same clips")
    positive: str = column("class towards which it points")
    negative: Text = column("class from which it points; NULL: all other classes")
    method: str = column("mse, logistic, diffmean, mass_mean, pca, leace (is diffmean), random or imported")
    vector: NDArray[np.float32] = column("the direction, of length 1; list_cosine_similarity compares two")
    reader: Vector = column("of leace: ablation is x - vector * (reader · x - reader_offset)")
    reader_offset: Number = column("of leace: what the reader reads of the mean of the rows")
    width: int = column("its number of entries, the width of the site or of a head of it")
    norm: float = column("length before it was normalised; of diffmean: distance between the class means")
    penalty: Number = column(
        "penalty over the mean variance per axis: the strongest that does as well as any", former="strength"
    )
    mean_positive: Number = column("mean projection of positives that were held out of the fit")
    mean_negative: Number = column("mean projection of negatives that were held out of the fit")
    deviation: Number = column("σ of held-out projections about the mean of their class")
    separability: Number = column("held-out d′ = (mean_positive − mean_negative) / deviation")
    cosine_to_mean_difference: Number = column("cosine with the difference of the class means")
    score: Number = column("held-out ROC-AUC: how often a positive projects higher than a negative")
    score_low: Number = column(
        "lower end of its 95 % interval (Newcombe 2006) over groups, for fits to as many"
    )
    score_high: Number = column("upper end of that interval")
    within_chance: Flag = column("true when the interval reaches down to 0.5: nothing has been found")
    random_score: Number = column(
        "ROC-AUC that 95 % of random directions of its place stay within, either way"
    )
    within_random: Flag = column("true when score does not exceed random_score: any direction does as well")
    activation_norm: Number = column("mean length of the rows it was fitted on")
    scaling: str = column("how α should scale it: norm = by the length of the activation it is added to")
    clips: int = column("rows it was fitted on")
    positives: int = column("how many of them are positive")
    negatives: int = column("how many of them are negative")
    groups: int = column("groups they belong to")
    folds: int = column("folds of the held-out measurements")
    labels_query: str = column("query that gave the labels")
    labels_hash: str = column("hash of the concept's labels as they were resolved")
    random_seed: Count = column("of a random direction, else NULL")
    created_at: datetime = column("when it was fitted (UTC)")


VECTORS = Table("vectors", VectorRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourCellRow:
    """A cell of an index of a layer."""

    index_id: Text = column("id of the index; the cells of one share it")
    run_id: Text = column("run whose activations it is over")
    array: Text = column("site and what was kept over time, such as resid.mean")
    layer: Count = column("number of the layer")
    metric: Text = column("cosine or euclidean")
    cell: Count = column("number of the cell, from 0")
    centre: Vector = column("its centre; of cosine between vectors of length 1")
    members: Counts = column("numbers of its clips, in the order of those of the run that did not fail")
    nprobe: Count = column("cells that a question searches, which the recall is of", former="probes")
    recall: Number = column("share of the ten nearest clips that are found, over 100 clips of the layer")
    created_at: Time = column("when it was made (UTC)")


NEIGHBOUR_CELLS = Table("neighbour_cells", NeighbourCellRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSimilarityRow:
    """How alike two layers are, of one run or of two runs of the same clips."""

    similarity_id: Text = column("hash of both layers, what was committed of them, and the method's version")
    run_id: Text = column("the one run")
    array: Text = column("site and what was kept over time, such as resid.mean")
    layer: Count = column("number of its layer")
    other_run_id: Text = column("the other run, perhaps the same")
    other_array: Text = column("its array")
    other_layer: Count = column("number of its layer")
    cka: Number = column("debiased linear CKA: 1 up to rotation, shift and scale; 0 where nothing is shared")
    cka_low: Number = column("lower end of its interval (95 %) over groups")
    cka_high: Number = column("upper end of its interval")
    clips: Count = column("clips that both runs have")
    parts: Count = column("parts of whole groups that the interval's jackknife leaves out in turn")
    created_at: Time = column("when it was computed (UTC)")


LAYER_SIMILARITIES = Table("layer_similarities", LayerSimilarityRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTransferRow:
    """How a probe of one layer does on another, for one concept."""

    transfer_id: Text = column(
        "hash of both layers, labels, folds, what was committed, and the methods' versions"
    )
    run_id: Text = column("the run that the probe was fitted on")
    array: Text = column("site and what was kept over time, such as resid.mean")
    layer: Count = column("number of its layer")
    other_run_id: Text = column("the run that it is applied to, perhaps the same")
    other_array: Text = column("its array")
    other_layer: Count = column("number of its layer")
    concept: Text = column("label column of the query")
    through: Text = column(
        "direct (the weights as they are, where widths are equal) or map (ridge, of training folds alone)"
    )
    metric: Text = column("accuracy of classes, or r2 of numbers")
    score: Number = column("of the probe on held-out clips of the other layer")
    score_low: Number = column("lower end of its 95 % interval over groups")
    score_high: Number = column("upper end of that interval")
    control: Number = column("the same of probes that learned labels of other groups")
    control_low: Number = column("lower end of the 95 % interval of that control, over shuffles and groups")
    control_high: Number = column("upper end of that interval")
    baseline: Number = column("share of the most frequent class; 0 for numbers")
    verdict: Text = column("better than both (baseline and shuffled labels), or what it does not beat")
    own_score: Number = column("of the probe that was fitted on the other layer itself, same folds")
    own_low: Number = column("lower end of its 95 % interval over groups")
    own_high: Number = column("upper end of that interval")
    source_score: Number = column("of the probe on the layer that it was fitted on")
    clips: Count = column("labelled clips that both runs have")
    groups: Count = column("groups they belong to")
    classes: Count = column("number of classes; NULL for numbers")
    folds: Count = column("held-out parts that were scored")
    labels_hash: Text = column("stands for the concept's labels as they were resolved")
    created_at: Time = column("when it was computed (UTC)")


PROBE_TRANSFERS = Table("probe_transfers", ProbeTransferRow)
