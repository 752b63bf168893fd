//! Figures of one measurement, and what the system says of this process.

use super::Failure;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Units of work with their latencies.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    millis: Vec<f64>,
    cpu_micros: f64,
    /// Bytes in blocks per unit; none where they are not of interest.
    pub(crate) bytes: Option<f64>,
}

impl Figures {
    pub(crate) fn new(mut millis: Vec<f64>, elapsed: Duration, cpu: f64) -> Result<Self, Failure> {
        if millis.is_empty() {
            return Err("nothing ended in the time given".into());
        }
        millis.sort_by(f64::total_cmp);
        let count = count(millis.len());
        let per_second = count / elapsed.as_secs_f64();
        Ok(Self { per_second, millis, cpu_micros: cpu * 1e6 / count, bytes: None })
    }

    pub(crate) fn millis(&self, per_mille: usize) -> f64 {
        self.millis[(self.millis.len() - 1) * per_mille / 1000]
    }

    pub(crate) fn print(&self, what: &str, ceiling: Option<&Self>) {
        let (p50, p99) = (self.millis(500), self.millis(990));
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!("  {bytes:>6.0} B"));
        let ratio = ceiling.map_or_else(String::new, |ceiling| {
            format!("  {:.2} of the ceiling", self.per_second / ceiling.per_second)
        });
        println!(
            "{what:<28} {:>7.0}/s  p50 {p50:>6.2} ms  p99 {p99:>6.2} ms  {:>5.0} us cpu{bytes}{ratio}",
            self.per_second, self.cpu_micros
        );
    }
}

pub(crate) fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// User and system time of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| -> Result<f64, Failure> {
        Ok(fields.get(place).ok_or("/proc/self/stat is short")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// Resident bytes of this process.
pub(crate) fn resident() -> Result<f64, Failure> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: f64 = pages.split(' ').nth(1).ok_or("/proc/self/statm is short")?.parse()?;
    Ok(resident * 4096.0)
}

/// Bytes of a file in blocks: redb's files are sparse.
pub(crate) fn blocks(file: &Path) -> Result<f64, Failure> {
    Ok(f64::from(u32::try_from(std::fs::metadata(file)?.blocks())?) * 512.0)
}
