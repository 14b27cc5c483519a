"""Columns of what is fitted to activations: labels, probes, clusterings and directions."""

from store.results.table import COUNT, COUNTS, FLAG, NUMBER, TEXT, TIME, VECTOR, Table

LABELS = Table(
    "labels",
    {
        "labels_hash": (TEXT, "stands for the concept's labels as they were resolved"),
        "run_id": (TEXT, "run whose clips are labelled"),
        "concept": (TEXT, "label column of the query"),
        "clip_id": (TEXT, "the clip"),
        "group_id": (TEXT, "what splits did not cut through"),
        "split": (TEXT, "the dataset's or the query's own split, or NULL"),
        "class": (TEXT, "its class, or NULL for numbers"),
        "number": (NUMBER, "its number, or NULL for classes"),
    },
)

PROBES = Table(
    "probes",
    {
        "probe_id": (TEXT, "id of the fit: one concept on one layer with one loss"),
        "run_id": (TEXT, "run whose activations were read"),
        "site": (
            TEXT,
            "embed, resid, attn, xattn or mlp; or mel, mfcc, chroma: statistics of the audio itself",
        ),
        "reduction": (TEXT, "what was kept over time; NULL for handcrafted features"),
        "layer": (COUNT, "number of the layer; NULL for handcrafted features"),
        "concept": (TEXT, "label column of the query"),
        "class": (
            TEXT,
            "the class that the row is about, against all others; NULL for the concept as a whole",
        ),
        "loss": (
            TEXT,
            (
                "mse (ridge), logistic (multinomial; binary for two classes) or logistic_ovr (class against "
                "rest)"
            ),
        ),
        "strength": (
            NUMBER,
            "penalty per training row and unit of variance that was chosen; the median over folds",
        ),
        "folds": (COUNT, "held-out parts that were scored"),
        "clips": (COUNT, "clips that were scored: a clip whose class is in no other fold is not"),
        "groups": (COUNT, "groups they belong to"),
        "classes": (COUNT, "number of classes; NULL for numbers"),
        "accuracy": (NUMBER, "share of held-out clips whose class was named; for one class its recall"),
        "accuracy_low": (
            NUMBER,
            "lower end of its 95 % interval over groups, for probes fitted to as many groups",
        ),
        "accuracy_high": (NUMBER, "upper end of that interval"),
        "balanced_accuracy": (
            NUMBER,
            "mean recall of the classes (chance 1 / classes); of one class and the rest (0.5)",
        ),
        "macro_f1": (NUMBER, "mean F1 of the classes; for one class its F1"),
        "roc_auc": (
            NUMBER,
            "area under the ROC curve of the class against the others; for a concept the mean over classes",
        ),
        "r2": (NUMBER, "share of the variance of held-out numbers that is explained"),
        "r2_low": (NUMBER, "lower end of its 95 % interval over groups, for probes fitted to as many groups"),
        "r2_high": (NUMBER, "upper end of that interval"),
        "rmse": (NUMBER, "root mean squared error of held-out numbers, in their unit"),
        "baseline_accuracy": (
            NUMBER,
            "share of the most frequent class among the scored clips; for one class its own share",
        ),
        "control_accuracy": (
            NUMBER,
            "the same score (R²) after fits to labels of other groups; below 1 / classes by itself",
        ),
        "control_low": (NUMBER, "lower end of the 95 % interval of that control, over shuffles and groups"),
        "control_high": (NUMBER, "upper end of that interval"),
        "selectivity": (NUMBER, "score − control"),
        "within_control": (
            FLAG,
            "true when the score is no better than the upper end of its control; NULL if unknown",
        ),
        "verdict": (
            TEXT,
            "better than both (baseline and shuffled labels), or what it does not beat; or not measurable",
        ),
        "controls": (COUNT, "shuffled labellings that the control is made of"),
        "labels_hash": (TEXT, "stands for the concept's labels as they were resolved; see results_labels"),
        "split": (TEXT, "groups (cross-validation) or official (the test rows of the dataset)"),
        "created_at": (TIME, "when it was fitted (UTC)"),
    },
    read_by_views=True,
)

CONFUSIONS = Table(
    "confusions",
    {
        "probe_id": (TEXT, "the fit; see probes"),
        "actual": (TEXT, "class of the clips"),
        "predicted": (TEXT, "class that the probe named"),
        "clips": (COUNT, "held-out clips with both"),
    },
)

