//! Why links end.

/// Why a link was closed: WebSocket close codes of the application's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Bytes that are not a frame, or a commit that is not one.
    Malformed = 4000,
    /// A frame, a commit or a vector over its limit.
    TooLarge = 4001,
    /// A frame that may not come now.
    OutOfOrder = 4002,
    /// No version in common, or the space is another one than its name says.
    Incompatible = 4003,
    /// The token does not allow this.
    Denied = 4004,
    /// A quota is used up.
    Full = 4005,
    /// This holder's log was replaced; connect again.
    LogReplaced = 4006,
    /// Commits were sent whose causes the sender says it does not have.
    Withheld = 4007,
    /// This holder's storage has failed.
    Storage = 4008,
    /// This holder is going away; connect again.
    GoingAway = 4009,
    /// The token has expired; connect again with a fresh one.
    Expired = 4010,
    /// More was sent than was granted, or asked for.
    Flow = 4011,
    /// Too much waits for what has not come.
    Waiting = 4012,
}
