//! Measuring in interleaved rounds, and saying what came of it.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use hdrhistogram::Histogram;

/// How often each thing is measured, after one time for nothing: 7 times, or as `CHANCERY_BENCH_ROUNDS` says for somebody who
/// only wants to see that a bench runs to its end.
pub fn rounds() -> usize {
    let said = std::env::var("CHANCERY_BENCH_ROUNDS").ok();
    said.map_or(7, |said| said.parse::<usize>().unwrap().max(1))
}

/// A number that the command line gives; Cargo puts words beside it.
pub fn argument() -> Option<usize> {
    std::env::args().skip(1).find_map(|argument| argument.parse().ok())
}

/// A median, and how far apart the rounds lay.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The round in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Sums up one figure a round.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (figures[0], figures[figures.len() - 1]);
        Self { median: figures[figures.len() / 2], least, most }
    }

    /// Sums up the ratios of what was measured in the same round.
    pub fn of_ratios(over: &[f64], under: &[f64]) -> Self {
        Self::of(over.iter().zip(under).map(|(over, under)| over / under))
    }
}

impl fmt::Display for Spread {
    /// With as many places as are asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let places = f.precision().unwrap_or(0);
        write!(f, "{median:.places$} ({least:.places$} to {most:.places$})")
    }
}

/// Measures all things once a round, so that what else the machine does meets all of them alike.
///
/// Returns the figures of each.
pub fn interleaved(things: usize, mut measure: impl FnMut(usize) -> f64) -> Vec<Vec<f64>> {
    let mut figures = vec![Vec::with_capacity(rounds()); things];
    for round in 0..=rounds() {
        for (thing, figures) in figures.iter_mut().enumerate() {
            let figure = measure(thing);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    figures
}

/// Where a figure is to lie.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// There or above.
    AtLeast(f64),
    /// There or below.
    AtMost(f64),
}

impl Target {
    /// Prints a row: what, target, figure, verdict.
    pub fn judge(self, what: &str, unit: &str, figure: Spread) {
        let (sign, target, met) = match self {
            Self::AtLeast(target) => ('≥', target, figure.median >= target),
            Self::AtMost(target) => ('≤', target, figure.median <= target),
        };
        let verdict = if met { "met" } else { "**missed**" };
        let places = if target < 10.0 { 2 } else { 0 };
        let row =
            format!("| {what} | {sign} {target} {unit} | {figure:.places$} {unit} | {verdict} |");
        println!("{row}");
        keep(&row);
    }
}

/// Prints a row of a figure that nothing is promised of.
pub fn tell(what: &str, unit: &str, figure: Spread) {
    let places = if figure.median < 10.0 { 2 } else { 0 };
    let row = format!("| {what} | | {figure:.places$} {unit} | |");
    println!("{row}");
    keep(&row);
}

/// Where what was measured is to be kept; `None` = nowhere.
pub fn results() -> Option<PathBuf> {
    std::env::var_os("CHANCERY_BENCH_RESULTS").map(PathBuf::from)
}

/// Says, where the table has its place, why something was not measured.
pub fn skip(what: &str, why: &str) {
    println!("NOT MEASURED: {what}: {why}");
    keep(&format!("| {what} | | {why} | **not measured** |"));
}

/// Puts a row to those of this bench that are kept.
fn keep(row: &str) {
    let Some(folder) = results() else { return };
    let file = folder.join(format!("{}.rows", bench()));
    let mut file = File::options().create(true).append(true).open(file).unwrap();
    writeln!(file, "{row}").unwrap();
}

/// The name of this bench.
fn bench() -> String {
    let program = std::env::current_exe().unwrap();
    let name = program.file_stem().unwrap().to_str().unwrap();
    // Cargo puts a hash behind it.
    name.rsplit_once('-').map_or(name, |(name, _)| name).to_owned()
}

/// Prints the heading of the rows of [`Target::judge`].
pub fn heading() {
    println!("\n| what | target | figure | verdict |\n|---|---|---|---|");
}

/// Times each call by itself, in nanoseconds, and adds it to a histogram.
///
/// Reading the clock is in the figure; [`clock`] tells how much that is.
pub fn time_each(histogram: &mut Histogram<u64>, calls: impl Iterator<Item = impl FnOnce()>) {
    for call in calls {
        let began = Instant::now();
        call();
        let took = began.elapsed().as_nanos();
        histogram.saturating_record(u64::try_from(took).unwrap());
    }
}

/// Makes a histogram for up to a second, in nanoseconds, exact to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(1_000_000_000, 3).unwrap()
}

/// Returns what timing nothing takes, in nanoseconds.
pub fn clock() -> u64 {
    let mut histogram = histogram();
    time_each(&mut histogram, (0..1_000_000).map(|_| || ()));
    histogram.value_at_quantile(0.5)
}

/// Numbers that look like chance and are the same in every run (xorshift64*).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a number of one's own.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Draws a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(drawn).unwrap() % end
    }

    /// Draws whether something happens that happens so many times in a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Draws numbers of which the first come often and the last seldom: each as often as its place, counted from one, goes into the
/// whole (Zipf's law).
#[derive(Debug)]
pub struct Zipf(Vec<f64>);

impl Zipf {
    /// Prepares to draw numbers below `end`.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn new(end: usize) -> Self {
        let shares = (1..=end).scan(0.0, |sum, place| {
            *sum += 1.0 / place as f64;
            Some(*sum)
        });
        Self(shares.collect())
    }

    /// Draws one.
    #[expect(clippy::cast_precision_loss, reason = "chance is exact enough")]
    pub fn draw(&self, chance: &mut Chance) -> usize {
        const STEPS: usize = 1 << 30;
        let all = self.0[self.0.len() - 1];
        let at = chance.below(STEPS) as f64 / STEPS as f64 * all;
        self.0.partition_point(|sum| *sum <= at).min(self.0.len() - 1)
    }
}