CLUSTERINGS = Table(
    "clusterings",
    {
        "clustering_id": (TEXT, "id of one start; the rows of several concepts share it"),
        "run_id": (TEXT, "run whose activations were clustered"),
        "site": (TEXT, "where in a block: embed, resid, attn, xattn or mlp"),
        "reduction": (TEXT, "what was kept over time; of frames and segments each one is a point"),
        "layer": (COUNT, "number of the layer"),
        "concept": (TEXT, "label column that the clusters are compared with"),
        "classes": (COUNT, "number of its classes"),
        "k": (COUNT, "number of clusters"),
        "scaling": (TEXT, "none, zscore, l2 or pca (whitened)"),
        "dimensions": (COUNT, "features of a point after scaling"),
        "start_seed": (COUNT, "seed of the k-means++ start, as random_state in scikit-learn"),
        "inertia": (NUMBER, "sum of squared distances to the nearest centre, after scaling"),
        "iterations": (COUNT, "steps until the centres were at rest"),
        "ari": (NUMBER, "adjusted Rand index of clusters and classes; chance is 0"),
        "nmi": (NUMBER, "normalised mutual information (arithmetic mean)"),
        "ami": (NUMBER, "adjusted mutual information; chance is 0"),
        "homogeneity": (NUMBER, "1 where every cluster holds one class only"),
        "completeness": (NUMBER, "1 where every class lies in one cluster"),
        "silhouette": (
            NUMBER,
            "mean silhouette of the clusters, on at most 2,000 points; for the best start of a command",
        ),
        "label_silhouette": (NUMBER, "mean silhouette of the classes themselves, on the same points"),
        "points": (COUNT, "points that were clustered: clips, or their frames or segments"),
        "clips": (COUNT, "labelled clips; with several points a clip counts as its most frequent cluster"),
        "labels_query": (TEXT, "query that gave the labels"),
        "labels_hash": (TEXT, "hash of the concept's labels as they were resolved"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
    read_by_views=True,
)

ASSIGNMENTS = Table(
    "assignments",
    {
        "clustering_id": (TEXT, "the best start of a command at its k, see clusterings"),
        "clip_id": (TEXT, "the clip"),
        "cluster": (COUNT, "its cluster, from 0; with several points per clip the most frequent one"),
        "share": (NUMBER, "share of its points in that cluster"),
        "histogram": (COUNTS, "its points in each cluster"),
    },
    read_by_views=True,
)

VECTORS = Table(
    "vectors",
    {
        "vector_id": (TEXT, "id of the direction; its beginning is enough where a command asks for one"),
        "run_id": (TEXT, "run whose activations it was fitted on"),
        "model": (TEXT, "name of the model"),
        "model_fingerprint": (
            TEXT,
            "hash of the model's weights: a direction means nothing in another model",
        ),
        "site": (TEXT, "where in a block it belongs: embed, resid, attn, xattn or mlp"),
        "reduction": (TEXT, "what was kept over time of the rows it was fitted on"),
        "layer": (COUNT, "number of the layer it belongs to"),
        "concept": (TEXT, "label column; text of it: between two texts on the same clips"),
        "positive": (TEXT, "class towards which it points"),
        "negative": (TEXT, "class from which it points; NULL: all other classes"),
        "method": (TEXT, "mse, logistic, diffmean, mass_mean, pca, leace (is diffmean), random or imported"),
        "vector": (VECTOR, "the direction, of length 1; list_cosine_similarity compares two"),
        "reader": (VECTOR, "of leace: ablation is x - vector * (reader · x - reader_offset)"),
        "reader_offset": (NUMBER, "of leace: what the reader reads of the mean of the rows"),
        "width": (COUNT, "its number of entries, the width of the model"),
        "norm": (NUMBER, "length before it was normalised; of diffmean: distance between the class means"),
        "strength": (
            NUMBER,
            "penalty over the mean variance per axis: the strongest that does as well as any",
        ),
        "mean_positive": (NUMBER, "mean projection of positives that were held out of the fit"),
        "mean_negative": (NUMBER, "mean projection of negatives that were held out of the fit"),
        "deviation": (NUMBER, "σ of held-out projections about the mean of their class"),
        "separability": (NUMBER, "held-out d′ = (mean_positive − mean_negative) / deviation"),
        "cosine_to_mean_difference": (NUMBER, "cosine with the difference of the class means"),
        "score": (NUMBER, "held-out ROC-AUC: how often a positive projects higher than a negative"),
        "score_low": (
            NUMBER,
            "lower end of its 95 % interval (Newcombe 2006) over groups, for fits to as many",
        ),
        "score_high": (NUMBER, "upper end of that interval"),
        "within_chance": (FLAG, "true when the interval reaches down to 0.5: nothing has been found"),
        "random_score": (
            NUMBER,
            "ROC-AUC that 95 % of random directions of its place stay within, either way",
        ),
        "within_random": (FLAG, "true when score does not exceed random_score: any direction does as well"),
        "activation_norm": (NUMBER, "mean length of the rows it was fitted on"),
        "scaling": (TEXT, "how α should scale it: norm = by the length of the activation it is added to"),
        "clips": (COUNT, "rows it was fitted on"),
        "positives": (COUNT, "how many of them are positive"),
        "negatives": (COUNT, "how many of them are negative"),
        "groups": (COUNT, "groups they belong to"),
        "folds": (COUNT, "folds of the held-out measurements"),
        "labels_query": (TEXT, "query that gave the labels"),
        "labels_hash": (TEXT, "hash of the concept's labels as they were resolved"),
        "random_seed": (COUNT, "of a random direction, else NULL"),
        "created_at": (TIME, "when it was fitted (UTC)"),
    },
    read_by_views=True,
)
