"""The work of `tables_flights.toml`, and a part of that of `pipelines/tpch.toml`, as it is written with pandas.

Each function has the name of its stage, takes the places of the tables and the folder of earlier results, and gives a data frame.
"""

import datetime

import pandas as pd


def legs(places):
    flights = pd.read_parquet(places["flights"])
    flights = flights[flights.delay.between(-60, 600) & (flights.distance > 0)].copy()
    flights["hour"] = flights.date.dt.hour
    flights["day"] = flights.date.dt.normalize()
    flights["delay_per_mile"] = flights.delay / (flights.distance + 1.0)
    return flights


def airports(places, out):
    groups = legs(places).groupby(["origin", "day"], as_index=False)
    return groups.agg(
        flights=("delay", "size"),
        mean_delay=("delay", "mean"),
        sd_delay=("delay", "std"),
        per_mile=("delay_per_mile", "sum"),
        worst=("delay", "max"),
    )


def before(places, out):
    rows = legs(places)
    in_time = rows.sort_values("date", kind="stable")
    rows["delay_before"] = in_time.groupby("origin").delay.shift()
    rows["place"] = in_time.groupby(["origin", "destination"]).cumcount() + 1
    rows["above_mean"] = rows.delay - rows.groupby("origin").delay.transform("mean")
    return rows[["origin", "destination", "date", "delay", "delay_before", "place", "above_mean"]]


def joined(places, out):
    large = pd.read_parquet(f"{out}/airports.parquet", columns=["origin", "day", "flights", "mean_delay"])
    rows = legs(places).merge(large[large.flights > 20], on=["origin", "day"])
    rows["above"] = rows.delay - rows.mean_delay
    groups = rows.groupby(["origin", "hour"], as_index=False)
    return groups.agg(flights=("delay", "size"), above_day=("above", "mean"), per_mile=("delay_per_mile", "sum"))


def read(places, table, columns):
    frame = pd.read_parquet(places[table], columns=columns)
    for column in columns:
        # Decimals come as Python objects, a hundred times as slow: as most people do, floats are taken.
        if frame[column].dtype == object and len(frame) and type(frame[column].iloc[0]).__name__ == "Decimal":
            frame[column] = frame[column].astype(float)
    return frame


def q01_pricing(places, out):
    columns = ["l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount", "l_tax", "l_shipdate"]
    lines = read(places, "lineitem", columns)
    lines = lines[lines.l_shipdate <= datetime.date(1998, 9, 2)].copy()
    lines["disc_price"] = lines.l_extendedprice * (1 - lines.l_discount)
    lines["charge"] = lines.disc_price * (1 + lines.l_tax)
    groups = lines.groupby(["l_returnflag", "l_linestatus"], as_index=False)
    return groups.agg(
        sum_qty=("l_quantity", "sum"),
        sum_base_price=("l_extendedprice", "sum"),
        sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"),
        avg_qty=("l_quantity", "mean"),
        avg_price=("l_extendedprice", "mean"),
        avg_disc=("l_discount", "mean"),
        count_order=("l_quantity", "size"),
    )


def q03_shipping_priority(places, out):
    day = datetime.date(1995, 3, 15)
    customer = read(places, "customer", ["c_custkey", "c_mktsegment"])
    orders = read(places, "orders", ["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"])
    lines = read(places, "lineitem", ["l_orderkey", "l_extendedprice", "l_discount", "l_shipdate"])
    customer, orders, lines = customer[customer.c_mktsegment == "BUILDING"], orders[orders.o_orderdate < day], lines[lines.l_shipdate > day]
    rows = customer.merge(orders, left_on="c_custkey", right_on="o_custkey").merge(lines, left_on="o_orderkey", right_on="l_orderkey")
    rows["revenue"] = rows.l_extendedprice * (1 - rows.l_discount)
    found = rows.groupby(["l_orderkey", "o_orderdate", "o_shippriority"], as_index=False).revenue.sum()
    return found.sort_values(["revenue", "o_orderdate", "l_orderkey"], ascending=[False, True, True]).head(10)


def q06_forecast(places, out):
    lines = read(places, "lineitem", ["l_extendedprice", "l_discount", "l_shipdate", "l_quantity"])
    in_year = (lines.l_shipdate >= datetime.date(1994, 1, 1)) & (lines.l_shipdate < datetime.date(1995, 1, 1))
    rows = lines[in_year & lines.l_discount.between(0.0499, 0.0701) & (lines.l_quantity < 24)]
    return pd.DataFrame({"revenue": [(rows.l_extendedprice * rows.l_discount).sum()]})


def q12_ship_modes(places, out):
    lines = read(places, "lineitem", ["l_orderkey", "l_shipmode", "l_commitdate", "l_receiptdate", "l_shipdate"])
    lines = lines[
        lines.l_shipmode.isin(["MAIL", "SHIP"])
        & (lines.l_commitdate < lines.l_receiptdate)
        & (lines.l_shipdate < lines.l_commitdate)
        & (lines.l_receiptdate >= datetime.date(1994, 1, 1))
        & (lines.l_receiptdate < datetime.date(1995, 1, 1))
    ]
    rows = read(places, "orders", ["o_orderkey", "o_orderpriority"]).merge(lines, left_on="o_orderkey", right_on="l_orderkey")
    rows["high"] = rows.o_orderpriority.isin(["1-URGENT", "2-HIGH"])
    rows["low"] = ~rows.high
    return rows.groupby("l_shipmode", as_index=False).agg(high_line_count=("high", "sum"), low_line_count=("low", "sum"))


def q18_large_orders(places, out):
    lines = read(places, "lineitem", ["l_orderkey", "l_quantity"]).groupby("l_orderkey", as_index=False).l_quantity.sum()
    orders = read(places, "orders", ["o_orderkey", "o_custkey", "o_orderdate", "o_totalprice"])
    rows = orders.merge(lines[lines.l_quantity > 300], left_on="o_orderkey", right_on="l_orderkey")
    rows = rows.merge(read(places, "customer", ["c_custkey", "c_name"]), left_on="o_custkey", right_on="c_custkey")
    rows = rows[["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "l_quantity"]]
    return rows.sort_values(["o_totalprice", "o_orderdate", "o_orderkey"], ascending=[False, True, True]).head(100)
