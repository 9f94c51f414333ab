//! A member of the group: it joins, is given partitions, commits, and is now and then gone without a word.

use kafka_protocol::messages::JoinGroupResponse;
use kafka_protocol::protocol::StrBytes;

use super::auditor::Auditor;
use super::requests::{self, PARTITIONS, TOPIC};
use super::world::{Parked, Sent, World};
use crate::core::Ticket;
use crate::harness::{body, text};

const UNKNOWN_MEMBER_ID: i16 = 25;
const MEMBER_ID_REQUIRED: i16 = 79;

enum State {
    Out,
    Joining(Ticket),
    Syncing(Ticket, i32),
    Assigned(i32, Vec<u8>),
}

pub(super) struct Member {
    id: StrBytes,
    state: State,
}

impl Member {
    pub(super) fn new() -> Self {
        Member { id: text(""), state: State::Out }
    }

    pub(super) fn step(&mut self, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        match std::mem::replace(&mut self.state, State::Out) {
            State::Out => match world.send(5, requests::join(&self.id))? {
                Sent::Answered(response) => self.joined(body!(JoinGroup, response), world, auditor)?,
                Sent::Parked(ticket) => self.state = State::Joining(ticket),
                Sent::Lost => {}
            },
            State::Joining(ticket) => match world.answer(ticket) {
                Parked::Answered(response) => self.joined(body!(JoinGroup, response), world, auditor)?,
                Parked::Waiting if world.one_in(40) => world.give_up(ticket),
                Parked::Waiting => self.state = State::Joining(ticket),
                Parked::Gone => {}
            },
            State::Syncing(ticket, generation) => match world.answer(ticket) {
                Parked::Answered(response) => {
                    let response = body!(SyncGroup, response);
                    self.synced(response.error_code, &response.assignment, generation, auditor)?;
                }
                Parked::Waiting => self.state = State::Syncing(ticket, generation),
                Parked::Gone => {}
            },
            State::Assigned(generation, partitions) => self.work(generation, partitions, world, auditor)?,
        }
        Ok(())
    }

    fn joined(&mut self, response: JoinGroupResponse, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        match response.error_code {
            0 => {}
            MEMBER_ID_REQUIRED => {
                self.id = response.member_id;
                return Ok(());
            }
            UNKNOWN_MEMBER_ID => {
                self.id = text("");
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.id = response.member_id.clone();
        let assignments = if response.leader == response.member_id {
            let count = response.members.len();
            let partitions_of = |index: usize| (0..PARTITIONS as u8).filter(move |partition| *partition as usize % count == index);
            response.members.iter().enumerate().map(|(index, member)| (member.member_id.clone(), partitions_of(index).collect())).collect()
        } else {
            Vec::new()
        };
        let generation = response.generation_id;
        match world.send(3, requests::sync(&self.id, generation, assignments))? {
            Sent::Answered(response) => {
                let response = body!(SyncGroup, response);
                self.synced(response.error_code, &response.assignment, generation, auditor)?;
            }
            Sent::Parked(ticket) => self.state = State::Syncing(ticket, generation),
            Sent::Lost => {}
        }
        Ok(())
    }

    fn synced(&mut self, code: i16, assignment: &[u8], generation: i32, auditor: &mut Auditor) -> Result<(), String> {
        if code == 0 {
            auditor.assigned(generation, &self.id, assignment)?;
            self.state = State::Assigned(generation, assignment.to_vec());
        }
        Ok(())
    }

    fn work(&mut self, generation: i32, partitions: Vec<u8>, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        match world.below(24) {
            0 => self.id = text(""),
            1 => {
                world.send(0, requests::leave(&self.id))?;
                self.id = text("");
            }
            2..=12 if !partitions.is_empty() => {
                let partition = i32::from(partitions[world.below(partitions.len() as u64) as usize]);
                let offset = auditor.fresh() as i64;
                match world.send(8, requests::commit(&self.id, generation, partition, offset))? {
                    Sent::Answered(response) => {
                        let code = body!(OffsetCommit, response).topics[0].partitions[0].error_code;
                        if code == 0 {
                            auditor.member_committed(generation, partition, offset)?;
                            self.state = State::Assigned(generation, partitions);
                        }
                    }
                    Sent::Parked(_) | Sent::Lost => {
                        auditor.offset_in_doubt(TOPIC, partition, offset);
                        self.state = State::Assigned(generation, partitions);
                    }
                }
            }
            _ => {
                let beats = match world.send(3, requests::heartbeat(&self.id, generation))? {
                    Sent::Answered(response) => body!(Heartbeat, response).error_code == 0,
                    Sent::Parked(_) | Sent::Lost => true,
                };
                if beats {
                    self.state = State::Assigned(generation, partitions);
                }
            }
        }
        Ok(())
    }
}

/// A member of a generation that is over commits.
pub(super) fn commit_late(world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
    let choice = world.below(1 << 30);
    let Some((member, generation)) = auditor.past_member(choice) else {
        return Ok(());
    };
    let partition = world.below(PARTITIONS as u64) as i32;
    let offset = auditor.fresh() as i64;
    let Sent::Answered(response) = world.send(8, requests::commit(&member, generation, partition, offset))? else {
        return Ok(());
    };
    match body!(OffsetCommit, response).topics[0].partitions[0].error_code {
        0 => auditor.member_committed(generation, partition, offset),
        _ => Ok(()),
    }
}
