//! An INMP441 or ICS-43434 (L/R to ground: it speaks in the left half of the frame) by a PIO state machine: GP10 clock, GP11 word select, GP12 data.
use embassy_rp::Peri;
use embassy_rp::dma;
use embassy_rp::gpio::Pull;
use embassy_rp::peripherals::{PIN_10, PIN_11, PIN_12, PIO0};
use embassy_rp::pio::{Common, Config, Direction, FifoJoin, ShiftConfig, ShiftDirection, StateMachine};
use embassy_rp::pio_programs::clock_divider::calculate_pio_clock_divider;
use embassy_time::{Duration, with_timeout};
use pio::pio_asm;
use tuoan_node::sensor::Fault;
use tuoan_node::sensors::waveform::{BLOCK, Waveform};

/// Room noise and voices; the A-weighting stays inside class 2 up to 6.3 kHz, and the microphone ends at 15 kHz anyway.
const RATE: u32 = 16_000;
const WAKE_FRAMES: usize = (1 << 18) / 64;

pub struct Microphone {
    machine: StateMachine<'static, PIO0, 0>,
    config: Config<'static, PIO0>,
    dma: dma::Channel<'static>,
}

impl Microphone {
    pub fn new(
        common: &mut Common<'static, PIO0>,
        mut machine: StateMachine<'static, PIO0, 0>,
        dma: dma::Channel<'static>,
        clock: Peri<'static, PIN_10>,
        word: Peri<'static, PIN_11>,
        data: Peri<'static, PIN_12>,
    ) -> Self {
        // 64 clocks a frame, as both chips want, two instructions each. Side-set: word select, clock. A bit is put out when the clock falls and taken when
        // it rises; the first one comes a clock after the word select has fallen. What the right half holds is not taken.
        let program = pio_asm!(
            ".side_set 2",
            ".wrap_target",
            "    set x, 29        side 0b00",
            "    nop              side 0b01",
            "    nop              side 0b00",
            "left:",
            "    in pins, 1       side 0b01",
            "    jmp x-- left     side 0b00",
            "    in pins, 1       side 0b01",
            "    set x, 30        side 0b10",
            "    in pins, 1       side 0b11",
            "right:",
            "    nop              side 0b10",
            "    jmp x-- right    side 0b11",
            ".wrap",
        );
        let program = common.load_program(&program.program);
        let (clock, word, mut data) = (common.make_pio_pin(clock), common.make_pio_pin(word), common.make_pio_pin(data));
        // Nobody drives the line in the other half.
        data.set_pull(Pull::Down);
        let mut config = Config::default();
        config.use_program(&program, &[&clock, &word]);
        config.set_in_pins(&[&data]);
        config.clock_divider = calculate_pio_clock_divider(RATE * 64 * 2);
        config.shift_in = ShiftConfig { threshold: 32, direction: ShiftDirection::Left, auto_fill: true };
        config.fifo_join = FifoJoin::RxOnly;
        machine.set_config(&config);
        machine.set_pin_dirs(Direction::In, &[&data]);
        machine.set_pin_dirs(Direction::Out, &[&clock, &word]);
        Microphone { machine, config, dma }
    }
}

impl Waveform for Microphone {
    fn rate(&self) -> u32 {
        RATE
    }

    async fn blocks(&mut self, count: u32, mut each: impl FnMut(&[i32; BLOCK])) -> Result<(), Fault> {
        let Microphone { machine, config, dma } = self;
        machine.clear_fifos();
        machine.restart();
        // From the top of the program: begun in the middle of a word, all words would be shifted.
        machine.set_config(config);
        machine.set_enable(true);
        let listen = async {
            // Without a clock the microphone sleeps, and gives zeros for 2^18 clocks after it wakes.
            machine.rx().dma_pull_discard::<u32>(dma, WAKE_FRAMES).await;
            let (mut done, mut next) = ([0u32; BLOCK], [0u32; BLOCK]);
            machine.rx().dma_pull(dma, &mut done, false).await;
            for n in 1..=count {
                let taken = done.map(|word| word as i32);
                if n == count {
                    each(&taken);
                    break;
                }
                // It runs from here on; it must not wait for what is done with the block before.
                let transfer = machine.rx().dma_pull(dma, &mut next, false);
                each(&taken);
                transfer.await;
                core::mem::swap(&mut done, &mut next);
            }
        };
        let longest = Duration::from_millis(u64::from(count) * 8 + 1_000);
        let heard = with_timeout(longest, listen).await;
        machine.set_enable(false);
        heard.map_err(|_| Fault::Missing)
    }
}
