//! Is told how long phases get on, and asked whether to stop.

/// Is told how a long phase gets on. One phase at a time.
pub trait Monitor: Sync {
    /// A phase of `total` units begins; 0 where nobody can know how many there will be.
    fn begin(&self, phase: &str, unit: &str, total: u64);
    /// `units` further units are done.
    fn advance(&self, units: u64);
    /// The phase has ended.
    fn end(&self);
    /// Whether to stop: asked every so often. What is under way is then left unfinished.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Says nothing.
pub struct Silent;

impl Monitor for Silent {
    fn begin(&self, _: &str, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// Tells the monitor of a phase from its beginning to its end, whatever comes of it.
pub(crate) fn phase<T>(
    monitor: &dyn Monitor,
    (name, unit, total): (&str, &str, usize),
    action: impl FnOnce() -> T,
) -> T {
    monitor.begin(name, unit, total as u64);
    let result = action();
    monitor.end();
    result
}
