//! An SVG document under construction, and the one style sheet of all plots.

use crate::xml;
use std::fmt::Write;

/// So many colours before they repeat.
pub const SERIES: usize = 6;

/// Light colours, then dark ones; series colours after Okabe and Ito, "Color Universal Design", 2008, adjusted for
/// contrast. Everything is scoped by `.kilter-plot`, so a plot may stand inside a page.
const STYLE: &str = "
.kilter-plot{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:13px}
.kilter-plot .page{fill:#ffffff}
.kilter-plot text{fill:#24292f}
.kilter-plot .soft{fill:#57606a}
.kilter-plot .title{font-size:15px;font-weight:600}
.kilter-plot .grid{stroke:#d8dee4;stroke-width:1;fill:none}
.kilter-plot .axis{stroke:#8c959f;stroke-width:1;fill:none}
.kilter-plot .guide{stroke:#8c959f;stroke-width:1.5;stroke-dasharray:5 4;fill:none}
.kilter-plot .line{stroke-width:2.2;fill:none;stroke-linejoin:round}
.kilter-plot .s0{stroke:#0072b2}.kilter-plot .s1{stroke:#c4560a}.kilter-plot .s2{stroke:#00815d}
.kilter-plot .s3{stroke:#a3428b}.kilter-plot .s4{stroke:#8a6d00}.kilter-plot .s5{stroke:#3d8fc4}
.kilter-plot .f0{fill:#0072b2}.kilter-plot .f1{fill:#c4560a}.kilter-plot .f2{fill:#00815d}
.kilter-plot .f3{fill:#a3428b}.kilter-plot .f4{fill:#8a6d00}.kilter-plot .f5{fill:#3d8fc4}
.kilter-plot .cell{fill:#0072b2}
.kilter-plot .wrong{fill:#c4560a}
.kilter-plot .empty{fill:#f6f8fa}
.kilter-plot .on{fill:#ffffff}
@media (prefers-color-scheme:dark){
.kilter-plot .page{fill:#0d1117}
.kilter-plot text{fill:#e6edf3}
.kilter-plot .soft{fill:#9da7b3}
.kilter-plot .grid{stroke:#2a313a}
.kilter-plot .axis,.kilter-plot .guide{stroke:#6e7681}
.kilter-plot .s0{stroke:#58b0e8}.kilter-plot .s1{stroke:#f0883e}.kilter-plot .s2{stroke:#3fc79a}
.kilter-plot .s3{stroke:#e08fca}.kilter-plot .s4{stroke:#d9b93b}.kilter-plot .s5{stroke:#9ccbee}
.kilter-plot .f0{fill:#58b0e8}.kilter-plot .f1{fill:#f0883e}.kilter-plot .f2{fill:#3fc79a}
.kilter-plot .f3{fill:#e08fca}.kilter-plot .f4{fill:#d9b93b}.kilter-plot .f5{fill:#9ccbee}
.kilter-plot .cell{fill:#2f81c4}
.kilter-plot .wrong{fill:#d2691e}
.kilter-plot .empty{fill:#161b22}
.kilter-plot .on{fill:#ffffff}
}
";

/// Where a text is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// At its start.
    Start,
    /// At its middle.
    Middle,
    /// At its end.
    End,
}

/// The style sheet of all plots, for a page that holds pieces.
#[must_use]
pub fn style() -> &'static str {
    STYLE
}

/// An SVG document under construction.
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
    /// Whether it is part of a page, which brings the style sheet.
    piece: bool,
}

impl Svg {
    /// An empty page with a title (shown) and a description (read aloud).
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut svg = Self { body: String::new(), width, height, piece: false };
        let _ = write!(svg.body, "<title>{}</title><desc>{}</desc>", xml::text(title), xml::text(description));
        svg.raw(format_args!("<rect class=\"page\" width=\"{}\" height=\"{}\"/>", short(width), short(height)));
        svg.text(16.0, 26.0, Anchor::Start, "title", title);
        svg
    }

    /// An empty part of a page, with a description (read aloud).
    pub fn piece(width: f64, height: f64, description: &str) -> Self {
        let body = format!("<desc>{}</desc>", xml::text(description));
        Self { body, width, height, piece: true }
    }

    /// The document.
    pub fn finish(self) -> String {
        let (width, height) = (short(self.width), short(self.height));
        if self.piece {
            return format!(
                "<svg class=\"kilter-plot\" role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">{}\n</svg>\n",
                self.body
            );
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"kilter-plot\" role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>{}\n</svg>\n",
            self.body
        )
    }

    fn raw(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = write!(self.body, "\n{text}");
    }

    /// A text; `class` may be empty.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.raw(format_args!("<text x=\"{}\" y=\"{}\"{anchor}{class}>{}</text>", short(x), short(y), xml::text(text)));
    }

    /// A text that reads upwards, around its middle.
    pub fn upright(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.raw(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" transform=\"rotate(-90 {x} {y})\" class=\"{class}\">{}</text>",
            xml::text(text),
            x = short(x),
            y = short(y),
        ));
    }

    /// A text that ends at a point, rising to it from the lower left.
    pub fn slanted(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.raw(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\" transform=\"rotate(-40 {x} {y})\" class=\"{class}\">{}</text>",
            xml::text(text),
            x = short(x),
            y = short(y),
        ));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.raw(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{class}\"/>",
            short(from.0),
            short(from.1),
            short(to.0),
            short(to.1)
        ));
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let mut d = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if index == 0 { "M" } else { "L" }, short(*x), short(*y));
        }
        self.raw(format_args!("<path d=\"{d}\" class=\"{class}\"/>"));
    }

    /// A filled rectangle, `opacity` of 0 to 1, with a tooltip.
    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), class: &str, opacity: f64, tip: &str) {
        let open = format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{class}\" fill-opacity=\"{}\"",
            short(at.0),
            short(at.1),
            short(size.0),
            short(size.1),
            short(opacity)
        );
        self.tipped(&open, "rect", tip);
    }

    /// A dot, `opacity` of 0 to 1, with a tooltip.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, class: &str, opacity: f64, tip: &str) {
        let open = format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{class}\" fill-opacity=\"{}\"",
            short(at.0),
            short(at.1),
            short(radius),
            short(opacity)
        );
        self.tipped(&open, "circle", tip);
    }

    fn tipped(&mut self, open: &str, element: &str, tip: &str) {
        if tip.is_empty() {
            self.raw(format_args!("{open}/>"));
        } else {
            self.raw(format_args!("{open}><title>{}</title></{element}>", xml::text(tip)));
        }
    }
}

/// A number with at most two decimals, without trailing zeros.
pub fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

/// At most `most` characters, the last an ellipsis where some are missing.
pub fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(most.saturating_sub(1)).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_clipped() {
        assert_eq!(short(1.0), "1");
        assert_eq!(short(-0.001), "0");
        assert_eq!(short(12.345), "12.35");
        assert_eq!(clip("Chinstrap", 6), "Chins…");
    }
}
