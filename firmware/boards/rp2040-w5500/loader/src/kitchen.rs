//! The boot loader of a node that runs `kitchen`: it starts no other program.
#![no_std]
#![no_main]

mod load;

#[cortex_m_rt::entry]
fn main() -> ! {
    load::load("kitchen-rp2040")
}
