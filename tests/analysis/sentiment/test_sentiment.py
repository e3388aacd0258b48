from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from made_up_reviews import made_up, shuffled
from sklearn.metrics import classification_report

from backbone.analysis.sentiment import SentimentModel, train_sentiment
from backbone.analysis.sentiment.rated_reviews import LABELS, RatingScale, is_held_out, label
from backbone.errors import StepFailed


def unseen(reviews: pa.Table) -> pa.Table:
    return reviews.filter(is_held_out(reviews["review_id"]))


def rows_of(report: pa.Table) -> dict[str, dict[str, Any]]:
    return {row.pop("label"): row for row in report.to_pylist()}


@pytest.mark.parametrize(
    "text", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_the_type_of_the_text_makes_no_difference(text: pa.DataType) -> None:
    reviews = made_up(200)
    other = reviews.cast(
        pa.schema([("review_id", text), ("review_text", text), ("rating", pa.decimal128(21, 1))])
    )
    assert train_sentiment(other).to_bytes() == train_sentiment(reviews).to_bytes()


def test_at_most_the_limit_is_used_and_only_rated_reviews_count() -> None:
    reviews = made_up(600)
    unrated = pa.table(
        {
            "review_id": [f"u{i}" for i in range(600)],
            "review_text": ["great"] * 600,
            "rating": pa.nulls(600, pa.int64()),
        }
    )
    model = train_sentiment(pa.concat_tables([unrated, reviews]), limit=300)
    assert model.n_trained + model.n_held_out == 300
    assert model.to_bytes() == train_sentiment(reviews, limit=300).to_bytes()


# --- the report ---------------------------------------------------------------------------------------


def test_the_report_is_that_of_scikit_learn() -> None:
    reviews = made_up(1_000)
    model = train_sentiment(reviews)
    held_out = unseen(reviews)
    answers = model.classify(held_out["review_text"])["sentiment"].to_pylist()
    expected = classification_report(label(held_out["rating"]).to_pylist(), answers, output_dict=True)
    rows = rows_of(model.report)
    assert list(rows) == [*LABELS, "accuracy", "macro avg", "weighted avg"]
    for name in (*LABELS, "macro avg", "weighted avg"):
        row = expected[name]
        assert rows[name] == {
            "precision": pytest.approx(row["precision"]),
            "recall": pytest.approx(row["recall"]),
            "f1": pytest.approx(row["f1-score"]),
            "support": row["support"],
        }
    assert {rows["accuracy"][metric] for metric in ("precision", "recall", "f1")} == {expected["accuracy"]}
    assert rows["accuracy"]["support"] == model.n_held_out == len(held_out)


def test_the_held_out_reviews_are_not_learnt_from() -> None:
    reviews = made_up(400)
    garbled = pc.if_else(is_held_out(reviews["review_id"]), "zzz", reviews["review_text"])
    one, other = train_sentiment(reviews), train_sentiment(reviews.set_column(1, "review_text", garbled))
    texts = reviews["review_text"]
    assert one.classify(texts) == other.classify(texts)
    assert one.class_counts == other.class_counts
    assert one.report != other.report


def test_a_sentiment_that_never_occurs_has_no_metrics() -> None:
    rows = rows_of(train_sentiment(made_up(400, (1, 5))).report)
    assert rows["neutral"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert rows["macro avg"]["f1"] == pytest.approx((rows["negative"]["f1"] + rows["positive"]["f1"]) / 2)


@pytest.mark.parametrize("held_out", [False, True])
def test_one_review_is_learnt_from_and_not_graded(held_out: bool) -> None:
    # Even when it belongs to the fifth: there is nothing else.
    name = next(f"{i}" for i in range(100) if is_held_out(pa.array([f"{i}"]))[0].as_py() is held_out)
    model = train_sentiment(pa.table({"review_id": [name], "review_text": ["fine"], "rating": [3]}))
    assert (model.n_trained, model.n_held_out) == (1, 0)
    assert model.report["support"].to_pylist() == [0] * 6
    assert model.report["f1"].null_count == 6
    assert model.row()["macro_f1"] is None


def test_the_row_says_what_it_was_trained_on() -> None:
    model = train_sentiment(made_up(300))
    row = model.row()
    assert row["status"] == "trained"
    assert row["n_trained"] == sum(row[f"n_{name}"] for name in LABELS)  # type: ignore[misc]
    assert row["macro_f1"] == rows_of(model.report)["macro avg"]["f1"]
    assert (row["negative_max"], row["positive_min"], row["limit"]) == (2, 4, 20_000)


# --- the same model from the same reviews ---------------------------------------------------------------


def test_the_order_of_the_rows_makes_no_difference() -> None:
    reviews = made_up(500)
    other = shuffled(reviews)
    assert train_sentiment(reviews).to_bytes() == train_sentiment(other).to_bytes()
    assert reviews == pa.table(made_up(500))  # and the input is as it was


def test_another_process_makes_the_same_bytes() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import hashlib, test_sentiment as t\n"
        "print(hashlib.sha256(t.train_sentiment(t.made_up(300)).to_bytes()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == hashlib.sha256(train_sentiment(made_up(300)).to_bytes()).hexdigest()


def test_an_answer_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    model = train_sentiment(made_up(300))
    texts = made_up(50, seed=8)["review_text"]
    answers = model.classify(texts)
    monkeypatch.setattr("backbone.analysis.sentiment.model.TEXTS_AT_A_TIME", 7)
    assert model.classify(texts).combine_chunks() == answers
    assert model.classify(texts.slice(10, 1)).combine_chunks() == answers.slice(10, 1)


# --- answers --------------------------------------------------------------------------------------------


def test_every_review_gets_a_sentiment_with_a_probability() -> None:
    model = train_sentiment(made_up(600))
    assert model.status == "trained"
    answers = model.classify(pa.array(["Awful,<br />BORING!", "watchable and fair", "superb, the best"]))
    assert answers["sentiment"].to_pylist() == list(LABELS)
    assert all(0.5 < p <= 1 for p in answers["probability"].to_pylist())


def test_a_text_that_says_nothing_gets_the_commonest_sentiment() -> None:
    model = train_sentiment(made_up(300, (1, 3, 5, 5)))
    share = model.class_counts["positive"] / model.n_trained
    answers = model.classify(pa.array([None, "", "  \n", "<br />", "!?", "xyzzy"]))
    assert answers.to_pylist() == [{"sentiment": "positive", "probability": share}] * 6


def test_nothing_to_classify_is_an_empty_table() -> None:
    expected = pa.schema([("sentiment", pa.string()), ("probability", pa.float64())])
    model = train_sentiment(made_up(50))
    for texts in (pa.array([], pa.string()), pa.chunked_array([], pa.string()), pa.array([None])):
        answers = model.classify(texts)
        assert answers.schema == expected
        assert len(answers) == len(texts)


def test_one_sentiment_gives_one_answer() -> None:
    model = train_sentiment(made_up(100, (5,)))
    assert model.status == "constant: every review it was trained on is positive"
    assert model.classify(pa.array(["awful"])).to_pylist() == [{"sentiment": "positive", "probability": 1.0}]
    assert rows_of(model.report)["accuracy"]["f1"] == 1.0


def test_two_sentiments_never_give_the_third() -> None:
    model = train_sentiment(made_up(300, (1, 5)))
    assert model.class_counts["neutral"] == 0
    answers = model.classify(pa.array(["awful", "superb", "plain", ""]))["sentiment"].to_pylist()
    assert answers[:2] == ["negative", "positive"]
    assert "neutral" not in answers


@pytest.mark.parametrize("n", [40, 400])
def test_no_word_to_learn_from(n: int) -> None:
    reviews = made_up(n).set_column(1, "review_text", pa.array([":-)"] * n))
    model = train_sentiment(reviews)
    assert model.status == "constant: the reviews have no word to learn from"
    assert model.classify(pa.array(["great"]))["probability"][0].as_py() == pytest.approx(
        max(model.class_counts.values()) / model.n_trained
    )


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_a_handful_is_enough(n: int) -> None:
    model = train_sentiment(made_up(n))
    assert model.n_trained + model.n_held_out == n
    assert SentimentModel.from_bytes(model.to_bytes()).classify(pa.array(["dull"])).num_rows == 1


# --- nothing to learn from ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    [
        {"rating": pa.nulls(20, pa.float64())},
        {"rating": pa.array([float("nan")] * 20)},
        {"rating": pa.nulls(20)},
        {"review_text": pa.array([" ", None] * 10)},
        {"review_id": pa.nulls(20, pa.string())},
    ],
)
def test_nothing_rated_is_an_error(spoilt: dict[str, pa.Array]) -> None:
    reviews = made_up(20)
    for name, column in spoilt.items():
        reviews = reviews.set_column(reviews.column_names.index(name), name, column)
    with pytest.raises(StepFailed, match="none among 20") as failure:
        train_sentiment(reviews)
    assert failure.value.where == "review_model"
    assert failure.value.state == "No model is written."
    assert failure.value.next_step


