//! Expected against actual, line by line: a unified diff of pretty JSON.

use serde_json::Value;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;
/// Beyond this many pairs of lines no common lines are looked for.
const PAIRS_MAX: usize = 4_000_000;

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Where a part begins: `@@ -1,4 +1,4 @@`.
    Head(String),
    /// In both.
    Same(String),
    /// Expected and not there.
    Missing(String),
    /// There and not expected.
    Extra(String),
}

impl Line {
    /// The line without colours.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Head(text) => text.clone(),
            Self::Same(text) => format!(" {text}"),
            Self::Missing(text) => format!("-{text}"),
            Self::Extra(text) => format!("+{text}"),
        }
    }
}

/// The diff of two values; empty when they print alike. A value that is not there prints as
/// nothing.
pub(crate) fn of(expected: Option<&Value>, actual: Option<&Value>) -> Vec<Line> {
    let (expected, actual) = (lines(expected), lines(actual));
    hunks(&edits(&expected, &actual))
}

/// The diff as text, with the two lines that say what is what.
pub(crate) fn text(diff: &[Line]) -> String {
    let lines = diff.iter().map(Line::text);
    ["--- expected".to_owned(), "+++ actual".to_owned()]
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn lines(value: Option<&Value>) -> Vec<String> {
    let Some(value) = value else { return vec![] };
    let pretty = serde_json::to_string_pretty(value).unwrap_or_else(|_never| value.to_string());
    // a text of several lines is shown as such, or nobody finds the word that differs
    pretty.lines().map(str::to_owned).collect()
}

/// Every line of both, in order: those in common are as many as can be.
fn edits(expected: &[String], actual: &[String]) -> Vec<Line> {
    let head = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
    let (expected_rest, actual_rest) = (&expected[head..], &actual[head..]);
    let tail = expected_rest.iter().rev().zip(actual_rest.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let (left, end) = expected_rest.split_at(expected_rest.len() - tail);
    let right = &actual_rest[..actual_rest.len() - tail];
    let same = |line: &String| Line::Same(line.clone());
    let mut all: Vec<Line> = expected[..head].iter().map(same).collect();
    all.extend(middle(left, right));
    all.extend(end.iter().map(same));
    all
}

/// The longest common subsequence, by the table of its lengths.
fn middle(left: &[String], right: &[String]) -> Vec<Line> {
    let all = || {
        let missing = left.iter().cloned().map(Line::Missing);
        missing.chain(right.iter().cloned().map(Line::Extra)).collect()
    };
    if left.len().saturating_mul(right.len()) > PAIRS_MAX {
        return all();
    }
    let width = right.len() + 1;
    let mut lengths = vec![0_u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            lengths[i * width + j] = if left[i] == right[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, vec![]);
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            lines.push(Line::Same(left[i].clone()));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            lines.push(Line::Missing(left[i].clone()));
            i += 1;
        } else {
            lines.push(Line::Extra(right[j].clone()));
            j += 1;
        }
    }
    lines.extend(left[i..].iter().cloned().map(Line::Missing));
    lines.extend(right[j..].iter().cloned().map(Line::Extra));
    lines
}

/// What changed, with a few lines around it.
fn hunks(all: &[Line]) -> Vec<Line> {
    let changed: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let mut shown = vec![];
    let mut rest = changed.as_slice();
    while let Some(first) = rest.first() {
        let together =
            rest.windows(2).take_while(|pair| pair[1] - pair[0] <= 2 * CONTEXT).count() + 1;
        let from = first.saturating_sub(CONTEXT);
        let to = (rest[together - 1] + CONTEXT + 1).min(all.len());
        shown.push(head(all, from, to));
        shown.extend(all[from..to].iter().cloned());
        rest = &rest[together..];
    }
    shown
}

fn head(all: &[Line], from: usize, to: usize) -> Line {
    let count =
        |lines: &[Line], other: fn(&Line) -> bool| lines.iter().filter(|line| !other(line)).count();
    let extra: fn(&Line) -> bool = |line| matches!(line, Line::Extra(_));
    let missing: fn(&Line) -> bool = |line| matches!(line, Line::Missing(_));
    let range = |other| {
        let length = count(&all[from..to], other);
        let start = count(&all[..from], other) + usize::from(length > 0);
        format!("{start},{length}")
    };
    Line::Head(format!("@@ -{} +{} @@", range(extra), range(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain(expected: &Value, actual: &Value) -> Vec<String> {
        of(Some(expected), Some(actual)).iter().map(Line::text).collect()
    }

    #[test]
    fn equal_values_have_no_diff() {
        assert_eq!(plain(&json!({"a": [1, 2]}), &json!({"a": [1, 2]})), Vec::<String>::new());
    }

    #[test]
    fn a_changed_line_stands_between_the_lines_around_it() {
        let expected = json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6});
        let actual = json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 50, "f": 6});
        assert_eq!(
            plain(&expected, &actual),
            [
                "@@ -3,6 +3,6 @@",
                "   \"b\": 2,",
                "   \"c\": 3,",
                "   \"d\": 4,",
                "-  \"e\": 5,",
                "+  \"e\": 50,",
                "   \"f\": 6",
                " }"
            ]
        );
    }

    #[test]
    fn changes_far_apart_are_parts_of_their_own() {
        let list = |changed: [i32; 2]| {
            let mut numbers: Vec<i32> = (0..20).collect();
            (numbers[1], numbers[18]) = (changed[0], changed[1]);
            json!(numbers)
        };
        let diff = plain(&list([100, 101]), &list([200, 201]));
        let heads: Vec<&String> = diff.iter().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(heads, ["@@ -1,6 +1,6 @@", "@@ -17,6 +17,6 @@"]);
    }

    #[test]
    fn a_line_that_is_only_in_one_shifts_nothing_else() {
        let diff = plain(&json!(["a", "b", "c"]), &json!(["a", "c"]));
        assert_eq!(diff, ["@@ -1,5 +1,4 @@", " [", "   \"a\",", "-  \"b\",", "   \"c\"", " ]"]);
    }

    #[test]
    fn what_is_not_there_prints_as_nothing() {
        let diff: Vec<String> = of(Some(&json!(1)), None).iter().map(Line::text).collect();
        assert_eq!(diff, ["@@ -1,1 +0,0 @@", "-1"]);
    }

    #[test]
    fn the_lines_of_each_side_can_be_told_from_any_diff() {
        // exhaustive over short lists of three letters
        let words = |n: usize, len: u32| -> Vec<String> {
            (0..len).map(|at| ["a", "b", "c"][n / 3_usize.pow(at) % 3].to_owned()).collect()
        };
        for (left, right) in (0..81).flat_map(|n| (0..27).map(move |m| (n, m))) {
            let (left, right) = (words(left, 4), words(right, 3));
            let all = edits(&left, &right);
            let side = |other: fn(&Line) -> bool| -> Vec<String> {
                let mine = all.iter().filter(|line| !other(line));
                mine.map(|line| line.text()[1..].to_owned()).collect()
            };
            assert_eq!(side(|line| matches!(line, Line::Extra(_))), left);
            assert_eq!(side(|line| matches!(line, Line::Missing(_))), right);
        }
    }
}
