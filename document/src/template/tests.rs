use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::layout::{position_name, row_start};

use super::*;

fn standard() -> Template {
    Template::standard().unwrap()
}

#[test]
fn every_field_of_every_category_stands_on_the_face() {
    let template = standard();
    // Rows and entries of lists show these by themselves; the area stands in the sentence of supervision, and the payee is derived.
    let elsewhere =
        ["item_count", "aux_count", "related", "reversal", "other_info", "supervisor_area_code", "rec_name"];
    for category in CATEGORIES {
        for position in 0..u32::try_from(row_start(category)).unwrap() {
            let name = position_name(category, 0, position);
            assert!(template.shows(&name) || elsewhere.contains(&name.as_str()), "{name} stands nowhere");
        }
        assert!(Ext::names(category).iter().all(|name| template.shows(name)));
    }
    for derived in DERIVED {
        assert!(template.shows(derived), "{derived} stands nowhere");
    }
}

#[test]
fn a_template_that_can_not_be_drawn_is_refused_by_the_place() {
    for (from, to, place) in [
        ("width_um = 210000", "width_um = 0", "page"),
        ("size_min_um = 2300", "size_min_um = 4000", "text"),
        ("line_um = 3900", "line_um = 2900", "text"),
        ("bottom_um = 127000", "bottom_um = 150000", "flow"),
        ("bottom_um = 127000", "bottom_um = 60000", "flow"),
        ("side_um = 31000", "side_um = 30000", "code"),
        ("x_um = 171000", "x_um = 180000", "code"),
        ("columns = 3", "columns = 0", "info"),
        ("size_um = 26000", "size_um = 0", "stamp"),
        ("width_um = 128000", "width_um = 228000", "box of receipt_name"),
        ("width_um = 58000", "width_um = 59000", "table items"),
        ("width_um = 134000", "width_um = 11000", "table totals"),
        ("field = \"check_code\"", "field = \"check_kode\"", "fields"),
        ("field = \"quantity\"", "field = \"quality\"", "tables"),
    ] {
        assert!(STANDARD.contains(from), "{from}");
        match Template::parse(&STANDARD.replacen(from, to, 1)) {
            Err(TemplateError::Place { place: found, .. }) => assert_eq!(found, place, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn an_unknown_key_is_refused_by_its_name() {
    let error = Template::parse(&STANDARD.replacen("[page]", "[page]\ndepth_um = 1", 1)).unwrap_err();
    assert!(error.to_string().contains("depth_um"), "{error}");
}
