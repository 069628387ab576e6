//! What a face is made of, as data: where fields stand, and how they and their values are called. Lengths are micrometres from the upper
//! left corner of a page.
//!
//! A template is TOML, read strictly: an unknown key, a field that no receipt has, a column outside of its table and a box outside of the
//! page are errors that name the place. [`Template::standard`] is compiled in; `templates/a5.toml` explains the format by itself.
//!
//! Not here: how text is broken and pages are filled (`layout`).

use std::collections::BTreeMap;

use receipt_core::receipt::layout::field_position;
use serde::Deserialize;

/// The template that comes with this crate.
const STANDARD: &str = include_str!("../templates/a5.toml");

/// Names of fields that a face has besides those of the body's layout.
const DERIVED: &[&str] = &[
    "supervision",
    "red_mark",
    "notice",
    "page",
    "payee",
    "total_in_words",
    "reversal_of",
    "reissue_of",
    "exchanged_paper",
    "covers_pay_code",
    "reversal.reason",
    "reversal.text",
    "reversal.operator",
    "reversal.refund_reference",
    "state",
];
const ITEM_FIELDS: &[&str] = &["item_code", "item_name", "unit", "quantity", "standard", "amount", "remark"];
const AUX_ITEM_FIELDS: &[&str] =
    &["related_item", "item_code", "item_name", "unit", "quantity", "standard", "amount", "remark"];
/// All categories whose receipts have fields of their own, and one that has none.
const CATEGORIES: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 99];

/// Side of the largest code that receipts have, with its quiet zone: 81 modules of 375 µm.
const CODE_SIDE_UM_MIN: i32 = 30_500;
/// A square that is larger than any paper.
const SIDE_UM_MAX: i32 = 2_000_000;

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not read.
    #[error("the template does not read: {0}")]
    Form(String),
    /// It reads, but what it describes can not be drawn.
    #[error("the template's {place}: {problem}")]
    Place {
        /// Which part.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Where a text stands in its box or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// At the left edge.
    #[default]
    Left,
    /// In the middle.
    Center,
    /// At the right edge.
    Right,
}

/// What something is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ink {
    /// Everything that is not named below.
    #[default]
    Black,
    /// Amounts of a red receipt.
    Red,
    /// What lies behind the text and must not hide it.
    Pale,
}

impl Ink {
    /// Red, green, blue (sRGB).
    pub const fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Black => (0, 0, 0),
            Self::Red => (192, 0, 0),
            Self::Pale => (255, 205, 205),
        }
    }
}

/// Width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSize {
    /// From left to right.
    pub width_um: i32,
    /// From top to bottom.
    pub height_um: i32,
}

/// How large text is where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSizes {
    /// Side of a full-width character.
    pub size_um: i32,
    /// The least to which a box makes its text smaller.
    pub size_min_um: i32,
    /// Distance of lines of that size.
    pub line_um: i32,
}

/// The code's square.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeTemplate {
    /// Left edge of the square.
    pub x_um: i32,
    /// Upper edge of the square.
    pub y_um: i32,
    /// Room for the code and its quiet zone.
    pub side_um: i32,
    /// What stands under it, before the host.
    pub caption: String,
}

/// Where rows run from page to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Left edge.
    pub x_um: i32,
    /// Width of every table.
    pub width_um: i32,
    /// Upper edge on every page.
    pub top_um: i32,
    /// Lower edge on every page.
    pub bottom_um: i32,
}

/// One text in a place of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxTemplate {
    /// What stands before the value.
    #[serde(default)]
    pub label: String,
    /// The value.
    pub field: String,
    /// Left edge.
    pub x_um: i32,
    /// Upper edge.
    pub y_um: i32,
    /// Width.
    pub width_um: i32,
    /// Size, if another than usual.
    pub size_um: Option<i32>,
    /// Lines that it may take.
    #[serde(default = "one")]
    pub lines: usize,
    /// Where the text stands in it.
    #[serde(default)]
    pub align: Align,
    /// What it is drawn with.
    #[serde(default)]
    pub ink: Ink,
}

const fn one() -> usize {
    1
}

/// A column of a table, or a cell of the row of totals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its heading; what stands before the value in a row of totals.
    pub label: String,
    /// The value.
    pub field: String,
    /// Width.
    pub width_um: i32,
    /// Where the text stands in it.
    #[serde(default)]
    pub align: Align,
    /// Whether it is red on a red receipt.
    #[serde(default)]
    pub money: bool,
}

/// A table of rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What stands above it; may be empty.
    #[serde(default)]
    pub title: String,
    /// Its columns, from left to right.
    pub columns: Vec<Column>,
}

