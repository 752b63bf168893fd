//! What an expression may call: jaq's library without everything that touches the world, the clock
//! or an unbounded loop.
//!
//! Two fences stand here. Native functions that reach outside are left out of the function list, so
//! that nothing can name them, not even the library's own definitions. And [`allowed`] is the list
//! of names that an author may write: the library needs some of the refused ones itself.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jaq_core::load::parse::Def;
use jaq_core::native::Fun;

use super::value::Value;
use super::{REGEX_BYTES_MAX, natives};

/// What filters run on: values and nothing else.
pub(crate) type Data = jaq_core::data::JustLut<Value>;

/// Functions that are taken away altogether, with the definitions that are built on them: they end
/// the process, show the environment, read input, write output, or read the clock or local zone.
const TAKEN_AWAY: &[&str] = &[
    "halt",
    "halt_error",
    "env",
    "input",
    "inputs",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "input_line_number",
    "input_filename",
    "now",
    "localtime",
    "strflocaltime",
    "mktimelocal",
    "get_search_list",
];

/// Names an author may not write: loops that no data bounds.
const UNBOUNDED: &[(&str, Option<usize>)] = &[
    ("repeat", None),
    ("until", None),
    ("while", None),
    ("range", None),
    ("limit", None),
    ("combinations", None),
    ("recurse", Some(1)),
    ("recurse", Some(2)),
];

/// Helpers of jaq's library that are no jq functions: an author's file must not rest on them.
const INTERNAL: &[&str] = &[
    "!empty",
    "error_empty",
    "path_value",
    "key_values",
    "min_by_or_empty",
    "max_by_or_empty",
    "escape_sh",
    "escape_html",
    "unescape_html",
    "encode_uri",
    "decode_uri",
    "encode_base64",
    "decode_base64",
    "matches",
    "split_matches",
    "split_",
    "scan_",
    "capture_of_match",
    "totype",
];

/// Natives that are reached only through the definitions of [`fence`], under another name.
const FENCED: &[(&str, &str)] = &[
    ("matches", "unfenced_matches"),
    ("split_matches", "unfenced_split_matches"),
    ("split_", "unfenced_split_"),
    ("strftime", "unfenced_strftime"),
    ("gmtime", "unfenced_gmtime"),
    ("mktime", "unfenced_mktime"),
];

/// Stands between the core definitions and jaq-std, which builds all of `test`, `match`, `sub` …
/// on the first three. The functions of time overflow on numbers and months far outside.
fn fence() -> String {
    let regex = ["matches", "split_matches", "split_"].map(|name| {
        format!(
            "def {name}($re; $flags): if ($re | utf8bytelength) > {REGEX_BYTES_MAX} then \
             error(\"a regular expression may have at most {REGEX_BYTES_MAX} bytes\") else \
             unfenced_{name}($re; $flags) end;"
        )
    });
    let number = "(. > true and . < \"\" and (. > 253402300799 or . < -62135596800))";
    let broken_down = "(. >= [] and . < {} and (.[1] > 11 or .[1] < 0))";
    let out_of_time = format!("def unfenced_out_of_time: {number} or {broken_down};");
    let time = ["strftime($format)", "gmtime", "mktime"].map(|name| {
        format!(
            "def {name}: if unfenced_out_of_time then error(\"not a time from the year 1 to 9999\") \
             else unfenced_{name} end;"
        )
    });
    format!("{} {out_of_time} {}", regex.join(" "), time.join(" "))
}

/// The definitions of the library, parsed once.
pub(crate) fn definitions() -> &'static [Def<&'static str>] {
    static DEFINITIONS: OnceLock<Vec<Def<&'static str>>> = OnceLock::new();
    static FENCE: OnceLock<String> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let fences = FENCE.get_or_init(fence);
        let fences = jaq_core::load::parse(fences, |parser| parser.defs()).unwrap_or_default();
        jaq_core::defs()
            .chain(fences)
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|def| !TAKEN_AWAY.contains(&def.name))
            .collect()
    })
}

/// The native functions of the library.
pub(crate) fn functions() -> impl Iterator<Item = Fun<Data>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(natives::functions())
        .filter(|(name, _, _)| !TAKEN_AWAY.contains(name))
        .map(|(name, arity, function)| {
            let fenced = FENCED.iter().find(|(known, _)| *known == name);
            let name = fenced.map_or(name, |(_, other)| *other);
            (name, arity, function)
        })
}

/// Names with their number of arguments that an author may write.
pub(crate) fn allowed() -> &'static BTreeSet<(&'static str, usize)> {
    static ALLOWED: OnceLock<BTreeSet<(&'static str, usize)>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let defined = definitions().iter().map(|def| (def.name, def.args.len()));
        let native = functions().map(|(name, arguments, _)| (name, arguments.len()));
        defined
            .chain(native)
            .filter(|(name, arity)| why_refused(name, *arity).is_none())
            .filter(|(name, _)| !INTERNAL.contains(name) && !name.starts_with("unfenced_"))
            .collect()
    })
}

/// The reason why a jq function of this name is fenced off, as a help line.
pub(crate) fn why_refused(name: &str, arity: usize) -> Option<&'static str> {
    let unbounded =
        UNBOUNDED.iter().any(|(refused, of)| *refused == name && of.is_none_or(|of| of == arity));
    match name {
        _ if unbounded => Some(
            "loops that no data bounds are refused; use map, select, first, reduce, a slice \
             .[0:n], or a `for` task",
        ),
        "now" | "localtime" | "strflocaltime" | "mktimelocal" => {
            Some("the clock would break replay; use $workflow.startedAt or $task.startedAt")
        }
        "env" => Some("the environment is not readable; use the input, or use.secrets"),
        "halt" | "halt_error" => Some("use a `raise` task"),
        "input" | "inputs" | "input_line_number" | "input_filename" => {
            Some("there is one input value: `.`")
        }
        "debug" | "stderr" => Some("expressions write nothing; look at the run's trace"),
        "import" | "include" | "get_search_list" | "modulemeta" => Some("there are no modules"),
        _ => None,
    }
}
