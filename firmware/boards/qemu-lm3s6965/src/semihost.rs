//! What the host gives the firmware at its start.
/// `SYS_GET_CMDLINE`: all arguments, with spaces between; `None` when there are none or they are too long for `buf`.
pub fn arguments(buf: &mut [u8]) -> Option<&str> {
    const GET_COMMAND_LINE: usize = 0x15;
    let mut block = [buf.as_mut_ptr() as usize, buf.len()];
    // SAFETY: the call writes at most the given length to the given buffer, and its length into the block, which outlive it.
    let result = unsafe { cortex_m_semihosting::syscall1(GET_COMMAND_LINE, block.as_mut_ptr() as usize) };
    let length = (result == 0).then(|| core::hint::black_box(&block)[1])?;
    core::str::from_utf8(buf.get(..length)?).ok()
}
