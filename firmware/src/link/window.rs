//! What is under way: sent, or being sent again, and not yet acknowledged. Sequence numbers are given here, when a record is first sent, so that they
//! ascend on the wire without gaps; a record keeps its number until it is acknowledged, through any number of connections.
use crate::outbox::Lane;
use core::ops::Range;
use heapless::Vec;

/// Alarms under way at once.
const ALARMS: usize = 8;
/// Readings under way at once: few, so that an alarm finds little before it on the wire.
const READINGS: usize = 4;
/// Packet ids from here on are those of answers.
const END_ID: u16 = 0xfff0;
/// Packet ids below are those of the birth and the subscriptions.
const FIRST_ID: u16 = 16;

/// One record under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    pub lane: Lane,
    /// Its number in the outbox.
    pub number: u64,
    pub seq: u64,
    /// Its packet id.
    pub id: u16,
    /// When it was last sent, in milliseconds of uptime; `None` when not on this connection.
    pub sent_at: Option<u64>,
    /// It was sent before, on whichever connection.
    pub before: bool,
    acked: bool,
}

#[derive(Debug)]
pub struct Window {
    flights: Vec<Flight, { ALARMS + READINGS }>,
    next_seq: u64,
    next_id: u16,
    /// Number of the next record of each lane that was never sent.
    alarm: u64,
    reading: u64,
}

impl Default for Window {
    fn default() -> Self {
        Window { flights: Vec::new(), next_seq: 1, next_id: FIRST_ID, alarm: 0, reading: 0 }
    }
}

impl Window {
    /// What goes next over this connection: first what was under way before, in its order; then alarms; then readings. `held` tells what the outbox
    /// holds, `limit` how many messages the broker takes at once.
    pub fn next(&mut self, limit: usize, held: impl Fn(Lane) -> Range<u64>) -> Option<&mut Flight> {
        let under_way = self.flights.iter().filter(|f| f.sent_at.is_some() && !f.acked).count();
        if under_way >= limit {
            return None;
        }
        if let Some(i) = self.flights.iter().position(|f| f.sent_at.is_none() && !f.acked) {
            return self.flights.get_mut(i);
        }
        for (lane, most) in [(Lane::Alarm, ALARMS), (Lane::Reading, READINGS)] {
            let held = held(lane);
            let cursor = match lane {
                Lane::Alarm => &mut self.alarm,
                Lane::Reading => &mut self.reading,
            };
            let number = (*cursor).max(held.start);
            if number >= held.end || self.flights.iter().filter(|f| f.lane == lane).count() >= most {
                continue;
            }
            let id = self.next_id;
            let flight = Flight { lane, number, seq: self.next_seq, id, sent_at: None, before: false, acked: false };
            self.flights.push(flight).ok()?;
            *cursor = number + 1;
            self.next_seq += 1;
            self.next_id = if id.saturating_add(1) < END_ID { id.saturating_add(1) } else { FIRST_ID };
            return self.flights.last_mut();
        }
        None
    }

    /// The packet went out at `now_ms`.
    pub fn sent(&mut self, id: u16, now_ms: u64) {
        if let Some(flight) = self.flights.iter_mut().find(|f| f.id == id) {
            (flight.sent_at, flight.before) = (Some(now_ms), true);
        }
    }

    /// The broker has taken the packet: the lane, and the number up to which the outbox may drop, if that has moved.
    pub fn acknowledge(&mut self, id: u16) -> Option<(Lane, u64)> {
        // An id that is not under way is an echo of what was acknowledged before.
        let flight = self.flights.iter_mut().find(|f| f.id == id && f.sent_at.is_some())?;
        flight.acked = true;
        let lane = flight.lane;
        self.settle(lane)
    }

    /// The record cannot be sent at all: it is done with. As [`Window::acknowledge`]. Its sequence number is free again if it was the last given.
    pub fn give_up(&mut self, id: u16) -> Option<(Lane, u64)> {
        let flight = self.flights.iter_mut().find(|f| f.id == id)?;
        flight.acked = true;
        if !flight.before && flight.seq + 1 == self.next_seq {
            self.next_seq = flight.seq;
        }
        let lane = flight.lane;
        self.settle(lane)
    }

    /// Forgets the oldest of a lane while they are acknowledged.
    fn settle(&mut self, lane: Lane) -> Option<(Lane, u64)> {
        let mut through = None;
        while let Some(i) = self.flights.iter().position(|f| f.lane == lane) {
            if !self.flights.get(i).is_some_and(|f| f.acked) {
                break;
            }
            through = Some((lane, self.flights.remove(i).number));
        }
        through
    }

    /// The connection is gone: all that is under way has to be sent again.
    pub fn disconnected(&mut self) {
        for f in &mut self.flights {
            f.sent_at = None;
        }
    }

