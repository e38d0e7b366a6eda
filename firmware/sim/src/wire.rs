//! Contacts as their supervised loops show them: the voltage that a converter would read. The drivers above are the boards' own.
use crate::scene::Scene;
use crate::script::{Input as Is, Kind, What};
use crate::time::Timeline;
use std::rc::Rc;
use tuoan_node::sensor::{Fault, Input};
use tuoan_node::sensors::button::{Button, Role};
use tuoan_node::sensors::line::{Adc, Contact, Loop, STANDARD};
use tuoan_node::sensors::pir::Pir;
use tuoan_node::sensors::{contact, relay};

/// Counts of a loop with [`STANDARD`] resistors: closed shows 2.2 kΩ, open 12.2 kΩ, below a pull-up of 4.7 kΩ.
const CLOSED: u16 = 20_893;
const OPEN: u16 = 47_308;

struct Voltage {
    scene: Rc<Scene>,
    time: Timeline,
    place: usize,
    /// A door is active when its contact is open; a relay and a button when theirs is closed.
    active: u16,
    quiet: u16,
}

impl Adc for Voltage {
    fn read(&mut self) -> Result<u16, Fault> {
        let t = self.time.now();
        Ok(if self.scene.is(What::Cut, t) {
            u16::MAX
        } else if self.scene.is(What::Short, t) {
            0
        } else if self.scene.contact(self.place, t) {
            self.active
        } else {
            self.quiet
        })
    }
}

/// The channel of input `place`: how many like it stand before it.
pub fn channel(kind: &Kind, place: usize) -> u8 {
    let like = |is| kind.contact.iter().take(place).filter(|c| c.is == is).count();
    kind.contact.get(place).map_or(0, |c| u8::try_from(like(c.is)).unwrap_or(u8::MAX))
}

/// Input `place` of the node's kind.
pub fn input(scene: &Rc<Scene>, time: Timeline, place: usize) -> Option<Box<dyn Input>> {
    let is = scene.kind().contact.get(place)?.is;
    let (active, quiet, active_when) = if is == Is::Door { (OPEN, CLOSED, Contact::Open) } else { (CLOSED, OPEN, Contact::Closed) };
    let line = Loop::new(Voltage { scene: scene.clone(), time, place, active, quiet }, STANDARD, active_when);
    Some(match is {
        Is::Door => Box::new(contact::door(line)),
        Is::Smoke => Box::new(relay::smoke(line)),
        Is::Heat => Box::new(relay::heat(line)),
        Is::Gas => Box::new(relay::gas(line)),
        Is::Motion => Box::new(Pir::new(line)),
        Is::Panic => Box::new(Button::new(line, Role::Panic)),
    })
}
