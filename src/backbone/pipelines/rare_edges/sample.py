"""Sample connections from a seed, at any scale, with planted anomalies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.random import PCG64, Generator

from backbone.pipelines.samples import changed, drop, refuse_nonsense, spans

Ints = npt.NDArray[np.int64]

FOLDER = Path("landing/temporal/connection")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WEEKS = 6
HOURS = WEEKS * 7 * 24
TRAINING = 30 * 24

# Everything is drawn in parts, one for each unit of scale.
HOSTS, EDGES_PER_HOST = 12, 5
SERVICES = (
    "db.example.com:5432", "cache.example.com:6379", "queue.example.com:5672", "logs.example.com:514",
    "mail.example.com:25", "dns.example.com:53", "backup.example.com:22", "api.example.com:443",
)  # fmt: skip
PROGRAMS = ("nginx", "postfix", "cron", "java", "python")
NEW = 0.15  # part of the edges that are first seen some time later
BURST = 0.001  # part of the hours with several times the usual connections, for no bad reason
SPLIT = 0.1  # part of the hours that come as two rows
PLANTED = 12
FACTORS = (2.5, 10.0)  # times the edge's largest count before: what a planted hour carries
PLANTED_SECOND = 59  # of the minute in which planted connections start, and no others do


@dataclass(frozen=True)
class Anomaly:
    """A planted hour: an edge carries `factor` times its largest count before."""

    source: str
    destination: str
    hour: datetime
    connections: int
    factor: float


@dataclass(frozen=True)
class Sample:
    """What is true of a written sample, for tests and the demo to be held to.

    Attributes
    ----------
    rows : good rows, the planted ones among them.
    broken : rows without a source, or with 0 connections; on top of the good ones.
    connections : in the good rows.
    edges : with at least one connection.
    edge_hours : hours in which an edge has connections, over all edges.
    planted : 12 × scale, each after the first 30 days of its edge.
    """

    rows: int
    broken: int
    connections: int
    edges: int
    edge_hours: int
    planted: tuple[Anomaly, ...]


def write_sample(directory: Path, scale: int = 1, seed: int = 0) -> Sample:
    """Drop six weeks of connections into temporal landing, a file for each week, and say what is in them.

    The same scale and seed give the same bytes, and a larger scale the same rows and more.

    Parameters
    ----------
    directory : a project's folder, or any; made when missing.
    scale : how many times 60 edges; >= 1.
    seed : >= 0.

    Raises
    ------
    ValueError
        When scale < 1 or seed < 0; nothing is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as directory:
    ...     sample = write_sample(Path(directory))
    >>> sample.edges, len(sample.planted), sample.broken
    (60, 12, 2)
    """
    refuse_nonsense(scale, seed)
    parts = [_part(Generator(PCG64([seed, part])), part) for part in range(scale)]
    rows = pa.concat_tables([part.rows for part in parts])
    rows = rows.sort_by([("started_at", "ascending"), ("source", "ascending"), ("destination", "ascending")])
    seconds = rows["started_at"].cast(pa.int64()).to_numpy() - int(BEGIN.timestamp())
    for week, part in spans(seconds, BEGIN, timedelta(weeks=1), WEEKS):
        drop(rows[part], directory / FOLDER, "connections", week)
    return Sample(
        rows=rows.num_rows - sum(part.broken for part in parts),
        broken=sum(part.broken for part in parts),
        connections=sum(part.connections for part in parts),
        edges=HOSTS * EDGES_PER_HOST * scale,
        edge_hours=sum(part.edge_hours for part in parts),
        planted=tuple(anomaly for part in parts for anomaly in part.planted),
    )


@dataclass(frozen=True)
class _Part:
    rows: pa.Table
    broken: int
    connections: int
    edge_hours: int
    planted: list[Anomaly]


def _part(rng: Generator, part: int) -> _Part:
    edges = [
        (f"{PROGRAMS[host % len(PROGRAMS)]}@host-{part * HOSTS + host + 1:02}", SERVICES[int(service)])
        for host in range(HOSTS)
        for service in rng.choice(len(SERVICES), EDGES_PER_HOST, replace=False)
    ]
    counts = _counts(rng, len(edges))
    is_planted = np.zeros(counts.shape, dtype=np.bool_)
    planted = []
    for number in map(int, rng.choice(len(edges), PLANTED, replace=False)):
        first = int(np.flatnonzero(counts[number])[0])
        if first + TRAINING >= HOURS - 24:  # too new: move its beginning to that of the rest
            counts[number, 0] = 1
            first = 0
        at = int(rng.integers(first + TRAINING, HOURS))
        factor = float(rng.uniform(*FACTORS))
        counts[number, at] = int(np.ceil(factor * counts[number, :at].max()))
        is_planted[number, at] = True
        source, destination = edges[number]
        when = BEGIN + timedelta(hours=at)
        planted.append(Anomaly(source, destination, when, int(counts[number, at]), round(factor, 3)))

    edge, hour = np.nonzero(counts)
    n = counts[edge, hour]
    split = np.flatnonzero((rng.random(len(n)) < SPLIT) & (n > 1))
    rest = n[split] // 2
    n[split] -= rest
    edge, hour = np.append(edge, edge[split]), np.append(hour, hour[split])
    second = rng.integers(0, 60, len(edge)) * 60 + np.where(
        is_planted[edge, hour], PLANTED_SECOND, rng.integers(0, PLANTED_SECOND, len(edge))
    )
    good = _table(edges, edge, hour * 3600 + second, np.append(n, rest))
    broken = [changed(good.slice(0, 1), source=""), changed(good.slice(1, 1), connections=0)]
    return _Part(pa.concat_tables([good, *broken]), 2, int(counts.sum()), int((counts > 0).sum()), planted)


def _counts(rng: Generator, edges: int) -> Ints:
    """Shape (edges, hours): connections without anomalies, more of them by day than by night."""
    level = rng.lognormal(1.5, 0.8, edges)
    share = rng.uniform(0.15, 0.95, edges)
    daily = 1.0 + 0.6 * np.sin((np.arange(HOURS) % 24 - 8) * np.pi / 12)
    counts = 1 + rng.poisson(level[:, None] * daily)
    bursts = rng.random(counts.shape) < BURST
    counts[bursts] = (counts[bursts] * rng.uniform(2.0, 10.0, int(bursts.sum()))).astype(np.int64)
    counts[rng.random(counts.shape) > share[:, None]] = 0
    counts[:, 0] = np.maximum(counts[:, 0], 1)
    for edge in np.flatnonzero(rng.random(edges) < NEW):
        begins = int(rng.integers(1, HOURS))
        counts[edge, :begins] = 0
        counts[edge, begins] = 1
    return counts.astype(np.int64)


def _table(edges: list[tuple[str, str]], edge: Ints, seconds: Ints, connections: Ints) -> pa.Table:
    source, destination = zip(*edges, strict=True)
    at = pa.array(seconds + int(BEGIN.timestamp())).cast(pa.timestamp("s", "UTC"))
    return pa.table(
        {
            "started_at": at,
            "source": pa.array(source).take(pa.array(edge)),
            "destination": pa.array(destination).take(pa.array(edge)),
            "connections": connections,
        }
    )
