//! The anchored membership, from outside: several members of a group on a broker.

mod process;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stream_core::membership::Membership;
use stream_core::time::{Clock, ManualClock};
use stream_core::{ErrorKind, TaskId};

use process::Process;
use support::{Cluster, Member, drive, own, position};

const FINGERPRINT: &str = "00aa11bb";
const TEN: [(&str, i32); 2] = [("orders", 6), ("payments", 4)];

#[test]
fn three_members_share_ten_tasks_and_only_those_of_a_leaver_move() {
    let cluster = Cluster::start("share");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let mut first = cluster.join("first", &plan);
    drive(&mut [&mut first], "the first owns all", |members| own(members, &[10]));
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second], "two share", |members| own(members, &[5, 5]));
    let mut third = cluster.join("third", &plan);
    drive(&mut [&mut first, &mut second, &mut third], "three share", |members| own(members, &[3, 3, 4]));
    let stays = [first.owned(), third.owned()];
    second.membership.leave(support::PATIENCE).unwrap();
    drive(&mut [&mut first, &mut third], "its tasks are taken over", |members| own(members, &[5, 5]));
    assert!(first.owned().is_superset(&stays[0]) && third.owned().is_superset(&stays[1]));
    assert!(first.lost.is_empty() && third.lost.is_empty());
}

#[test]
fn each_process_gets_its_share_of_every_subtopology_and_a_rejoin_moves_only_what_it_must() {
    let cluster = Cluster::start("balance");
    let plan = cluster.anchors(&[("orders", 4), ("payments", 4)], FINGERPRINT);
    let of = |member: &Member, subtopology| member.owned().iter().filter(|task| task.subtopology == subtopology).count();
    let mut first = cluster.join("first", &plan);
    drive(&mut [&mut first], "the first owns all", |members| own(members, &[8]));
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second], "two share", |members| own(members, &[4, 4]));
    assert_eq!([of(&first, 0), of(&first, 1), of(&second, 0), of(&second, 1)], [2; 4], "by sub-topology");
    let [with_first, with_second] = [first.owned(), second.owned()];
    let mut third = cluster.join("third", &plan);
    drive(&mut [&mut first, &mut second, &mut third], "three share", |members| own(members, &[2, 3, 3]));
    for member in [&first, &second, &third] {
        assert!((0..2).all(|subtopology| (1..=2).contains(&of(member, subtopology))), "{:?}", member.owned());
    }
    assert!(first.owned().is_subset(&with_first) && second.owned().is_subset(&with_second), "only the new process gets tasks");
    let [with_first, with_third] = [first.owned(), third.owned()];
    // It goes and comes back, as in a rolling restart.
    second.membership.leave(support::PATIENCE).unwrap();
    drive(&mut [&mut first, &mut third], "two share", |members| own(members, &[4, 4]));
    assert!(first.owned().is_superset(&with_first) && third.owned().is_superset(&with_third), "those that stay lose nothing");
    let [with_first, with_third] = [first.owned(), third.owned()];
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second, &mut third], "three share again", |members| own(members, &[2, 3, 3]));
    assert!(first.owned().is_subset(&with_first) && third.owned().is_subset(&with_third), "only the process that is back gets tasks");
}

#[test]
fn a_task_is_committed_by_its_old_owner_before_the_new_one_gets_it() {
    let cluster = Cluster::start("two-step");
    let plan = cluster.anchors(&[("orders", 2)], FINGERPRINT);
    let orders = cluster.topic("orders");
    let mut first = cluster.join("first", &plan);
    drive(&mut [&mut first], "the first owns both", |members| own(members, &[2]));
    first.holds_on = true;
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second], "one task is asked back", |members| members[0].revoking.len() == 1);
    let task = first.revoking.iter().next().copied().unwrap();
    for _ in 0..100 {
        drive(&mut [&mut first, &mut second], "a turn", |_| true);
    }
    assert!(second.owned().is_empty() && first.owned().len() == 2, "not before it is released");
    first.commit(task, &orders, 17).expect("a revoked task can be committed until it is released");
    let producer = cluster.transactional_producer();
    producer.begin_transaction().unwrap();
    {
        let tokens = first.membership.tokens();
        let lease = tokens.lease(&[task]).unwrap();
        producer.send_offsets(&[position(&orders, task.partition, 18)], lease.token(), support::PATIENCE).expect("in a transaction, too");
        producer.commit_transaction(support::PATIENCE).unwrap();
    }
    first.holds_on = false;
    drive(&mut [&mut first, &mut second], "it moves when it is released", |members| own(members, &[1, 1]));
    assert_eq!(second.owned(), BTreeSet::from([task]));
    assert_eq!(first.commit(task, &orders, 19).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(cluster.committed("orders", task.partition), Some(18));
}

