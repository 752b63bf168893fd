//! What the granted scopes are good for, and what would be needed for the rest. Pure.

use placet_adapters::Manifest;
use serde::Serialize;
use std::collections::BTreeSet;

/// What one set of scopes makes possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// Name of the set.
    pub set: String,
    /// What it buys.
    pub buys: Vec<String>,
    /// Whether it is granted; none where the provider does not tell scopes.
    pub granted: Option<bool>,
    /// Scopes that are missing.
    pub missing: Vec<String>,
    /// Scopes of which one is missing.
    pub missing_one_of: Vec<String>,
}

/// What these scopes enable, set by set; none where the provider does not tell them.
pub fn features(manifest: &Manifest, scopes: Option<&[String]>) -> Vec<Feature> {
    let sets = manifest.scopes().iter();
    let granted: Option<BTreeSet<&str>> =
        scopes.map(|scopes| scopes.iter().map(String::as_str).collect());
    sets.map(|(name, set)| {
        let has = |scope: &String| granted.as_ref().is_some_and(|all| all.contains(scope.as_str()));
        let lacks = |scope: &&String| granted.is_some() && !has(scope);
        let missing: Vec<String> = set.list.iter().filter(lacks).cloned().collect();
        let none_of = granted.is_some() && !set.any_of.is_empty() && !set.any_of.iter().any(has);
        let missing_one_of = if none_of { set.any_of.clone() } else { vec![] };
        let is_granted = missing.is_empty() && missing_one_of.is_empty();
        Feature {
            set: name.clone(),
            buys: set.buys.clone(),
            granted: granted.is_some().then_some(is_granted),
            missing,
            missing_one_of,
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_adapters::Adapters;

    fn of(provider: &str, scopes: Option<&[&str]>) -> Vec<Feature> {
        let adapters = Adapters::shipped();
        let manifest = adapters.manifest(provider).expect("it ships");
        let scopes: Option<Vec<String>> =
            scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        features(manifest, scopes.as_deref())
    }

    #[test]
    fn the_three_scopes_that_slack_is_mostly_given_send_and_hear_no_reply() {
        let features = of("slack", Some(&["chat:write", "channels:read", "users:read"]));
        let find = |set: &str| features.iter().find(|feature| feature.set == set).expect("a set");
        assert_eq!(find("base").granted, Some(true));
        let inbound = find("inbound");
        assert_eq!(inbound.granted, Some(false));
        assert_eq!(inbound.missing, ["channels:history", "im:history"]);
        let look_up = find("reconcile");
        assert_eq!(look_up.missing, ["channels:history"]);
        assert_eq!(look_up.missing_one_of, ["groups:history", "im:history"]);
    }

    #[test]
    fn where_a_provider_tells_no_scopes_nothing_is_claimed() {
        let told: Vec<_> = of("slack", None).into_iter().map(|feature| feature.granted).collect();
        assert!(!told.is_empty() && told.iter().all(Option::is_none));
    }
}
