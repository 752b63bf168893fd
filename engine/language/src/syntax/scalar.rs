//! Plain scalars by the YAML 1.2 core schema (<https://yaml.org/spec/1.2.2/#103-core-schema>):
//! `on`, `off`, `yes`, `no` and timestamps are strings.

use serde_json::Number;

use super::{Content, Style};

/// What a plain scalar means; `Err` says why its number cannot be held.
pub(crate) fn resolve_plain(text: &str) -> Result<Content, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Content::Null),
        "true" | "True" | "TRUE" => return Ok(Content::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Content::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("numbers must be finite");
    }
    if let Some(integer) = integer(text) {
        return integer.map(Content::Number);
    }
    if is_float(unsigned) {
        let number = text.parse().ok().and_then(Number::from_f64);
        return number.map(Content::Number).ok_or("the number is too large");
    }
    Ok(Content::Text { text: text.to_owned(), style: Style::Plain })
}

/// `[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`; `None` when the text has none of these forms.
fn integer(text: &str) -> Option<Result<Number, &'static str>> {
    let radix = |digits: &str, radix: u32| {
        let digits_only = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        digits_only.then(|| u64::from_str_radix(digits, radix).map(Number::from))
    };
    let parsed = if let Some(digits) = text.strip_prefix("0o") {
        radix(digits, 8)?
    } else if let Some(digits) = text.strip_prefix("0x") {
        radix(digits, 16)?
    } else if let Some(digits) = text.strip_prefix('-') {
        let digits_only = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits_only.then(|| text.parse::<i64>().map(Number::from))?
    } else {
        radix(text.strip_prefix('+').unwrap_or(text), 10)?
    };
    Some(parsed.or(Err("the integer does not fit 64 bits")))
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, sign already gone.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let some_digits = |part: &str| !part.is_empty() && digits(part);
    let exponent_fits =
        exponent.is_none_or(|exponent| some_digits(exponent.trim_start_matches(['-', '+'])));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => some_digits(fraction),
        Some((whole, fraction)) => some_digits(whole) && digits(fraction),
        None => some_digits(mantissa),
    };
    exponent_fits && mantissa_fits
}
