//! The word that opens the way out: without it there is no live transport.

use placet_model::draft::Mode;

/// That something is live. It is had for [`Mode::Live`] alone, and [`Egress`](crate::Egress) is made of
/// nothing less: where the mode is the sandbox, a way out cannot be put together.
#[derive(Debug)]
pub struct Live(());

impl Live {
    /// The witness of a mode that is live; none of the sandbox.
    pub const fn of(mode: Mode) -> Option<Self> {
        match mode {
            Mode::Live => Some(Self(())),
            Mode::Sandbox => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_has_no_witness_for_a_way_out() {
        assert!(Live::of(Mode::Sandbox).is_none() && Live::of(Mode::Live).is_some());
    }
}
