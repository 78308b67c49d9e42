//! From files to stacks: sources -> profile -> rendered stack -> checks, and comparison with the golden files. Talks to no
//! service.

pub mod check;
pub mod diff;
pub mod emit;
mod fields;
pub mod golden;
mod html;
mod limits;
pub mod lint;
pub mod onboard;
pub mod problem;
pub mod profile;
pub mod render;
pub mod resources;
mod rules;
pub mod schema;
mod shape;
mod skeleton;
pub mod source;
pub mod template;
pub mod tree;
pub mod yaml;
