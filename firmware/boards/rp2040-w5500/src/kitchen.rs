//! The node of a kitchen: gas, water on the floor, fridge, hot water, the meter; door and one-key alarm. It hangs outside the gas zone, and switches nothing.
//! What is wired where: docs/hardware.md.
#![no_std]
#![no_main]

mod adc;
mod clock;
mod console;
mod keys;
mod last;
mod layout;
mod network;
mod noise;
mod onewire;
mod outputs;
mod start;
mod watchdog;

use crate::adc::Input as Analog;
use crate::onewire::Bus;
use crate::outputs::Switches;
use crate::start::plan;
use core::cell::RefCell;
use embassy_executor::Spawner;
use embassy_rp::adc::{Adc, Blocking, Channel};
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::i2c::{self, I2c};
use embassy_rp::peripherals::{I2C0, PIO1};
use embassy_rp::pio::{self, Pio};
use embassy_rp::pio_programs::onewire::{PioOneWire, PioOneWireProgram};
use embassy_time::Delay;
use static_cell::StaticCell;
use tuoan_node::alarm::Wired;
use tuoan_node::sensors::button::{Button, Role};
use tuoan_node::sensors::ds18b20::Ds18b20;
use tuoan_node::sensors::line::{Active, Contact, Loop, Pin, STANDARD};
use tuoan_node::sensors::pulse::{Counter, Meter, Metered, PulseInput};
use tuoan_node::sensors::sht4x::Sht4x;
use tuoan_node::sensors::{contact, leak, relay};
use tuoan_protocol::Quantity;

bind_interrupts!(struct Irqs {
    I2C0_IRQ => i2c::InterruptHandler<I2C0>;
    PIO1_IRQ_0 => pio::InterruptHandler<PIO1>;
});

static PULSES: Counter = Counter::new();
/// As most meters for a DIN rail.
const PULSES_PER_KWH: u32 = 1_000;

/// What this program is called at birth and in images: no node takes one of another name.
const NAME: &str = "kitchen-rp2040";

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(Default::default());
    let node = start::start(&spawner, parts!(p), NAME).await;

    let i2c = I2c::new_async(p.I2C0, p.PIN_5, p.PIN_4, Irqs, i2c::Config::default());
    let Pio { mut common, sm0, sm1, .. } = Pio::new(p.PIO1, Irqs);
    let program = PioOneWireProgram::new(&mut common);
    let fridge = Bus(PioOneWire::new(&mut common, sm0, p.PIN_13, &program));
    let tap = Bus(PioOneWire::new(&mut common, sm1, p.PIN_12, &program));

    let mut sensors = (
        Sht4x::new(i2c, Delay, None),
        Ds18b20::new(fridge, Delay, None, Quantity::FridgeTemperature),
        Ds18b20::new(tap, Delay, None, Quantity::WaterTemperature),
        // Where the meter stands is not kept: its reading counts from the start of the node. What flows does not depend on it.
        Meter::new(&PULSES, Metered::Electricity(PULSES_PER_KWH), 0),
    );
    let mut plans = [
        // Heat rises by degrees a minute in a fire.
        plan(10_000, Quantity::Temperature, 50, &[Quantity::Humidity]),
        plan(30_000, Quantity::FridgeTemperature, 50, &[]),
        // A tap that runs hot scalds within seconds.
        plan(2_000, Quantity::WaterTemperature, 100, &[]),
        plan(10_000, Quantity::Power, 500, &[Quantity::Energy]),
    ];

    static ADC: StaticCell<RefCell<Adc<'static, Blocking>>> = StaticCell::new();
    let adc = ADC.init(RefCell::new(Adc::new_blocking(p.ADC, Default::default())));
    let analog = |channel| Analog::new(adc, channel);
    let mut door = contact::door(Loop::new(analog(Channel::new_pin(p.PIN_26, Pull::None)), STANDARD, Contact::Open));
    let mut gas = relay::gas(Loop::new(analog(Channel::new_pin(p.PIN_27, Pull::None)), STANDARD, Contact::Open));
    let mut leak = leak::leak(analog(Channel::new_pin(p.PIN_28, Pull::None)));
    let mut panic = Button::new(Pin::new(Input::new(p.PIN_2, Pull::Up), Active::Low), Role::Panic);
    let mut service = Button::new(Pin::new(Input::new(p.PIN_3, Pull::Up), Active::Low), Role::Service);
    let mut pulses = PulseInput::new(Pin::new(Input::new(p.PIN_14, Pull::Up), Active::Low), &PULSES);
    let inputs = [
        Wired { input: &mut panic, channel: 0 },
        Wired { input: &mut gas, channel: 0 },
        Wired { input: &mut leak, channel: 0 },
        Wired { input: &mut door, channel: 0 },
        Wired { input: &mut service, channel: 0 },
        Wired { input: &mut pulses, channel: 0 },
    ];
    let outputs = Switches {
        buzzer: Output::new(p.PIN_6, Level::Low),
        sounds: node.sounds(),
        lamp: Output::new(p.PIN_25, Level::Low),
        beacon: Output::new(p.PIN_7, Level::Low),
        siren: None,
    };
    node.run(NAME, &mut sensors, &mut plans, inputs, outputs).await
}
