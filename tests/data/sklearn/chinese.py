"""What scikit-learn makes of Chinese texts that jieba takes apart, for the tests of `encode`.

Writes `chinese.json` beside it: `python chinese.py`, with scikit-learn 1.9.1 and jieba 0.42.1. Terms that are punctuation or space are
left out, as kilter does.
"""

import json
import logging
import pathlib

import jieba
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

jieba.setLogLevel(logging.ERROR)
TRAIN = [
    "这家酒店的服务态度非常好，房间也很干净。",
    "手机屏幕坏了，客服态度很差，不推荐购买！",
    "快递很快，第二天就收到了iPhone 15，性价比高",
    "书的内容很好，但是印刷质量一般……",
    "酒店早餐一般 房间很小，服务员态度好",
    "我来到北京清华大学，下雨天留客天",
]
TEST = ["这家酒店的早餐很好，服务员很热情", "清华大学的书，质量好！", "hello，世界", "。！？"]


def words(text):
    return [word for word in jieba.cut(text) if any(character.isalnum() for character in word)]


cases = []
for fields, vectorizer in [
    ({"weight": "count"}, CountVectorizer(tokenizer=words, token_pattern=None)),
    ({}, TfidfVectorizer(tokenizer=words, token_pattern=None)),
    ({"ngram_range": [1, 2], "min_df": 2}, TfidfVectorizer(tokenizer=words, token_pattern=None, ngram_range=(1, 2), min_df=2)),
    ({"weight": "count", "stop_words": ["的", "很", "了"]},
     CountVectorizer(tokenizer=words, token_pattern=None, stop_words=["的", "很", "了"])),
]:
    train, test = vectorizer.fit_transform(TRAIN), vectorizer.transform(TEST)
    rows = lambda matrix: [[[int(column), float(f"{row[column]:.9g}")] for column in row.nonzero()[0]] for row in matrix.toarray()]
    terms = vectorizer.get_feature_names_out().tolist()
    cases.append({"fields": fields, "terms": terms, "train": rows(train), "test": rows(test)})
told = {"train": TRAIN, "test": TEST, "cases": cases}
(pathlib.Path(__file__).parent / "chinese.json").write_text(json.dumps(told, ensure_ascii=False) + "\n")
