//! What must hold of control flow.

use super::interpreter::{Trace, run};
use super::sketch::{
    Sketch, call, catch, do_, for_, fork, plan, race, raise, set, swallow, switch, try_, wait,
    while_,
};
use placet_core::run::Phase;

/// The trace of these tasks, in one line, and how the run ended.
#[track_caller]
fn check(tasks: Vec<Sketch>, expected: &str, ending: &str) -> Trace {
    let trace = run(&plan(tasks));
    assert_eq!(trace.lines.join(" "), expected);
    assert_eq!(trace.scene.run.phase.name(), ending);
    let events = trace.scene.recorded.iter().map(|(revision, at, event)| (*revision, *at, event));
    let replayed = placet_core::replay(trace.scene.run.id, events);
    assert_eq!(replayed.as_ref(), Ok(&trace.scene.run), "replay knows where it stands");
    trace
}

/// Names in `$steps` when the task of this line began.
#[track_caller]
fn sees(trace: &Trace, line: &str, expected: &[&str]) {
    let seen = trace.steps.iter().rfind(|(at, _)| at == line).map(|(_, names)| names.as_slice());
    let seen = seen.expect("the task began");
    assert_eq!(seen, expected, "$steps at {line}");
}

#[test]
fn tasks_run_in_written_order_and_the_last_output_is_the_runs() {
    let trace = check(vec![set("a"), call("b"), wait("c")], "a b c", "completed");
    sees(&trace, "a", &[]);
    sees(&trace, "c", &["a", "b"]);
    assert_eq!(trace.scene.run.steps, 3);
    check(vec![], "", "completed");
}

#[test]
fn each_tasks_output_is_the_next_ones_raw_input() {
    let trace = run(&plan(vec![call("a"), do_("b", vec![set("c"), wait("d")]), wait("e")]));
    let mut output = None;
    let mut inputs = 0;
    for (_, _, event) in &trace.scene.recorded {
        match event {
            placet_model::Event::TaskCompleted(body) => output = Some(body.output),
            placet_model::Event::TaskStarted(body) => {
                inputs += 1;
                let expected = output.unwrap_or_else(|| {
                    trace.scene.run.facts().expect("it has begun").started.first
                });
                assert_eq!(body.input, expected, "{}", body.task);
            }
            _ => {}
        }
    }
    assert_eq!(inputs, 4);
}

#[test]
fn a_task_whose_condition_fails_is_passed_over_with_its_then() {
    let tasks = vec![set("a"), set("b").when("false").then("end"), set("c")];
    let trace = check(tasks, "a -b c", "completed");
    sees(&trace, "c", &["a"]);
}

#[test]
fn what_a_list_has_finished_stays_visible_after_it() {
    let tasks = vec![set("a"), do_("b", vec![set("c"), do_("d", vec![set("e")])]), set("f")];
    let trace = check(tasks, "a b c d e f", "completed");
    sees(&trace, "e", &["a", "c"]);
    sees(&trace, "f", &["a", "b", "c", "d", "e"]);
}

#[test]
fn an_empty_list_passes_its_input_through() {
    let trace = check(vec![do_("a", vec![]), for_("b", 0, vec![set("c")])], "a b", "completed");
    let frames = trace.scene.recorded.iter().filter_map(|(_, _, event)| match event {
        placet_model::Event::TaskCompleted(body) => Some(body.output),
        _ => None,
    });
    let first = trace.scene.run.facts().expect("it has begun").started.first;
    assert!(frames.into_iter().all(|output| output == first));
}

#[test]
fn a_loop_runs_its_list_once_per_item_with_its_number() {
    let tasks = vec![for_("a", 2, vec![set("b"), call("c")]), set("d")];
    let trace = check(tasks, "a b[0] c[0] b[1] c[1] d", "completed");
    sees(&trace, "c[0]", &["b"]);
    sees(&trace, "b[1]", &[]);
    sees(&trace, "d", &["a"]);
}

