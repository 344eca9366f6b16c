//! The page of a picture: one file that needs nothing else, in light and dark, for screens and paper.

use super::correlate::Correlations;
use super::measure::{Measured, Numbers};
use super::observe::observations;
use super::words::length;
use super::{Picture, Spec};
use crate::numbers;
use crate::plot::{self, Bar, Bin};
use crate::xml::text as escape;
use std::fmt::Write;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#24292f;--soft:#57606a;--line:#d8dee4;--page:#ffffff;--card:#f6f8fa;--mark:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--line:#2a313a;--page:#0d1117;--card:#161b22;--mark:#58b0e8}}
body{font:15px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans','Noto Sans CJK SC',sans-serif;color:var(--ink);background:var(--page);max-width:1180px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .7rem}h3{font-size:1rem;margin:0;overflow-wrap:anywhere}
a{color:var(--mark);text-decoration:none}a:hover{text-decoration:underline}
.soft{color:var(--soft)}.facts{display:flex;flex-wrap:wrap;gap:.3rem 2rem;margin:.6rem 0 0}.facts b{font-size:1.15rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;color:var(--soft)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(370px,1fr));gap:1rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.9rem 1rem;break-inside:avoid}
.card svg{display:block;max-width:100%;height:auto;margin:.7rem 0 .2rem}.card table{width:100%}.card td{padding:.1rem 0;border:0}
.card p{margin:.5rem 0 0;font-size:.85rem}ul{padding-left:1.2rem;margin:.4rem 0}
";

/// So many classes of the target are drawn at least, where it has them.
const CLASSES: usize = 10;

/// The page as HTML. It does not name the table: a name is no part of the key, and the page is that of every equal table.
pub(super) fn page(picture: &Picture, spec: &Spec) -> String {
    let mut out = String::new();
    let title = "Profile";
    let _ = writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}{}</style>\n</head>\n<body>\n<h1>{title}</h1>",
        plot::style()
    );
    facts(&mut out, picture);
    list_observations(&mut out, picture, spec);
    overview(&mut out, picture);
    if let Some(column) = picture.columns.iter().find(|column| Some(&column.name) == spec.target.as_ref()) {
        let _ = writeln!(out, "<h2>Balance of {}</h2>", escape(&column.name));
        let drawn = column.classes.len().min((spec.top as usize).max(CLASSES));
        out.push_str(&values(column, &column.classes[..drawn]));
    }
    out.push_str("<h2>Columns</h2>\n<div class=\"cards\">\n");
    for (index, column) in picture.columns.iter().enumerate() {
        card(&mut out, index, column);
    }
    out.push_str("</div>\n");
    correlations(&mut out, picture);
    out.push_str("</body>\n</html>\n");
    out
}

fn facts(out: &mut String, picture: &Picture) {
    let missing: usize = picture.columns.iter().map(|column| column.missing).sum();
    let cells = (picture.rows * picture.columns.len()).max(1);
    let plural = |value: usize, one: &str| if value == 1 { one.to_owned() } else { format!("{one}s") };
    let share = format!("({:.1} %)", 100.0 * missing as f64 / cells as f64);
    let mut all = vec![
        (picture.rows, plural(picture.rows, "row")),
        (picture.columns.len(), plural(picture.columns.len(), "column")),
        (missing, format!("{} {share}", plural(missing, "missing value"))),
    ];
    all.extend(picture.repeated.map(|repeated| (repeated, plural(repeated, "repeated row"))));
    out.push_str("<div class=\"facts\">\n");
    for (value, name) in all {
        let value = numbers::count(value as u64);
        let _ = writeln!(out, "<span><b>{value}</b> <span class=\"soft\">{name}</span></span>");
    }
    out.push_str("</div>\n");
}

fn list_observations(out: &mut String, picture: &Picture, spec: &Spec) {
    let found = observations(picture, spec.target.as_deref());
    if found.is_empty() {
        return;
    }
    out.push_str("<h2>To look at</h2>\n<ul>\n");
    for (name, words) in found {
        let _ = writeln!(out, "<li>{}: {}</li>", link(picture, &name), escape(&words));
    }
    out.push_str("</ul>\n");
}

/// A column's name, leading to its card.
fn link(picture: &Picture, name: &str) -> String {
    match picture.columns.iter().position(|column| column.name == name) {
        Some(index) => format!("<a href=\"#c{index}\">{}</a>", escape(name)),
        None => escape(name),
    }
}

fn overview(out: &mut String, picture: &Picture) {
    out.push_str("<h2>Overview</h2>\n<div class=\"scroll\"><table>\n<tr><th>column</th><th>type</th><th class=\"n\">missing</th><th class=\"n\">distinct</th><th class=\"n\">min</th><th class=\"n\">median</th><th class=\"n\">mean</th><th class=\"n\">max</th><th>most frequent</th></tr>\n");
    for column in &picture.columns {
        let spread = |of: fn(&Numbers) -> f64| {
            column.numbers.as_ref().map_or(String::new(), |numbers| escape(&column.words(of(numbers))))
        };
        let mean = if column.dtype.is_integer() {
            column.numbers.as_ref().map_or(String::new(), |spread| column.computed(spread.mean))
        } else {
            spread(|numbers| numbers.mean)
        };
        let top = column.top.first().filter(|_| !column.is_unique());
        let top = top.map_or(String::new(), |(value, _)| escape(&clipped(&column.value(value))));
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"soft\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{mean}</td><td class=\"n\">{}</td><td>{top}</td></tr>",
            link(picture, &column.name),
            escape(&column.dtype.to_string()),
            share(column.missing, column.rows),
            column.distinct.map_or(String::new(), |distinct| numbers::count(distinct as u64)),
            spread(|numbers| numbers.min),
            spread(|numbers| numbers.quantiles[2]),
            spread(|numbers| numbers.max),
        );
    }
    out.push_str("</table></div>\n");
}

