//! From files to stacks: sources -> profile -> rendered stack -> checks and comparisons, then plan and apply. What decides
//! is pure; what asks AWS does it through ports.

pub mod apply;
pub mod change_sets;
pub mod check;
pub mod cost;
pub mod diff;
pub mod drift;
pub mod emit;
mod fields;
pub mod golden;
pub mod guard;
mod html;
mod limits;
pub mod lint;
mod markdown;
pub mod onboard;
pub mod pace;
pub mod plan;
pub mod problem;
pub mod profile;
pub mod propose;
pub mod quota;
pub mod render;
pub mod resources;
mod rules;
pub mod schema;
mod shape;
mod skeleton;
pub mod source;
pub mod status;
pub mod template;
pub mod tree;
pub mod wording;
pub mod world;
mod xml;
pub mod yaml;