#[test]
fn loops_inside_loops_are_numbered_outermost_first() {
    let tasks = vec![for_("a", 2, vec![for_("b", 2, vec![set("c")])])];
    let expected = "a b[0] c[0.0] c[0.1] b[1] c[1.0] c[1.1]";
    check(tasks, expected, "completed");
}

#[test]
fn a_loop_stops_when_its_while_does_not_hold() {
    check(vec![while_("a", (5, "2"), vec![set("b")]), set("c")], "a b[0] b[1] c", "completed");
    check(vec![while_("a", (5, "0"), vec![set("b")]), set("c")], "a c", "completed");
}

#[test]
fn exit_completes_the_list_and_in_a_loop_the_iteration() {
    check(vec![do_("a", vec![set("b").then("exit"), set("c")]), set("d")], "a b d", "completed");
    let tasks = vec![for_("a", 2, vec![set("b").then("exit"), set("c")]), set("d")];
    check(tasks, "a b[0] b[1] d", "completed");
    check(vec![set("a").then("exit"), set("b")], "a", "completed");
}

#[test]
fn end_completes_the_run_from_any_depth() {
    let tasks = vec![for_("a", 2, vec![do_("b", vec![set("c").then("end")])]), set("d")];
    check(tasks, "a b[0] c[0]", "completed");
}

#[test]
fn a_switch_goes_to_the_first_case_that_holds_or_to_the_default() {
    let tasks = |cases| vec![switch("s", cases), set("a"), set("b"), set("c")];
    check(tasks(vec![("false", "a"), ("true", "b"), ("true", "c")]), "s b c", "completed");
    check(tasks(vec![("", "c"), ("false", "a")]), "s c", "completed");
    check(tasks(vec![("", "c"), ("true", "b")]), "s b c", "completed");
    check(tasks(vec![("false", "c")]), "s a b c", "completed");
    check(tasks(vec![("true", "exit")]), "s", "completed");
    check(tasks(vec![("true", "end")]), "s", "completed");
    let tasks = vec![switch("s", vec![("false", "a")]).then("b"), set("a"), set("b")];
    check(tasks, "s b", "completed");
}

#[test]
fn a_jump_goes_forwards_inside_a_list() {
    let tasks = vec![do_("a", vec![set("b").then("d"), set("c"), set("d")]), set("e")];
    check(tasks, "a b d e", "completed");
}

#[test]
fn a_fault_that_nothing_catches_ends_the_run() {
    let trace = check(vec![set("a"), call("bad"), set("c")], "a bad !bad", "faulted");
    let Phase::Faulted(_, fault) = &trace.scene.run.phase else {
        unreachable!("the run has faulted")
    };
    assert_eq!(fault.kind, "refused");
    assert!(trace.scene.run.main().frames.is_empty() && trace.scene.run.timers.is_empty());
}

#[test]
fn a_caught_fault_goes_on_in_the_handler_and_then_after_the_try() {
    let body = vec![set("a"), call("bad"), set("b")];
    let tasks = vec![try_("t", body, catch(vec![set("c")])), set("d")];
    let trace = check(tasks, "t a bad !bad ?t c d", "completed");
    sees(&trace, "c", &["a"]);
    sees(&trace, "d", &["a", "c", "t"]);
}

#[test]
fn a_try_without_a_fault_never_runs_its_handler() {
    let tasks = vec![try_("t", vec![set("a")], catch(vec![set("c")])), set("d")];
    let trace = check(tasks, "t a d", "completed");
    sees(&trace, "d", &["a", "t"]);
}

#[test]
fn a_swallowed_fault_leaves_the_input_of_the_try() {
    let tasks = vec![set("a"), try_("t", vec![set("b"), raise("r", "x")], swallow()), wait("c")];
    let trace = check(tasks, "a t b r ?t c", "completed");
    let inputs: Vec<_> = trace
        .scene
        .recorded
        .iter()
        .filter_map(|(_, _, event)| match event {
            placet_model::Event::TaskStarted(body) => Some(body.input),
            _ => None,
        })
        .collect();
    assert_eq!(inputs[0], inputs[1], "the try's own input, not what was done inside");
}

