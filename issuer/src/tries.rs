//! How often a receipt may be tried for: the rule by which each try gets its place in time. Pure.
//!
//! ```text
//! a try ─▶ counted as wrong ─▶ now | at a time of its own | "give more" | "this source has tried too often" ─▶ judged ─▶ right: taken back
//! ```
//! A try is counted before anybody looks whether there is such a receipt, and the place follows from three counts alone, each of which
//! cools down by half in a fixed time:
//!
//! - of *what is asked for*: its growing wait is each try's own, so that no stranger can take it from the holder. A few tries in a time are judged on
//!   the secret alone; beyond them the date and the amount that stand on the receipt have to be given, too;
//! - of *all*: the same for everything together, so that many sources that try many numbers gain nothing;
//! - of the *source*: tries of one source stand in a line.
//!
//! Nothing is ever locked: whoever gives all that stands on the receipt is judged after 32 s at most, from a source that has not failed
//! itself, while fewer sources have failed lately than rows are kept; beyond that newcomers share lines. Numbers and what they are worth to an attacker: docs/adr/0037-fetching-a-receipt.md. Not here: rows on disk (`journal`), the task
//! that counts (`try_desk`), what is compared (`api`).

use receipt_core::ids::UnixMillis;

pub mod ticket;

#[cfg(test)]
mod tests;

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
/// One try in a [`Heat`].
const ONE: u64 = 1_000;
/// Tries for one receipt that do not wait.
const FREE_TRIES: u64 = 3;
/// The longest wait that others' tries for a receipt cause.
pub const WAIT_MS_MAX: u64 = 32 * SECOND;
/// Half-life of a source's wrong tries.
const SOURCE_HALF_LIFE_MS: u64 = HOUR;
/// Wrong tries of a source, each by its weight, before its tries stand in line; each further step doubles the distance.
const SOURCE_FREE: u64 = 60 * ONE;
const SOURCE_STEP: u64 = 30 * ONE;
/// The longest distance between two tries of one source.
const SOURCE_GAP_MS_MAX: u64 = 64 * SECOND;
/// The longest line of one source; who comes then is not counted.
const LINE_MS_MAX: u64 = 300 * SECOND;
/// After how long a source that has failed with everything given may try again for what is crowded.
const CROWD_RETRY_MS: u64 = HOUR;
/// Half-life of what a source has failed at with everything given, and of the count of all.
const SLOW_HALF_LIFE_MS: u64 = DAY;

/// How something is tried for. Each way has counts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// By number and check code.
    Code,
    /// The same with date and amount.
    CodeAndFace,
    /// By what was paid and the end of the payer's identity number.
    Reference,
    /// The same with date and amount.
    ReferenceAndFace,
}

/// When a try is judged on the secret alone.
struct Alone {
    of_one: u64,
    of_all: u64,
}

/// From when on a source that has failed itself is not judged.
struct Crowd {
    from: u64,
    source_failures_max: u64,
}

struct Bounds {
    half_life_ms: u64,
    alone: Option<Alone>,
    crowd: Option<Crowd>,
    /// What a wrong try counts at its source.
    weight: u64,
}

impl Lane {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Code, Self::CodeAndFace, Self::Reference, Self::ReferenceAndFace];

    /// Its number in rows.
    pub const fn number(self) -> u8 {
        match self {
            Self::Code => 0,
            Self::CodeAndFace => 1,
            Self::Reference => 2,
            Self::ReferenceAndFace => 3,
        }
    }

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::CodeAndFace => "code_and_face",
            Self::Reference => "reference",
            Self::ReferenceAndFace => "reference_and_face",
        }
    }

    /// 36^6 check codes, and 10^4 ends of an identity number: what may be tried follows from that.
    const fn bounds(self) -> Bounds {
        const WEEK: u64 = 7 * DAY;
        match self {
            Self::Code => Bounds {
                half_life_ms: DAY,
                alone: Some(Alone { of_one: 100 * ONE, of_all: 100_000 * ONE }),
                crowd: None,
                weight: ONE,
            },
            Self::CodeAndFace => Bounds {
                half_life_ms: DAY,
                alone: None,
                crowd: Some(Crowd { from: 100 * ONE, source_failures_max: 4 * ONE }),
                weight: ONE,
            },
            Self::Reference => Bounds {
                half_life_ms: WEEK,
                alone: Some(Alone { of_one: 5 * ONE, of_all: 500 * ONE }),
                crowd: None,
                weight: 5 * ONE,
            },
            Self::ReferenceAndFace => Bounds {
                half_life_ms: WEEK,
                alone: None,
                crowd: Some(Crowd { from: 20 * ONE, source_failures_max: 2 * ONE }),
                weight: 5 * ONE,
            },
        }
    }

    const fn is_with_face(self) -> bool {
        matches!(self, Self::CodeAndFace | Self::ReferenceAndFace)
    }

    /// Half-life of the count of one thing that is tried for.
    pub const fn half_life_ms(self) -> u64 {
        self.bounds().half_life_ms
    }
}

