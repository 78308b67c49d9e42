//! One integration binary: each promise of the product in a module of its own.

mod architecture;
mod crash;
mod detections;
mod lake;
mod objects_contract;
mod queue_contract;
mod whole_way;
mod world;
