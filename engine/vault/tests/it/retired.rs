//! Secrets that were replaced and are still good for a while.

use crate::support::{Install, fields, integration};
use placet_model::Timestamp;
use placet_vault::Vault;

const END: Timestamp = Timestamp::from_millis(5_000);

fn good(vault: &Vault, at: i64) -> Vec<String> {
    let found = vault.retired(integration(1), "signing_secret", Timestamp::from_millis(at));
    found.unwrap().iter().map(|text| text.expose().to_owned()).collect()
}

fn rotated(vault: &Vault) {
    for (version, secret) in [(1, "first"), (2, "second"), (3, "third")] {
        let credential = fields([("access_token", "t"), ("signing_secret", secret)]);
        vault.store(integration(1), version, &credential).unwrap();
    }
    let named = ["signing_secret".to_owned(), "no_such_field".to_owned()];
    vault.retire((integration(1), 1), &named, END).unwrap();
    vault.retire((integration(1), 2), &named, Timestamp::from_millis(9_000)).unwrap();
    vault.forget_before(integration(1), 3).unwrap();
}

#[test]
fn an_old_secret_is_good_until_its_end_while_the_version_that_it_was_of_is_forgotten() {
    let install = Install::new();
    let vault = install.open();
    rotated(&vault);
    assert_eq!(vault.fields(integration(1), 1).unwrap(), [""; 0], "the token of then is gone");
    assert_eq!(good(&vault, 4_999), ["second", "first"], "the newest first");
    drop(vault);
    let vault = install.open();
    assert_eq!(good(&vault, 5_000), ["second"], "its end does not count any more");
    assert_eq!(good(&vault, 9_000), [""; 0]);
    // what has ended is removed, and nothing else
    vault.forget_ended(END).unwrap();
    assert_eq!(good(&vault, 0), ["second"]);
    vault.forget(integration(1)).unwrap();
    assert_eq!(good(&vault, 0), [""; 0]);
}

#[test]
fn it_is_sealed_anew_copied_and_given_no_more_time_by_an_edit() {
    let install = Install::new();
    let vault = install.open();
    rotated(&vault);
    let (old, rotated) = (
        vault.sealing().unwrap().key,
        vault.rotate(&placet_model::Actor::Engine, &mut |_| {}).unwrap(),
    );
    assert_eq!((rotated.moved, rotated.stuck), (4, vec![]));
    assert!(!vault.sealing().unwrap().records.contains_key(&old));
    assert_eq!(good(&vault, 0), ["second", "first"]);
    let copy = install.data_dir().join("copy.redb");
    vault.copy_to(&copy).unwrap();
    drop(vault);
    std::fs::copy(copy, install.vault_file()).unwrap();
    assert_eq!(good(&install.open(), 0), ["second", "first"]);
    install.prolong((integration(1), 1, "signing_secret"), i64::MAX);
    let edited = install.open().retired(integration(1), "signing_secret", END);
    assert!(matches!(edited, Err(placet_vault::Error::RowRefused { .. })), "{edited:?}");
}
