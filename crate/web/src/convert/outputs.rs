//! What a relay tells its host.

use eyot_core::holder::caps;
use eyot_core::relay::region;
use js_sys::Uint8Array;
use serde::Serialize;
use serde_wasm_bindgen::preserve;
use tsify::Tsify;

/// Something that the host of a relay is to do.
#[derive(Serialize, Tsify)]
#[serde(untagged)]
pub enum RelayOutput {
    /// Send this.
    Send {
        link: u64,
        #[serde(with = "preserve")]
        #[tsify(type = "Uint8Array")]
        frame: Uint8Array,
    },
    /// Close the link.
    Close { link: u64, code: u16, reason: String },
    /// Open a link to the peer of that address: `opened` or `closed` follows.
    Dial { link: u64, dial: String },
    /// Verify the token, if there is one: `authorized` or `refused` follows.
    Authorize {
        link: u64,
        #[tsify(type = "string | undefined")]
        authorize: Option<String>,
    },
    /// Sign this with the key that is published, if there is one: `signed` follows.
    Sign {
        number: u64,
        #[serde(with = "preserve")]
        #[tsify(type = "Uint8Array")]
        sign: Uint8Array,
    },
}

/// How another region is doing.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RegionView {
    region: String,
    is_linked: bool,
    /// How many of the commits held here it is not known to have stored.
    behind: u64,
}

/// What a relay has done since it was made.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RelayCounters {
    /// Commits stored.
    commits_in: u64,
    /// Commits sent, counted once for each link.
    commits_out: u64,
    /// Branches begun by authors that already had one.
    forks: u64,
}

impl From<region::RegionView> for RegionView {
    fn from(view: region::RegionView) -> Self {
        Self { region: view.region, is_linked: view.is_linked, behind: view.behind }
    }
}

impl From<caps::RelayCounters> for RelayCounters {
    fn from(counters: caps::RelayCounters) -> Self {
        let caps::RelayCounters { commits_in, commits_out, forks } = counters;
        Self { commits_in, commits_out, forks }
    }
}
