//! How long bodies are kept, and which ones that makes due: by the category in a receipt's code and the local day of its issue.
//!
//! ```text
//! rule    *<=20211129,06<=19961129      of category 06 what was issued up to 29 November 1996, of all others up to 29 November 2021
//! ```
//! A day is `yyyymmdd`. A period of N years is over on the same day N years later. Not here: who looks for them (`run`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use receipt_core::ids::ReceiptCode;

/// Years for which bodies are kept after the day of issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Years for which bodies are kept, of every category that is not named.
    pub years: u32,
    /// Years by category (positions 3 and 4 of the receipt code).
    pub by_category: BTreeMap<u32, u32>,
}

impl Retention {
    /// Years for which bodies of receipts of this code are kept.
    #[must_use]
    pub fn years_of(&self, code: ReceiptCode) -> u32 {
        self.by_category.get(&code.category()).copied().unwrap_or(self.years)
    }

    /// What is due today: of these categories, or of all if none is named.
    #[must_use]
    pub fn due(&self, today: u32, categories: &BTreeSet<u32>) -> Rule {
        let last_day = |years: u32| today.saturating_sub(years.saturating_mul(10_000));
        if categories.is_empty() {
            let by_category = self.by_category.iter().map(|(category, years)| (*category, last_day(*years)));
            return Rule { others: Some(last_day(self.years)), by_category: by_category.collect() };
        }
        let years = |category: &u32| self.by_category.get(category).copied().unwrap_or(self.years);
        let by_category = categories.iter().map(|category| (*category, last_day(years(category))));
        Rule { others: None, by_category: by_category.collect() }
    }
}

/// Which bodies go: by category, what was issued up to a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Last day of issue, of every category that is not named; `None`: they stay.
    others: Option<u32>,
    by_category: BTreeMap<u32, u32>,
}

impl Rule {
    /// The last day of issue whose bodies go, if any do.
    fn last_day(&self, category: u32) -> Option<u32> {
        self.by_category.get(&category).copied().or(self.others)
    }

    /// Whether a receipt of this code, issued on this day, is meant.
    #[must_use]
    pub fn covers(&self, code: ReceiptCode, day: u32) -> bool {
        self.last_day(code.category()).is_some_and(|last| day <= last)
    }

    /// Whether any receipt of this code can be meant. A code is used in its year and in the first days of the next one (V04), so one
    /// of a later year than the last day's cannot.
    #[must_use]
    pub fn may_cover(&self, code: ReceiptCode) -> bool {
        self.last_day(code.category()).is_some_and(|last| 2000 + code.year() <= last / 10_000)
    }

    /// Both rules as one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let named = self.by_category.keys().chain(other.by_category.keys()).copied();
        let by_category =
            named.filter_map(|category| Some((category, self.last_day(category).max(other.last_day(category))?)));
        Self { others: self.others.max(other.others), by_category: by_category.collect() }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.map(|day| format!("*<={day:08}"));
        let named = self.by_category.iter().map(|(category, day)| format!("{category:02}<={day:08}"));
        f.write_str(&others.into_iter().chain(named).collect::<Vec<_>>().join(","))
    }
}

/// No rule of this spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no rule such as *<=20211129,06<=19961129")]
pub struct NoRule;

impl FromStr for Rule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let mut rule = Self::default();
        for part in text.split(',') {
            let (category, day) = part.split_once("<=").ok_or(NoRule)?;
            let day = day.parse().map_err(|_| NoRule)?;
            match category {
                "*" => rule.others = Some(day),
                category => {
                    rule.by_category.insert(category.parse().map_err(|_| NoRule)?, day);
                }
            }
        }
        if rule.to_string() == text { Ok(rule) } else { Err(NoRule) }
    }
}

/// A day as people write it.
#[must_use]
pub fn written_day(day: u32) -> String {
    format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> ReceiptCode {
        ReceiptCode::parse(text).unwrap()
    }

    fn retention() -> Retention {
        Retention { years: 5, by_category: BTreeMap::from([(6, 30), (4, 1)]) }
    }

    #[test]
    fn a_period_is_over_on_the_same_day_so_many_years_later() {
        let rule = retention().due(20_261_129, &BTreeSet::new());
        for (of, day, due) in [
            ("99010121", 20_211_129, true),
            ("99010121", 20_211_130, false),
            ("99060121", 20_211_129, false),
            ("99060196", 19_961_129, true),
            ("99040125", 20_251_129, true),
            ("99040125", 20_251_130, false),
        ] {
            assert_eq!(rule.covers(code(of), day), due, "{of} of {day}");
        }
        // 29 February has no anniversary in most years: then the period is over on 1 March.
        let leap = Retention { years: 1, by_category: BTreeMap::new() };
        assert!(!leap.due(20_250_228, &BTreeSet::new()).covers(code("99010124"), 20_240_229));
        assert!(leap.due(20_250_301, &BTreeSet::new()).covers(code("99010124"), 20_240_229));
    }

    #[test]
    fn codes_of_later_years_are_not_looked_at() {
        let rule = retention().due(20_261_129, &BTreeSet::new());
        assert!(rule.may_cover(code("99010121")) && rule.may_cover(code("99010118")));
        assert!(!rule.may_cover(code("99010122")) && !rule.may_cover(code("99060121")));
        let one = retention().due(20_261_129, &BTreeSet::from([4]));
        assert!(one.may_cover(code("99040125")) && !one.may_cover(code("99010118")));
    }

    #[test]
    fn a_rule_has_one_spelling_and_two_rules_are_one() {
        let all = retention().due(20_261_129, &BTreeSet::new());
        assert_eq!(all.to_string(), "*<=20211129,04<=20251129,06<=19961129");
        let one = retention().due(20_271_129, &BTreeSet::from([6, 7]));
        assert_eq!(one.to_string(), "06<=19971129,07<=20221129");
        assert_eq!(all.and(&one).to_string(), "*<=20211129,04<=20251129,06<=19971129,07<=20221129");
        assert_eq!(one.and(&Rule::default()), one);
        for rule in [all, one] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        for text in ["", "*", "*<=2021112x", "6<=19971129", "06<=19971129,", "07<=20221129,06<=19971129"] {
            assert_eq!(text.parse::<Rule>(), Err(NoRule), "{text}");
        }
    }
}
