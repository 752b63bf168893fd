//! The Prometheus text format, version 0.0.4: all samples of a metric in one place, below its words.

use super::names::{Kind, Metric};
use placet_model::measure::Times;
use std::fmt::Write as _;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A metric and its samples, each with the values of its labels.
    pub(super) fn put<'l>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = (Vec<&'l str>, f64)>,
    ) {
        debug_assert!(metric.kind != Kind::Histogram, "{} has a spread", metric.name);
        self.head(metric);
        for (values, sample) in samples {
            debug_assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
            let labels = metric.labels.iter().map(|(label, _)| *label).zip(values);
            self.line(metric.name, labels, sample);
        }
    }

    /// A metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, sample: f64) {
        self.put(metric, [(vec![], sample)]);
    }

    /// A metric that is a spread.
    pub(super) fn spread(&mut self, metric: &Metric, times: &Times) {
        debug_assert!(metric.kind == Kind::Histogram, "{} has no spread", metric.name);
        self.head(metric);
        let bucket = format!("{}_bucket", metric.name);
        for (bound, count) in &times.within {
            let bound = bound.as_secs_f64().to_string();
            self.line(&bucket, [("le", bound.as_str())], float(*count));
        }
        self.line(&bucket, [("le", "+Inf")], float(times.count));
        self.line(&format!("{}_sum", metric.name), [], times.sum.as_secs_f64());
        self.line(&format!("{}_count", metric.name), [], float(times.count));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn head(&mut self, metric: &Metric) {
        let (name, kind) = (metric.name, metric.kind.word());
        self.add(format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help));
    }

    fn line<'l>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        sample: f64,
    ) {
        self.0.push_str(name);
        let mut opening = '{';
        for (label, value) in labels {
            self.add(format_args!("{opening}{label}=\"{}\"", escape(value)));
            opening = ',';
        }
        self.0.push_str(if opening == ',' { "} " } else { " " });
        self.add(format_args!("{sample}\n"));
    }

    fn add(&mut self, piece: std::fmt::Arguments<'_>) {
        self.0.write_fmt(piece).expect("a String takes all text");
    }
}

/// Counts beyond 2^53 lose their last digits, as everything does that Prometheus keeps.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use placet_model::measure::{SHORT, Spread};
    use std::time::Duration;

    #[test]
    fn values_of_labels_are_quoted_and_spreads_are_cumulative() {
        let mut page = Page::default();
        page.put(&names::SENDS, [(vec!["a\"b\\c\n", "live"], 3.0)]);
        let spread = Spread::new(&SHORT);
        spread.note(Duration::from_micros(200));
        spread.note(Duration::from_mins(1));
        page.spread(&names::LOG_COMMIT, &spread.read());
        let text = page.into_text();
        assert!(
            text.contains("placet_sends_total{provider=\"a\\\"b\\\\c\\n\",mode=\"live\"} 3\n"),
            "{text}"
        );
        for line in [
            "placet_log_commit_seconds_bucket{le=\"0.0001\"} 0\n",
            "placet_log_commit_seconds_bucket{le=\"0.00025\"} 1\n",
            "placet_log_commit_seconds_bucket{le=\"10\"} 1\n",
            "placet_log_commit_seconds_bucket{le=\"+Inf\"} 2\n",
            "placet_log_commit_seconds_sum 60.0002\n",
            "placet_log_commit_seconds_count 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
