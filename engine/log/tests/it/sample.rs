//! Makes a value of any wire type out of nothing, and writes down the type's shape on the way.
//!
//! A deserializer that invents its input. What it cannot serve must not stand in an event body:
//! enums that serde numbers by order, and everything that needs a self-describing format
//! (`flatten`, `untagged`, `serde_json::Value`).

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Visitor, value,
};

/// How much of a value there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Every option has its value, every list two items.
    Full,
    /// No option has a value, no list an item.
    Bare,
}

impl Fill {
    pub(crate) const ALL: [Self; 2] = [Self::Full, Self::Bare];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Bare => "bare",
        }
    }
}

/// A value of `T` and the shape of `T` (complete for [`Fill::Full`]).
pub(crate) fn sample<T: DeserializeOwned>(fill: Fill) -> Result<(T, String), String> {
    let mut maker = Maker { fill, shape: String::new(), made: 0, field: "" };
    let value = T::deserialize(&mut maker).map_err(|error| error.to_string())?;
    Ok((value, maker.shape))
}

struct Maker {
    fill: Fill,
    shape: String,
    made: u8,
    field: &'static str,
}

type Error = value::Error;

/// Text that the type of a field accepts; others take any word.
fn text_for(field: &str) -> &'static str {
    match field {
        "task" => "/do/0/send",
        "operation" => "slack.chat.postMessage",
        _ => "sample",
    }
}

impl Maker {
    fn note(&mut self, shape: &str) {
        self.shape.push_str(shape);
    }

    /// Numbers differ, so that two fields of one type that change places are noticed.
    fn number(&mut self) -> u8 {
        self.made += 1;
        self.made
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ident,)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note(stringify!($type));
            let number = self.number();
            visitor.$visit($type::from(number))
        })+
    };
}

macro_rules! banned {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(Error::custom(concat!(stringify!($method), " has no place in an event body")))
        })+
    };
}

impl<'de> Deserializer<'de> for &mut Maker {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
    }

    banned! {
        deserialize_any deserialize_i8 deserialize_i128 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_unit deserialize_identifier
        deserialize_ignored_any
    }

    /// One is a number of every wire enum.
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("u16");
        visitor.visit_u16(1)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("bool");
        visitor.visit_bool(self.fill == Fill::Full)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("text");
        visitor.visit_str(text_for(self.field))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("bytes");
        visitor.visit_byte_buf(vec![self.number(); 3])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.fill == Fill::Bare {
            return visitor.visit_none();
        }
        self.note("option ");
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(name);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("list of ");
        let left = if self.fill == Fill::Full { 2 } else { 0 };
        let start = self.shape.len();
        visitor.visit_seq(Items { maker: self, left, start, each: Each::Item })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.note(&format!("{len} of "));
        let start = self.shape.len();
        visitor.visit_seq(Items { maker: self, left: len, start, each: Each::Item })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note("map of ");
        let left = usize::from(self.fill == Fill::Full);
        let start = self.shape.len();
        visitor.visit_map(Items { maker: self, left, start, each: Each::Item })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(&format!("{name} {{ "));
        let start = self.shape.len();
        let each = Each::Field(fields);
        let maker = &mut *self;
        let value = visitor.visit_seq(Items { maker, left: fields.len(), start, each })?;
        self.note("}");
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom(format!("{name}: an enum numbered by order has no place in a body")))
    }
}

/// The parts of a list, map or struct.
struct Items<'m> {
    maker: &'m mut Maker,
    left: usize,
    start: usize,
    each: Each,
}

#[derive(Clone, Copy)]
enum Each {
    /// Items have one shape, noted once.
    Item,
    Field(&'static [&'static str]),
}

impl Items<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.each {
            Each::Item => {
                self.maker.shape.truncate(self.start);
                seed.deserialize(&mut *self.maker)
            }
            Each::Field(fields) => {
                let field = fields[fields.len() - self.left];
                self.maker.field = field;
                self.maker.note(&format!("{field}: "));
                let value = seed.deserialize(&mut *self.maker)?;
                self.maker.note(", ");
                Ok(value)
            }
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let value = self.next(seed)?;
        self.left -= 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize("key".into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.next(seed)
    }
}

#[test]
fn what_postcard_cannot_read_back_has_no_sample() {
    #[derive(serde::Deserialize)]
    enum ByOrder {
        One,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its shape counts")]
    enum Untagged {
        Text(String),
    }
    assert!(sample::<ByOrder>(Fill::Full).is_err());
    assert!(sample::<Untagged>(Fill::Full).is_err());
    assert!(sample::<serde_json::Value>(Fill::Full).is_err());
}
