use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const APPLICATION: &str = "word-count";

fn open(root: &Path) -> StateDirectory {
    StateDirectory::open(root, APPLICATION, true).expect("the directory opens")
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A task that wrote something and was given back.
fn used_task(directory: &StateDirectory, task: TaskId) -> PathBuf {
    let lock = directory.lock_task(task).unwrap();
    let store = lock.store_directory("counts");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("CURRENT"), "data").unwrap();
    store
}

#[test]
fn a_process_keeps_its_id_and_its_transactional_ids_over_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let first = open(root.path());
    let ids = (first.process_id(), first.transactional_id(1));
    drop(first);
    let second = open(root.path());
    assert_eq!((second.process_id(), second.transactional_id(1)), ids);
    assert_eq!(ids.1, format!("word-count-{}-1", ids.0));
    let metadata = fs::read_to_string(root.path().join("word-count/kafka-streams-process-metadata")).unwrap();
    assert_eq!(metadata, format!("{{\"processId\":\"{}\",\"version\":1}}", ids.0));
}

#[test]
fn an_application_without_persistent_stores_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let directory = StateDirectory::open(root.path(), APPLICATION, false).unwrap();
    let task = directory.lock_task(TaskId::new(0, 0)).unwrap();
    drop(task);
    directory.clean_up(Duration::ZERO, &BTreeSet::new(), now_ms()).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

/// Not a test by itself: the other process of the two tests below.
#[test]
#[ignore = "run by the tests of the lock, as a process of its own"]
fn hold_the_lock() {
    let root = std::env::var("STATE_DIR_UNDER_TEST").expect("set by the test");
    let _directory = open(Path::new(&root));
    println!("\nlocked");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn holder(root: &Path) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "task::state_dir::tests::hold_the_lock"])
        .env("STATE_DIR_UNDER_TEST", root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "locked"), "the other process takes the lock");
    child
}

#[test]
fn a_second_process_is_refused_by_pid_and_path_until_the_first_is_killed() {
    let root = tempfile::tempdir().unwrap();
    let mut child = holder(root.path());
    let error = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains(&format!("pid {}", child.id())), "{text}");
    assert!(text.contains(root.path().join(APPLICATION).to_str().unwrap()), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(open(root.path()));
}

#[test]
fn two_instances_in_one_process_do_not_share_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let _first = open(root.path());
    let text = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err().to_string();
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
    StateDirectory::open(root.path(), "another-application", true).expect("another application has a directory of its own");
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let marker = root.path().join("word-count/kstreams-format");
    fs::write(&marker, "format=2\napplication.id=word-count\n").unwrap();
    let error = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("newer version (format 2"), "{error}");
    assert!(fs::read_to_string(&marker).unwrap().contains("format=2"));
}

#[test]
fn a_directory_of_another_application_is_refused() {
    let root = tempfile::tempdir().unwrap();
    drop(StateDirectory::open(root.path(), "payments", true).unwrap());
    fs::rename(root.path().join("payments"), root.path().join(APPLICATION)).unwrap();
    let text = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err().to_string();
    assert!(text.contains("`payments`") && text.contains("`word-count`"), "{text}");
}

#[test]
fn task_directories_of_another_program_are_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("word-count/0_3/rocksdb/counts")).unwrap();
    let text = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err().to_string();
    assert!(text.contains("0_3") && text.contains("not written by this library"), "{text}");
}

#[test]
fn a_damaged_process_file_is_an_error_that_says_what_to_delete() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let path = root.path().join("word-count/kafka-streams-process-metadata");
    fs::write(&path, "{").unwrap();
    let text = StateDirectory::open(root.path(), APPLICATION, true).unwrap_err().to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("delete it"), "{text}");
}

#[test]
fn a_task_directory_has_one_user_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path());
    let task = TaskId::new(1, 2);
    let lock = directory.lock_task(task).unwrap();
    assert!(lock.store_directory("counts").ends_with("word-count/1_2/rocksdb/counts"));
    assert_eq!(directory.lock_task(task).unwrap_err().kind(), ErrorKind::Retriable);
    drop(lock);
    directory.lock_task(task).unwrap();
}

#[test]
fn clean_up_deletes_only_what_was_unused_for_the_delay() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path());
    let [idle, kept, claimed] = [0, 1, 2].map(|partition| TaskId::new(0, partition));
    let stores = [idle, kept, claimed].map(|task| used_task(&directory, task));
    let _claim = directory.lock_task(claimed).unwrap();
    let (delay, keep) = (Duration::from_secs(600), BTreeSet::from([kept]));
    directory.clean_up(delay, &keep, now_ms() + 599_000).unwrap();
    assert!(stores.iter().all(|store| store.exists()), "the delay is not over");
    directory.clean_up(delay, &keep, now_ms() + 601_000).unwrap();
    assert_eq!(stores.map(|store| store.exists()), [false, true, true]);
    assert!(!root.path().join("word-count/0_0").exists());
}

#[test]
fn the_age_of_a_task_counts_from_when_it_was_given_back() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path());
    let task = TaskId::new(0, 0);
    let lock = directory.lock_task(task).unwrap();
    let path = root.path().join("word-count/0_0");
    fs::File::open(&path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    drop(lock);
    directory.clean_up(Duration::from_secs(600), &BTreeSet::new(), now_ms()).unwrap();
    assert!(path.exists());
}

#[test]
fn a_damaged_store_is_kept_for_a_week() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path());
    let task = TaskId::new(0, 0);
    let store = used_task(&directory, task);
    let _lock = directory.lock_task(task).unwrap();
    let (now, day) = (now_ms(), 86_400_000);
    let damaged = [6, 8].map(|days| store.with_file_name(format!("counts.corrupt-{}", now - days * day)));
    damaged.iter().for_each(|path| fs::create_dir_all(path).unwrap());
    directory.clean_up(Duration::from_secs(600), &BTreeSet::new(), now).unwrap();
    assert_eq!(damaged.map(|path| path.exists()), [true, false]);
    assert!(store.exists());
}

#[test]
fn a_deletion_that_a_crash_interrupted_is_finished() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let application = root.path().join(APPLICATION);
    fs::create_dir_all(application.join("0_1.deleting-1700000000000/rocksdb")).unwrap();
    fs::create_dir_all(application.join("notes.deleting-by-hand")).unwrap();
    drop(open(root.path()));
    assert!(!application.join("0_1.deleting-1700000000000").exists());
    assert!(application.join("notes.deleting-by-hand").exists(), "what is not ours stays");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let error = StateDirectory::open(&file, APPLICATION, true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn a_full_disk_is_named_with_path_and_free_bytes() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("0_1");
    let error = disk::error("a store could not be written", &path, std::io::ErrorKind::StorageFull.into());
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(text.contains(path.to_str().unwrap()) && text.contains("bytes are free there"), "{text}");
}
