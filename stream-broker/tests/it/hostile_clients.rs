//! Clients that do not behave: they harm themselves only.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiVersionsRequest;

use crate::support::{Client, broker};

/// Far more than a request takes, far less than a client's patience.
const MOMENT: Duration = Duration::from_secs(2);

/// The longest that a client waits for one of 50 answers.
fn slowest_answer(client: &mut Client) -> Duration {
    let answer = |_| {
        let begun = Instant::now();
        client.call(0, &ApiVersionsRequest::default());
        begun.elapsed()
    };
    (0..50).map(answer).max().unwrap_or_default()
}

#[test]
fn connections_that_end_in_the_middle_of_a_frame_hold_up_nobody() {
    let broker = broker();
    let mut other = Client::connect(broker.address());
    let mut open = Vec::new();
    for announced in [4, 100, 1 << 20, 99 << 20] {
        for sent in [0, 1, 3, 4, 5, 60] {
            let mut stream = TcpStream::connect(broker.address()).unwrap();
            let bytes = [&i32::to_be_bytes(announced)[..], &[0; 60]].concat();
            stream.write_all(&bytes[..sent]).unwrap();
            open.push(stream);
        }
    }
    // And some that say nothing at all.
    open.extend((0..200).map(|_| TcpStream::connect(broker.address()).unwrap()));
    assert!(slowest_answer(&mut other) < MOMENT);
    drop(open);
    assert!(slowest_answer(&mut other) < MOMENT);
}

#[test]
fn a_client_that_sends_byte_by_byte_is_served() {
    let broker = broker();
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    // ApiVersions, version 0, correlation id 9, no client id.
    let frame = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 9, 0xff, 0xff];
    for byte in frame {
        stream.write_all(&[byte]).unwrap();
    }
    let mut head = [0; 8];
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head[4..], [0, 0, 0, 9]);
}

#[test]
fn damaged_frames_close_their_own_connection_only() {
    let broker = broker();
    let mut other = Client::connect(broker.address());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/request");
    let mut closed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let frame = fs::read(entry.unwrap().path()).unwrap();
        // Every length in it is beyond its end.
        let damaged = [&frame[..frame.len().min(12)], &[0x7f; 20]].concat();
        let mut stream = TcpStream::connect(broker.address()).unwrap();
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        stream.write_all(&[&(damaged.len() as i32).to_be_bytes()[..], &damaged].concat()).unwrap();
        closed += usize::from(stream.read(&mut [0; 1]).is_ok_and(|bytes| bytes == 0));
        other.call(0, &ApiVersionsRequest::default());
    }
    assert!(closed > 30, "{closed} connections were closed");
}
