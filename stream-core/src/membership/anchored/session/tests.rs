use std::collections::BTreeMap;

use super::*;
use crate::client::GroupMember;
use crate::id::TopicPartition;

const FINGERPRINT: &str = "0a1b";
const ALL: [(&str, i32); 5] = [("orders", 0), ("orders", 1), ("orders", 2), ("payments", 0), ("payments", 1)];

fn plan(fingerprint: &str) -> Plan {
    Plan { anchors: BTreeMap::from([(0, ("orders".into(), 3)), (1, ("payments".into(), 2))]), fingerprint: fingerprint.into() }
}

fn task(subtopology: u32, partition: i32) -> TaskId {
    TaskId::new(subtopology, partition)
}

fn tasks(ids: &[(u32, i32)]) -> BTreeSet<TaskId> {
    ids.iter().map(|&(subtopology, partition)| task(subtopology, partition)).collect()
}

/// The partitions that stand for tasks, which are named by the anchors of their sub-topologies.
fn partitions(list: &[(&str, i32)]) -> Vec<(String, i32)> {
    let slots = Slots::of(&plan(FINGERPRINT));
    let stands_for = |topic: &str, partition| {
        let wanted = task(u32::from(topic == "payments"), partition);
        ["orders", "payments"].into_iter().find(|anchor| slots.task(anchor, partition) == Some(wanted)).unwrap_or(topic).to_owned()
    };
    list.iter().map(|&(topic, partition)| (stands_for(topic, partition), partition)).collect()
}

fn member(id: &str, fingerprint: &str) -> GroupMember {
    GroupMember {
        member_id: id.into(),
        client_id: client_id::of_member("app", fingerprint),
        client_host: "/127.0.0.1".into(),
        instance: None,
        assignment: Vec::new(),
    }
}

/// A member that has these partitions.
fn owner(id: &str, partitions: &[(&str, i32)]) -> GroupMember {
    let assignment = partitions.iter().map(|&(topic, partition)| TopicPartition::new(topic, partition)).collect();
    GroupMember { assignment, ..member(id, FINGERPRINT) }
}

fn group(members: Vec<GroupMember>) -> GroupDescription {
    GroupDescription { state: "Stable".into(), members }
}

fn alone() -> GroupDescription {
    group(vec![owner("m-1", &ALL)])
}

/// What the session wants done, in short.
fn actions(session: &mut Session) -> Vec<String> {
    let list = |tasks: &BTreeSet<TaskId>| tasks.iter().map(TaskId::to_string).collect::<Vec<_>>().join(" ");
    std::iter::from_fn(|| session.next_action())
        .map(|action| match action {
            Action::AnswerAssign => "answer assign".into(),
            Action::AnswerRevoke => "answer revoke".into(),
            Action::Own(tasks) => format!("own {}", list(&tasks)),
            Action::Disown(_) => "disown".into(),
            Action::Emit(GroupEvent::Revoke { tasks }) => format!("revoke {}", list(&tasks)),
            Action::Emit(GroupEvent::Assigned { tasks }) => format!("assigned {}", list(&tasks)),
            Action::Emit(GroupEvent::Lost { .. }) => "lost".into(),
            Action::Emit(GroupEvent::Waiting { for_whom }) => format!("waiting {for_whom}"),
            Action::Emit(GroupEvent::ShutdownRequested { by }) => format!("shutdown by {by}"),
            Action::Emit(GroupEvent::Fatal(_)) => "fatal".into(),
            Action::Join(plan) => format!("join {}", plan.fingerprint),
        })
        .collect()
}

/// A member that runs three tasks.
fn running() -> Session {
    let mut session = Session::new(plan(FINGERPRINT));
    session.member_is(Some("m-1"));
    session.offered(&partitions(&[("orders", 0), ("orders", 1), ("payments", 0)]), Some("m-1"));
    assert!(session.described(&alone(), "m-1"));
    assert_eq!(actions(&mut session), ["answer assign", "own 0_0 0_1 1_0", "assigned 0_0 0_1 1_0"]);
    session
}

