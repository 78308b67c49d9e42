pub mod lake;
pub mod model;
pub mod ports;
pub mod local {
    pub mod catalog;
    pub mod export;
}
