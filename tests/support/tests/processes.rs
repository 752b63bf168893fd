//! Processes of the kit: a real nats-server survives its own kill, and a child's lines can be waited for.

use placet_test_support::dirs::Project;
use placet_test_support::nats::NatsServer;
use placet_test_support::process::{Placet, Running};

#[test]
fn a_killed_nats_server_comes_back_on_the_same_port() {
    let Some(mut server) =
        NatsServer::start_or_skip("a_killed_nats_server_comes_back_on_the_same_port")
    else {
        return;
    };
    let before = server.url();
    server.kill_9();
    server.restart();
    server.stop();
    server.restart();
    assert_eq!(server.url(), before);
}

#[test]
fn output_codes_and_signals_of_a_process_are_seen() {
    let project = Project::new();
    let shell = |script: &str| Placet::new("sh", &project).args(["-c", script]);
    let finished = shell("echo out; echo err >&2; echo '{\"a\":1}'; exit 3").run().expect_code(3);
    assert_eq!((finished.json()["a"].as_i64(), finished.stderr.as_str()), (Some(1), "err"));
    assert_eq!(shell("read -r line; echo \"got $line\"").stdin("x\n").run().stdout, "got x");

    let endless = || shell("echo ready; exec tail -f /dev/null").start();
    for end in [
        |running: Running| running.kill_9(),
        |running: Running| running.terminate(),
        |running: Running| running.interrupt(),
    ] {
        let running = endless();
        running.stdout_line(|line| line == "ready");
        assert_eq!(end(running).code, None, "ended by a signal");
    }
}

#[test]
fn a_project_keeps_keys_state_and_home_out_of_the_way() {
    let project = Project::new().with_workflow("hello", "document: {}\n");
    let shown = Placet::new("sh", &project)
        .args(["-c", "ls workflows; echo $HOME; echo $PLACET_KEY_DIR"])
        .run();
    assert!(shown.stdout.starts_with("hello.yaml\n"), "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("placet-test-").count(), 2, "{}", shown.stdout);
}
