//! One file per chip or kind of input. A new one is a file and a line here.
