"""The lines of a real shop's ledger: purchases, returns, and corrections with a negative price."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from conftest import Trial

# The three lines of bad debt are as in the public Online Retail data, in its columns.
LEDGER = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
563180,22423,REGENCY CAKESTAND,2,2011-08-12 10:00:00,12.75,17850.0,United Kingdom
C563181,22423,REGENCY CAKESTAND,-1,2011-08-12 11:00:00,12.75,17850.0,United Kingdom
A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom
A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom
A563187,B,Adjust bad debt,1,2011-08-12 14:52:00,-11062.06,,United Kingdom
A563188,M,Manual,2,2011-08-12 15:00:00,-4.125,17850.0,United Kingdom
A563189,M,Manual,-1,2011-08-12 15:10:00,-1.10,12583.0,France
A563190,M,Manual,1,2011-08-12 15:20:00,0,12583.0,France
"""


def test_the_lines_of_a_ledger_are_formatted_and_counted(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="user_purchase", pipeline="backbone.pipelines.movie_rentals")
    trial.settings(
        """
        columns = { invoice_id = "InvoiceNo", customer_id = "CustomerID", quantity = "Quantity", unit_price = "UnitPrice", purchased_at = "InvoiceDate" }
        """  # noqa: E501
    )
    trial.drop(LEDGER, "ledger.csv")
    trial.run_well()  # what is conserved holds, or the table would not be published
    assert trial.accounted() == (8, 8, 0, 0)
    assert trial.formatted("unit_price", "_row") == [
        Decimal(text)
        for text in ("12.75", "12.75", "11062.06", "-11062.06", "-11062.06", "-4.125", "-1.10", "0")
    ]
    assert trial.rows(
        "select customer_id, amount_spent from exploitation.user_behavior_metric order by customer_id"
    ) == [(12583, Decimal("1.100")), (17850, Decimal("4.500"))]
    measures = trial.value(
        "select measures from operations.receipt where dataset = 'exploitation.user_behavior_metric'"
    )
    assert json.loads(measures) == {"purchases_without_customer": "3"}


def test_a_price_is_never_rounded(tmp_path: Path) -> None:
    trial = Trial(tmp_path, source="user_purchase", pipeline="backbone.pipelines.movie_rentals")
    header = "invoice_id,customer_id,quantity,unit_price,purchased_at\n"
    trial.settings("").drop(f"{header}1,5,1,0.4900000000001,2026-01-01 10:00:00\n")
    trial.run_well()
    assert trial.accounted() == (1, 0, 1, 0)
    ((line, _, (reason,)),) = trial.quarantined()
    assert line == 2
    assert reason.startswith("unit_price: '0.4900000000001' ")