#[test]
fn commits_of_tasks_that_stay_go_on_through_rebalances() {
    let cluster = Cluster::start("stay");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let orders = cluster.topic("orders");
    let mut first = cluster.join("first", &plan);
    drive(&mut [&mut first], "the first owns all", |members| own(members, &[10]));
    let mut second = cluster.join("second", &plan);
    let (mut offset, mut retried) = (0, 0);
    drive(&mut [&mut first, &mut second], "two share", |members| {
        if let Some(task) = members[0].assigned.iter().flatten().find(|task| task.subtopology == 0).copied() {
            match members[0].commit(task, &orders, offset) {
                Ok(()) => offset += 1,
                Err(error) if error.kind() == ErrorKind::Retriable => retried += 1,
                Err(error) => panic!("{error}"),
            }
        }
        own(members, &[5, 5])
    });
    assert!(offset > 0, "{retried} commits were to be repeated and none went through");
    assert!(first.lost.is_empty());
}

#[test]
fn a_token_of_an_earlier_generation_is_refused_and_the_current_one_commits() {
    let cluster = Cluster::start("stale");
    let plan = cluster.anchors(&[("orders", 4)], FINGERPRINT);
    let orders = cluster.topic("orders");
    let mut first = cluster.join("first", &plan);
    drive(&mut [&mut first], "the first owns all", |members| own(members, &[4]));
    let stale = first.membership.tokens().lease(&[TaskId::new(0, 0)]).unwrap().token().clone();
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second], "two share", |members| own(members, &[2, 2]));
    let task = first.owned().into_iter().next().unwrap();
    let producer = cluster.transactional_producer();
    producer.begin_transaction().unwrap();
    let error = producer.send_offsets(&[position(&orders, task.partition, 5)], &stale, support::PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Abortable, "{error}");
    producer.abort_transaction(support::PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    {
        let tokens = first.membership.tokens();
        let lease = tokens.lease(&[task]).unwrap();
        assert!(lease.token().generation > stale.generation);
        producer.send_offsets(&[position(&orders, task.partition, 6)], lease.token(), support::PATIENCE).unwrap();
        producer.commit_transaction(support::PATIENCE).unwrap();
    }
    assert_eq!(cluster.committed("orders", task.partition), Some(6));
}

