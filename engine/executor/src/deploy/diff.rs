//! What changes from one text to another, as a unified diff.

use std::fmt::Write as _;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Cells of the table of common lines; beyond it the middle is shown as replaced whole.
const CELLS_MAX: usize = 4 << 20;

/// A line and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Kept(&'t str),
    Removed(&'t str),
    Added(&'t str),
}

/// The unified diff of two texts; empty when they are the same, lines with all others.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let lines = lines(before, after);
    let mut text = format!("--- {name} (in force)\n+++ {name} (proposed)\n");
    let is_change = |line: &Line<'_>| !matches!(line, Line::Kept(_));
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| is_change(line)).map(|(at, _)| at).collect();
    let mut rest = &changed[..];
    while let Some(first) = rest.first() {
        let near = rest.windows(2).take_while(|pair| pair[1] - pair[0] <= 2 * CONTEXT).count();
        let start = first.saturating_sub(CONTEXT);
        let end = (rest[near] + CONTEXT + 1).min(lines.len());
        hunk(&mut text, &lines, start..end);
        rest = &rest[near + 1..];
    }
    text
}

fn hunk(text: &mut String, lines: &[Line<'_>], range: std::ops::Range<usize>) {
    let old = |lines: &[Line<'_>]| lines.iter().filter(|l| !matches!(l, Line::Added(_))).count();
    let new = |lines: &[Line<'_>]| lines.iter().filter(|l| !matches!(l, Line::Removed(_))).count();
    let (before, within) = (&lines[..range.start], &lines[range]);
    let span = |start: usize, count: usize| {
        // a side without lines is named by the line before it
        let start = if count == 0 { start } else { start + 1 };
        format!("{start},{count}")
    };
    let (left, right) = (span(old(before), old(within)), span(new(before), new(within)));
    let mut add = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("a String takes all text");
        text.push('\n');
    };
    add(format_args!("@@ -{left} +{right} @@"));
    for line in within {
        match line {
            Line::Kept(line) => add(format_args!(" {line}")),
            Line::Removed(line) => add(format_args!("-{line}")),
            Line::Added(line) => add(format_args!("+{line}")),
        }
    }
}

/// Every line of both texts, in order.
fn lines<'t>(before: &'t str, after: &'t str) -> Vec<Line<'t>> {
    let old: Vec<&str> = before.lines().collect();
    let new: Vec<&str> = after.lines().collect();
    let head = old.iter().zip(&new).take_while(|(left, right)| left == right).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(l, r)| l == r).count();
    let old_middle = &old_rest[..old_rest.len() - tail];
    let new_middle = &new_rest[..new_rest.len() - tail];
    let mut lines: Vec<Line<'t>> = old[..head].iter().map(|line| Line::Kept(line)).collect();
    lines.extend(middle(old_middle, new_middle));
    lines.extend(old_rest[old_middle.len()..].iter().map(|line| Line::Kept(line)));
    lines
}

/// By the longest common subsequence; removals before additions.
fn middle<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let removed = |lines: &[&'t str]| lines.iter().map(|l| Line::Removed(l)).collect::<Vec<_>>();
    let added = |lines: &[&'t str]| lines.iter().map(|l| Line::Added(l)).collect::<Vec<_>>();
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS_MAX {
        return [removed(old), added(new)].concat();
    }
    // common[i * width + j]: how many lines old[i..] and new[j..] have in common
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = vec![];
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            lines.push(Line::Kept(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
            lines.push(Line::Removed(old[i]));
            i += 1;
        } else {
            lines.push(Line::Added(new[j]));
            j += 1;
        }
    }
    [lines, removed(&old[i..]), added(&new[j..])].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expected: &str) {
        let head = "--- x (in force)\n+++ x (proposed)\n";
        let expected =
            if expected.is_empty() { String::new() } else { format!("{head}{expected}") };
        assert_eq!(unified("x", before, after), expected);
    }

    #[test]
    fn a_changed_line_stands_among_three_lines_around_it() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
        );
    }

    #[test]
    fn changes_that_are_far_apart_are_shown_apart() {
        let lines = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(20));
        let text = unified("x", &lines("a", "b"), &lines("A", "B"));
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
        check("a\nb\nc\nd\n", "A\nb\nc\nD\n", "@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n-d\n+D\n");
    }

    #[test]
    fn nothing_to_something_and_back_names_the_side_without_lines() {
        check("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n");
        check("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n");
        check("a\n", "a\n", "");
    }

    #[test]
    fn both_sides_are_had_back_from_what_is_kept_removed_and_added() {
        let texts = ["", "a", "a\nb", "b\na", "a\nb\nc\na", "c\na\nb\nb", "x\ny\nz", "a\nx\nb\ny"];
        for before in texts {
            for after in texts {
                let lines = lines(before, after);
                let side = |is_mine: fn(&Line<'_>) -> bool| {
                    let mine = lines.iter().filter(|line| is_mine(line)).map(|line| match line {
                        Line::Kept(text) | Line::Removed(text) | Line::Added(text) => *text,
                    });
                    mine.collect::<Vec<_>>().join("\n")
                };
                assert_eq!(side(|line| !matches!(line, Line::Added(_))), before);
                assert_eq!(side(|line| !matches!(line, Line::Removed(_))), after);
            }
        }
    }
}
