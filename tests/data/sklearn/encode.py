"""What scikit-learn makes of the penguins, for the tests of `encode`.

Writes `encode.json` beside it: `python encode.py`, with scikit-learn 1.9.1 and pandas. Every third row is left out of the
training rows; the figures are of every sixth row of the table, or where `training` is set of every sixth training row. Where
`of_target` is set they are the target's, not the feature's.
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (FunctionTransformer, MinMaxScaler, MultiLabelBinarizer, OneHotEncoder, OrdinalEncoder,
                                   PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler, TargetEncoder)

HERE = pathlib.Path(__file__).parent
TABLE = pd.read_csv(HERE.parent / "penguins.csv")
TABLE["place"] = (np.arange(len(TABLE)) * 37) % len(TABLE)
TABLE["when"] = pd.Timestamp("2007-11-11 05:00") + pd.to_timedelta(np.arange(len(TABLE)) * 197 * 67, unit="m")
ROW = np.arange(len(TABLE))
TABLE["heavy"] = TABLE.body_mass_g > 4000
TABLE["long"] = TABLE.bill_length_mm > 44
TABLE["moment"] = TABLE.when + pd.to_timedelta(ROW * 977.25, unit="s")
TABLE.loc[ROW % 5 == 2, "moment"] = pd.NaT
TABLE["steps"] = [None if row % 11 == 3 else [row * 0.5 - 3 * step for step in range(row % 5)] for row in ROW]
TRAINING = TABLE[ROW % 3 != 0]
SHOWN = TABLE[::6]
NUMBERS = ["bill_length_mm", "body_mass_g"]
cases = []


def add(name, feature, values, target=None, training=False, of_target=False):
    values = np.asarray(values, dtype=float)
    rows = [[float(f"{value:.9g}") for value in row] for row in values]
    case = {"name": name, "feature": feature, "target": target, "training": training, "rows": rows}
    cases.append(case | ({"of_target": True} if of_target else {}))


def numeric(name, fields, *steps, columns=NUMBERS):
    pipeline = make_pipeline(*steps).fit(TRAINING[columns])
    add(name, f"{{ numeric = {json.dumps(columns)}, {fields} }}", pipeline.transform(SHOWN[columns]))


mean = lambda: SimpleImputer(strategy="mean")
keep = lambda f: FunctionTransformer(f)
numeric("standard", "impute = 'mean'", mean(), StandardScaler())
numeric("min_max", "impute = 'median', scale = 'min_max'", SimpleImputer(strategy="median"), MinMaxScaler())
numeric("min_max_outside", "scale = 'min_max'", MinMaxScaler(), columns=["place"])
numeric("most_frequent", "impute = 'most_frequent', scale = 'none'", SimpleImputer(strategy="most_frequent"))
numeric("constant", "impute = 40.5, scale = 'none'", SimpleImputer(strategy="constant", fill_value=40.5))
numeric("robust", "impute = 'mean', scale = 'robust'", mean(), RobustScaler())
numeric("quantile", "impute = 'mean', scale = 'quantile', n_quantiles = 50", mean(), QuantileTransformer(n_quantiles=50))
numeric("quantile_normal", "impute = 'median', scale = 'quantile', n_quantiles = 100, output_distribution = 'normal'",
        SimpleImputer(strategy="median"), QuantileTransformer(n_quantiles=100, output_distribution="normal"))
numeric("quantile_ties", "scale = 'quantile', n_quantiles = 20", QuantileTransformer(n_quantiles=20), columns=["year"])
numeric("log", "impute = 'mean', transform = 'log'", mean(), keep(np.log), StandardScaler())
numeric("log1p", "impute = 'mean', transform = 'log1p', scale = 'none'", mean(), keep(np.log1p))
numeric("yeo_johnson", "impute = 'mean', transform = 'yeo_johnson'", mean(), PowerTransformer())
numeric("box_cox", "impute = 'mean', transform = 'box_cox'", mean(), PowerTransformer(method="box-cox"))
numeric("yeo_johnson_negative", "impute = 0, clip = { max = 45 }, transform = 'yeo_johnson', scale = 'none'",
        SimpleImputer(strategy="constant", fill_value=0), keep(lambda x: np.minimum(x, 45)),
        PowerTransformer(standardize=False), columns=["bill_length_mm"])

low, high = np.nanquantile(mean().fit_transform(TRAINING[NUMBERS]), [0.05, 0.9], axis=0)
numeric("clip", "impute = 'mean', clip = { quantiles = [0.05, 0.9] }", mean(), keep(lambda x: np.clip(x, low, high)),
        StandardScaler())
numeric("clip_min", "impute = 'mean', clip = { min = 42 }, scale = 'robust'", mean(), keep(lambda x: np.maximum(x, 42)),
        RobustScaler(), columns=["bill_length_mm"])
both = make_union(make_pipeline(mean(), StandardScaler()), MissingIndicator(features="all")).fit(TRAINING[NUMBERS])
add("indicator", f"{{ numeric = {json.dumps(NUMBERS)}, impute = 'mean', indicator = true }}", both.transform(SHOWN[NUMBERS]))


def lagged(table, column, lag):
    return table.sort_values("place").groupby("island")[column].shift(lag).reindex(table.index)


def lags(table):
    return np.column_stack([lagged(table, column, lag) for lag in (1, 3) for column in NUMBERS])


pipeline = make_pipeline(mean(), StandardScaler()).fit(lags(TRAINING))
add("lags", f"{{ numeric = {json.dumps(NUMBERS)}, lags = [1, 3], order = 'place', by = 'island', impute = 'mean' }}",
    pipeline.transform(lags(TABLE))[::6])

pipeline = make_pipeline(mean(), StandardScaler()).fit(TRAINING[["body_mass_g"]])
scaled = TABLE.assign(scaled=pipeline.transform(TABLE[["body_mass_g"]])[:, 0])
steps = []
for lag in (2, 1, 0):
    step = lagged(scaled, "scaled", lag)
    steps += [step.fillna(0.0), step.isna()]
add("sequence", "{ sequence = 'body_mass_g', length = 3, order = 'place', by = ['island'], impute = 'mean', indicator = true }",
    np.column_stack(steps)[::6])
steps = []
for lag in (3, 2):
    step = lagged(scaled, "scaled", lag)
    steps += [step.fillna(0.0), step.isna()]
add("sequence_offset", "{ sequence = 'body_mass_g', length = 2, offset = 2, order = 'place', by = ['island'], impute = 'mean', "
    "indicator = true }", np.column_stack(steps)[::6])
coded = TABLE.assign(species=OrdinalEncoder().fit(TRAINING[["species"]]).transform(TABLE[["species"]])[:, 0],
                     year=OrdinalEncoder().fit(TRAINING[["year"]]).transform(TABLE[["year"]])[:, 0])
steps = [lagged(coded, column, lag).fillna(3) for lag in (2, 1, 0) for column in ("species", "year")]
add("sequence_index", "{ sequence = ['species', 'year'], length = 3, order = 'place', by = 'island', encode = 'index' }",
    np.column_stack(steps)[::6])
steps = [lagged(coded, "species", lag).fillna(4) for lag in (2, 1)]
add("sequence_index_other", "{ sequence = 'species', length = 2, offset = 1, order = 'place', by = 'island', encode = 'index', "
    "unknown = 'other' }", np.column_stack(steps)[::6])
lists = StandardScaler().fit(np.concatenate([row or [] for row in TRAINING.steps])[:, None])
padded = []
for row in SHOWN.steps:
    row = lists.transform(np.array(row)[:, None])[-3:, 0].tolist() if row else []
    pad = 3 - len(row)
    padded.append([number for step in zip([0.0] * pad + row, [1.0] * pad + [0.0] * len(row)) for number in step])
add("sequence_lists", "{ sequence = 'steps', length = 3, indicator = true }", padded)

TEXTS = ["island", "sex"]
whole = lambda table, columns: table[columns].astype(object).where(table[columns].notna(), None)
one_hot = OneHotEncoder(sparse_output=False).fit(TRAINING[["island", "year"]])
add("one_hot", "{ category = ['island', 'year'] }", one_hot.transform(SHOWN[["island", "year"]]))
index = OrdinalEncoder().fit(TRAINING[["year"]])
add("index", "{ category = 'year', encode = 'index' }", index.transform(SHOWN[["year"]]))
rare = OneHotEncoder(sparse_output=False, handle_unknown="infrequent_if_exist", min_frequency=0.05, max_categories=6)
rare.fit(TRAINING[["flipper_length_mm"]].dropna().astype(int))
rare_shown = TABLE[["flipper_length_mm"]].fillna(-1).astype(int)[::6]
add("frequent", "{ category = 'flipper_length_mm', unknown = 'other', min_frequency = 0.05, max_categories = 6 }",
    rare.transform(rare_shown))
seldom = OneHotEncoder(sparse_output=False, handle_unknown="infrequent_if_exist", min_frequency=9)
seldom.fit(TRAINING[["flipper_length_mm"]].dropna().astype(int))
add("min_count", "{ category = 'flipper_length_mm', unknown = 'other', min_count = 9 }", seldom.transform(rare_shown))


def indices(column, **floor):
    """What is rare has the last index, and so has what is unknown or missing."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **floor)
    encoder.fit(TRAINING[[column]].dropna().astype(int))
    found = encoder.transform(TABLE[[column]].fillna(-1).astype(int)[::6])[:, 0]
    infrequent = getattr(encoder, "infrequent_categories_", [None])[0]
    last = len(encoder.categories_[0]) - (0 if infrequent is None else len(infrequent))
    return np.where(found < 0, last, found)