/// A field among others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoField {
    /// The value.
    pub field: String,
    /// How it is called.
    pub label: String,
    /// Whether it is red on a red receipt.
    #[serde(default)]
    pub money: bool,
}

/// 其他信息: fields beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// What stands above.
    pub title: String,
    /// How many stand beside each other.
    pub columns: i32,
    /// Which, in order.
    pub fields: Vec<InfoField>,
}

/// A text across every page, below everything else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StampTemplate {
    /// The words.
    pub text: String,
    /// Side of a full-width character.
    pub size_um: i32,
    /// Middle of the text.
    pub center_x_um: i32,
    /// Middle of the text.
    pub center_y_um: i32,
}

/// What a printer's slip has: less than a page, and other words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlipTemplate {
    /// Above the items.
    pub above: Vec<InfoField>,
    /// Below the totals.
    pub below: Vec<InfoField>,
    /// Where `{count}` detail lines are to be found.
    pub details: String,
    /// What the slip is, and is not.
    pub notice: String,
}

/// Sentences of a face; names in braces are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentences {
    /// 监制: by whom the unit is vouched for (`{area}`).
    pub supervision: String,
    /// What the page is, and is not.
    pub notice: String,
    /// The same as long as there is no proof to attach.
    pub notice_without_evidence: String,
    /// What the ledger says (`{sentence}`), and as of when (`{as_of}`).
    pub state: String,
    /// What the unit says besides (`{line}`), which nobody signed.
    pub own_line: String,
    /// The word for a red receipt.
    pub red_mark: String,
    /// `{page}` of `{pages}`.
    pub page: String,
    /// After the title of a table that goes on.
    pub continued: String,
}

/// A whole template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Name and version.
    pub id: String,
    /// Size of every page.
    pub page: PageSize,
    /// Sizes of text.
    pub text: TextSizes,
    /// The code.
    pub code: CodeTemplate,
    /// Where rows run.
    pub flow: Flow,
    /// On every page, above the flow.
    pub head: Vec<BoxTemplate>,
    /// On every page, below the flow.
    pub foot: Vec<BoxTemplate>,
    /// 项目明细.
    pub items: Table,
    /// 清单, on pages of its own.
    pub aux_items: Table,
    /// One row under the items.
    pub totals: Table,
    /// 其他信息.
    pub info: Info,
    /// A printer's slip.
    pub slip: SlipTemplate,
    /// For a chain of tests.
    pub stamp: StampTemplate,
    /// For a receipt that was reversed; its words stand in the place of `red_mark`, too.
    pub reversed: StampTemplate,
    /// Sentences.
    pub sentences: Sentences,
    /// Words for coded values: `field.value`.
    pub words: BTreeMap<String, String>,
}

impl Template {
    /// The one that comes with this crate.
    pub fn standard() -> Result<Self, TemplateError> {
        Self::parse(STANDARD)
    }

