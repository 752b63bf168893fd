//! The command line: our own words, and as much of the test runners' protocol as they need.

use std::str::FromStr;

/// What is wanted.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// A runner asks which tests there are.
    List,
    /// Every name contains one of these; without one, all.
    Run(Vec<String>, Options),
    /// Nothing: a runner asks for tests that are left out, and none is.
    Nothing,
}

/// How it is run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// So many seeds instead of the short budget.
    pub(crate) seeds: Option<u64>,
    /// Only this one.
    pub(crate) seed: Option<u64>,
    /// Print each step.
    pub(crate) trace: bool,
}

/// Understands `[NAME…] [--seeds N] [--seed S] [--trace]`.
///
/// # Errors
/// An option without its number.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let (mut names, mut options, mut list) = (vec![], Options::default(), false);
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => list = true,
            "--ignored" => return Ok(Wanted::Nothing),
            "--seeds" => options.seeds = Some(number(&arg, args.next().as_deref())?),
            "--seed" => options.seed = Some(number(&arg, args.next().as_deref())?),
            "--trace" => options.trace = true,
            // values of the runners' own options
            "--format" | "--test-threads" | "--color" | "--skip" => drop(args.next()),
            other if other.starts_with('-') => {}
            name => names.push(name.to_owned()),
        }
    }
    Ok(if list { Wanted::List } else { Wanted::Run(names, options) })
}

fn number<T: FromStr>(option: &str, value: Option<&str>) -> Result<T, String> {
    let number = value.and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("{option} needs a number"))
}