/// `11 (3.2 %)`
fn share(count: usize, all: usize) -> String {
    if count == 0 {
        return "0".to_owned();
    }
    format!("{} ({:.1} %)", numbers::count(count as u64), 100.0 * count as f64 / all.max(1) as f64)
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}

/// Frequent values as bars, and the rest.
fn values(column: &Measured, frequent: &[(String, u64)]) -> String {
    let bar = |(value, count): &(String, u64)| Bar { name: column.value(value), count: *count };
    let mut bars: Vec<Bar> = frequent.iter().map(bar).collect();
    let rest = column.present() as u64 - bars.iter().map(|bar| bar.count).sum::<u64>();
    let others = column.distinct.unwrap_or(0).saturating_sub(bars.len());
    if others > 0 {
        bars.push(Bar { name: numbers::counted(others, "other"), count: rest });
    }
    plot::bars(&format!("The most frequent values of {}.", column.name), &bars, column.present() as u64)
}

fn card(out: &mut String, index: usize, column: &Measured) {
    let _ = writeln!(
        out,
        "<section class=\"card\" id=\"c{index}\">\n<h3>{}</h3>\n<div class=\"soft\">{}{}</div>",
        escape(&column.name),
        escape(&column.dtype.to_string()),
        column
            .distinct
            .map_or(String::new(), |distinct| format!(" · {}", numbers::counted(distinct, "different value"))),
    );
    if let Some(spread) = &column.numbers {
        drawn(out, &column.name, spread, &|value| column.words(value));
        quantiles(out, spread, &|value| column.words(value));
        if column.dtype.is_numeric() {
            mean(out, spread, &|value| column.computed(value));
        } else {
            let _ = writeln!(out, "<p class=\"soft\">mean {}</p>", escape(&column.words(spread.mean)));
        }
    }
    // Of numbers, only those of which few are different are values rather than measures.
    let few = column.distinct.is_some_and(|distinct| distinct <= 12);
    // Where every value is another one, none is frequent.
    if !column.top.is_empty() && !column.is_unique() && (column.numbers.is_none() || few) {
        out.push_str(&values(column, &column.top));
    }
    if let Some(lengths) = &column.lengths
        && lengths.min < lengths.max
        && lengths.max > 20.0
    {
        out.push_str("<p class=\"soft\">Lengths in characters</p>\n");
        drawn(out, &format!("lengths of {}", column.name), lengths, &length);
        quantiles(out, lengths, &length);
        mean(out, lengths, &numbers::number);
    }
    if column.missing > 0 || column.nan > 0 {
        let _ = write!(out, "<p>{} missing", share(column.missing, column.rows));
        if column.nan > 0 {
            let _ = write!(out, ", {} NaN", share(column.nan, column.rows));
        }
        out.push_str("</p>\n");
    }
    out.push_str("</section>\n");
}

fn drawn(out: &mut String, name: &str, spread: &Numbers, words: &dyn Fn(f64) -> String) {
    let Some(histogram) = &spread.histogram else { return };
    let bin = |(index, count): (usize, &u64)| {
        let (from, to) = histogram.step(index);
        let (from, to) = (words(from), words(to));
        let of = if from == to { from } else { format!("{from} – {to}") };
        Bin { count: *count, tip: format!("{of}: {}", numbers::counted(*count as usize, "row")) }
    };
    let bins: Vec<Bin> = histogram.counts.iter().enumerate().map(bin).collect();
    let description = format!("Histogram of {name} from {} to {}.", words(histogram.low), words(histogram.high));
    out.push_str(&plot::histogram(&description, &bins, &words(histogram.low), &words(histogram.high)));
}

fn quantiles(out: &mut String, spread: &Numbers, words: &dyn Fn(f64) -> String) {
    let [q05, q25, median, q75, q95] = spread.quantiles;
    let cells = [("5 %", q05), ("25 %", q25), ("median", median), ("75 %", q75), ("95 %", q95)];
    out.push_str("<table><tr>");
    cells.iter().for_each(|(name, _)| out.push_str(&format!("<td class=\"soft n\">{name}</td>")));
    out.push_str("</tr><tr>");
    cells.iter().for_each(|(_, value)| out.push_str(&format!("<td class=\"n\">{}</td>", escape(&words(*value)))));
    out.push_str("</tr></table>\n");
}

fn mean(out: &mut String, spread: &Numbers, words: &dyn Fn(f64) -> String) {
    let std = spread.std.map_or(String::new(), |std| format!(", standard deviation {}", words(std)));
    let _ = writeln!(out, "<p class=\"soft\">mean {}{std}</p>", words(spread.mean));
}

fn correlations(out: &mut String, picture: &Picture) {
    let Correlations { names, values } = &picture.correlations;
    if names.len() < 2 {
        return;
    }
    out.push_str("<h2>Correlations</h2>\n");
    let numeric = picture.columns.iter().filter(|column| column.dtype.is_numeric()).count();
    if names.len() < numeric {
        let _ = writeln!(
            out,
            "<p class=\"soft\">Pearson's, between {} of {} columns of numbers</p>",
            names.len(),
            numbers::count(numeric as u64)
        );
    } else {
        out.push_str("<p class=\"soft\">Pearson's, each over the rows in which both columns have a number</p>\n");
    }
    out.push_str("<div class=\"scroll\">");
    out.push_str(&plot::correlations("Correlations between columns of numbers.", names, values));
    out.push_str("</div>\n");
}
