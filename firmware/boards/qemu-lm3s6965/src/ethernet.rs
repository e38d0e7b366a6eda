//! The chip's Ethernet MAC (data sheet, chapter 17) as a driver for `embassy-net`. Frames go through its FIFO word by word; an interrupt
//! says that one has come.
use crate::regs::{ETHERNET, read, write};
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const INTERRUPT: u32 = 0x00;
const INTERRUPT_MASK: u32 = 0x04;
const RECEIVE: u32 = 0x08;
const TRANSMIT: u32 = 0x0c;
const DATA: u32 = 0x10;
const ADDRESS_LOW: u32 = 0x14;
const ADDRESS_HIGH: u32 = 0x18;
const PACKETS: u32 = 0x34;
const REQUEST: u32 = 0x38;

/// A frame has come.
const CAME: u32 = 1;

/// Header and payload, without the check sum.
const FRAME: usize = 1514;

static WAITS: AtomicWaker = AtomicWaker::new();

/// The interrupt: wakes whoever waits for a frame. It is cleared before the frames are counted, so that none is overlooked.
pub fn came() {
    write(ETHERNET, INTERRUPT, CAME);
    WAITS.wake();
}

pub struct Ethernet {
    address: [u8; 6],
}

impl Ethernet {
    pub fn new(address: [u8; 6]) -> Ethernet {
        let [a, b, c, d, e, f] = address;
        write(ETHERNET, ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
        write(ETHERNET, ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
        // Pad, add the check sum, full duplex.
        write(ETHERNET, TRANSMIT, 0x17);
        // Multicast too; drop frames with a wrong check sum.
        write(ETHERNET, RECEIVE, 0x0b);
        write(ETHERNET, INTERRUPT_MASK, CAME);
        Ethernet { address }
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received, Sending)> {
        WAITS.register(context.waker());
        (read(ETHERNET, PACKETS) != 0).then_some((Received, Sending))
    }
    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending> {
        Some(Sending)
    }
    /// The chip does not tell whether the cable is in: that shows in what comes over it.
    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

pub struct Received;
impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        let mut frame = [0; FRAME];
        // Two bytes of length, which counts itself and the four of the check sum; then the frame.
        let first = read(ETHERNET, DATA).to_le_bytes();
        let length = usize::from(u16::from_le_bytes([first[0], first[1]]));
        let wanted = length.saturating_sub(6).min(FRAME);
        let mut put = |at: usize, bytes: &[u8]| {
            for (i, byte) in bytes.iter().enumerate() {
                if let Some(place) = frame.get_mut(at + i).filter(|_| at + i < wanted) {
                    *place = *byte;
                }
            }
        };
        put(0, &first[2..]);
        for word in 1..length.div_ceil(4) {
            put(word * 4 - 2, &read(ETHERNET, DATA).to_le_bytes());
        }
        f(&mut frame[..wanted])
    }
}

pub struct Sending;
impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // Two bytes of length, without the header of 14, then the frame.
        let mut frame = [0; FRAME + 2];
        let length = length.min(FRAME);
        let result = f(&mut frame[2..2 + length]);
        let payload = u16::try_from(length.saturating_sub(14)).unwrap_or(0);
        frame[..2].copy_from_slice(&payload.to_le_bytes());
        for word in frame[..length + 2].chunks(4) {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            write(ETHERNET, DATA, u32::from_le_bytes(bytes));
        }
        // The check sum's place, which the MAC fills.
        write(ETHERNET, REQUEST, 1);
        result
    }
}