/// A count that cools down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heat {
    /// In thousandths of a try, as of `at`.
    pub thousandths: u64,
    /// When it was last written.
    pub at: UnixMillis,
}

impl Heat {
    /// Nothing was tried.
    pub const COLD: Self = Self { thousandths: 0, at: UnixMillis::new(0) };

    /// What is left of it. A clock that was set back cools nothing, and does not keep it hot either: what is written next is of now.
    #[must_use]
    pub fn left(self, now: UnixMillis, half_life_ms: u64) -> u64 {
        let elapsed = now.since(self.at);
        let halved = u32::try_from(elapsed / half_life_ms).ok().and_then(|times| self.thousandths.checked_shr(times));
        let halved = halved.unwrap_or(0);
        // Between two halvings in a straight line: what is tried for all the time cools down a little slower.
        let cooled = u128::from(halved) * u128::from(elapsed % half_life_ms) / (2 * u128::from(half_life_ms));
        halved.saturating_sub(u64::try_from(cooled).unwrap_or(u64::MAX))
    }

    fn plus(self, more: u64, now: UnixMillis, half_life_ms: u64) -> Self {
        Self { thousandths: self.left(now, half_life_ms).saturating_add(more), at: now }
    }

    fn minus(self, less: u64, now: UnixMillis, half_life_ms: u64) -> Self {
        Self { thousandths: self.left(now, half_life_ms).saturating_sub(less), at: now }
    }

    /// Not later than now: what a clock wrote that was ahead would not cool down until then.
    #[must_use]
    pub fn by(self, now: UnixMillis) -> Self {
        Self { at: self.at.min(now), ..self }
    }

    /// Whether it may be forgotten.
    #[must_use]
    pub fn is_cold(self, now: UnixMillis, half_life_ms: u64) -> bool {
        self.left(now, half_life_ms) < ONE / 2
    }
}

/// What is known of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its wrong tries, each by its weight.
    pub lately: Heat,
    /// Its wrong tries with everything given.
    pub with_face: Heat,
    /// Before this none of its tries is judged.
    pub next: UnixMillis,
}

impl Source {
    /// One that has never failed.
    pub const NEW: Self = Self { lately: Heat::COLD, with_face: Heat::COLD, next: UnixMillis::new(0) };

    /// Not later than now, as [`Heat::by`].
    #[must_use]
    pub fn by(self, now: UnixMillis) -> Self {
        let is_far = self.next.since(now) > LINE_MS_MAX + SOURCE_GAP_MS_MAX;
        let next = if is_far { now } else { self.next };
        Self { lately: self.lately.by(now), with_face: self.with_face.by(now), next }
    }

    /// Whether it may be forgotten.
    #[must_use]
    pub fn is_cold(&self, now: UnixMillis) -> bool {
        let is_cold = self.lately.is_cold(now, SOURCE_HALF_LIFE_MS) && self.with_face.is_cold(now, SLOW_HALF_LIFE_MS);
        is_cold && self.next <= now
    }
}

/// The counts by which a try is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Of this lane as a whole.
    pub all: Heat,
    /// Of what is asked for, in this lane.
    pub target: Heat,
    /// Of the source.
    pub source: Source,
}