floor = {"min_frequency": 0.05, "max_categories": 6}
add("index_other", "{ category = ['flipper_length_mm', 'year'], encode = 'index', unknown = 'other', min_frequency = 0.05, "
    "max_categories = 6 }", np.column_stack([indices(column, **floor) for column in ("flipper_length_mm", "year")]))
add("index_min_count", "{ category = 'flipper_length_mm', encode = 'index', unknown = 'other', min_count = 9 }",
    indices("flipper_length_mm", min_frequency=9)[:, None])
add("index_unseen", "{ category = 'place', encode = 'index', unknown = 'other' }", indices("place")[:, None])
hasher = FeatureHasher(n_features=16)
pairs = [{name: value for name, value in zip(TEXTS, row) if isinstance(value, str)} for row in SHOWN[TEXTS].values]
add("hashed", "{ category = ['island', 'sex'], encode = 'hashed', n_features = 16 }", hasher.transform(pairs).toarray())
places = lambda name: [int(hasher.transform([{name: value}]).indices[0]) if isinstance(value, str) else 16 for value in SHOWN[name]]
add("hashed_index", "{ category = ['island', 'sex'], encode = 'hashed_index', n_features = 16 }",
    np.column_stack([places(name) for name in TEXTS]))

known = TRAINING[TRAINING.body_mass_g.notna()]
shown = TABLE[TABLE.body_mass_g.notna()]


