//! Rows of a table, broken into lines cell by cell.

use crate::face::Ink;
use crate::layout::place::cells_of_width;
use crate::template::{Align, Column, Table, Template};
use crate::width::wrap;

/// White between a cell's edge and its text, left and right.
pub(super) const PADDING_UM: i32 = 1000;

/// A cell before it is broken into lines.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Its width.
    pub(super) width_um: i32,
    /// Where its text stands.
    pub(super) align: Align,
    /// What its text is drawn with.
    pub(super) ink: Ink,
    /// Its text.
    pub(super) text: String,
}

impl Cell {
    /// Its lines at a size; none for the empty text.
    pub(super) fn lines(&self, size_um: i32) -> Vec<&str> {
        wrap(&self.text, cells_of_width(self.width_um - 2 * PADDING_UM, size_um))
    }
}

/// A table's columns.
pub(super) struct Grid<'a> {
    /// What stands above it.
    pub(super) title: &'a str,
    /// After the title where it goes on.
    pub(super) continued: &'a str,
    columns: &'a [Column],
}

impl<'a> Grid<'a> {
    /// The columns of a table.
    pub(super) fn of(table: &'a Table, template: &'a Template) -> Self {
        Self { title: &table.title, continued: &template.sentences.continued, columns: &table.columns }
    }

    /// The row of headings.
    pub(super) fn headings(&self) -> Vec<Cell> {
        let cells = self.columns.iter().map(|column| Cell {
            width_um: column.width_um,
            align: Align::Center,
            ink: Ink::Black,
            text: column.label.clone(),
        });
        cells.collect()
    }

    /// A row of the values that `value` gives for each column's field; money in red if `red`.
    pub(super) fn row(&self, red: bool, value: impl Fn(&str) -> String) -> Vec<Cell> {
        let cells = self.columns.iter().map(|column| Cell {
            width_um: column.width_um,
            align: column.align,
            ink: if red && column.money { Ink::Red } else { Ink::Black },
            text: value(&column.field),
        });
        cells.collect()
    }
}
