//! Makes a face of a receipt and a template: breaks text into lines, lets rows run over as many pages as they need, then sets head, foot
//! and page numbers on each.
//!
//! Nothing is left out because it is long: a box that is too small shows its beginning and "…", and the whole value stands first among
//! 其他信息; a row that is higher than a page goes on on the next.

mod flow;
mod place;
mod table;

use receipt_core::receipt::model::Receipt;

use crate::content::{Content, aux_item_field, item_field};
use crate::face::{Code, Face, FaceOptions, Ink, Mark, Page, PlacedCode, Stamp};
use crate::template::{Align, BoxTemplate, Info, Template};
use flow::Flowing;
use place::{Piece, fitted};
use table::{Cell, Grid};

/// What stands where a value goes on elsewhere.
const GOES_ON: &str = "…";

impl Face {
    /// The face of a receipt.
    pub fn of(receipt: &Receipt, template: &Template, options: &FaceOptions<'_>) -> Self {
        let content = Content::new(receipt, template, options.utc_offset_minutes);
        let drawing = Drawing { content, template, options };
        let mut pages = drawing.flow();
        let count = pages.len();
        for (index, page) in pages.iter_mut().enumerate() {
            drawing.frame(page, index, count);
        }
        Self {
            template: template.id.clone(),
            width_um: template.page.width_um,
            height_um: template.page.height_um,
            pages,
        }
    }
}

struct Drawing<'a> {
    content: Content<'a>,
    template: &'a Template,
    options: &'a FaceOptions<'a>,
}

impl Drawing<'_> {
    /// What runs from page to page.
    fn flow(&self) -> Vec<Page> {
        let template = self.template;
        let mut flow = Flowing::new(template);
        let items = Grid::of(&template.items, template);
        let rows = self.content.items().iter().map(|item| {
            let red = self.content.is_red() && item.amount.get() < 0;
            items.row(red, |field| item_field(item, field))
        });
        flow.table(&items, rows.collect());
        flow.row(&self.totals());
        self.info(&mut flow);
        if !self.content.aux_items().is_empty() {
            flow.new_page();
            let aux = Grid::of(&template.aux_items, template);
            let rows = self.content.aux_items().iter().map(|item| {
                let red = self.content.is_red() && item.amount.get() < 0;
                aux.row(red, |field| aux_item_field(item, field))
            });
            flow.table(&aux, rows.collect());
        }
        flow.finish()
    }

    fn totals(&self) -> Vec<Cell> {
        let cells = self.template.totals.columns.iter().map(|column| Cell {
            width_um: column.width_um,
            align: column.align,
            ink: self.ink(column.money),
            text: format!("{}{}", column.label, self.content.get(&column.field).unwrap_or_default()),
        });
        cells.collect()
    }

    const fn ink(&self, money: bool) -> Ink {
        if money && self.content.is_red() { Ink::Red } else { Ink::Black }
    }

    /// 其他信息: what did not fit into its box, then the template's fields, then regional ones.
    fn info(&self, flow: &mut Flowing<'_>) {
        let Info { title, columns, fields } = &self.template.info;
        let mut cells = Vec::new();
        let boxes = self.template.head.iter().chain(&self.template.foot);
        for place in boxes.filter(|place| !self.piece(place, 0, 1).is_some_and(|piece| piece.whole)) {
            if let Some(value) = self.content.get(&place.field) {
                cells.push((format!("{}{value}", place.label), Ink::Black));
            }
        }
        for info in fields {
            if let Some(value) = self.content.get(&info.field) {
                cells.push((format!("{}：{value}", info.label), self.ink(info.money)));
            }
        }
        cells.extend(self.content.other_info().map(|(name, value)| (format!("{name}：{value}"), Ink::Black)));
        let own = self.options.own_lines.iter();
        cells.extend(own.map(|line| (self.template.sentences.own_line.replace("{line}", line), Ink::Black)));
        flow.beside_each_other(title, *columns, &cells);
    }

    fn is_reversed(&self) -> bool {
        self.options.state.is_some_and(|state| state.reversed_by.is_some())
    }

    /// Head, foot, code and stamps of a page. The stamps come first: they lie below all else.
    fn frame(&self, page: &mut Page, index: usize, count: usize) {
        let mut marks = Vec::new();
        let stamps = [(self.options.test_chain, &self.template.stamp), (self.is_reversed(), &self.template.reversed)];
        for (_, stamp) in stamps.into_iter().filter(|(applies, _)| *applies) {
            marks.push(Mark::Stamp(Stamp {
                center_x_um: stamp.center_x_um,
                center_y_um: stamp.center_y_um,
                size_um: stamp.size_um,
                ink: Ink::Pale,
                text: stamp.text.clone(),
            }));
        }
        if let Some(code) = self.options.code.filter(|_| index == 0) {
            self.code(code, &mut marks);
        }
        for place in self.template.head.iter().chain(&self.template.foot) {
            if let Some(piece) = self.piece(place, index, count) {
                marks.extend(piece.marks);
            }
        }
        marks.append(&mut page.marks);
        page.marks = marks;
    }

    /// The text of a box on a page; `None` if there is nothing to say.
    fn piece(&self, place: &BoxTemplate, index: usize, count: usize) -> Option<Piece> {
        let sentences = &self.template.sentences;
        let value = match place.field.as_str() {
            "page" => sentences.page.replace("{page}", &(index + 1).to_string()).replace("{pages}", &count.to_string()),
            "notice" if self.options.with_evidence => sentences.notice.clone(),
            "notice" => sentences.notice_without_evidence.clone(),
            "state" => self.state()?,
            // Only a blue receipt is reversed, so the place is free.
            "red_mark" if self.is_reversed() => self.template.reversed.text.clone(),
            field => self.content.get(field)?.to_owned(),
        };
        let ink = if place.field == "state" && self.is_reversed() { Ink::Red } else { place.ink };
        Some(fitted(&BoxTemplate { ink, ..place.clone() }, &format!("{}{value}", place.label), &self.template.text))
    }

    /// What the ledger says, and as of when.
    fn state(&self) -> Option<String> {
        self.options.state.map(|state| state.line(self.template, self.options.utc_offset_minutes))
    }

    /// The symbol in the middle of its square, and under the square where it leads.
    fn code(&self, code: &Code, marks: &mut Vec<Mark>) {
        let place = &self.template.code;
        // A template's square holds every code that is made for receipts; what is larger would lie over the text.
        if code.fits(place.side_um) {
            let inset_um = (place.side_um - code.side * code.module_um) / 2;
            marks.push(Mark::Code(PlacedCode {
                x_um: place.x_um + inset_um,
                y_um: place.y_um + inset_um,
                module_um: code.module_um,
                side: code.side,
                areas: code.areas.clone(),
            }));
        }
        let caption = BoxTemplate {
            label: String::new(),
            field: String::new(),
            x_um: place.x_um,
            y_um: place.y_um + place.side_um,
            width_um: place.side_um,
            size_um: Some(self.template.text.size_min_um),
            lines: 2,
            align: Align::Center,
            ink: Ink::Black,
        };
        marks.extend(fitted(&caption, &format!("{} {}", place.caption, code.host), &self.template.text).marks);
    }
}

#[cfg(test)]
mod tests;