def scramble(number):
    mask = 2**64 - 1
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & mask
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & mask
    return mixed ^ (mixed >> 31)


def folds(classes, count):
    """kilter's folds, which decide the figures of training rows."""
    order = sorted(range(len(classes)), key=lambda row: (classes[row], scramble(row)))
    fold = np.zeros(len(classes), dtype=int)
    fold[order] = np.arange(len(classes)) % count
    return fold


def means(name, fields, target, y, classes, kind, smooth):
    table, all_rows = whole(known, TEXTS), whole(shown, TEXTS)
    encoder = lambda: TargetEncoder(target_type=kind, smooth=smooth)
    feature = f"{{ category = {json.dumps(TEXTS)}, encode = 'target'{fields} }}"
    fitted = encoder().fit(table, y)
    add(name, feature, fitted.transform(all_rows)[::6], target)
    fold, out = folds(classes, 5), None
    for number in range(5):
        part = encoder().fit(table[fold != number], y[fold != number]).transform(table[fold == number])
        out = np.zeros((len(table), part.shape[1])) if out is None else out
        out[fold == number] = part
    add(name + "_training", feature, out[::6], target, training=True)


mass = known.body_mass_g.values
standard = (mass - mass.mean()) / mass.std()
means("target_number", "", "body_mass_g = 'number'", standard, np.zeros(len(mass)), "continuous", "auto")
means("target_smooth", ", smooth = 30", "body_mass_g = 'number'", standard, np.zeros(len(mass)), "continuous", 30)
heavy = known.heavy.values.astype(int)
means("target_binary", "", "heavy = 'binary'", heavy, heavy, "binary", "auto")
species = known.species.values
place = {name: index for index, name in enumerate(sorted(set(species)))}
means("target_classes", "", "species = 'category'", species, [place[name] for name in species], "multiclass", "auto")

