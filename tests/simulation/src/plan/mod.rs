//! What is drawn for a seed before its world begins.

pub mod broken;
pub mod fault;
pub mod meeting;
pub mod plan;
pub mod showing;
