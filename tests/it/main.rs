//! One integration binary: each promise of the product in a module of its own.

mod lake;
mod objects_contract;
mod queue_contract;
