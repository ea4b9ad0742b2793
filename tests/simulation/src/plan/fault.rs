//! What can go wrong.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BreakLink,
    StallLink,
    CrashReplica,
    CrashRelay,
    WipeRelay,
    RollBackRelay,
    FillDisk,
    EmptyDisks,
    CloneProcess,
    Withhold,
    SwitchOffline,
    SecondTab,
    /// Between two regions, one way.
    PartRegions,
    /// Between a replica and a relay, one way.
    PartReplica,
    SlowRegion,
    JumpClock,
    ReadOnly,
    /// A relay's memory is lost and its connections are not.
    EvictRelay,
    /// A region is cut off while hundreds of commits are made, and comes back while the way between
    /// two regions stays cut.
    CutOff,
}

impl Fault {
    pub const ALL: [Fault; 19] = [
        Fault::BreakLink,
        Fault::StallLink,
        Fault::CrashReplica,
        Fault::CrashRelay,
        Fault::WipeRelay,
        Fault::RollBackRelay,
        Fault::FillDisk,
        Fault::EmptyDisks,
        Fault::CloneProcess,
        Fault::Withhold,
        Fault::SwitchOffline,
        Fault::SecondTab,
        Fault::PartRegions,
        Fault::PartReplica,
        Fault::SlowRegion,
        Fault::JumpClock,
        Fault::ReadOnly,
        Fault::EvictRelay,
        Fault::CutOff,
    ];
}
