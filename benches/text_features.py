"""The numbers of bags of words that kilter's are compared with: `python benches/text_features.py > tests/data/text_features.json`.

Needs scikit-learn 1.9.1. Texts, settings and results go into one JSON file that a unit test reads.
"""

import json

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

TRAIN = [
    "The quick brown fox jumps over the lazy dog; the dog sleeps.",
    "A quick-witted FOX, and a dog called Dog!",
    "Straße und naïve café: 42 times, foo_bar 3.14",
    "質量很好，這本書很好。质量 很 好",
    "dogs   and\tfoxes\n\nand dogs  and hens",
    "",
    "quick quick quick hen",
]
TEST = ["the unseen dog and a QUICK hen, quick!", "", "质量 café café x", "fox  fox\t fox"]

CASES = {
    "count": (CountVectorizer(), {"weight": "count"}),
    "count_binary": (CountVectorizer(binary=True, max_features=4), {"weight": "count", "binary": True, "max_features": 4}),
    "tfidf": (TfidfVectorizer(), {}),
    "tfidf_pairs": (
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_df=0.9),
        {"ngram_range": [1, 2], "min_df": 2, "sublinear_tf": True, "max_df": 0.9},
    ),
    "tfidf_raw": (
        TfidfVectorizer(smooth_idf=False, norm="l1", lowercase=False),
        {"smooth_idf": False, "norm": "l1", "lowercase": False},
    ),
    "stop": (
        TfidfVectorizer(stop_words=["the", "and"], norm=None, token_pattern=r"(\w+)"),
        {"stop_words": ["the", "and"], "norm": "none", "token_pattern": r"([\p{L}\p{N}_]+)"},
    ),
    "char": (TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2), {"analyzer": "char", "ngram_range": [1, 3], "min_df": 2}),
    "char_wb": (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)), {"analyzer": "char_wb", "ngram_range": [2, 5]}),
    "hashed": (
        HashingVectorizer(n_features=32),
        {"n_features": 32, "weight": "count", "alternate_sign": True, "norm": "l2"},
    ),
    "hashed_tfidf": (
        make_pipeline(HashingVectorizer(n_features=64, alternate_sign=False, norm=None, ngram_range=(1, 2)), TfidfTransformer()),
        {"n_features": 64, "ngram_range": [1, 2]},
    ),
}


def rows(matrix):
    """The matrix row after row."""
    matrix = matrix.tocsr()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return [
        [[int(column), float(value)] for column, value in zip(row.indices, row.data)] for row in (matrix[i] for i in range(matrix.shape[0]))
    ]


def main():
    cases = []
    for name, (vectorizer, fields) in CASES.items():
        train = vectorizer.fit_transform(TRAIN)
        terms = vectorizer.get_feature_names_out().tolist() if hasattr(vectorizer, "get_feature_names_out") and "hashed" not in name else None
        cases.append({"name": name, "fields": fields, "terms": terms, "train": rows(train), "test": rows(vectorizer.transform(TEST))})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    texts = json.dumps({"train": TRAIN, "test": TEST}, ensure_ascii=False)
    print(f'{texts[:-1]}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