#[test]
fn the_innermost_try_that_matches_catches() {
    let inner = |handler| vec![try_("in", vec![raise("r", "x")], handler)];
    let tasks = vec![try_("out", inner(catch(vec![set("a")])), catch(vec![set("b")]))];
    check(tasks, "out in r ?in a", "completed");
    let other = catch(vec![set("a")]).only("y");
    check(vec![try_("out", inner(other), catch(vec![set("b")]))], "out in r ?out b", "completed");
    let other = || catch(vec![set("a")]).only("y");
    check(vec![try_("out", inner(other()), other())], "out in r", "faulted");
}

#[test]
fn a_fault_in_a_handler_leaves_its_try() {
    let inner = try_("in", vec![raise("r", "x")], catch(vec![set("a"), raise("s", "x")]));
    let tasks = vec![try_("out", vec![inner], catch(vec![set("b")])), set("c")];
    check(tasks, "out in r ?in a s ?out b c", "completed");
    let inner = try_("in", vec![raise("r", "x")], catch(vec![raise("s", "x")]));
    check(vec![inner], "in r ?in s", "faulted");
}

#[test]
fn a_fault_inside_loops_and_lists_unwinds_them() {
    let body = vec![do_("d", vec![call("bad")])];
    let tasks = vec![try_("t", vec![for_("f", 3, body), set("never")], swallow()), set("z")];
    let trace = check(tasks, "t f d[0] bad[0] !bad ?t z", "completed");
    sees(&trace, "z", &["t"]);
}

#[test]
fn a_try_inside_a_loop_catches_in_each_iteration() {
    let body = vec![try_("t", vec![call("bad")], catch(vec![set("c")])), set("e")];
    let expected = "f t[0] bad[0] !bad ?t c[0] e[0] t[1] bad[1] !bad ?t c[1] e[1]";
    check(vec![for_("f", 2, body)], expected, "completed");
}

#[test]
fn what_follows_a_caught_fault_wins_over_the_trys_own_then() {
    let tasks = |handler| {
        vec![try_("t", vec![raise("r", "x")], handler).then("a"), set("a"), set("b"), set("c")]
    };
    check(tasks(swallow()), "t r ?t a b c", "completed");
    check(tasks(swallow().then("c")), "t r ?t c", "completed");
    check(tasks(catch(vec![set("h")]).then("end")), "t r ?t h", "completed");
    let good = vec![try_("t", vec![], swallow().then("end")), set("a")];
    check(good, "t a", "completed");
}

#[test]
fn directives_inside_a_try_and_its_handler_stay_in_their_list() {
    let handler = catch(vec![set("h").then("exit"), set("i")]);
    let tasks = vec![try_("t", vec![raise("r", "x")], handler), set("z")];
    check(tasks, "t r ?t h z", "completed");
    let tasks = vec![try_("t", vec![set("a").then("exit"), set("b")], swallow()), set("z")];
    check(tasks, "t a z", "completed");
}

#[test]
fn jumping_back_runs_a_task_again_and_the_latest_output_counts() {
    // a, then b jumps back once: the plan is a loop, so only its first turns are looked at
    let tasks = vec![set("a"), switch("s", vec![("", "a")])];
    let plan = plan(tasks);
    let mut scene = placet_core::test_util::Scene::new().begun();
    let mut begun = vec![];
    for _ in 0..6 {
        let now = scene.clone();
        let placet_core::Next::Begin { task, iteration, raw } = placet_core::next(&plan, &now.run)
        else {
            unreachable!("instant tasks only begin")
        };
        begun.push(task.name.clone());
        let back = task.name == "s";
        let output = if back { raw } else { now.run.slot(1, 0) };
        scene = now.progress(placet_model::event::run::TaskCompleted {
            task: task.path.clone(),
            iteration,
            output,
            context: None,
            then: if back {
                placet_model::event::run::Then::Goto
            } else {
                placet_model::event::run::Then::Continue
            },
            goto: back.then_some(0),
        });
    }
    assert_eq!(begun.join(" "), "a s a s a s");
    assert_eq!(scene.run.steps, 6, "each execution is a step");
    let frame = &scene.run.main().frames[0];
    assert_eq!(frame.steps["a"], frame.value);
}