#[test]
fn partitions_of_anchors_are_tasks_and_start_only_after_the_group_was_read() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("payments", 1)]), Some("m-1"));
    assert_eq!(actions(&mut session), ["answer assign"]);
    assert!(session.is_check_due());
    assert!(session.described(&alone(), "m-1"));
    assert_eq!(actions(&mut session), ["own 1_1", "assigned 1_1"]);
    assert!(!session.is_check_due());
}

#[test]
fn a_rebalance_that_is_not_complete_decides_nothing() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0)]), Some("m-1"));
    actions(&mut session);
    let mut rebalancing = alone();
    rebalancing.state = "CompletingRebalance".into();
    assert!(!session.described(&rebalancing, "m-1"));
    assert!(!session.described(&group(vec![owner("m-2", &ALL)]), "m-1"), "we are not in it");
    assert!(actions(&mut session).is_empty() && session.is_check_due());
}

#[test]
fn a_member_with_another_fingerprint_keeps_new_tasks_from_starting_but_not_old_ones_from_running() {
    let mut session = running();
    session.offered(&partitions(&[("orders", 2)]), Some("m-1"));
    assert!(!session.described(&group(vec![member("m-1", FINGERPRINT), member("m-2", "ffff")]), "m-1"));
    let done = actions(&mut session);
    assert_eq!(done[0], "answer assign");
    assert!(done[1].starts_with("waiting member m-2 (app-ffff at /127.0.0.1)"), "{done:?}");
    assert_eq!(done.len(), 2, "nothing is taken from the running tasks");
    assert!(session.is_check_due());
    assert!(session.described(&alone(), "m-1"));
    assert_eq!(actions(&mut session), ["own 0_0 0_1 0_2 1_0", "assigned 0_0 0_1 0_2 1_0"]);
}

#[test]
fn partitions_that_the_plan_does_not_know_keep_new_tasks_waiting_until_the_plan_changes() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0), ("orders", 3)]), Some("m-1"));
    assert!(!session.described(&alone(), "m-1"));
    assert_eq!(actions(&mut session), ["answer assign", "waiting topic orders has more partitions than this process knows of"]);
}

#[test]
fn a_revoked_task_is_owned_until_it_is_released_and_only_then_given_back() {
    let mut session = running();
    session.asked_back(&partitions(&[("orders", 1), ("payments", 0)]), false);
    assert_eq!(actions(&mut session), ["revoke 0_1 1_0"]);
    session.released(&tasks(&[(0, 1)]));
    assert_eq!(actions(&mut session), ["own 0_0 1_0"]);
    session.released(&tasks(&[(0, 0), (1, 0)]));
    assert_eq!(actions(&mut session), ["own 0_0", "answer revoke"], "a task that was not asked for stays");
    session.offered(&[], Some("m-1"));
    assert!(session.described(&alone(), "m-1"));
    assert_eq!(actions(&mut session), ["answer assign", "own 0_0", "assigned 0_0"]);
}

#[test]
fn tasks_that_never_started_are_given_back_at_once() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0)]), Some("m-1"));
    session.asked_back(&partitions(&[("orders", 0)]), false);
    assert_eq!(actions(&mut session), ["answer assign", "answer revoke"]);
    session.offered(&[], Some("m-1"));
    session.described(&alone(), "m-1");
    assert_eq!(actions(&mut session), ["answer assign", "own ", "assigned "]);
}

