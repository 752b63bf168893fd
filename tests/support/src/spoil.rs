//! Inputs that were spoilt on the way: what a parser must refuse, or read, and survive.

use crate::random::Random;

/// Words that parsers stumble over.
const WORDS: &[&[u8]] = &[
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x10",
    b"\x00",
    b"\xff",
    b"\xc3\x28",
    b"{",
    b"[",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"-0",
    b"1e999",
    b"99999999999999999999999",
    b"true",
    b"}",
    b",",
    b": ",
    b"- ",
    b"&a [*a, *a]",
    b"\n",
    b"${ . }",
];

/// The input with one to four mistakes: bits flipped, pieces lost, doubled, or put in.
#[must_use]
pub fn spoil(random: &mut Random, input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(3) {
        let from = random.index(bytes.len() + 1).min(bytes.len());
        let to = (from + random.index(24)).min(bytes.len());
        match random.below(5) {
            0 if from < bytes.len() => bytes[from] ^= 1 << random.below(8),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(from..from, piece);
            }
            3 => bytes.truncate(from),
            _ => {
                let word = *random.pick(WORDS);
                bytes.splice(from..to, word.iter().copied());
            }
        }
    }
    bytes
}

/// The seed of a fuzzing test, and how many inputs it tries: `PLACET_SEED` and `PLACET_INPUTS` ask for
/// others.
#[must_use]
pub fn budget(inputs: u64) -> (u64, u64) {
    let asked = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse().ok());
    let seed = asked("PLACET_SEED").unwrap_or(1);
    let inputs = asked("PLACET_INPUTS").unwrap_or(inputs);
    println!("PLACET_SEED={seed} PLACET_INPUTS={inputs}");
    (seed, inputs)
}