#[test]
fn a_process_that_leaves_does_not_wait_for_a_coordinator_that_does_not_answer() {
    let cluster = Cluster::start("silent");
    let plan = cluster.anchors(&[("orders", 1)], FINGERPRINT);
    let mut member = cluster.join("only", &plan);
    drive(&mut [&mut member], "it owns all", |members| own(members, &[1]));
    if !cluster.fall_silent() {
        println!("skipped: this cluster's network is not ours to cut");
        return;
    }
    let committer = member.membership.committer();
    committer.leaves(Duration::from_secs(1));
    let started = Instant::now();
    let error = member.commit(TaskId::new(0, 0), &cluster.topic("orders"), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    // By itself the client would wait for the session timeout.
    assert!(started.elapsed() < support::SESSION, "{:?}", started.elapsed());
    // Nor does the end of its client, which by itself waits for answers as long as there is a connection.
    let started = Instant::now();
    member.membership.leave(support::PATIENCE).unwrap();
    assert!(started.elapsed() < support::SESSION, "{:?}", started.elapsed());
}

#[test]
fn a_killed_process_loses_its_tasks_when_its_session_ends() {
    let cluster = Cluster::start("crash");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let mut process = Process::start(&cluster, &TEN, FINGERPRINT);
    let mut member = cluster.join("survivor", &plan);
    drive(&mut [&mut member], "it shares with the process", |members| own(members, &[5]));
    process.kill();
    drive(&mut [&mut member], "it takes over", |members| own(members, &[10]));
}

#[test]
fn a_process_that_was_stopped_past_its_session_cannot_commit_and_joins_again() {
    let cluster = Cluster::start("zombie");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let mut process = Process::start(&cluster, &TEN, FINGERPRINT);
    let mut member = cluster.join("survivor", &plan);
    drive(&mut [&mut member], "it shares with the process", |members| own(members, &[5]) && process.has_said("assigned 5"));
    process.pause();
    drive(&mut [&mut member], "it takes over", |members| own(members, &[10]));
    process.tell("commit");
    process.resume();
    assert_eq!(process.expect("commit "), "commit Fenced");
    drive(&mut [&mut member], "the process is back", |members| own(members, &[5]) && process.has_said("assigned 5"));
    process.tell("commit");
    assert_eq!(process.expect("commit "), "commit ok");
}

#[test]
fn members_that_see_different_partition_counts_wait_for_each_other_by_name() {
    let cluster = Cluster::start("fingerprint");
    let plan = cluster.anchors(&[("orders", 4)], FINGERPRINT);
    let mut old = cluster.join("old", &plan);
    drive(&mut [&mut old], "the old one owns all", |members| own(members, &[4]));
    let grown = support::plan(&cluster.group, &[("orders", 4)], "ffff0000");
    let mut new = cluster.join("new", &grown);
    drive(&mut [&mut old, &mut new], "both wait", |members| members.iter().all(|member| member.waiting.is_some()));
    assert!(new.waiting.as_ref().unwrap().contains(&format!("old-{FINGERPRINT}")), "{:?}", new.waiting);
    assert!(old.waiting.as_ref().unwrap().contains("new-ffff0000"), "{:?}", old.waiting);
    assert!(new.owned().is_empty(), "it starts nothing beside the old one");
    assert_eq!(old.owned().len(), 2, "what runs goes on");
    old.membership.replan(grown).unwrap();
    drive(&mut [&mut old, &mut new], "they share when they agree", |members| own(members, &[2, 2]));
}

#[test]
fn a_new_plan_gives_all_tasks_up_and_joins_with_its_anchors() {
    let cluster = Cluster::start("replan");
    let plan = cluster.anchors(&[("orders", 4)], FINGERPRINT);
    let mut member = cluster.join("member", &plan);
    drive(&mut [&mut member], "it owns all", |members| own(members, &[4]));
    member.holds_on = true;
    let wider = cluster.anchors(&[("invoices", 6)], "ffff0000");
    member.membership.replan(wider).unwrap();
    drive(&mut [&mut member], "all are asked back", |members| members[0].revoking.len() == 4);
    member.commit(TaskId::new(0, 3), &cluster.topic("orders"), 4).expect("the last commit");
    member.release();
    drive(&mut [&mut member], "the new ones are owned", |members| own(members, &[6]));
}

#[test]
fn a_stuck_worker_makes_the_process_leave_until_it_moves_again() {
    let cluster = Cluster::start("stuck");
    let plan = cluster.anchors(&[("orders", 4)], FINGERPRINT);
    let clock = Arc::new(ManualClock::new(0));
    let properties = [("max.poll.interval.ms", "60000")];
    let mut stuck = cluster.join_with("stuck", &plan, &properties, &(Arc::clone(&clock) as Arc<dyn Clock>));
    drive(&mut [&mut stuck], "it owns all", |members| own(members, &[4]));
    let tokens = stuck.membership.tokens();
    tokens.note_progress(0, clock.monotonic());
    let mut other = cluster.join("other", &plan);
    drive(&mut [&mut stuck, &mut other], "two share", |members| own(members, &[2, 2]));
    clock.advance(60_001);
    drive(&mut [&mut stuck, &mut other], "the other takes over", |members| members[1].owned().len() == 4);
    assert!(stuck.lost[0].contains("worker 0 has made no progress"), "{:?}", stuck.lost);
    assert_eq!(tokens.lease(&[TaskId::new(0, 0)]).unwrap_err().kind(), ErrorKind::Fenced);
    tokens.note_progress(0, clock.monotonic());
    clock.advance(1_000);
    drive(&mut [&mut stuck, &mut other], "it is back", |members| own(members, &[2, 2]));
}

#[test]
fn all_processes_are_asked_to_end_by_the_one_that_leaves_last() {
    let cluster = Cluster::start("shutdown");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let mut first = cluster.join("first", &plan);
    let mut second = cluster.join("second", &plan);
    drive(&mut [&mut first, &mut second], "two share", |members| own(members, &[5, 5]));
    first.membership.shut_down_application().unwrap();
    let leaving = std::thread::spawn(move || first.membership.leave(support::PATIENCE));
    drive(&mut [&mut second], "the other is asked", |members| members[0].shutdown_by.is_some());
    assert!(second.shutdown_by.as_ref().unwrap().contains("first-"), "{:?}", second.shutdown_by);
    second.membership.leave(support::PATIENCE).unwrap();
    leaving.join().unwrap().expect("it ends when all have gone");
}

#[test]
fn a_static_member_that_restarts_within_its_session_moves_nothing() {
    let cluster = Cluster::start("static");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let system: Arc<dyn Clock> = Arc::new(stream_core::time::SystemClock::new());
    let join = |name: &'static str| cluster.join_with(name, &plan, &[("group.instance.id", name)], &system);
    let mut first = join("first");
    let mut second = join("second");
    drive(&mut [&mut first, &mut second], "two share", |members| {
        own(members, &[5, 5]) && members[0].generation() == members[1].generation()
    });
    let (before, generation) = (second.owned(), first.generation());
    second.membership.leave(support::PATIENCE).unwrap();
    drop(second);
    let mut second = join("second");
    drive(&mut [&mut first, &mut second], "it has its tasks back", |members| members[1].owned() == before);
    assert_eq!((first.generation(), second.generation()), (generation, generation), "no rebalance");
    let tokens = second.membership.tokens();
    assert!(tokens.lease(&[]).unwrap().token().instance.as_deref().is_some_and(|instance| instance.starts_with("second-")));
}

#[test]
fn two_processes_of_one_instance_id_do_not_run_side_by_side() {
    let cluster = Cluster::start("twins");
    let plan = cluster.anchors(&[("orders", 2)], FINGERPRINT);
    let system: Arc<dyn Clock> = Arc::new(stream_core::time::SystemClock::new());
    let join = |name: &'static str| cluster.join_with(name, &plan, &[("group.instance.id", "instance")], &system);
    let mut first = join("first");
    drive(&mut [&mut first], "it owns all", |members| own(members, &[2]));
    let tokens = first.membership.tokens();
    let mut second = join("second");
    // The coordinator lets the newer one replace the older; until the older one hears of it, its commits are refused there.
    let mut failure = None;
    let started = std::time::Instant::now();
    while failure.is_none() || !own(&[&mut second], &[2]) {
        first.turn();
        second.turn();
        failure = failure.or_else(|| first.failure.take());
        assert!(started.elapsed() < support::PATIENCE, "the first ends: {failure:?}");
    }
    let error = failure.unwrap();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("group.instance.id"), "{error}");
    assert_eq!(tokens.lease(&[TaskId::new(0, 0)]).unwrap_err().kind(), ErrorKind::Fenced);
}

#[test]
fn a_broker_that_is_away_for_a_while_costs_no_tasks() {
    if std::env::var("KSTREAMS_BOOTSTRAP_SERVERS").is_ok() {
        return;
    }
    let cluster = Cluster::start("away");
    let plan = cluster.anchors(&TEN, FINGERPRINT);
    let mut member = cluster.join("member", &plan);
    drive(&mut [&mut member], "it owns all", |members| own(members, &[10]));
    cluster.cut_connections();
    let orders = cluster.topic("orders");
    let mut offset = None;
    drive(&mut [&mut member], "it commits again", |members: &[&mut Member]| {
        offset = offset.or_else(|| members[0].commit(TaskId::new(0, 1), &orders, 3).ok());
        offset.is_some()
    });
    assert!(member.lost.is_empty() && member.owned().len() == 10);
}