def test_a_column_that_is_missing_or_not_a_number_is_an_error() -> None:
    reviews = made_up(20)
    with pytest.raises(StepFailed, match="found no rating"):
        train_sentiment(reviews.drop_columns("rating"))
    with pytest.raises(StepFailed, match="numbers, found string"):
        train_sentiment(reviews.set_column(2, "rating", reviews["rating"].cast(pa.string())))
    with pytest.raises(StepFailed, match="none among 0"):
        train_sentiment(reviews.slice(0, 0))
    with pytest.raises(ValueError, match="limit"):
        train_sentiment(reviews, limit=0)


# --- real reviews -----------------------------------------------------------------------------------------


def test_real_film_reviews(shared_data: Path) -> None:
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    file = shared_data / "movie_reviews" / "reviews.csv"
    reviews = pyarrow.csv.read_csv(file, parse_options=options)
    model = train_sentiment(reviews, RatingScale(3, 8))
    rows = rows_of(model.report)
    print(model.report.to_pylist())
    assert model.n_trained + model.n_held_out == 3_125
    assert rows["macro avg"]["f1"] > 0.65
    assert rows["accuracy"]["f1"] > 0.72
    # The probability is worth something: the surer half is right more often than the other.
    held_out = unseen(reviews)
    answers = model.classify(held_out["review_text"])
    right = pc.equal(answers["sentiment"], label(held_out["rating"], RatingScale(3, 8))).to_numpy()
    sure = answers["probability"].to_numpy() > np.median(answers["probability"].to_numpy())
    assert right[sure].mean() > right[~sure].mean() + 0.2


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, backbone.analysis.sentiment\n"
        "print([name for name in ('numpy', 'pyarrow', 'sklearn', 'skops') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