labels = MultiLabelBinarizer(classes=["long", "heavy"])
sets = [[label for label in labels.classes if row[label]] for _, row in shown.iterrows()]
add("multi_label", "{ numeric = 'bill_depth_mm' }", labels.fit_transform(sets)[::6],
    "sorts = { multi_label = ['long', 'heavy'] }", of_target=True)

turn = lambda values, period: [np.sin(values / period * 2 * np.pi), np.cos(values / period * 2 * np.pi)]
when, fitted = SHOWN.when.dt, TRAINING.when
days = lambda when: ((when - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).values[:, None]
parts = [*turn(when.month, 12), *turn(when.weekday, 7), *turn(when.hour, 24), *turn(when.dayofyear, 366),
         *turn(when.day, 31), *turn(when.quarter, 4), *turn(when.minute, 60), *turn(when.isocalendar().week.astype(int), 53)]
year = StandardScaler().fit(fitted.dt.year.values[:, None]).transform(when.year.values[:, None])
elapsed = StandardScaler().fit(days(fitted)).transform(days(SHOWN.when))
add("time", "{ time = 'when', parts = ['month', 'weekday', 'hour', 'day_of_year', 'day', 'quarter', 'minute', 'week', 'year', "
    "'elapsed'] }", np.column_stack([*parts, year, elapsed]))

clock = lambda when: (when - when.dt.normalize()) / pd.Timedelta(seconds=1)
moment = SHOWN.moment
parts = [*turn(moment.dt.second, 60), *turn(clock(moment), 86400), *turn(moment.dt.hour, 24)]
since = StandardScaler().fit(days(TRAINING.moment)).transform(days(moment))[:, 0]
add("time_null", "{ time = 'moment', parts = ['second', 'time_of_day', 'hour', 'elapsed'], indicator = true }",
    np.column_stack([*[part.fillna(0.0) for part in parts], np.nan_to_num(since), moment.isna()]))
elapsed = StandardScaler().fit(days(fitted.dt.normalize())).transform(days(SHOWN.when.dt.normalize()))
add("date", "{ time = 'day' }", np.column_stack([*turn(when.month, 12), *turn(when.weekday, 7)]))
add("date_parts", "{ time = 'day', parts = ['day_of_year', 'elapsed'] }", np.column_stack([*turn(when.dayofyear, 366), elapsed]))
add("clock", "{ time = 'clock' }", np.column_stack(turn(when.hour, 24)))
add("clock_parts", "{ time = 'clock', parts = ['minute', 'time_of_day'] }",
    np.column_stack([*turn(when.minute, 60), *turn(clock(SHOWN.when), 86400)]))

(HERE / "encode.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
