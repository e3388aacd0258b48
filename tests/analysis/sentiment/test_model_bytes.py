from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from made_up_reviews import made_up
from sklearn.preprocessing import FunctionTransformer

from backbone.analysis.sentiment import SentimentModel, train_sentiment
from backbone.analysis.sentiment.rated_reviews import RatingScale
from backbone.errors import StepFailed


@pytest.mark.parametrize("ratings", [(1, 3, 5), (1, 5), (3,)])
def test_the_bytes_hold_the_whole_model(ratings: tuple[int, ...]) -> None:
    model = train_sentiment(made_up(300, ratings), RatingScale(2.5, 4.5), limit=250)
    read = SentimentModel.from_bytes(model.to_bytes())
    texts = pa.array([*made_up(60, seed=9)["review_text"].to_pylist(), None, "xyzzy"])
    assert read.classify(texts) == model.classify(texts)
    assert read.row() == model.row()
    assert read.report == model.report
    assert read.scale == RatingScale(2.5, 4.5)
    assert read.to_bytes() == model.to_bytes()


def test_skops_itself_finds_nothing_to_distrust() -> None:
    assert skops.io.get_untrusted_types(data=train_sentiment(made_up(100)).to_bytes()) == []


def rewritten(data: bytes, old: str, new: str) -> bytes:
    """The archive with one text of its schema replaced."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                assert old in content.decode()
                content = content.decode().replace(old, new).encode()
            copy.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "skops bytes"),
        (b"hello", "skops bytes"),
        (pickle.dumps({"format": "backbone sentiment 1"}), "skops bytes"),
        (skops.io.dumps(FunctionTransformer(json.loads)), "json.decoder|FunctionNode|FunctionTransformer"),
        (skops.io.dumps({"format": np.random.default_rng(1)}), "known types, found"),
        (skops.io.dumps({"format": "another"}), "damaged"),
        (skops.io.dumps([1, 2]), "damaged"),
    ],
)
def test_anything_else_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(StepFailed, match=message) as failure:
        SentimentModel.from_bytes(payload)
    assert failure.value.where == "review_model"
    assert failure.value.next_step == "train the model again"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"TfidfTransformer"', '"CountVectorizer"', "found sklearn.feature_extraction.text.CountVectorizer"),
        ('"sklearn.linear_model._logistic"', '"os"', "found os.LogisticRegression"),
        ('"ObjectNode"', '"ReduceNode"', "found ReduceNode"),
        ("backbone sentiment 1", "backbone sentiment 9", "damaged"),
        ("awful\\\\n", "", "don't belong"),
        ("awful\\\\n", "best\\\\n", "twice"),
        ('\\\\\\"n_trained\\\\\\": ', '\\\\\\"n_trained\\\\\\": 9', "add up"),
        ('\\\\\\"n_trained\\\\\\"', '\\\\\\"n_learnt\\\\\\"', "damaged"),
    ],
)
def test_a_tampered_model_is_refused(old: str, new: str, message: str) -> None:
    data = train_sentiment(made_up(100)).to_bytes()
    with pytest.raises(StepFailed, match=message):
        SentimentModel.from_bytes(rewritten(data, old, new))


def test_a_model_that_loads_and_cannot_answer_is_refused() -> None:
    model = train_sentiment(made_up(100))
    del model._classifier.intercept_
    with pytest.raises(StepFailed, match=r"scikit-learn .* can use"):
        SentimentModel.from_bytes(model.to_bytes())


def test_a_cut_model_is_refused() -> None:
    data = train_sentiment(made_up(100)).to_bytes()
    with pytest.raises(StepFailed):
        SentimentModel.from_bytes(data[: len(data) // 2])
