//! The codes of the language and how much each weighs. Titles and pages are in
//! [`placet_model::code`], the one home of every code; a test holds the two together.

use crate::diagnostic::{Code, Severity};

macro_rules! codes {
    ($($name:ident = $id:literal, $severity:ident;)*) => {
        $(#[doc = concat!("`", $id, "`.")]
        pub const $name: Code = Code { id: $id, severity: Severity::$severity };)*

        /// All codes of the language, in order of their numbers.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    YAML = "PL2001", Error;
    YAML_FORM = "PL2002", Error;
    SHAPE = "PL2003", Error;
    DSL_VERSION = "PL2004", Error;
    OUTSIDE = "PL2101", Error;
    UNKNOWN_CALL = "PL2102", Error;
    UNKNOWN_TARGET = "PL2103", Error;
    DUPLICATE_TASK = "PL2104", Error;
    UNKNOWN_USE = "PL2105", Error;
    EVALUATE = "PL2106", Error;
    APPROVAL = "PL2107", Error;
    WITH = "PL2108", Error;
    CROSS_FIELD = "PL2109", Error;
    INTEGRATION = "PL2110", Error;
    EXPRESSION = "PL2201", Error;
    INTERPOLATION = "PL2202", Error;
    VARIABLE = "PL2203", Error;
    QUOTING = "PL2204", Warning;
    LOOKS_LIKE_EXPRESSION = "PL2205", Warning;
    TEMPLATE_HABIT = "PL2206", Warning;
    DURATION = "PL2301", Error;
    TIMEOUT_NAME = "PL2302", Error;
    EXPORT_DROPS = "PL2303", Warning;
    RETRY = "PL2304", Warning;
    TIMEOUT_STATUS = "PL2305", Warning;
    FORK_EXPORT = "PL2306", Warning;
    EVENT_READ = "PL2307", Warning;
    LITERAL_SECRET = "PL2308", Warning;
    UNUSED = "PL2309", Hint;
    BOOLEAN_KEY = "PL2310", Warning;
    POLICY = "PL2401", Error;
    TRIGGER = "PL2416", Warning;
    OUTPUT = "PL3080", Error;
    EXAMPLE = "PL3082", Warning;
    CHANNEL = "PL2415", Error;
    PROJECT = "PL1007", Error;
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_code_has_its_page_in_the_one_table() {
        for code in ALL {
            assert!(placet_model::code::find(code.id).is_some(), "{}", code.id);
        }
    }
}
