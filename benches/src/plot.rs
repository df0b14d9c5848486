//! Plots, as SVG.

use std::fmt::Write as _;

use crate::figures;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// What lies around the plot itself: left, top, right, bottom.
const MARGIN: [f64; 4] = [70.0, 40.0, 150.0, 50.0];
/// Told apart by who does not see colours well, too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// An axis: what it says, and whether each step is ten times the last.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// What is on it.
    pub name: &'static str,
    /// Tenfold steps, or even ones.
    pub tenfold: bool,
}

/// A line of points.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// The part of an axis that is shown.
struct Scale {
    from: f64,
    to: f64,
    tenfold: bool,
}

impl Scale {
    fn of(axis: Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(f64::MIN, f64::max);
        if axis.tenfold {
            let least = values.fold(f64::MAX, f64::min).max(1e-9);
            let (from, to) = (least.log10().floor(), most.max(least).log10().ceil());
            return Self { from, to: to.max(from + 1.0), tenfold: true };
        }
        let step = 10_f64.powf(most.max(1e-9).log10().floor());
        Self { from: 0.0, to: (most / step).ceil() * step, tenfold: false }
    }

    /// How far along it a value lies, from 0 to 1.
    fn at(&self, value: f64) -> f64 {
        let value = if self.tenfold { value.max(1e-9).log10() } else { value };
        (value - self.from) / (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let steps = if self.tenfold { self.to - self.from } else { 5.0 };
        let mut ticks = Vec::new();
        let mut step = 0.0;
        while step <= steps {
            let value = self.from + (self.to - self.from) * step / steps;
            ticks.push(if self.tenfold { 10_f64.powf(value) } else { value });
            step += 1.0;
        }
        ticks
    }
}

/// Writes a plot into the folder of results, if there is one.
pub fn plot(file: &str, title: &str, x: Axis, y: Axis, lines: &[Line]) {
    let Some(folder) = figures::results() else { return };
    std::fs::write(folder.join(file), draw(title, [x, y], lines)).unwrap();
}

fn draw(title: &str, [x, y]: [Axis; 2], lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let across = Scale::of(x, points().map(|point| point.0));
    let up = Scale::of(y, points().map(|point| point.1));
    let [left, top, right, bottom] = MARGIN;
    let (width, height) = (WIDTH - left - right, HEIGHT - top - bottom);
    let at_x = |value: f64| left + across.at(value) * width;
    let at_y = |value: f64| top + (1.0 - up.at(value)) * height;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="{left}" y="22" font-size="14" font-weight="bold">{title}</text>
"#
    );
    let mut put = |text: String| svg.write_str(&text).unwrap();
    for tick in across.ticks() {
        let (at, to, low) = (at_x(tick), top + height, top + height + 18.0);
        put(format!("<path d=\"M{at:.1} {top}V{to}\" stroke=\"#ddd\"/>\n"));
        put(format!(
            "<text x=\"{at:.1}\" y=\"{low}\" text-anchor=\"middle\">{}</text>\n",
            short(tick)
        ));
    }
    for tick in up.ticks() {
        let (at, to) = (at_y(tick), left + width);
        put(format!("<path d=\"M{left} {at:.1}H{to}\" stroke=\"#ddd\"/>\n"));
        let (by, low) = (left - 6.0, at + 4.0);
        put(format!(
            "<text x=\"{by}\" y=\"{low:.1}\" text-anchor=\"end\">{}</text>\n",
            short(tick)
        ));
    }
    let (middle, low) = (left + width / 2.0, HEIGHT - 12.0);
    put(format!("<text x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">{}</text>\n", x.name));
    let high = top + height / 2.0;
    put(format!(
        "<text transform=\"translate(16 {high}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        y.name
    ));
    let mut beside = top + 10.0;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let path: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y))).collect();
        put(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            path.join(" ")
        ));
        for (x, y) in &line.points {
            put(format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>\n",
                at_x(*x),
                at_y(*y)
            ));
        }
        let by = left + width + 12.0;
        put(format!("<text x=\"{by}\" y=\"{beside}\" fill=\"{colour}\">{}</text>\n", line.name));
        beside += 18.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// A number as it is written beside an axis.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e3 => (v / 1e3, " k"),
        v => (v, ""),
    };
    let places = if value == 0.0 || value >= 10.0 || value.fract() == 0.0 { 0 } else { 2 };
    format!("{value:.places$}{unit}")
}
