//! The figures by OTLP: what the page for Prometheus says, sent every so often to the collector that has the traces.
//!
//! There is one set of figures. It is read off the page, whose form is fixed, so that both ways tell the same.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::traces::SPEAKER;

/// How long one sending may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the figures, until it is told to end.
#[derive(Debug)]
pub(super) struct SendingFigures {
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl SendingFigures {
    /// Begins to send, every `every`. Must be called on a runtime.
    pub(super) fn start(collector: Channel, every: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, done: tokio::spawn(run(collector, every, stopped)) }
    }

    /// Sends how it stands at the end, and waits for that no longer than `within`.
    pub(super) async fn end(self, within: Duration) {
        // Nobody there any more to be told has ended by itself.
        let _ = self.stop.send(());
        let abort = self.done.abort_handle();
        if tokio::time::timeout(within, self.done).await.is_err() {
            tracing::warn!("the last figures could not be sent in time");
            abort.abort();
        }
    }
}

async fn run(collector: Channel, every: Duration, mut stopped: oneshot::Receiver<()>) {
    let mut client = MetricsServiceClient::new(collector);
    let began = nanos();
    let mut is_told = false;
    loop {
        let last = tokio::time::timeout(every, &mut stopped).await.is_ok();
        let now = nanos();
        let request = request(&super::figures().render(), began, now);
        let sent = tokio::time::timeout(PATIENCE, client.export(request)).await;
        match sent {
            Ok(Ok(_)) => is_told = false,
            // Once, until it goes again: the next sending says all that this one would have.
            _ if is_told => {}
            Ok(Err(status)) => {
                is_told = true;
                tracing::warn!(%status, "the collector did not take the figures");
            }
            Err(_) => {
                is_told = true;
                tracing::warn!("the collector did not take the figures in time");
            }
        }
        if last {
            return;
        }
    }
}

/// Returns the machine's time, in nanoseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "when a figure was taken decides nothing")]
fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn request(page: &str, began: u64, now: u64) -> ExportMetricsServiceRequest {
    let resource = Resource {
        attributes: SPEAKER.iter().map(|(key, value)| attribute(key, value)).collect(),
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "chancery".to_owned(), ..Default::default() };
    let scope = ScopeMetrics {
        scope: Some(scope),
        metrics: metrics(page, began, now),
        ..ScopeMetrics::default()
    };
    let metrics = ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![metrics] }
}

/// One line of the page: `name{label="value"} 1`.
struct Line<'p> {
    name: &'p str,
    labels: Vec<(&'p str, &'p str)>,
    value: f64,
}

