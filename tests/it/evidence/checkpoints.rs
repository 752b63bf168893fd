//! Checkpoints that an engine takes by itself, where they go, and what they tell of data that were put back.

use std::fs;

use placet_test_support::nats::NatsServer;
use serde_json::Value;

use super::{copy_dir, key_of, story, succeeds};
use crate::world::{Live, stream_of};

/// Events of the whole log, once one of this type is there.
fn until(live: &Live, kind: &str) -> Vec<Value> {
    live.door().events().until(|events| events.iter().any(|event| event["type"] == kind))
}

#[test]
fn an_engine_signs_by_itself_and_the_checkpoint_reaches_the_stream_and_two_files() {
    let Some(server) = NatsServer::start_or_skip("an_engine_signs_by_itself") else { return };
    let mut live = Live::stopped();
    let elsewhere = live.project.dir().join("anchor").join("checkpoint");
    fs::create_dir(elsewhere.parent().expect("a parent")).expect("a fresh directory");
    let config = format!(
        "project = \"acme\"\n[audit]\ncheckpoint_seconds = 1\ncheckpoint_file = \"{}\"\n[nats]\nurl = \"{}\"\n",
        elsewhere.display(),
        server.url()
    );
    live.project.write("placet.toml", &config);
    live.restart();
    let events = until(&live, "CheckpointSigned");
    let signed = events.iter().find(|event| event["type"] == "CheckpointSigned").expect("it came");
    assert_eq!(signed["stream"], "checkpoints");
    let (position, size) = (signed["position"].as_u64(), signed["body"]["size"].as_u64());
    assert!(size < position, "{signed}");
    let note = signed["body"]["note"].as_str().expect("a note").to_owned();
    // whoever follows the stream has the whole note
    let stream = stream_of(&server, position.expect("a position"));
    let (_, published) = stream.last().expect("it is there");
    assert_eq!(published["body"]["note"].as_str(), Some(note.as_str()), "{published}");
    // an event brings the next one; both files hold the newest once the engine has ended
    live.done("author", &["pause"]);
    live.terminate();
    let newest = fs::read_to_string(live.project.data().join("checkpoint")).expect("the file");
    assert_eq!(fs::read_to_string(&elsewhere).expect("the other file"), newest);
    assert_ne!(newest, note);
    let told = live.placet(["audit", "checkpoint"]).run().expect_code(0).stdout;
    assert_eq!(told.trim_end(), newest.trim_end(), "all is signed: there is nothing to add");
}

#[test]
fn a_log_that_is_left_alone_is_signed_once() {
    let (live, _, key) = story();
    let first = live.placet(["audit", "checkpoint"]).run().expect_code(0).stdout;
    let again = live.placet(["audit", "checkpoint"]).run().expect_code(0).stdout;
    assert_eq!(first, again);
    let events = until(&live, "CheckpointSigned");
    let signed = events.iter().filter(|event| event["type"] == "CheckpointSigned").count();
    assert_eq!(signed, 1);
    let verified = live.placet(["audit", "verify", "--key", &key]).run().expect_code(0).stdout;
    assert!(verified.contains("is signed with the key"), "{verified}");
}

#[test]
fn an_engine_that_is_stopped_has_signed_its_last_event() {
    let (mut live, _, key) = story();
    assert_eq!(live.terminate().code, Some(0));
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0);
    let last: Value =
        serde_json::from_str(log.stdout.lines().last().expect("events")).expect("JSON");
    assert_eq!(last["type"], "CheckpointSigned");
    let size = last["body"]["size"].as_u64().expect("a size");
    assert_eq!(last["position"].as_u64(), Some(size + 1), "it vouches for all before it");
    // without any key file, on a copy: the auditor's own key is enough
    let copy = live.copy_of_data();
    let nowhere = live.project.dir().join("nowhere");
    let args = ["audit", "verify", &copy, "--key", &key, "--json"];
    let verified = live.placet(args).env("PLACET_KEY_DIR", &nowhere).run().expect_code(0).json();
    assert_eq!(verified["events"].as_u64(), Some(size + 1), "{verified}");
}

#[test]
fn an_engine_does_not_start_on_an_older_copy_of_its_data() {
    let (mut live, _, _) = story();
    live.terminate();
    let older = live.project.dir().join("older");
    copy_dir(&live.project.data(), &older);
    live.restart();
    live.done("author", &["pause"]);
    live.terminate();
    let data = live.project.data();
    fs::remove_dir_all(&data).expect("data can be removed");
    copy_dir(&older, &data);
    let refused = live.dev().run().expect_code(1);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--accept-rollback"), "{}", refused.stderr);
    // nor where the note of it was taken away: the signed head tells as well
    super::forget_place(&super::keys_of(&live));
    let refused = live.dev().run().expect_code(1);
    assert!(refused.stderr.contains("PL1201"), "{}", refused.stderr);
    // reading and verifying it is nobody's harm
    succeeds(live.placet(["audit", "verify"]).run());
    succeeds(live.placet(["runs", "list"]).run());
}

/// What is signed of a copy, the original does not have: it would be taken for an older one.
#[test]
fn a_copy_beside_its_original_is_not_signed_and_the_original_goes_on() {
    let mut live = Live::start();
    live.ask("Hello");
    // killed: its last events are not signed
    live.kill_9();
    let copy = live.copy_of_data();
    let key = live.placet(["audit", "checkpoint", "--key"]).run().expect_code(0).stdout;
    let of_copy = |more: &[&str]| {
        let args = ["audit", "checkpoint", "--data", &copy].into_iter();
        live.placet(args.chain(more.iter().copied())).run()
    };
    assert_eq!(of_copy(&["--key"]).expect_code(0).stdout, key, "the key can be read anywhere");
    let refused = of_copy(&[]);
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    live.restart();
    assert_eq!(live.inbox().len(), 1);
}

#[test]
fn a_signing_key_that_is_lost_is_asked_for_and_replaced_only_on_request() {
    let (mut live, _, key) = story();
    live.terminate();
    let mut lost = 0;
    super::walk(&super::keys_of(&live), &mut |file| {
        if file.to_string_lossy().ends_with(".checkpoint.key") {
            fs::remove_file(file).expect("a key can be lost");
            lost += 1;
        }
    });
    assert_eq!(lost, 1);
    let refused = live.dev().run().expect_code(1);
    assert!(
        refused.stderr.contains("PL1004") && refused.stderr.contains("--new-key"),
        "{}",
        refused.stderr
    );
    let new = live.placet(["audit", "checkpoint", "--new-key"]).run().expect_code(0).stdout;
    assert_ne!(new.trim(), key);
    live.restart();
    assert_eq!(key_of(&live), new.trim());
}
