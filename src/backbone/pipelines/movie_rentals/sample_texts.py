"""Texts of sample reviews: they tell the rating, but not always, and hold what breaks naive readers."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator

from backbone.pipelines.movie_rentals.sample_customers import Floats, Ints

# fmt: off
SUBJECTS = (
    "the acting", "the plot", "the script", "the ending", "the soundtrack", "the camera work",
    "the main character", "the dialogue", "the second half", "the whole film", "the directing",
    "the opening scene",
)
GOOD = (
    "superb", "wonderful", "moving", "brilliant", "funny", "gripping", "charming", "excellent",
    "beautiful", "inspiring",
)
BAD = (
    "dull", "terrible", "predictable", "boring", "clumsy", "awful", "lifeless", "tedious",
    "irritating", "pointless",
)
MIDDLING = (
    "average", "watchable", "uneven", "ordinary", "passable", "decent", "familiar", "harmless",
)
# fmt: on

# What a sentence of a review can be: {0} is a subject, {1} one of the words. Each has 5 to 10 words.
PRAISE = (
    "{0} was {1} from start to finish.",
    "I thought {0} was simply {1}!",
    "{0} is {1}, and I cried twice.",
    'As my father said, "{1}": he means {0}.',
    "Très {1}: with {0} it is pure cinéma.",
    "For me {0} was {1}, a small chef-d’œuvre.",
)
BLAME = (
    "{0} was {1} from start to finish.",
    "I thought {0} was simply {1}!",
    "{0} is {1}, and I left early.",
    'My wife called it "{1}" and blamed {0}.',
    "So {1}… even {0} could not save it.",
    "Sadly {0} was {1} — a naïve cliché.",
)
DENIED_BLAME = ("I did not find {0} {1} at all.", "{0} was never {1}, whatever the critics say.")
DENIED_PRAISE = ("I did not find {0} {1} at all.", "{0} was not {1}, whatever the critics say.")
SHRUG = (
    "{0} was {1}, no more, no less.",
    "I found {0} {1}, neither here nor there.",
    '{0} is "{1}", as one says politely.',
    "{0} was {1} — comme ci, comme ça.",
)
CHAT = (
    "My sister and I watched it on a rainy Sunday.",
    "It was shot in Québec, Kraków and São Paulo.",
    "We rented it because the neighbours kept talking about it.",
    "There is a dog, a lighthouse, and a lost letter.",
    "The film runs for about two hours in all.",
    "I have seen most of what this director made.",
    'The title, "Señor Ångström", means very little to me.',
    "It is the third one of a series, I believe.",
    "Two brothers return to the town where they were born.",
    "I watched it with subtitles, late in the evening.",
    "People say that the book came out years ago.",
    "The good people at the shop had one copy left.",
    "A bad storm keeps everybody in the old hotel.",
)
BETWEEN = pa.array([" ", " ", " ", " ", " ", "  ", "<br /><br />", "\n"])


def _sentences(templates: Sequence[str], words: Sequence[str]) -> list[str]:
    filled = (each.format(subject, word) for each, subject, word in product(templates, SUBJECTS, words))
    return [each[0].upper() + each[1:] for each in filled]


POOLS = (
    _sentences(PRAISE, GOOD) + _sentences(DENIED_BLAME, BAD),
    _sentences(BLAME, BAD) + _sentences(DENIED_PRAISE, GOOD),
    _sentences(SHRUG, MIDDLING),
    list(CHAT),
)
POOL = pa.array([sentence for pool in POOLS for sentence in pool])
POOL_SIZE: Ints = np.array([len(pool) for pool in POOLS])
POOL_START: Ints = np.cumsum(POOL_SIZE) - POOL_SIZE
# Running chances of praise, blame, shrug and chat in a bad, a middling and a good review.
TONE: Floats = np.cumsum(
    [[0.05, 0.60, 0.05, 0.30], [0.08, 0.08, 0.54, 0.30], [0.60, 0.05, 0.05, 0.30]], axis=1
)


def texts(rng: Generator, stars: Ints) -> pa.Array:
    """Draw a text of 3 to 6 sentences, 15 to 60 words, for each number of stars; 3% say something else."""
    n = len(stars)
    verdict = np.digitize(stars, [3, 4])
    verdict = np.where(rng.random(n) < 0.03, rng.integers(0, 3, n), verdict)
    length = rng.integers(3, 7, n)
    parts = []
    for place in range(6):
        beyond = length <= place
        kind = (rng.random(n)[:, None] >= TONE[verdict, :3]).sum(axis=1)
        sentence = POOL_START[kind] + (rng.random(n) * POOL_SIZE[kind]).astype(np.int64)
        between = rng.integers(0, len(BETWEEN), n)
        if place:
            parts.append(BETWEEN.take(pa.array(between, mask=beyond)))
        parts.append(POOL.take(pa.array(sentence, mask=beyond)))
    return pc.binary_join_element_wise(*parts, "", null_handling="skip")