    /// Since when the longest waits for its acknowledgement.
    pub fn oldest_wait(&self) -> Option<u64> {
        self.flights.iter().filter(|f| !f.acked).filter_map(|f| f.sent_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends what may go; (lane, number, seq, dup).
    fn send(window: &mut Window, limit: usize, alarms: Range<u64>, readings: Range<u64>) -> Vec<(Lane, u64, u64, bool), 64> {
        let mut sent = Vec::new();
        while let Some(f) = window.next(limit, |lane| if lane == Lane::Alarm { alarms.clone() } else { readings.clone() }) {
            sent.push((f.lane, f.number, f.seq, f.before)).unwrap();
            (f.sent_at, f.before) = (Some(0), true);
        }
        sent
    }
    fn id(window: &Window, lane: Lane, number: u64) -> u16 {
        window.flights.iter().find(|f| f.lane == lane && f.number == number).unwrap().id
    }

    #[test]
    fn alarms_go_first_and_numbers_ascend_as_things_are_sent() {
        let mut window = Window::default();
        let sent = send(&mut window, 99, 0..0, 0..1000);
        assert_eq!(sent.iter().map(|s| (s.1, s.2)).collect::<std::vec::Vec<_>>(), [(0, 1), (1, 2), (2, 3), (3, 4)]);
        let sent = send(&mut window, 99, 0..1, 0..1000);
        assert_eq!(sent.as_slice(), [(Lane::Alarm, 0, 5, false)], "it does not wait for the four before it");
        assert_eq!(window.acknowledge(id(&window, Lane::Reading, 0)), Some((Lane::Reading, 0)));
        assert_eq!(send(&mut window, 99, 0..1, 1..1000).as_slice(), [(Lane::Reading, 4, 6, false)]);
    }

    #[test]
    fn nothing_leaves_before_what_is_older_is_acknowledged() {
        let mut window = Window::default();
        send(&mut window, 99, 0..0, 0..3);
        assert_eq!(window.acknowledge(id(&window, Lane::Reading, 1)), None);
        assert_eq!(window.acknowledge(id(&window, Lane::Reading, 0)), Some((Lane::Reading, 1)));
        assert_eq!(window.acknowledge(9999), None);
    }

    #[test]
    fn after_a_lost_connection_the_same_numbers_go_again_in_their_order() {
        let mut window = Window::default();
        send(&mut window, 99, 0..0, 0..3);
        let ids: std::vec::Vec<u16> = window.flights.iter().map(|f| f.id).collect();
        window.acknowledge(*ids.get(1).unwrap());
        window.disconnected();
        assert_eq!(window.acknowledge(*ids.first().unwrap()), None, "an acknowledgement of the old connection");
        let sent = send(&mut window, 99, 0..1, 0..3);
        assert_eq!(sent.as_slice(), [(Lane::Reading, 0, 1, true), (Lane::Reading, 2, 3, true), (Lane::Alarm, 0, 4, false)]);
    }

    #[test]
    fn a_broker_that_takes_one_at_a_time_gets_one_at_a_time() {
        let mut window = Window::default();
        assert_eq!(send(&mut window, 1, 0..0, 0..3).len(), 1);
        assert_eq!(send(&mut window, 1, 0..1, 0..3).len(), 0);
        window.acknowledge(id(&window, Lane::Reading, 0));
        assert_eq!(send(&mut window, 1, 0..1, 1..3).as_slice(), [(Lane::Alarm, 0, 2, false)]);
    }

    #[test]
    fn what_fell_out_of_the_outbox_is_passed_over_and_what_cannot_be_read_is_given_up() {
        let mut window = Window::default();
        send(&mut window, 99, 0..0, 0..1);
        window.acknowledge(id(&window, Lane::Reading, 0));
        let f = window.next(99, |lane| if lane == Lane::Alarm { 0..0 } else { 50..60 }).unwrap();
        assert_eq!((f.number, f.seq), (50, 2));
        let id = f.id;
        assert_eq!(window.give_up(id), Some((Lane::Reading, 50)));
        let f = window.next(99, |lane| if lane == Lane::Alarm { 0..0 } else { 51..60 }).unwrap();
        assert_eq!((f.number, f.seq), (51, 2), "its number is not wasted");
    }

    #[test]
    fn packet_ids_go_round_without_those_of_birth_and_subscription() {
        let mut window = Window { next_id: u16::MAX, ..Window::default() };
        send(&mut window, 99, 0..0, 0..2);
        assert_eq!(window.flights.iter().map(|f| f.id).collect::<std::vec::Vec<_>>(), [u16::MAX, FIRST_ID]);
    }
}
