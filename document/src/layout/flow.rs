//! Rows that run down a page and go on on the next.

use crate::face::{Ink, Line, Mark, Page};
use crate::layout::place::{baseline, text_line};
use crate::layout::table::{Cell, Grid, PADDING_UM};
use crate::template::{Align, Flow, Template, TextSizes};
use crate::width::{cells, wrap};

/// Thickness of a table's lines.
const RULE_UM: i32 = 150;
/// White above and below the lines of a row.
const ROW_PADDING_UM: i32 = 500;

/// Pages that are being filled.
pub(super) struct Flowing<'a> {
    flow: Flow,
    text: TextSizes,
    pages: Vec<Page>,
    page: Page,
    y_um: i32,
    template: &'a Template,
}

impl<'a> Flowing<'a> {
    /// An empty first page.
    pub(super) fn new(template: &'a Template) -> Self {
        let (flow, text) = (template.flow, template.text);
        Self { flow, text, pages: Vec::new(), page: Page::default(), y_um: flow.top_um, template }
    }

    /// All pages.
    pub(super) fn finish(mut self) -> Vec<Page> {
        self.pages.push(self.page);
        self.pages
    }

    /// Goes on at the top of the next page.
    pub(super) fn new_page(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y_um = self.flow.top_um;
    }

    /// A table: title, headings, rows; title and headings again on each page that it reaches.
    pub(super) fn table(&mut self, grid: &Grid<'_>, rows: Vec<Vec<Cell>>) {
        let headings = grid.headings();
        self.title(grid.title, "");
        self.row(&headings);
        for row in rows {
            let lines = lines_of(&row, self.text.size_um);
            // A row is not divided if it fits on a page of its own.
            let whole_page = self.lines_between(self.flow.top_um).saturating_sub(2);
            if lines > self.lines_left() && (lines <= whole_page || self.lines_left() == 0) {
                self.continue_table(grid, &headings);
            }
            let mut from = 0;
            while from < lines {
                if self.lines_left() == 0 {
                    self.continue_table(grid, &headings);
                }
                let to = lines.min(from + self.lines_left());
                self.slice(&row, from, to);
                from = to;
            }
        }
    }

    fn continue_table(&mut self, grid: &Grid<'_>, headings: &[Cell]) {
        self.new_page();
        self.title(grid.title, grid.continued);
        self.row(headings);
    }

    /// One row, whole, on this page or the next.
    pub(super) fn row(&mut self, row: &[Cell]) {
        let lines = lines_of(row, self.text.size_um);
        if lines > self.lines_left() {
            self.new_page();
        }
        self.slice(row, 0, lines);
    }

    /// A line of text above what follows; nothing for the empty text.
    fn title(&mut self, title: &str, continued: &str) {
        if title.is_empty() {
            return;
        }
        if self.lines_left() < 3 {
            self.new_page();
        }
        let line_um = self.text.line_um;
        let at = (self.flow.x_um, self.flow.width_um);
        let baseline_um = baseline(self.y_um, line_um, self.text.size_um);
        let text = format!("{title}{continued}");
        let mark = text_line(&text, at, baseline_um, self.text.size_um, (Align::Left, Ink::Black));
        self.page.marks.push(mark);
        self.y_um += line_um;
    }

    /// Texts in columns; one that is too wide takes two or more, one that is wider than all takes lines of its own.
    pub(super) fn beside_each_other(&mut self, title: &str, columns: i32, entries: &[(String, Ink)]) {
        if entries.is_empty() {
            return;
        }
        self.y_um += ROW_PADDING_UM;
        self.title(title, "");
        let (size_um, line_um) = (self.text.size_um, self.text.line_um);
        let column_um = self.flow.width_um / columns;
        let mut column = 0;
        for (text, ink) in entries {
            let needed_um = cells(text) * size_um / 2 + PADDING_UM;
            let span = ((needed_um + column_um - 1) / column_um).clamp(1, columns);
            if column + span > columns {
                column = 0;
                self.y_um += line_um;
            }
            let lines = wrap(text, 2 * (span * column_um - PADDING_UM) / size_um);
            for (index, line) in lines.iter().enumerate() {
                if index > 0 {
                    self.y_um += line_um;
                }
                if self.y_um + line_um > self.flow.bottom_um {
                    self.new_page();
                    let continued = self.template.sentences.continued.clone();
                    self.title(title, &continued);
                }
                let at = (self.flow.x_um + column * column_um, span * column_um);
                let baseline_um = baseline(self.y_um, line_um, size_um);
                self.page.marks.push(text_line(line, at, baseline_um, size_um, (Align::Left, *ink)));
            }
            column += span;
        }
        self.y_um += line_um;
    }

    /// Lines that a row may have that begins here.
    fn lines_left(&self) -> usize {
        self.lines_between(self.y_um)
    }

    fn lines_between(&self, top_um: i32) -> usize {
        let free_um = self.flow.bottom_um - top_um - 2 * ROW_PADDING_UM;
        usize::try_from(free_um / self.text.line_um).unwrap_or(0)
    }

    /// Draws some lines of a row, with the rules around its cells.
    fn slice(&mut self, row: &[Cell], from: usize, to: usize) {
        let (size_um, line_um) = (self.text.size_um, self.text.line_um);
        let line_count = i32::try_from(to - from).unwrap_or(i32::MAX);
        let height_um = line_count.saturating_mul(line_um) + 2 * ROW_PADDING_UM;
        let (top_um, bottom_um) = (self.y_um, self.y_um + height_um);
        let (left_um, right_um) = (self.flow.x_um, self.flow.x_um + self.flow.width_um);
        self.rule((left_um, top_um), (right_um, top_um));
        self.rule((left_um, bottom_um), (right_um, bottom_um));
        self.rule((left_um, top_um), (left_um, bottom_um));
        let mut x_um = left_um;
        for cell in row {
            let lines = cell.lines(size_um);
            // A cell of fewer lines than its row stands in the middle, unless the row is divided.
            let down_um = if from == 0 && lines.len() < to {
                let missing = i32::try_from(to - lines.len()).unwrap_or_default();
                missing * line_um / 2
            } else {
                0
            };
            let at = (x_um + PADDING_UM, cell.width_um - 2 * PADDING_UM);
            for (index, line) in (0_i32..).zip(lines.iter().skip(from).take(to - from)) {
                let line_top_um = top_um + ROW_PADDING_UM + down_um + index * line_um;
                let baseline_um = baseline(line_top_um, line_um, size_um);
                self.page.marks.push(text_line(line, at, baseline_um, size_um, (cell.align, cell.ink)));
            }
            x_um += cell.width_um;
            self.rule((x_um, top_um), (x_um, bottom_um));
        }
        self.y_um = bottom_um;
    }

    fn rule(&mut self, (x1_um, y1_um): (i32, i32), (x2_um, y2_um): (i32, i32)) {
        self.page.marks.push(Mark::Line(Line { x1_um, y1_um, x2_um, y2_um, width_um: RULE_UM }));
    }
}

fn lines_of(row: &[Cell], size_um: i32) -> usize {
    row.iter().map(|cell| cell.lines(size_um).len()).max().unwrap_or(0).max(1)
}
