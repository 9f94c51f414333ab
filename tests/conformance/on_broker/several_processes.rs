//! A case with four partitions and three processes, and all records at once: only its final tables are compared.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::cluster::Cluster;
use super::ends::Ends;
use super::{changelog, selection, start};
use crate::interpreter::compare::{is_changelog, is_internal};

const PARTITIONS: i32 = 4;
const PROCESSES: usize = 3;

/// Runs the case with three applications that share nothing but the broker; returns the differences.
pub fn run(case: &Value, guarantee: &str) -> Vec<String> {
    let execute = || {
        let cluster = Cluster::start(case, PARTITIONS);
        let folders: Vec<_> = (0..PROCESSES).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let applications = folders
            .iter()
            .map(|folder| start(case, guarantee, &cluster.bootstrap_servers(), folder.path()))
            .collect::<Result<Vec<_>, _>>()?;
        applications.iter().try_for_each(|application| application.await_running())?;
        feed(case, &cluster, || applications.iter().try_for_each(|application| application.check()))?;
        applications.into_iter().try_for_each(|application| application.close())?;
        tables(case, &cluster)
    };
    execute().unwrap_or_else(|error: String| vec![error])
}

/// The same with operating system processes: `command` makes one, which says `running` when it runs and ends with its input.
pub fn run_in_processes(case: &Value, command: impl Fn(&str) -> Command) -> Vec<String> {
    let execute = || {
        let cluster = Cluster::start(case, PARTITIONS);
        let mut children: Vec<Child> = Vec::new();
        for _ in 0..PROCESSES {
            let child = command(&cluster.bootstrap_servers()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            children.push(child.map_err(|error| error.to_string())?);
        }
        for child in &mut children {
            let lines = BufReader::new(child.stdout.as_mut().ok_or("no output")?).lines();
            lines.map_while(Result::ok).find(|line| line.contains("running")).ok_or("a process ended before it ran")?;
        }
        feed(case, &cluster, || Ok(()))?;
        for mut child in children {
            // The end of its input is the sign to close.
            child.stdin.take().ok_or("no input")?.flush().map_err(|error| error.to_string())?;
            let status = child.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(format!("a process ended with {status}"));
            }
        }
        tables(case, &cluster)
    };
    execute().unwrap_or_else(|error: String| vec![error])
}

fn feed(case: &Value, cluster: &Cluster, check: impl Fn() -> Result<(), String>) -> Result<(), String> {
    case["steps"].as_array().into_iter().flatten().try_for_each(|step| cluster.send(step))?;
    let consumer = cluster.consumer();
    let sources = selection::sources(case);
    let is_read = |topic: &str| sources.iter().any(|source| source == topic) || is_internal(topic) && !is_changelog(topic);
    Ends::new(&consumer, cluster.partitions_of(&consumer, is_read)).await_committed(check)
}

fn tables(case: &Value, cluster: &Cluster) -> Result<Vec<String>, String> {
    let (compared, mut found) = changelog::differences(case, &cluster.read(is_changelog)?);
    if compared == 0 {
        found.push("no table was compared".to_owned());
    }
    Ok(found)
}
