use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;

use super::*;

struct Client {
    member: Mutex<String>,
    generation: AtomicI32,
}

impl Client {
    fn new(member: &str, generation: i32) -> Arc<Self> {
        Arc::new(Self { member: Mutex::new(member.into()), generation: AtomicI32::new(generation) })
    }
}

impl CurrentMember for Client {
    fn current(&self) -> Option<(String, i32)> {
        Some((self.member.lock().unwrap().clone(), self.generation.load(Ordering::Relaxed)))
    }
}

fn task(partition: i32) -> TaskId {
    TaskId::new(0, partition)
}

fn ownership(client: &Arc<Client>, partitions: &[i32]) -> Ownership {
    let (member, generation) = client.current().unwrap();
    Ownership {
        token: FencingToken { group: "app".into(), member: member.into(), generation, instance: None },
        tasks: partitions.iter().map(|&partition| task(partition)).collect(),
        current: Some(Arc::clone(client) as _),
    }
}

fn cell(client: &Arc<Client>, partitions: &[i32]) -> TokenCell {
    let cell = TokenCell::new();
    cell.replace(ownership(client, partitions));
    cell
}

fn refusal(cell: &TokenCell, partition: i32) -> String {
    let error = cell.lease(&[task(partition)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    error.to_string()
}

#[test]
fn only_owned_tasks_get_a_token() {
    assert!(refusal(&TokenCell::new(), 0).contains("not joined"));
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0, 1]);
    let lease = cell.lease(&[task(0), task(1)]).unwrap();
    assert_eq!((&*lease.token().member, lease.token().generation), ("m-1", 3));
    assert!(cell.lease(&[task(0), task(2)]).unwrap_err().to_string().contains("task 0_2"));
}

#[test]
fn tasks_that_were_lost_and_come_back_belong_to_another_membership() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0, 1]);
    let first = cell.membership();
    cell.replace(ownership(&client, &[0]));
    assert_eq!(cell.membership(), first, "a rebalance is not the end of a membership");
    cell.clear("lost");
    *client.member.lock().unwrap() = "m-2".into();
    cell.replace(ownership(&client, &[0]));
    let lease = cell.lease(&[task(0)]).unwrap();
    assert_ne!(lease.membership(), first);
    assert_eq!(lease.membership(), cell.membership());
}

#[test]
fn a_token_that_the_coordinator_would_not_check_is_never_given() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0]);
    client.generation.store(-1, Ordering::Relaxed);
    refusal(&cell, 0);
    client.generation.store(3, Ordering::Relaxed);
    client.member.lock().unwrap().clear();
    refusal(&cell, 0);
}

#[test]
fn a_later_generation_of_the_same_member_is_taken_at_once() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0]);
    client.generation.store(5, Ordering::Relaxed);
    assert_eq!(cell.lease(&[task(0)]).unwrap().token().generation, 5);
}

#[test]
fn the_newest_member_is_not_the_owner() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0]);
    *client.member.lock().unwrap() = "m-2".into();
    assert!(refusal(&cell, 0).contains("m-2"));
}

#[test]
fn a_lease_holds_back_that_its_task_goes_away_but_not_that_others_do() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0, 1]);
    let lease = cell.lease(&[task(0)]).unwrap();
    cell.replace(ownership(&client, &[0]));
    refusal(&cell, 1);
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        let cell = &cell;
        let next = ownership(&client, &[1]);
        scope.spawn(move || {
            cell.replace(next);
            done.send(()).unwrap();
        });
        assert!(is_done.recv_timeout(Duration::from_millis(50)).is_err(), "the task is leased");
        drop(lease);
        is_done.recv_timeout(Duration::from_secs(10)).expect("goes on when the lease ends");
    });
    refusal(&cell, 0);
}

#[test]
fn another_membership_waits_for_all_leases_and_new_leases_wait_behind_it() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0]);
    let lease = cell.lease(&[task(0)]).unwrap();
    assert!(!cell.is_idle());
    let other = Client::new("m-2", 1);
    std::thread::scope(|scope| {
        let cell = &cell;
        let next = ownership(&other, &[0]);
        let replaced = scope.spawn(move || cell.replace(next));
        while cell.lock().replacing == 0 {
            std::thread::yield_now();
        }
        let second = scope.spawn(move || cell.lease(&[task(0)]).unwrap().token().member.clone());
        drop(lease);
        replaced.join().unwrap();
        assert_eq!(&*second.join().unwrap(), "m-2");
    });
}

#[test]
fn a_lost_membership_gives_no_more_tokens_and_does_not_wait() {
    let client = Client::new("m-1", 3);
    let cell = cell(&client, &[0]);
    let lease = cell.lease(&[task(0)]).unwrap();
    cell.clear("the session timed out");
    assert!(refusal(&cell, 0).contains("the session timed out"));
    assert!(!cell.is_idle());
    drop(lease);
    assert!(cell.is_idle());
}
