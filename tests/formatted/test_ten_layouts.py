"""160 files of devices in ten layouts: one source, no script, and every reading accounted for."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Trial

READING = """
    class Reading(Contract):
        "A reading of a device."
        device: str
        read_at: datetime
        kwh: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None
    """
SECTIONS = """
    [[sources.sale.when]]
    path = "renamed/*"
    columns = { device = "Device", read_at = "Time", kwh = ["Energy", "Consumption"] }
    delimiter = ";"
    decimal_separator = ","
    datetime_format = "%d.%m.%Y %H:%M"
    null = ["-"]

    [[sources.sale.when]]
    path = "american/*"
    datetime_format = "%m/%d/%Y %I:%M %p"
    thousands_separator = ","
    null = ["n/a"]
    null_in_quotes = true

    [[sources.sale.when]]
    path = "by_path/*"
    from_path = "/(?P<device>d[0-9]+)_"
    column = { read_at = { epoch = "seconds" }, kwh = { sign = "kWh" } }

    [[sources.sale.when]]
    path = "wide/*"
    unpivot = { columns = "d*", name = "device", value = "kwh" }

    [[sources.sale.when]]
    path = "wide_in_time/*"
    unpivot = { columns = "20??-*", name = "read_at", value = "kwh" }
    null = ["?"]

    [[sources.sale.when]]
    path = "wide_parquet/*"
    unpivot = { columns = "*", name = "device", value = "kwh" }

    [[sources.sale.when]]
    path = "nested/*"
    columns = { device = "device.id", read_at = "at", kwh = ["reading.kwh", "reading.value"] }

    [[sources.sale.when]]
    path = "logged/*"
    skip_until = "device,"
    comment = "#"
    footer = ["Sum"]
    trim = true
    """
FILES, DEVICES, HOURS = 16, 3, 20

Readings = dict[str, dict[datetime, Decimal | None]]
"""By device and instant, the reading."""


def rows(readings: Readings) -> list[tuple[str, datetime, Decimal | None]]:
    return [(device, at, kwh) for device, of in readings.items() for at, kwh in of.items()]


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def text(kwh: Decimal | None, missing: str = "") -> str:
    return missing if kwh is None else str(kwh)


def long(readings: Readings, number: int) -> bytes:
    return lines(
        "device,read_at,kwh", *(f"{d},{at:%Y-%m-%dT%H:%M:%SZ},{text(k)}" for d, at, k in rows(readings))
    )


def renamed(readings: Readings, number: int) -> bytes:
    name = "Energy" if number % 2 else "Consumption"
    body = (f"{text(k, '-').replace('.', ',')};{at:%d.%m.%Y %H:%M};{d};x" for d, at, k in rows(readings))
    return lines(f"{name};Time;Device;Note", *body)


def american(readings: Readings, number: int) -> bytes:
    body = (
        f'"{at:%m/%d/%Y %I:%M %p}",{d},"{"n/a" if k is None else f"{k:,}"}"' for d, at, k in rows(readings)
    )
    return lines("read_at,device,kwh", *body)


def by_path(readings: Readings, number: int) -> bytes:
    return lines(
        "kwh,read_at", *(f"{(k and f'{k} kWh') or ''},{at.timestamp():.0f}" for _, at, k in rows(readings))
    )


def wide(readings: Readings, number: int) -> bytes:
    instants = next(iter(readings.values()))
    body = (f"{at.isoformat()},{','.join(text(of[at]) for of in readings.values())}" for at in instants)
    return lines(f"read_at,{','.join(readings)}", *body)


def wide_in_time(readings: Readings, number: int) -> bytes:
    instants = next(iter(readings.values()))
    body = (f"{device}\t" + "\t".join(text(k, "?") for k in of.values()) for device, of in readings.items())
    return lines("\t".join(["device", *(f"{at:%Y-%m-%d %H:%M:%S}" for at in instants)]), *body)


def wide_parquet(readings: Readings, number: int) -> bytes:
    instants = list(next(iter(readings.values())))
    out = io.BytesIO()
    columns = {device: pa.array(list(of.values()), pa.decimal128(9, 2)) for device, of in readings.items()}
    pq.write_table(pa.table({"read_at": pa.array(instants, pa.timestamp("us", "UTC")), **columns}), out)
    return out.getvalue()


def nested(readings: Readings, number: int) -> bytes:
    name = "kwh" if number % 2 else "value"
    records = (
        {"device": {"id": d, "kind": "pump"}, "at": at.isoformat(), "reading": k and {name: float(k)}}
        for d, at, k in rows(readings)
    )
    return lines(*map(json.dumps, records))


def logged(readings: Readings, number: int) -> bytes:
    body = [f"{d} , {at.isoformat()} ,  {text(k)} " for d, at, k in rows(readings)]
    body.insert(len(body) // 2, "# the battery was changed")
    return gzip.compress(lines("made by a logger", "", "device,read_at,kwh", *body, f"Sum,{len(body)}"))


def parquet(readings: Readings, number: int) -> bytes:
    devices, instants, values = zip(*rows(readings), strict=True)
    out = io.BytesIO()
    pq.write_table(pa.table({"kwh": values, "device": devices, "read_at": instants}), out)
    return out.getvalue()


LAYOUTS: dict[str, tuple[Callable[[Readings, int], bytes], str]] = {
    "long": (long, "csv"),
    "renamed": (renamed, "csv"),
    "american": (american, "csv"),
    "by_path": (by_path, "csv"),
    "wide": (wide, "csv"),
    "wide_in_time": (wide_in_time, "tsv"),
    "wide_parquet": (wide_parquet, "parquet"),
    "nested": (nested, "jsonl"),
    "logged": (logged, "csv.gz"),
    "parquet": (parquet, "parquet"),
}


def made(dice: random.Random, layout: int, number: int, devices: int) -> Readings:
    start = datetime(2021 + layout % 5, 1 + number % 12, 1 + layout, tzinfo=UTC)
    return {
        f"d{layout}{number:02}{device}": {
            start + timedelta(hours=hour): None
            if dice.random() < 0.1
            else Decimal(dice.randint(1, 999_999)) / 100
            for hour in range(HOURS)
        }
        for device in range(devices)
    }


@pytest.mark.parametrize("files", [FILES, 1])
def test_every_reading_is_in_the_table(trial: Trial, files: int) -> None:
    trial.event_time = "read_at"
    trial.contract(READING).settings(SECTIONS)
    dice, expected = random.Random(15), []
    for layout, (name, (written, ending)) in enumerate(LAYOUTS.items()):
        for number in range(files):
            readings = made(dice, layout, number, 1 if name == "by_path" else DEVICES)
            first = next(iter(readings))
            trial.drop(written(readings, number), f"{name}/{first}_{number}.{ending}")
            expected += rows(readings)
    trial.run_well()
    assert trial.quarantined() == []
    assert trial.formatted("device, read_at, kwh", order="device, read_at") == sorted(
        expected, key=lambda r: r[:2]
    )
    assert trial.accounted() == (len(expected), len(expected), 0, 0)
    assert trial.value("select sum(kwh) from formatted.sale") == sum(
        kwh for *_, kwh in expected if kwh is not None
    )
