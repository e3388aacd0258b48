"""Sums over columns that are given by their addresses, in explicit vector instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

LANES = 8  # float64 in a vector instruction; columns are filled up to a multiple of these


def _reduced(builder: Any, addresses: Any, end: Any, combine: Any, name: str, flags: tuple[str, ...]) -> Any:
    """Go through columns, whose length is a multiple of LANES, and then across the lanes.

    What a compiler makes of such a loop takes longer to get going than to go through a small group.
    """
    long, double = ir.IntType(64), ir.DoubleType()
    lanes = ir.VectorType(double, LANES)
    start, nothing = ir.Constant(long, 0), ir.Constant(lanes, [0.0] * LANES)
    columns = [builder.inttoptr(address, double.as_pointer()) for address in addresses]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed(">", end, start), loop, after)

    builder.position_at_end(loop)
    row, total = builder.phi(long), builder.phi(lanes)
    places = [builder.bitcast(builder.gep(column, [row]), lanes.as_pointer()) for column in columns]
    added = combine(total, *(builder.load(place, align=8) for place in places))
    following = builder.add(row, ir.Constant(long, LANES))
    row.add_incoming(start, before)
    row.add_incoming(following, loop)
    total.add_incoming(nothing, before)
    total.add_incoming(added, loop)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, after)

    builder.position_at_end(after)
    result = builder.phi(lanes)
    result.add_incoming(nothing, before)
    result.add_incoming(added, loop)
    first = [double] if name == "fadd" else []
    name = f"llvm.vector.reduce.{name}.v{LANES}f64"
    across = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(double, [*first, lanes]), name
    )
    return builder.call(across, [*(ir.Constant(kind, 0.0) for kind in first), result], fastmath=flags)


def _sum_of_products(builder: Any, addresses: Any, end: Any) -> Any:
    def combine(total: Any, product: Any, *others: Any) -> Any:
        for values in others:
            product = builder.fmul(product, values, flags=["contract"])
        return builder.fadd(product, total, flags=["contract"])

    return _reduced(builder, addresses, end, combine, "fadd", ("reassoc",))


def _dot_code(typing: Any, a: Any, b: Any, length: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _sum_of_products(builder, arguments[:2], arguments[2])

    return types.float64(types.int64, types.int64, types.int64), code


def _dot3_code(typing: Any, a: Any, b: Any, c: Any, length: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _sum_of_products(builder, arguments[:3], arguments[3])

    return types.float64(types.int64, types.int64, types.int64, types.int64), code


def _largest_code(typing: Any, a: Any, length: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def combine(total: Any, values: Any) -> Any:
            above = builder.select(builder.fcmp_ordered(">", values, total), values, total)
            size = builder.fneg(values)
            return builder.select(builder.fcmp_ordered(">", size, above), size, above)

        return _reduced(builder, arguments[:1], arguments[1], combine, "fmax", ())

    return types.float64(types.int64, types.int64), code


dot: Any = intrinsic(_dot_code)  # Σ of the products of two columns
dot3: Any = intrinsic(_dot3_code)  # of three
largest: Any = intrinsic(_largest_code)  # the largest absolute value in a column; NaN is passed over
