//! Who is told of findings: by receivers that behave badly, over runs that fail, and with routes that want to be left alone.

mod delivery;
pub mod receivers;
