//! What holders do costs in proportion to what is new, and ends: counted, never timed.

mod catching_up;
mod deletes;
mod forks;
mod hostile_relay;
mod mesh;
mod net;
mod opening;
mod peers;
mod reload;
mod waiting;