#[test]
fn every_branch_of_a_fork_runs_and_what_follows_sees_none_of_their_steps() {
    let branches = vec![do_("left", vec![set("a"), wait("b")]), wait("right")];
    let trace = check(
        vec![set("x"), fork("both", branches), set("y")],
        "x both left a b right y",
        "completed",
    );
    sees(&trace, "b", &["a", "x"]);
    sees(&trace, "right", &["x"]);
    sees(&trace, "y", &["both", "x"]);
    assert_eq!(trace.scene.run.branches().len(), 1, "the branches are gone after the join");
}

#[test]
fn the_first_fault_of_a_fork_leaves_the_other_branches_and_faults_it() {
    let branches = vec![raise("left", "e:left"), wait("right")];
    check(vec![fork("both", branches), set("y")], "both left !both", "faulted");
    let branches = vec![raise("left", "e:left"), wait("right")];
    let tasks =
        vec![try_("guard", vec![fork("both", branches)], catch(vec![set("c")]).only("e:left"))];
    check(tasks, "guard both left !both ?guard c", "completed");
}

#[test]
fn a_try_inside_a_branch_catches_before_the_fork_faults() {
    let branches =
        vec![try_("left", vec![raise("bad", "e:x")], catch(vec![set("c")])), set("right")];
    check(vec![fork("both", branches)], "both left bad ?left c right", "completed");
}

#[test]
fn the_first_branch_of_a_race_to_end_well_is_enough() {
    let trace =
        check(vec![race("any", vec![set("a"), call("b")]), set("y")], "any a y", "completed");
    assert!(trace.scene.run.timers.is_empty());
}

#[test]
fn a_fault_counts_in_a_race_only_when_every_branch_has_faulted() {
    let branches = || vec![raise("a", "e:a"), set("b")];
    check(vec![race("any", branches())], "any a b", "completed");
    let branches = || vec![raise("a", "e:a"), raise("b", "e:b")];
    check(vec![race("any", branches())], "any a b !any", "faulted");
    let last = catch(vec![set("c")]).only("e:b");
    check(vec![try_("t", vec![race("any", branches())], last)], "t any a b !any ?t c", "completed");
}

#[test]
fn end_inside_a_branch_completes_the_run_and_leaves_the_others() {
    let branches = vec![set("left").then("end"), wait("right")];
    check(vec![fork("both", branches), set("y")], "both left", "completed");
}

#[test]
fn a_fork_in_a_branch_of_a_loop_joins_in_each_iteration() {
    let inner = || fork("in", vec![set("a"), set("b")]);
    let tasks = vec![for_("each", 2, vec![fork("out", vec![inner(), set("c")])])];
    check(tasks, "each out[0] in[0] c[0] a[0] b[0] out[1] in[1] c[1] a[1] b[1]", "completed");
}

#[test]
fn a_caught_fault_is_retried_as_often_as_the_policy_says_and_then_handled() {
    let tasks = || vec![set("a"), raise("bad", "e:x")];
    let handler = catch(vec![set("c")]).retried(2);
    let trace =
        check(vec![try_("t", tasks(), handler)], "t a bad ~t a bad ~t a bad ?t c", "completed");
    sees(&trace, "a", &[]);
    assert!(trace.scene.run.timers.is_empty());
}