#[test]
fn lost_tasks_are_disowned_at_once_and_answered_when_no_commit_is_running() {
    let mut session = running();
    session.asked_back(&partitions(&[("orders", 0), ("orders", 1), ("payments", 0)]), true);
    assert_eq!(actions(&mut session), ["disown", "lost"]);
    assert!(session.waits_for_leases());
    session.leases_ended();
    assert_eq!(actions(&mut session), ["answer revoke"]);
    session.offered(&partitions(&[("orders", 0)]), Some("m-2"));
    session.described(&group(vec![owner("m-2", &ALL)]), "m-2");
    assert_eq!(actions(&mut session), ["answer assign", "own 0_0", "assigned 0_0"]);
}

#[test]
fn a_membership_that_ends_while_tasks_are_given_up_is_lost_although_the_client_is_silent() {
    for current in [None, Some("m-2")] {
        let mut session = running();
        session.asked_back(&partitions(&[("orders", 1)]), false);
        actions(&mut session);
        session.member_is(current);
        assert_eq!(actions(&mut session), ["disown", "lost"]);
        session.released(&tasks(&[(0, 1)]));
        assert!(actions(&mut session).is_empty());
        session.leases_ended();
        assert_eq!(actions(&mut session), ["answer revoke"]);
    }
}

#[test]
fn what_an_ended_membership_was_offered_does_not_start() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0)]), Some("m-1"));
    session.member_is(Some("m-2"));
    assert!(!session.is_check_due());
    assert!(!session.described(&group(vec![owner("m-2", &ALL)]), "m-2"));
    session.offered(&[], None);
    assert!(!session.is_check_due(), "an offer to nobody");
    session.offered(&[], Some("m-2"));
    assert!(session.described(&group(vec![owner("m-2", &ALL)]), "m-2"));
    assert_eq!(actions(&mut session).last().map(String::as_str), Some("assigned 0_0"));
}

#[test]
fn a_new_plan_gives_everything_up_before_it_joins() {
    let mut session = running();
    session.replan(plan(FINGERPRINT));
    assert!(actions(&mut session).is_empty(), "the same plan changes nothing");
    session.replan(plan("ffff"));
    assert_eq!(actions(&mut session), ["revoke 0_0 0_1 1_0"]);
    session.asked_back(&partitions(&[("orders", 1)]), false);
    assert!(actions(&mut session).is_empty(), "asked for already");
    session.released(&tasks(&[(0, 0), (0, 1)]));
    assert!(!session.waits_for_leases());
    session.released(&tasks(&[(1, 0)]));
    assert!(session.waits_for_leases());
    session.leases_ended();
    assert_eq!(actions(&mut session), ["own 1_0", "own ", "answer revoke", "disown", "join ffff"]);
    assert_eq!(session.plan().fingerprint, "ffff");
    session.offered(&partitions(&[("orders", 0)]), Some("m-2"));
    session.described(&group(vec![member("m-2", "ffff")]), "m-2");
    assert_eq!(actions(&mut session), ["answer assign", "own 0_0", "assigned 0_0"]);
}

#[test]
fn a_new_plan_does_not_start_tasks_of_the_old_one() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0)]), Some("m-1"));
    session.replan(plan("ffff"));
    assert!(!session.is_check_due());
    session.leases_ended();
    assert_eq!(actions(&mut session), ["answer assign", "disown", "join ffff"]);
}

#[test]
fn a_request_to_shut_down_is_seen_once_and_its_messenger_is_no_reason_to_wait() {
    let mut session = running();
    session.offered(&[], Some("m-1"));
    let messenger = GroupMember { client_id: client_id::of_shutdown("app", "ffff"), ..member("m-9", "") };
    let with_messenger = group(vec![member("m-1", FINGERPRINT), messenger]);
    assert!(session.described(&with_messenger, "m-1"));
    let done = actions(&mut session);
    assert_eq!(done[1], "shutdown by app-ffff-shutdown at /127.0.0.1");
    session.offered(&[], Some("m-1"));
    session.described(&with_messenger, "m-1");
    assert!(!actions(&mut session).iter().any(|action| action.starts_with("shutdown")));
}

