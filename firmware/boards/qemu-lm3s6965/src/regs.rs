//! The chip's registers (LM3S6965 data sheet). All of this board's memory-mapped access is here.

pub const SYSCTL: u32 = 0x400f_e000;
pub const UART0: u32 = 0x4000_c000;
pub const UART1: u32 = 0x4000_d000;
pub const PORT_E: u32 = 0x4002_4000;
pub const TIMER0: u32 = 0x4003_0000;
pub const ETHERNET: u32 = 0x4004_8000;

/// Reads the register at `base + offset`, one of the above.
pub fn read(base: u32, offset: u32) -> u32 {
    // SAFETY: an aligned device register of this chip; reading it has no effect on memory.
    unsafe { core::ptr::with_exposed_provenance::<u32>((base + offset) as usize).read_volatile() }
}

/// Writes the register at `base + offset`, one of the above.
pub fn write(base: u32, offset: u32, value: u32) {
    // SAFETY: an aligned device register of this chip; none of those above makes the chip write to memory.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>((base + offset) as usize).write_volatile(value) }
}

/// The address that the maker gave to the board's Ethernet, from the registers where it lies. It also tells one board from another.
pub fn mac() -> [u8; 6] {
    const USER0: u32 = 0x1e0;
    const USER1: u32 = 0x1e4;
    let ([a, b, c, _], [d, e, f, _]) = (read(SYSCTL, USER0).to_le_bytes(), read(SYSCTL, USER1).to_le_bytes());
    [a, b, c, d, e, f]
}

/// Clocks for what is used, and the pins of the UARTs and of the key: without effect in the emulator, needed on silicon.
pub fn power_up() {
    const RCGC1: u32 = 0x104;
    const RCGC2: u32 = 0x108;
    // UART0, UART1, timer 0; ports A, D, E, F and the Ethernet MAC with its PHY.
    write(SYSCTL, RCGC1, read(SYSCTL, RCGC1) | 0x1_0003);
    write(SYSCTL, RCGC2, read(SYSCTL, RCGC2) | 0x5000_0039);
    const DEN: u32 = 0x51c;
    const PUR: u32 = 0x510;
    write(PORT_E, PUR, 1);
    write(PORT_E, DEN, 1);
    for uart in [UART0, UART1] {
        const LCRH: u32 = 0x02c;
        const CTL: u32 = 0x030;
        write(uart, LCRH, 0x70);
        write(uart, CTL, 0x301);
    }
}
