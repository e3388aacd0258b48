"""Whether a text is negative, neutral or positive, learnt from reviews that carry a rating."""

from backbone.analysis.sentiment.model import SentimentModel
from backbone.analysis.sentiment.rated_reviews import RatingScale, choose_reviews
from backbone.analysis.sentiment.training import train_sentiment

__all__ = ["RatingScale", "SentimentModel", "choose_reviews", "train_sentiment"]