/// When a try is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At once. It is counted.
    Now,
    /// From this time on. It is counted.
    At(UnixMillis),
    /// Not as it is: with date and amount. It is not counted.
    GiveMore,
    /// Not from this source, for so many milliseconds. It is not counted.
    TooOften(u64),
}

impl Place {
    /// Whether the try is counted.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Now | Self::At(_))
    }
}

/// Gives a try its place, and counts it as wrong.
#[must_use]
pub fn place(counts: &Counts, lane: Lane, now: UnixMillis) -> (Place, Counts) {
    let bounds = lane.bounds();
    let target = counts.target.left(now, bounds.half_life_ms);
    if let Some(Alone { of_one, of_all }) = bounds.alone
        && (target >= of_one || all_left(counts.all, now) >= of_all)
    {
        return (Place::GiveMore, *counts);
    }
    let source = &counts.source;
    if let Some(Crowd { from, source_failures_max }) = bounds.crowd
        && target >= from
        && source.with_face.left(now, SLOW_HALF_LIFE_MS) >= source_failures_max
    {
        return (Place::TooOften(CROWD_RETRY_MS), *counts);
    }
    // Of a clock that was wrong a place may lie further away than any line is long.
    let next = source.by(now).next.max(now);
    let line = next.since(now);
    if line > LINE_MS_MAX {
        return (Place::TooOften(line - LINE_MS_MAX), *counts);
    }
    let gap = gap_after(source.lately.left(now, SOURCE_HALF_LIFE_MS));
    let wait = line.max(wait_after(target));
    let place = if wait == 0 { Place::Now } else { Place::At(now.plus_millis(wait)) };
    let with_face = if lane.is_with_face() { ONE } else { 0 };
    let counted = Counts {
        all: counts.all.plus(ONE, now, SLOW_HALF_LIFE_MS),
        target: counts.target.plus(ONE, now, bounds.half_life_ms),
        source: Source {
            lately: source.lately.plus(bounds.weight, now, SOURCE_HALF_LIFE_MS),
            with_face: source.with_face.plus(with_face, now, SLOW_HALF_LIFE_MS),
            next: next.plus_millis(gap),
        },
    };
    (place, counted)
}

/// A try was right: it no longer counts.
#[must_use]
pub fn taken_back(counts: &Counts, lane: Lane, now: UnixMillis) -> Counts {
    let bounds = lane.bounds();
    let with_face = if lane.is_with_face() { ONE } else { 0 };
    let source = &counts.source;
    Counts {
        all: counts.all.minus(ONE, now, SLOW_HALF_LIFE_MS),
        target: counts.target.minus(ONE, now, bounds.half_life_ms),
        source: Source {
            lately: source.lately.minus(bounds.weight, now, SOURCE_HALF_LIFE_MS),
            with_face: source.with_face.minus(with_face, now, SLOW_HALF_LIFE_MS),
            next: source.next,
        },
    }
}

/// What is left of a count of all, in thousandths of a try.
#[must_use]
pub fn all_left(all: Heat, now: UnixMillis) -> u64 {
    all.left(now, SLOW_HALF_LIFE_MS)
}

/// What others' tries for the same thing have the next one wait: 1, 2, 4, 8, 16, 32 s.
fn wait_after(target: u64) -> u64 {
    // Rounded: a try of a second ago is still one.
    match ((target + ONE / 2) / ONE).checked_sub(FREE_TRIES) {
        None => 0,
        Some(beyond) => SECOND
            .checked_shl(u32::try_from(beyond.min(32)).unwrap_or(32))
            .map_or(WAIT_MS_MAX, |wait| wait.min(WAIT_MS_MAX)),
    }
}

/// The distance between two tries of a source: 1, 2, 4, … 64 s.
fn gap_after(lately: u64) -> u64 {
    match lately.checked_sub(SOURCE_FREE) {
        None => 0,
        Some(beyond) => {
            let steps = u32::try_from((beyond / SOURCE_STEP).min(32)).unwrap_or(32);
            SECOND.checked_shl(steps).map_or(SOURCE_GAP_MS_MAX, |gap| gap.min(SOURCE_GAP_MS_MAX))
        }
    }
}
