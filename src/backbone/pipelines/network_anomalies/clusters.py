"""The step `user_cluster`: users who behave alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone import StepContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

PLACES = "select * from exploitation.user_embedding order by user_name"
SAMPLE, SEED, STARTS = 2_000, 0, 3
FAR = 5.0  # robust standard deviations
NORMAL = 1.4826  # the standard deviation of a normal distribution over its median absolute deviation
LEAST = 0.5  # the silhouette up to which Kaufman and Rousseeuw take structure for artificial, or for none


def cluster_users(context: StepContext) -> pa.Table:
    """One row per user: the cluster, 1 for the largest; how many `users` are in it; how far its centre is.

    `silhouette` says how well separated the clusters are; null where all users are one cluster.
    """
    import numpy as np
    import pyarrow as pa

    table = context.query(PLACES).read_all()
    columns = [table[name].to_numpy() for name in table.column_names if name.startswith("x")]
    places = compressed(np.column_stack(columns) if len(table) else np.empty((0, len(columns))))
    cluster, distance, silhouette = clusters(places, context.parameters["most_clusters"])
    sizes = np.bincount(cluster, minlength=1)
    return pa.table(
        {
            "user_name": table["user_name"],
            "cluster": pa.array(cluster, pa.int32()),
            "users": pa.array(sizes[cluster], pa.int64()),
            "distance": pa.array(distance, pa.float64()),
            "silhouette": pa.array([silhouette] * len(table), pa.float64()),
        }
    )


def compressed(places: Floats) -> Floats:
    """Places with their distance r from the middle made log(1 + r), so that one far out is not alone.

    Examples
    --------
    >>> import numpy as np
    >>> compressed(np.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [[1.075, 1.433], [0.0, 0.0]]
    """
    import numpy as np

    size = np.linalg.norm(places, axis=1, keepdims=True)
    return np.asarray(places * np.divide(np.log1p(size), size, out=np.ones_like(size), where=size > 0.0))


def clusters(places: Floats, most: int) -> tuple[npt.NDArray[np.int64], Floats, float | None]:
    """K-means, of that number of clusters from 2 to `most` whose mean silhouette is largest.

    One cluster where no silhouette reaches 0.5. Of more than 2,000 users, the number is chosen and the
    centres are found on a sample of so many, from a seed; everybody then belongs to the nearest centre. Half
    of it are users who are far from the middle, if there are so many: those whose distance is more than five
    robust standard deviations above the median. The search starts from them, too: a few who are alike would
    be lost among very many.

    Parameters
    ----------
    places : shape (users, dimensions).

    Returns
    -------
    Of each user the cluster, 1 for the largest, and the distance to its centre; the silhouette, None for one
    cluster.

    Examples
    --------
    >>> import numpy as np
    >>> places = np.array([[0.0], [0.1], [0.2], [5.0], [5.1]])
    >>> cluster, distance, silhouette = clusters(places, 4)
    >>> cluster.tolist(), distance.round(2).tolist(), round(silhouette, 2)
    ([1, 1, 1, 2, 2], [0.1, 0.0, 0.1, 0.05, 0.05], 0.98)
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    if not len(places):
        return np.empty(0, dtype=np.int64), np.empty(0), None
    sample, far = (places, places[:0]) if len(places) <= SAMPLE else _sample(places)
    with threadpool_limits(1):  # sums in one order, so that running again gives the same bits
        centres, silhouette = _centres(sample, far, most)
    squares = np.stack([np.sum((places - centre) ** 2, axis=1) for centre in centres], axis=1)
    nearest = np.argmin(squares, axis=1)
    sizes = np.bincount(nearest, minlength=len(centres))
    order = np.lexsort((*centres.T, -sizes))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return place[nearest], np.sqrt(squares[np.arange(len(places)), nearest]), silhouette


def _sample(places: Floats) -> tuple[Floats, Floats]:
    """Some of the users, the last of them from far off; and those alone."""
    import numpy as np

    chance, size = np.random.default_rng(SEED), np.linalg.norm(places, axis=1)
    spread = NORMAL * np.median(np.abs(size - np.median(size)))
    is_far = size > np.median(size) + FAR * spread
    far, near = np.flatnonzero(is_far), np.flatnonzero(~is_far)
    if len(far) > SAMPLE // 2:
        far = np.sort(chance.choice(far, SAMPLE // 2, replace=False))
    near = np.sort(chance.choice(near, min(len(near), SAMPLE - len(far)), replace=False))
    return places[np.append(near, far)], places[far]


def _centres(sample: Floats, far: Floats, most: int) -> tuple[Floats, float | None]:
    """The centres of as many clusters as separate best, and how well they do."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.metrics import euclidean_distances

    best: tuple[Any, float | None] = (sample.mean(axis=0, keepdims=True), None)
    distances = euclidean_distances(sample)
    distinct, distinct_far = (len(np.unique(some.round(9), axis=0)) for some in (sample, far))
    for number in range(2, min(most, distinct, len(sample) - 1) + 1):
        searches = [KMeans(number, n_init=STARTS, random_state=SEED)]
        if distinct_far >= number - 1:
            ends = KMeans(number - 1, n_init=STARTS, random_state=SEED).fit(far).cluster_centers_
            middle = sample[: len(sample) - len(far)].mean(axis=0, keepdims=True)
            searches.append(KMeans(number, init=np.vstack([middle, ends]), n_init=1))
        for search in searches:
            score = silhouette(distances, search.fit(sample).labels_)
            if score >= LEAST and (best[1] is None or score > best[1]):
                best = (search.cluster_centers_, score)
    return best


def silhouette(distances: Floats, labels: npt.NDArray[np.integer[Any]]) -> float:
    """The mean silhouette, from distances that are computed once for all clusterings; -1 for one cluster.

    Of each user (b - a) / max(a, b), where a is the mean distance to the others of their own cluster, and b
    that to the next cluster; 0 for who is alone.

    Examples
    --------
    >>> import numpy as np
    >>> places = np.array([0.0, 1.0, 5.0])
    >>> round(silhouette(np.abs(places[:, None] - places), np.array([0, 0, 1])), 3)  # of 0.8, 0.75 and 0
    0.517

    References
    ----------
    Rousseeuw (1987).
    """
    import numpy as np

    _, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) == 1:
        return -1.0
    users = np.arange(len(own))
    total = distances @ (own[:, None] == np.arange(len(sizes))).astype(np.float64)
    a = total[users, own] / np.maximum(sizes[own] - 1, 1)
    total[users, own] = np.inf
    b = np.min(total / sizes, axis=1)
    larger = np.maximum(a, b)
    score = np.divide(b - a, larger, out=np.zeros_like(a), where=(larger > 0.0) & (sizes[own] > 1))
    return float(np.mean(score))
