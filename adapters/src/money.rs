//! What a call moves: an amount, as people write it. The bytes hold smallest units, and how many of
//! them are one is a property of the currency: a table, which a provider may differ from.
//!
//! Invariant: nothing is guessed. A currency that is not in the table is shown in smallest units,
//! and an amount that cannot be read is unknown to every rule.

use crate::pointer::Pointer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Currencies of ISO 4217 whose smallest unit is the currency itself.
const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Those of which a thousand smallest units are one.
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Those of which ten thousand are one.
const FOUR_DECIMALS: &str = "CLF UYW";
/// Those of which a hundred are one.
const TWO_DECIMALS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL \
    BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP \
    GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR \
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
    SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG";

/// Decimals of a currency, by its letters in capitals; `None` for one that is not known.
pub fn decimals(currency: &str) -> Option<u32> {
    let is_in = |list: &str| list.split_ascii_whitespace().any(|known| known == currency);
    [(NO_DECIMALS, 0), (TWO_DECIMALS, 2), (THREE_DECIMALS, 3), (FOUR_DECIMALS, 4)]
        .into_iter()
        .find_map(|(list, decimals)| is_in(list).then_some(decimals))
}

/// Which way it moves, as seen by the account that acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To us.
    In,
    /// Away from us.
    Out,
}

impl Direction {
    /// The manifest's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Where a call says what it moves.
#[derive(Debug, Clone)]
pub(crate) struct MoneySpec {
    /// Places of the input: the first that is present.
    pub(crate) amount: Vec<Pointer>,
    /// As `amount`; where there is none, only the provider knows.
    pub(crate) currency: Vec<Pointer>,
    pub(crate) direction: Direction,
    /// Where the provider counts otherwise than the table.
    pub(crate) decimals: BTreeMap<String, u32>,
}

/// What a call moves, as far as its input says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// In smallest units; `None` where the input does not say, or says no whole number.
    pub minor: Option<u64>,
    /// Three letters in capitals.
    pub currency: Option<String>,
    pub direction: Direction,
    decimals: Option<u32>,
}

impl MoneySpec {
    pub(crate) fn read(&self, input: &Value) -> Money {
        let first = |places: &[Pointer]| places.iter().find_map(|at| at.get(input)).cloned();
        let currency = first(&self.currency).and_then(|text| Some(text.as_str()?.to_uppercase()));
        let minor = first(&self.amount).and_then(|amount| amount.as_u64());
        self.money(minor, currency)
    }

    /// So many smallest units of a currency, by its letters in capitals.
    pub(crate) fn money(&self, minor: Option<u64>, currency: Option<String>) -> Money {
        let decimals = currency.as_deref().and_then(|currency| {
            self.decimals.get(currency).copied().or_else(|| decimals(currency))
        });
        Money { minor, currency, direction: self.direction, decimals }
    }
}

impl Money {
    /// Whether a rule can compare it.
    pub const fn is_known(&self) -> bool {
        self.minor.is_some() && self.decimals.is_some()
    }

    /// The amount as a decimal number; `None` where it, or how its currency is written, is not known.
    pub fn amount(&self) -> Option<String> {
        let decimals = usize::try_from(self.decimals?).ok()?;
        let digits = format!("{:0>width$}", self.minor?, width = decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - decimals);
        Some(if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") })
    }

    /// For rules and for cards: `{minor, currency, amount, direction, words}`.
    pub fn to_view(&self) -> Value {
        json!({
            "minor": self.minor,
            "currency": self.currency,
            "amount": self.amount(),
            "direction": self.direction.word(),
            "words": self.to_string(),
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.amount(), self.minor, &self.currency) {
            (Some(amount), _, Some(currency)) => write!(f, "{amount} {currency}"),
            (_, Some(minor), Some(currency)) => {
                write!(f, "{minor} smallest units of {currency}, a currency that is not known here")
            }
            (_, Some(minor), None) => {
                write!(f, "{minor} smallest units of a currency that only the provider knows")
            }
            (_, None, Some(currency)) => {
                write!(f, "an amount of {currency} that the call does not say")
            }
            (_, None, None) => f.write_str("an amount that the call does not say"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &Value) -> Money {
        let at = |text: &str| vec![Pointer::exact(text).unwrap()];
        let decimals = BTreeMap::from([("ISK".to_owned(), 2)]);
        let direction = Direction::Out;
        MoneySpec { amount: at("/amount"), currency: at("/currency"), direction, decimals }
            .read(input)
    }

    #[test]
    fn an_amount_is_written_as_its_currency_is() {
        for (minor, currency, words) in [
            (2500, "eur", "25.00 EUR"),
            (5, "USD", "0.05 USD"),
            (0, "USD", "0.00 USD"),
            (500, "jpy", "500 JPY"),
            (1_234, "kwd", "1.234 KWD"),
            (7, "BHD", "0.007 BHD"),
            (12_345, "clf", "1.2345 CLF"),
            (u64::MAX, "JPY", "18446744073709551615 JPY"),
        ] {
            let money = read(&json!({"amount": minor, "currency": currency}));
            assert_eq!(money.to_string(), words);
            assert!(money.is_known());
        }
    }

    #[test]
    fn a_provider_may_count_otherwise_than_the_table() {
        assert_eq!(decimals("ISK"), Some(0));
        assert_eq!(read(&json!({"amount": 500, "currency": "isk"})).to_string(), "5.00 ISK");
    }

    #[test]
    fn nothing_is_guessed() {
        for (input, words) in [
            (json!({"amount": 500}), "500 smallest units of a currency that only the provider"),
            (json!({"amount": 500, "currency": "XXZ"}), "500 smallest units of XXZ"),
            (json!({"currency": "EUR"}), "an amount of EUR that the call does not say"),
            (json!({"amount": 1.5, "currency": "EUR"}), "an amount of EUR"),
            (json!({"amount": -5, "currency": "EUR"}), "an amount of EUR"),
            (json!({"amount": "500", "currency": "EUR"}), "an amount of EUR"),
            (json!({}), "an amount that the call does not say"),
        ] {
            let money = read(&input);
            assert!(money.to_string().starts_with(words), "{input}: {money}");
            assert_eq!((money.is_known(), money.amount()), (false, None), "{input}");
        }
    }

    #[test]
    fn no_currency_stands_in_two_lists() {
        let all = [NO_DECIMALS, TWO_DECIMALS, THREE_DECIMALS, FOUR_DECIMALS].join(" ");
        let mut codes: Vec<&str> = all.split_ascii_whitespace().collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.iter().all(|code| code.len() == 3), "{codes:?}");
    }
}
