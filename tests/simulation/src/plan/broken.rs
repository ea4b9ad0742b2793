//! The deliberate fault of a run, if it has one.

use eyot_core::base::limits::Limits;
#[cfg(feature = "mutations")]
use eyot_core::base::mutation::Mutation;

/// What is wrong with the core in a run. Nothing, unless the simulation was built with the feature
/// `mutations`.
#[derive(Clone, Copy, Default)]
pub struct Broken {
    #[cfg(feature = "mutations")]
    mutation: Option<Mutation>,
}

impl Broken {
    #[cfg(feature = "mutations")]
    pub fn by(mutation: Mutation) -> Self {
        Self { mutation: Some(mutation) }
    }

    /// By the name of the fault.
    #[cfg(feature = "mutations")]
    pub fn named(name: &str) -> Option<Self> {
        Mutation::ALL.into_iter().find(|mutation| format!("{mutation:?}") == name).map(Self::by)
    }

    /// By the name of the fault.
    #[cfg(not(feature = "mutations"))]
    pub fn named(_: &str) -> Option<Self> {
        None
    }

    #[cfg(feature = "mutations")]
    pub fn apply(self, limits: &mut Limits) {
        limits.mutation = self.mutation;
    }

    #[cfg(not(feature = "mutations"))]
    pub fn apply(self, _: &mut Limits) {}
}
