//! Fieldless enums with explicit wire numbers.
//!
//! postcard encodes an enum by the order of its variants, so a variant inserted in the middle
//! would silently change the meaning of old bytes. Every enum that stands in an event body is
//! made by [`wire_enum!`] instead: a `u16` in binary formats, a `snake_case` word in readable ones.

/// Declares a fieldless enum whose binary form is an explicit number and whose readable form is
/// a word. Numbers and words are a contract: they are never changed or reused.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $number:literal $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every variant, in declared order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in JSON, on the command line and in messages.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The number used in binary formats.
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The variant with this number, if there is one.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::wire::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::wire::UnknownWord {
                        kind: stringify!($name),
                        word: text.to_owned(),
                        known: &[$($word),+],
                    }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(self.word())
                } else {
                    serializer.serialize_u16(self.number())
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                    word.parse().map_err(serde::de::Error::custom)
                } else {
                    let number = <u16 as serde::Deserialize>::deserialize(deserializer)?;
                    Self::from_number(number).ok_or_else(|| {
                        serde::de::Error::custom(format_args!(
                            "{} has no variant numbered {number}", stringify!($name)
                        ))
                    })
                }
            }
        }
    };
}
pub(crate) use wire_enum;

/// A word that names no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {kind}; known are: {}", known.join(", "))]
pub struct UnknownWord {
    /// The enum that was asked for.
    pub kind: &'static str,
    /// The word that was given.
    pub word: String,
    /// The words that exist.
    pub known: &'static [&'static str],
}
