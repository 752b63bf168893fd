//! A conversation shows that it is an operator's: it sends back a code that was shown to them alone.
//! Here is where such a code stands, and what is to be sent; who made it, and whether it still counts,
//! is known elsewhere.

use crate::pointer::Pointer;
use crate::predicate::Observed;
use placet_model::Digest;
use regex::Regex;
use serde_json::Value;

/// How connections of a provider are paired. Made only by loading a manifest.
#[derive(Debug)]
pub struct Pairing {
    pub(crate) at: Pointer,
    /// With a group named `code`.
    pub(crate) matches: Regex,
    pub(crate) to: Pointer,
    pub(crate) setting: String,
    pub(crate) say: String,
    pub(crate) link: Option<String>,
}

/// A code that came back, and from where. The code itself stays in the message.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The digest of the code.
    pub code: Digest,
    /// The conversation, as the setting takes it.
    pub to: Value,
}

impl Pairing {
    /// The setting that names the conversation.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is to be sent.
    pub fn say(&self, code: &str) -> String {
        self.say.replace("{code}", code)
    }

    /// A link that sends it; none where the connection's label is not the one word that a link needs.
    pub fn link(&self, code: &str, label: &str) -> Option<String> {
        let link = self.link.as_ref()?;
        let is_word = !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fits = is_word || !link.contains("{label}");
        fits.then(|| link.replace("{label}", label).replace("{code}", code))
    }

    pub(super) fn claim(&self, observed: &Observed<'_>) -> Option<Claim> {
        let body = observed.body.as_ref()?;
        let code = self.code(self.at.get(body)?.as_str()?)?;
        let to = self.to.get(body).filter(|to| to.is_string() || to.is_i64())?;
        Some(Claim { code: Digest::of(code.as_bytes()), to: to.clone() })
    }

    pub(crate) fn code<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.matches.captures(text)?.name("code")?.as_str())
    }
}
