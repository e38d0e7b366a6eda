//! What goes wrong on an I²C bus, as faults.
use crate::sensor::Fault;
use embedded_hal_async::i2c::{Error, ErrorKind, I2c};

/// The lowest address that is not reserved (UM10204, table 4). No chip of ours has it.
const NOBODY: u8 = 0x08;

pub fn fault(error: impl Error) -> Fault {
    match error.kind() {
        ErrorKind::NoAcknowledge(_) => Fault::Missing,
        _ => Fault::Corrupt,
    }
}

/// Proves that a zero came from the chip: on a bus whose data line is held low, everybody acknowledges and everything reads as zero, even at an
/// address where nobody lives.
pub async fn not_stuck<I: I2c>(i2c: &mut I) -> Result<(), Fault> {
    match i2c.read(NOBODY, &mut [0]).await {
        Err(e) if matches!(e.kind(), ErrorKind::NoAcknowledge(_)) => Ok(()),
        _ => Err(Fault::Corrupt),
    }
}

/// Reads from a register with an 8-bit address.
pub async fn read<I: I2c, const N: usize>(i2c: &mut I, address: u8, register: u8) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    i2c.write_read(address, &[register], &mut bytes).await.map_err(fault)?;
    Ok(bytes)
}

/// Writes a register with an 8-bit address.
pub async fn write<I: I2c>(i2c: &mut I, address: u8, register: u8, value: u8) -> Result<(), Fault> {
    i2c.write(address, &[register, value]).await.map_err(fault)
}