    /// Reads a template and checks that it can be drawn.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template: Self = toml::from_str(text).map_err(|error| TemplateError::Form(error.to_string()))?;
        template.check()?;
        Ok(template)
    }

    /// The word for a coded value; the value itself if there is none.
    pub fn word(&self, field: &str, value: &str) -> String {
        self.words.get(&format!("{field}.{value}")).map_or(value, String::as_str).to_owned()
    }

    /// Whether a field of a receipt stands anywhere on the face.
    pub fn shows(&self, field: &str) -> bool {
        let boxes = self.head.iter().chain(&self.foot).map(|place| place.field.as_str());
        let cells = self.totals.columns.iter().map(|column| column.field.as_str());
        boxes.chain(cells).chain(self.info.fields.iter().map(|info| info.field.as_str())).any(|shown| shown == field)
    }

    /// All of its own texts, for who must be able to draw them.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let boxes = self.head.iter().chain(&self.foot).map(|place| place.label.as_str());
        let tables = [&self.items, &self.aux_items, &self.totals];
        let labels = tables.into_iter().flat_map(|table| table.columns.iter().map(|column| column.label.as_str()));
        let info = self.info.fields.iter().map(|info| info.label.as_str());
        let sentences = &self.sentences;
        let single = [
            self.code.caption.as_str(),
            &self.items.title,
            &self.aux_items.title,
            &self.info.title,
            &self.stamp.text,
            &self.reversed.text,
            &sentences.state,
            &sentences.own_line,
            &sentences.supervision,
            &sentences.notice,
            &sentences.notice_without_evidence,
            &sentences.red_mark,
            &sentences.page,
            &sentences.continued,
        ];
        boxes.chain(labels).chain(info).chain(single).chain(self.words.values().map(String::as_str))
    }

    fn check(&self) -> Result<(), TemplateError> {
        let error = |place: &str, problem: &str| {
            Err(TemplateError::Place { place: place.to_owned(), problem: problem.to_owned() })
        };
        let (page, text, flow) = (self.page, self.text, self.flow);
        let positive = |values: &[i32]| values.iter().all(|value| (1..=SIDE_UM_MAX).contains(value));
        if !positive(&[page.width_um, page.height_um]) {
            return error("page", "its sides must be between 1 and 2,000,000 micrometres");
        }
        if !positive(&[text.size_min_um, text.size_um, text.line_um]) || text.size_min_um > text.size_um {
            return error("text", "sizes must be positive, size_min_um at most size_um");
        }
        if text.line_um < text.size_um {
            return error("text", "line_um is less than size_um: lines would lie over each other");
        }
        if !self.holds(flow.x_um, flow.top_um, flow.width_um) || flow.bottom_um > page.height_um {
            return error("flow", "it does not lie on the page");
        }
        if flow.bottom_um.saturating_sub(flow.top_um) < 10 * text.line_um {
            return error("flow", "it has no room for ten lines");
        }
        if !self.holds(self.code.x_um, self.code.y_um, self.code.side_um) {
            return error("code", "it does not lie on the page");
        }
        if self.code.side_um < CODE_SIDE_UM_MIN {
            return error(
                "code",
                &format!("side_um must be at least {CODE_SIDE_UM_MIN}, the side of the largest code"),
            );
        }
        if !(1..=8).contains(&self.info.columns) {
            return error("info", "columns must be between 1 and 8");
        }
        for (place, stamp) in [("stamp", &self.stamp), ("reversed", &self.reversed)] {
            if !positive(&[stamp.size_um]) || stamp.text.is_empty() {
                return error(place, "it must have a text and a size");
            }
        }
        self.check_boxes()?;
        self.check_columns()?;
        self.check_fields()
    }

    /// Whether what begins there, and is so wide, lies on the page.
    fn holds(&self, x_um: i32, y_um: i32, width_um: i32) -> bool {
        let inside = |value: i32, side: i32| (0..=side).contains(&value);
        inside(x_um, self.page.width_um)
            && inside(y_um, self.page.height_um)
            && width_um > 0
            && width_um <= self.page.width_um - x_um
    }

    fn check_boxes(&self) -> Result<(), TemplateError> {
        for place in self.head.iter().chain(&self.foot) {
            let size = place.size_um.unwrap_or(self.text.size_um);
            if !self.holds(place.x_um, place.y_um, place.width_um)
                || place.lines == 0
                || !(1..=SIDE_UM_MAX).contains(&size)
            {
                return Err(TemplateError::Place {
                    place: format!("box of {}", place.field),
                    problem: "it does not lie on the page, or has no line".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), TemplateError> {
        for (name, table) in [("items", &self.items), ("aux_items", &self.aux_items), ("totals", &self.totals)] {
            let widths = table.columns.iter().map(|column| i64::from(column.width_um)).sum::<i64>();
            // A column holds two full-width characters, so that every line takes one.
            let narrow = table.columns.iter().find(|column| column.width_um < 4 * self.text.size_um);
            if widths != i64::from(self.flow.width_um) || narrow.is_some() {
                return Err(TemplateError::Place {
                    place: format!("table {name}"),
                    problem: format!(
                        "its columns must add up to {} micrometres, each at least {}",
                        self.flow.width_um,
                        4 * self.text.size_um
                    ),
                });
            }
        }
        Ok(())
    }

    /// Every field that is named is one that receipts have.
    fn check_fields(&self) -> Result<(), TemplateError> {
        let unknown = |place: &str, field: &str| TemplateError::Place {
            place: place.to_owned(),
            problem: format!("no receipt has a field {field}"),
        };
        let of_receipts =
            |field: &str| DERIVED.contains(&field) || CATEGORIES.iter().any(|c| field_position(*c, field).is_some());
        let boxes = self.head.iter().chain(&self.foot).map(|place| place.field.as_str());
        let cells = self.totals.columns.iter().map(|column| column.field.as_str());
        let slip = self.slip.above.iter().chain(&self.slip.below);
        let info = self.info.fields.iter().chain(slip).map(|info| info.field.as_str());
        if let Some(field) = boxes.chain(cells).chain(info).find(|field| !of_receipts(field)) {
            return Err(unknown("fields", field));
        }
        for (table, known) in [(&self.items, ITEM_FIELDS), (&self.aux_items, AUX_ITEM_FIELDS)] {
            if let Some(column) = table.columns.iter().find(|column| !known.contains(&column.field.as_str())) {
                return Err(unknown("tables", &column.field));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
