//! The protocol of Sensirion's I²C chips: 16-bit commands, words of 16 bits, each followed by its check sum (CRC-8, polynomial 0x31, start 0xFF). A
//! word of zeros has the check sum 0x81 and one of ones 0xAC, so a line that is stuck never passes.
use super::bus;
use crate::sensor::Fault;
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use heapless::Vec;
use sensirion_i2c::{crc8, i2c, i2c_async};

/// Words of one answer at most: ten floating point numbers of the SPS30.
const MAX_WORDS: usize = 20;
/// Arguments of one command at most.
const MAX_ARGUMENTS: usize = 2;

pub fn fault<I: I2c>(error: i2c::Error<I>) -> Fault {
    match error {
        i2c::Error::Crc => Fault::Corrupt,
        i2c::Error::I2cWrite(e) | i2c::Error::I2cRead(e) => bus::fault(e),
    }
}

/// Sends a command with its arguments, and waits as long as the chip needs for it.
pub async fn tell<I: I2c>(
    i2c: &mut I,
    delay: &mut impl DelayNs,
    address: u8,
    command: u16,
    arguments: &[u16],
    wait_ms: u32,
) -> Result<(), Fault> {
    let mut bytes: Vec<u8, { 2 + 3 * MAX_ARGUMENTS }> = Vec::new();
    let words = arguments.iter().map(|w| w.to_be_bytes());
    bytes.extend(command.to_be_bytes().into_iter().chain(words.flat_map(|w| [w[0], w[1], crc8::calculate(&w)])));
    i2c.write(address, &bytes).await.map_err(bus::fault)?;
    delay.delay_ms(wait_ms).await;
    Ok(())
}

/// As [`tell`], and reads the answer: `N` words.
pub async fn ask<I: I2c, const N: usize>(
    i2c: &mut I,
    delay: &mut impl DelayNs,
    address: u8,
    command: u16,
    arguments: &[u16],
    wait_ms: u32,
) -> Result<[u16; N], Fault> {
    const { assert!(N <= MAX_WORDS) };
    tell(i2c, delay, address, command, arguments, wait_ms).await?;
    let mut bytes = [0; 3 * MAX_WORDS];
    let bytes = bytes.get_mut(..3 * N).ok_or(Fault::Corrupt)?;
    i2c_async::read_words_with_crc(i2c, address, bytes).await.map_err(fault)?;
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(3)) {
        if let [high, low, _] = chunk {
            *word = u16::from_be_bytes([*high, *low]);
        }
    }
    Ok(words)
}

/// Temperature in °C and humidity in per cent of SHT3x (data sheet December 2022, section 4.13) and SCD4x (data sheet 1.4, section 3.5.2). The ends of
/// the scale are the converter's rails.
pub fn climate(temperature: u16, humidity: u16) -> Result<(f64, f64), Fault> {
    if [temperature, humidity].iter().any(|&raw| raw == 0 || raw == u16::MAX) {
        return Err(Fault::OutOfRange);
    }
    Ok((-45.0 + 175.0 * f64::from(temperature) / 65535.0, 100.0 * f64::from(humidity) / 65535.0))
}
