//! The program: its one line, its end, its errors.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn program(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stream-broker")).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn it_prints_one_line_when_it_is_ready_and_ends_cleanly_on_signals() {
    for name in ["-TERM", "-INT"] {
        let mut child = program(&["--listen", "127.0.0.1:0", "--partitions=3"]);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        TcpStream::connect(address).unwrap();
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn a_wrong_command_line_is_explained_and_ends_with_code_two() {
    for (arguments, expected) in [
        (&["--lisen", "x"][..], "unknown option '--lisen'"),
        (&["--partitions", "many"], "needs a number"),
        (&["--partitions"], "needs a value"),
        (&["--no-auto-create=1"], "takes no value"),
        (&["--log-memory-mb", "0"], "needs a number in its range"),
    ] {
        let output = program(arguments).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expected), "{message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_address_that_is_taken_ends_it_with_code_one() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let output = program(&["--listen", &address]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&address), "{message}");
}

#[test]
fn help_names_every_option() {
    let output = program(&["--help"]).wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for option in ["--listen", "--partitions", "--no-auto-create", "--advertised"] {
        assert!(text.contains(option), "{option}");
    }
}