#[test]
fn a_process_that_left_begins_anew() {
    let mut session = running();
    session.left("worker 1 is stuck");
    assert_eq!(actions(&mut session), ["disown", "lost"]);
    session.asked_back(&partitions(&[("orders", 0), ("orders", 1), ("payments", 0)]), false);
    assert_eq!(actions(&mut session), ["answer revoke"]);
    session.offered(&partitions(&[("orders", 2)]), Some("m-2"));
    session.described(&group(vec![owner("m-2", &ALL)]), "m-2");
    assert_eq!(actions(&mut session), ["answer assign", "own 0_2", "assigned 0_2"]);
}

/// Two members, and a coordinator that gives a task to another member only after its owner answered: whatever the order of events, no
/// task is owned twice.
#[test]
fn two_members_never_own_a_task_together() {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let names = ["m-1", "m-2"];
    let both = group(names.iter().map(|name| member(name, FINGERPRINT)).collect());
    let task_of = |(topic, partition): (&str, i32)| task(u32::from(topic == "payments"), partition);
    for _ in 0..200 {
        let mut sessions = names.map(|name| {
            let mut session = Session::new(plan(FINGERPRINT));
            session.member_is(Some(name));
            session
        });
        // Of the coordinator: who has each partition, and what is on its way back.
        let mut held: BTreeMap<(&str, i32), usize> = BTreeMap::new();
        let mut returning: [Vec<(&str, i32)>; 2] = Default::default();
        let mut owned: [BTreeSet<TaskId>; 2] = Default::default();
        let mut asked: [BTreeSet<TaskId>; 2] = Default::default();
        for _ in 0..60 {
            let who = usize::from(random(2) == 1);
            match random(4) {
                0 => {
                    let free: Vec<_> =
                        ALL.into_iter().filter(|partition| !held.contains_key(partition)).take(1 + random(3) as usize).collect();
                    held.extend(free.iter().map(|partition| (*partition, who)));
                    sessions[who].offered(&partitions(&free), Some(names[who]));
                }
                1 if returning[who].is_empty() => {
                    let back: Vec<_> = held.iter().filter(|(_, owner)| **owner == who).map(|(partition, _)| *partition).take(2).collect();
                    sessions[who].asked_back(&partitions(&back), false);
                    returning[who] = back;
                }
                2 => {
                    sessions[who].described(&both, names[who]);
                }
                _ => {
                    let released = std::mem::take(&mut asked[who]);
                    sessions[who].released(&released);
                }
            }
            while let Some(action) = sessions[who].next_action() {
                match action {
                    Action::Own(tasks) => owned[who] = tasks,
                    Action::Emit(GroupEvent::Revoke { tasks }) => asked[who].extend(tasks),
                    Action::AnswerRevoke => returning[who].drain(..).for_each(|partition| {
                        assert!(!owned[who].contains(&task_of(partition)), "given back while owned");
                        held.remove(&partition);
                    }),
                    _ => {}
                }
            }
            assert!(owned[0].is_disjoint(&owned[1]), "{owned:?}");
        }
    }
}

#[test]
fn tasks_that_the_group_gives_to_nobody_are_noticed_until_they_have_an_owner() {
    let mut session = Session::new(plan(FINGERPRINT));
    session.offered(&partitions(&[("orders", 0)]), Some("m-1"));
    let without_payments = group(vec![owner("m-1", &ALL[..2]), owner("m-2", &ALL[2..3])]);
    assert!(session.described(&without_payments, "m-1"));
    assert_eq!(actions(&mut session), ["answer assign", "own 0_0", "assigned 0_0"], "what is assigned may run");
    assert!(session.is_incomplete() && session.is_check_due());
    session.described(&without_payments, "m-1");
    assert!(actions(&mut session).is_empty() && session.is_incomplete());
    session.described(&group(vec![owner("m-1", &ALL[..2]), owner("m-2", &ALL[2..])]), "m-1");
    assert!(actions(&mut session).is_empty() && !session.is_check_due());
}
