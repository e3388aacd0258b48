"""The laws that every engine obeys, to be tested on an engine of your own.

Each takes an opened engine and an empty folder, and raises an `AssertionError` where it is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backbone.engines.laws.groups import (
    a_result_is_what_the_task_returns,
    groups_come_complete_and_in_order,
    rows_that_are_sorted_do_not_depend_on_their_storage,
)
from backbone.engines.laws.order import (
    rows_are_distinct_where_none_repeats,
    rows_ascend_where_each_is_larger_than_the_one_before,
)
from backbone.engines.laws.reading import (
    columns_go_by_the_name_of_the_table,
    data_is_put_from_streams_and_files,
    parameters_are_values_of_every_kind,
    ranges_of_a_table_are_independent,
    staged_rows_outlive_what_they_are_made_of,
    streams_are_independent,
    versions_of_a_table_are_independent,
)
from backbone.engines.laws.staging import (
    what_does_not_fit_a_staging_is_an_error,
    what_is_added_to_a_staging_is_cast,
)
from backbone.engines.laws.types import (
    a_sum_of_integers_is_an_integer_of_64_bits,
    columns_are_described_in_types_of_arrow,
)
from backbone.engines.laws.writing import (
    a_table_with_windows_is_written_by_days,
    files_are_in_the_order_that_is_asked_for,
    no_rows_are_no_file,
    what_is_written_is_read_again,
)
from backbone.engines.protocol import Engine
from backbone.engines.sql.function_laws import FUNCTION_LAWS

Law = Callable[[Engine, Path], None]

LAWS: tuple[Law, ...] = (
    versions_of_a_table_are_independent,
    ranges_of_a_table_are_independent,
    columns_go_by_the_name_of_the_table,
    staged_rows_outlive_what_they_are_made_of,
    streams_are_independent,
    data_is_put_from_streams_and_files,
    parameters_are_values_of_every_kind,
    what_is_added_to_a_staging_is_cast,
    what_does_not_fit_a_staging_is_an_error,
    groups_come_complete_and_in_order,
    rows_that_are_sorted_do_not_depend_on_their_storage,
    a_result_is_what_the_task_returns,
    columns_are_described_in_types_of_arrow,
    a_sum_of_integers_is_an_integer_of_64_bits,
    rows_ascend_where_each_is_larger_than_the_one_before,
    rows_are_distinct_where_none_repeats,
    what_is_written_is_read_again,
    files_are_in_the_order_that_is_asked_for,
    a_table_with_windows_is_written_by_days,
    no_rows_are_no_file,
    *FUNCTION_LAWS,
)
