//! The clock that nobody can set: how long the machine has been running, sleep included.
//!
//! Whoever sets the wall clock does not move it, and it goes on over the end of a process. It is no
//! witness over the start of a machine: what is older than that has no known age. Readings carry the
//! boot to which they belong, and the time namespace, in which a container may see another clock.

use placet_model::Uptime;
use std::time::{Duration, Instant};

/// The reading of this moment; none on a system that has no such clock, or does not tell its boots
/// apart.
#[cfg(target_os = "linux")]
pub(crate) fn read() -> Option<Uptime> {
    use rustix::time::{ClockId, clock_gettime};

    let since = clock_gettime(ClockId::Boottime);
    let (secs, nanos) = (u64::try_from(since.tv_sec).ok()?, u64::try_from(since.tv_nsec).ok()?);
    Some(Uptime { boot: (*boot::THIS)?, millis: secs * 1000 + nanos / 1_000_000 })
}

/// See above.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read() -> Option<Uptime> {
    None
}

#[cfg(target_os = "linux")]
mod boot {
    use placet_model::Digest;
    use std::sync::LazyLock;

    /// A number for the boot and the time namespace of this process.
    pub(super) static THIS: LazyLock<Option<u64>> = LazyLock::new(|| {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        // a kernel without time namespaces has one clock for all
        let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
        let digest = Digest::of_parts(&[&boot, namespace.as_os_str().as_encoded_bytes()]);
        let (number, _) = digest.as_bytes().split_first_chunk()?;
        Some(u64::from_be_bytes(*number))
    });
}

/// Measures a short while within this process. A process that was stopped and a machine that slept
/// have spent the time all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    process: Instant,
    machine: Option<Uptime>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { process: Instant::now(), machine: read() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let machine = read().zip(self.machine).and_then(|(now, then)| now.millis_since(then));
        self.process.elapsed().max(Duration::from_millis(machine.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn two_readings_are_of_one_boot_and_in_order() {
        let (first, second) = (read().unwrap(), read().unwrap());
        assert!(second.millis_since(first).is_some(), "{first:?} {second:?}");
    }

    #[test]
    fn a_stopwatch_counts_what_either_clock_has_spent() {
        let now = Stopwatch::start();
        let slept = now.machine.map(|machine| Uptime { millis: machine.millis - 1000, ..machine });
        let woken = Stopwatch { machine: slept, ..now };
        assert_eq!(woken.elapsed() >= Duration::from_secs(1), slept.is_some());
        let other_boot = now.machine.map(|machine| Uptime { boot: !machine.boot, ..machine });
        let other = Stopwatch { machine: other_boot.or(now.machine), ..now };
        assert!(other.elapsed() < woken.elapsed() || slept.is_none());
    }
}
