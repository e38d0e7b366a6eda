//! The node of a class room, a nap room or an entrance: air, light, sound level, presence; door, smoke, one-key alarm. What is wired where:
//! docs/hardware.md.
#![no_std]
#![no_main]

mod adc;
mod bytes;
mod clock;
mod console;
mod keys;
mod last;
mod layout;
mod microphone;
mod network;
mod noise;
mod outputs;
mod start;
mod watchdog;

use crate::adc::Input as Analog;
use crate::bytes::Bytes;
use crate::microphone::Microphone;
use crate::outputs::Switches;
use crate::start::plan;
use core::cell::RefCell;
use embassy_embedded_hal::shared_bus::asynch::i2c::I2cDevice;
use embassy_executor::Spawner;
use embassy_rp::adc::{Adc, Channel};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::i2c::{self, I2c};
use embassy_rp::peripherals::{I2C0, PIO0, PIO1, UART1};
use embassy_rp::pio::{self, Pio};
use embassy_rp::pio_programs::uart::{PioUartRx, PioUartRxProgram};
use embassy_rp::uart::{self, BufferedUartRx};
use embassy_rp::{bind_interrupts, dma};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Delay;
use static_cell::{ConstStaticCell, StaticCell};
use tuoan_node::alarm::Wired;
use tuoan_node::sampler::Plan;
use tuoan_node::sensors::button::{Button, Role};
use tuoan_node::sensors::climate::Climate;
use tuoan_node::sensors::ld2410::Ld2410;
use tuoan_node::sensors::line::{Active, Contact, Loop, Pin, STANDARD};
use tuoan_node::sensors::lis3dh::{self, Lis3dh};
use tuoan_node::sensors::pmsx003::Pmsx003;
use tuoan_node::sensors::scd4x::Scd4x;
use tuoan_node::sensors::sgp4x::{Model, Sgp4x};
use tuoan_node::sensors::sht4x::Sht4x;
use tuoan_node::sensors::sound::SoundLevel;
use tuoan_node::sensors::veml7700::Veml7700;
use tuoan_node::sensors::{contact, relay};
use tuoan_protocol::Quantity;

bind_interrupts!(struct Irqs {
    I2C0_IRQ => i2c::InterruptHandler<I2C0>;
    UART1_IRQ => uart::BufferedInterruptHandler<UART1>;
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    PIO1_IRQ_0 => pio::InterruptHandler<PIO1>;
});

/// Measured by the SHT4x, needed by the SGP41.
static CLIMATE: Climate = Climate::new();
/// The microphone's full scale: 94 dB and its -26 dBFS.
const FULL_SCALE_DB: f32 = 120.0;
/// A knock on the case.
const SHAKEN_MG: u16 = 160;

/// What this program is called at birth and in images: no node takes one of another name.
const NAME: &str = "room-rp2040";

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(Default::default());
    let node = start::start(&spawner, parts!(p), NAME).await;

    static BUS: StaticCell<Mutex<NoopRawMutex, I2c<'static, I2C0, i2c::Async>>> = StaticCell::new();
    let bus = BUS.init(Mutex::new(I2c::new_async(p.I2C0, p.PIN_5, p.PIN_4, Irqs, i2c::Config::default())));
    let on_bus = || I2cDevice::new(bus);

    static HEARD: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    let mut fast = uart::Config::default();
    fast.baudrate = 256_000;
    let radar = BufferedUartRx::new(p.UART1, Irqs, p.PIN_9, HEARD.take(), fast);

    let Pio { mut common, sm0, .. } = Pio::new(p.PIO1, Irqs);
    let program = PioUartRxProgram::new(&mut common);
    let dust = Bytes(PioUartRx::new(9_600, &mut common, sm0, p.PIN_15, &program));

    let Pio { mut common, sm0, .. } = Pio::new(p.PIO0, Irqs);
    let samples = dma::Channel::new(p.DMA_CH3, start::Irqs);
    let microphone = Microphone::new(&mut common, sm0, samples, p.PIN_10, p.PIN_11, p.PIN_12);

    let place = node.place();
    let mut sensors = (
        Sht4x::new(on_bus(), Delay, Some(&CLIMATE)),
        Scd4x::new(on_bus(), Delay, place),
        Sgp4x::new(on_bus(), Delay, Model::Sgp41, &CLIMATE),
        Veml7700::new(on_bus(), Delay),
        Pmsx003::new(dust, Delay),
        Ld2410::new(radar, Delay),
        SoundLevel::new(microphone, FULL_SCALE_DB),
        Lis3dh::new(on_bus(), Delay, lis3dh::ADDRESS, SHAKEN_MG, None),
    );
    let mut plans = [
        plan(10_000, Quantity::Temperature, 50, &[Quantity::Humidity]),
        // The same air as the SHT4x, seen by a chip that warms itself: another channel.
        Plan { channel: 1, ..plan(5_000, Quantity::Co2, 100, &[]) },
        plan(1_000, Quantity::VocIndex, 50, &[]),
        plan(10_000, Quantity::Illuminance, 1_000, &[]),
        plan(10_000, Quantity::Pm25, 150, &[Quantity::Pm1, Quantity::Pm10]),
        plan(1_000, Quantity::Distance, 2_000, &[Quantity::Presence]),
        plan(10_000, Quantity::SoundLevel, 100, &[]),
        plan(2_000, Quantity::Tilt, 50, &[Quantity::Vibration, Quantity::Tamper]),
    ];

    static ADC: StaticCell<RefCell<Adc<'static, embassy_rp::adc::Blocking>>> = StaticCell::new();
    let adc = ADC.init(RefCell::new(Adc::new_blocking(p.ADC, Default::default())));
    let analog = |channel| Analog::new(adc, channel);
    let mut door = contact::door(Loop::new(analog(Channel::new_pin(p.PIN_26, Pull::None)), STANDARD, Contact::Open));
    let mut smoke = relay::smoke(Loop::new(analog(Channel::new_pin(p.PIN_27, Pull::None)), STANDARD, Contact::Open));
    let mut panic = Button::new(Pin::new(Input::new(p.PIN_2, Pull::Up), Active::Low), Role::Panic);
    let mut service = Button::new(Pin::new(Input::new(p.PIN_3, Pull::Up), Active::Low), Role::Service);
    let inputs = [
        Wired { input: &mut panic, channel: 0 },
        Wired { input: &mut smoke, channel: 0 },
        Wired { input: &mut door, channel: 0 },
        Wired { input: &mut service, channel: 0 },
    ];
    let outputs = Switches {
        buzzer: Output::new(p.PIN_6, Level::Low),
        sounds: node.sounds(),
        lamp: Output::new(p.PIN_25, Level::Low),
        beacon: Output::new(p.PIN_7, Level::Low),
        siren: Some(Output::new(p.PIN_22, Level::Low)),
    };
    node.run(NAME, &mut sensors, &mut plans, inputs, outputs).await
}