impl<'p> Line<'p> {
    /// Reads a line; `None` where it is none, which none of ours is.
    fn read(line: &'p str) -> Option<Self> {
        let (named, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let Some((name, labels)) = named.split_once('{') else {
            return Some(Self { name: named, labels: Vec::new(), value });
        };
        let labels = labels.strip_suffix('}')?.split("\",");
        let labels = labels.filter_map(|label| {
            let (key, value) = label.split_once("=\"")?;
            Some((key, value.trim_end_matches('"')))
        });
        Some(Self { name, labels: labels.collect(), value })
    }
}

/// Reads the page: each family begins with a line that says of what kind it is.
fn metrics(page: &str, began: u64, now: u64) -> Vec<Metric> {
    let mut found = Vec::new();
    for family in page.split("\n\n") {
        let said =
            |what: &str| family.lines().find_map(|line| line.strip_prefix(what)?.split_once(' '));
        let Some((name, kind)) = said("# TYPE ") else { continue };
        let description = said("# HELP ").map(|(_, text)| text.to_owned()).unwrap_or_default();
        let lines = family.lines().filter(|line| !line.starts_with('#')).filter_map(Line::read);
        let data = match kind {
            "counter" => Data::Sum(Sum {
                data_points: points(lines, began, now),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            "gauge" => Data::Gauge(Gauge { data_points: points(lines, 0, now) }),
            "histogram" => Data::Histogram(Histogram {
                data_points: buckets(lines, began, now),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
            _ => continue,
        };
        let name = name.to_owned();
        found.push(Metric { name, description, data: Some(data), ..Metric::default() });
    }
    found
}

fn points<'p>(
    lines: impl Iterator<Item = Line<'p>>,
    start_time_unix_nano: u64,
    time_unix_nano: u64,
) -> Vec<NumberDataPoint> {
    let point = |line: Line<'_>| NumberDataPoint {
        attributes: line.labels.iter().map(|(key, value)| attribute(key, value)).collect(),
        start_time_unix_nano,
        time_unix_nano,
        value: Some(Number::AsDouble(line.value)),
        ..NumberDataPoint::default()
    };
    lines.map(point).collect()
}

/// Makes of the lines of a histogram a point for each set of labels: the page counts up to each bound, OTLP between two.
fn buckets<'p>(
    lines: impl Iterator<Item = Line<'p>>,
    start_time_unix_nano: u64,
    time_unix_nano: u64,
) -> Vec<HistogramDataPoint> {
    let mut found: BTreeMap<Vec<(&str, &str)>, HistogramDataPoint> = BTreeMap::new();
    for Line { name, mut labels, value } in lines {
        let bound = labels.iter().find(|(key, _)| *key == "le").map(|(_, bound)| *bound);
        labels.retain(|(key, _)| *key != "le");
        let point = found.entry(labels).or_default();
        if name.ends_with("_sum") {
            point.sum = Some(value);
        } else if name.ends_with("_count") {
            point.count = whole(value);
        } else if let Some(bound) = bound {
            let before: u64 = point.bucket_counts.iter().sum();
            point.bucket_counts.push(whole(value).saturating_sub(before));
            // Behind the last bound is the last bucket.
            point
                .explicit_bounds
                .extend(bound.parse().ok().filter(|bound: &f64| bound.is_finite()));
        }
    }
    let point = |(labels, point): (Vec<(&str, &str)>, HistogramDataPoint)| HistogramDataPoint {
        attributes: labels.iter().map(|(key, value)| attribute(key, value)).collect(),
        start_time_unix_nano,
        time_unix_nano,
        ..point
    };
    found.into_iter().map(point).collect()
}

/// Counts are whole numbers, below what a double holds of them.
fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().unwrap_or_default()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a_total Things.\n# TYPE a_total counter\na_total{method=\"/x.Y/Z\",code=\"OK\"} 3\n\n\
        # TYPE b gauge\nb 1.5\n\n# HELP c_seconds Times.\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.1\"} 2\n\
        c_seconds_bucket{le=\"1\"} 5\nc_seconds_bucket{le=\"+Inf\"} 6\nc_seconds_sum 4.5\nc_seconds_count 6\n\n";

    #[test]
    fn the_page_is_read_to_the_last_line() {
        let found = metrics(PAGE, 1, 2);
        let [a, b, c] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((a.name.as_str(), a.description.as_str()), ("a_total", "Things."));
        let Some(Data::Sum(sum)) = &a.data else { panic!("{a:?}") };
        let labels = [attribute("method", "/x.Y/Z"), attribute("code", "OK")];
        assert_eq!(sum.data_points[0].attributes, labels);
        assert_eq!(sum.data_points[0].value, Some(Number::AsDouble(3.0)));
        assert!(sum.is_monotonic);
        assert_eq!((b.name.as_str(), b.description.as_str()), ("b", ""));
        let Some(Data::Gauge(gauge)) = &b.data else { panic!("{b:?}") };
        assert_eq!(gauge.data_points[0].value, Some(Number::AsDouble(1.5)));
        let Some(Data::Histogram(times)) = &c.data else { panic!("{c:?}") };
        let point = &times.data_points[0];
        assert_eq!((point.count, point.sum), (6, Some(4.5)));
        assert_eq!(point.bucket_counts, [2, 3, 1]);
        assert_eq!(point.explicit_bounds, [0.1, 1.0]);
    }

    #[test]
    fn every_figure_of_ours_is_read() {
        let page = super::super::figures().render();
        let kinds = page.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(metrics(&page, 1, 2).len(), kinds);
    }
}
