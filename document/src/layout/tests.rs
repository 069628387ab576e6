use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::{AuxItem, OtherInfo, PayerIdType, Receipt};
use receipt_core::testkit::TestChain;
use receipt_core::verdict::verify_bundle;

use super::*;
use crate::face::Text;
use crate::state::State;
use crate::width::cells;

fn template() -> Template {
    Template::standard().unwrap()
}

fn receipt(sample: &str) -> Receipt {
    TestChain::new().issue(sample).receipt
}

fn face(receipt: &Receipt) -> Face {
    let options = FaceOptions { utc_offset_minutes: 480, with_evidence: true, ..FaceOptions::default() };
    Face::of(receipt, &template(), &options)
}

fn texts(page: &Page) -> Vec<&Text> {
    page.marks.iter().filter_map(|mark| if let Mark::Text(text) = mark { Some(text) } else { None }).collect()
}

fn has(face: &Face, text: &str) -> bool {
    face.texts().any(|found| found.contains(text))
}

#[test]
fn every_category_has_its_fields_and_no_others() {
    for (sample, shown) in [
        ("S01", ["门诊号：", "医保统筹基金支付：201.20", "性别：女"].as_slice()),
        ("S02", &["住院号：", "入院日期：", "预缴金额："]),
        ("S04", &["缴款码：", "处罚决定书号：", "收缴方式：直缴", "号牌："]),
        ("S05", &["参保人编号：", "费款所属期："]),
        ("S06", &["学号：", "缴款码："]),
        ("S07", &["结算类型："]),
        ("S08", &["会员编号："]),
        ("S09", &["捐赠项目：", "捐赠类型：货币"]),
        ("S10", &["捐赠类型：实物", "计价依据："]),
        ("S15", &["交款方式："]),
        ("S16", &["交款方式："]),
        ("S17", &["交款方式："]),
    ] {
        let receipt = receipt(sample);
        let face = face(&receipt);
        for text in shown {
            assert!(has(&face, text), "{sample}: {text}");
        }
        for text in
            [&receipt.draft.receipt_name, "票据代码：", "票据号码：", "校验码：", "开票日期：", "金额合计（大写）："]
        {
            assert!(has(&face, text), "{sample}: {text}");
        }
        let own = Ext::names(receipt.draft.receipt_code.category());
        let foreign = template()
            .info
            .fields
            .into_iter()
            .filter(|info| info.field.contains('.') && !own.contains(&info.field.as_str()));
        for info in foreign {
            assert!(
                !face.texts().any(|text| text.starts_with(&format!("{}：", info.label))),
                "{sample}: {}",
                info.label
            );
        }
        assert!(
            !face.texts().any(|text| text.contains('\u{0}') || text.ends_with("：")),
            "{sample}: a label without a value"
        );
    }
}

/// A person's document and the account are masked, a unit's public code is not; the check code is shown, because a document is its holder's.
#[test]
fn what_is_personal_is_masked() {
    let mut receipt = receipt("S01");
    receipt.draft.payer_code = "990305199001010015".to_owned();
    receipt.draft.payer_id_type = PayerIdType::Resident;
    receipt.draft.rec_account = "6222020200112233445".to_owned();
    let shown = face(&receipt);
    assert!(has(&shown, "990305********0015") && !has(&shown, "990305199001010015"));
    assert!(has(&shown, "622202*********3445") && !has(&shown, "6222020200112233445"));
    assert!(has(&shown, &receipt.issued.check_code.to_string()));
    receipt.draft.rec_account = "****0301".to_owned();
    assert!(has(&face(&receipt), "收款账号：****0301"));
    receipt.draft.payer_id_type = PayerIdType::Uscc;
    receipt.draft.payer_code = "129903004000000181".to_owned();
    assert!(has(&face(&receipt), "129903004000000181"));
}

#[test]
fn a_red_receipt_is_red_and_names_its_original() {
    let mut chain = TestChain::new();
    let original = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&original));
    let red = chain.reverse(&original).receipt;
    let face = face(&red);
    assert!(has(
        &face,
        &format!("冲销原票据：代码 {} 号码 {}", original.receipt.key().code, original.receipt.key().number)
    ));
    assert!(has(&face, "冲红原因：全额退款"));
    for page in &face.pages {
        assert!(texts(page).iter().any(|text| text.text == "红字" && text.ink == Ink::Red));
        for text in texts(page) {
            // Amounts have two or four decimals; quantities, which stay black, have one here.
            let is_amount = text.text.rsplit_once('.').is_some_and(|(_, decimals)| decimals.len() != 1);
            assert!(!text.text.starts_with('-') || !is_amount || text.ink == Ink::Red, "{}", text.text);
        }
    }
    let red_ones: Vec<&str> =
        texts(&face.pages[0]).iter().filter(|text| text.ink == Ink::Red).map(|text| text.text.as_str()).collect();
    assert!(red_ones.contains(&"金额合计（大写）：负叁佰捌拾伍元叁角柒分"), "{red_ones:?}");
    assert!(
        texts(&super::Face::of(&original.receipt, &template(), &FaceOptions::default()).pages[0])
            .iter()
            .all(|text| text.ink == Ink::Black)
    );
}

#[test]
fn a_chain_for_tests_says_so_across_every_page_and_another_never() {
    let receipt = receipt("S01");
    let of = |test_chain| Face::of(&receipt, &template(), &FaceOptions { test_chain, ..FaceOptions::default() });
    let stamped = of(true);
    assert!(stamped.pages.len() > 1);
    for page in &stamped.pages {
        // It is drawn first, so that it lies below all else.
        assert!(matches!(&page.marks[0], Mark::Stamp(stamp) if stamp.text == "测试样票" && stamp.ink == Ink::Pale));
    }
    assert!(!of(false).texts().any(|text| text.contains("测试")));
}

/// What the ledger says stands on every page, in the words of the verdict and as of when; a reversed receipt can not be taken for one in force.
#[test]
fn every_page_says_what_the_ledger_says_and_a_reversed_receipt_that_it_is() {
    let mut chain = TestChain::new();
    let original = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&original));
    let state = |chain: &TestChain| {
        let verdict = verify_bundle(&chain.bundle(&original).encode(), chain.trust(), chain.now());
        State::of(&verdict).unwrap()
    };
    let in_force = state(&chain);
    let red = chain.reverse(&original);
    chain.add_block(std::slice::from_ref(&red));
    let reversed = state(&chain);
    assert_eq!((in_force.reversed_by, reversed.reversed_by), (None, Some(red.receipt.key())));
    let of = |state, test_chain| {
        let options = FaceOptions { utc_offset_minutes: 480, state, test_chain, ..FaceOptions::default() };
        Face::of(&original.receipt, &template(), &options)
    };
    for (state, said) in [(&in_force, "：票据真实，已上链，有效。"), (&reversed, "冲红，不再有效。")]
    {
        for page in of(Some(state), false).pages {
            let line = texts(&page).into_iter().find(|text| text.text.starts_with("截至 2026-")).unwrap();
            assert!(line.text.ends_with(said), "{}", line.text);
            assert_eq!(line.ink, if state.reversed_by.is_some() { Ink::Red } else { Ink::Black });
        }
    }
    let stamps = |face: &Face| {
        let of = |page: &Page| -> Vec<String> {
            let stamps =
                page.marks.iter().filter_map(|mark| if let Mark::Stamp(stamp) = mark { Some(stamp) } else { None });
            stamps.map(|stamp| stamp.text.clone()).collect()
        };
        face.pages.iter().map(of).collect::<Vec<_>>()
    };
    let face = of(Some(&reversed), true);
    assert!(face.pages.len() > 1);
    assert!(stamps(&face).iter().all(|page| page == &["测试样票", "已冲红"]), "{:?}", stamps(&face));
    for page in &face.pages {
        assert!(texts(page).iter().any(|text| text.text == "已冲红" && text.ink == Ink::Red));
    }
    assert!(stamps(&of(Some(&in_force), false)).iter().all(Vec::is_empty));
    assert!(!of(None, false).texts().any(|text| text.contains("截至") || text.contains("已冲红")));
}

#[test]
fn what_the_unit_says_besides_is_marked_as_signed_by_nobody() {
    let receipt = receipt("S01");
    let lines = ["电话 000-1111".to_owned(), "门诊楼一层".to_owned()];
    let face = Face::of(&receipt, &template(), &FaceOptions { own_lines: &lines, ..FaceOptions::default() });
    for line in &lines {
        assert!(has(&face, &format!("（不在签名之内）：{line}")), "{line}");
    }
}

#[test]
fn a_document_without_proof_says_so() {
    let receipt = receipt("S01");
    let of = |with_evidence| Face::of(&receipt, &template(), &FaceOptions { with_evidence, ..FaceOptions::default() });
    assert!(has(&of(false), "尚未取得上链凭证") && !has(&of(false), "bundle.tally"));
    assert!(has(&of(true), "bundle.tally") && !has(&of(true), "尚未取得上链凭证"));
    for face in [of(true), of(false)] {
        for page in &face.pages {
            let all: String = texts(page).iter().map(|text| text.text.as_str()).collect();
            assert!(all.contains("不是财政部门发布的票样") && all.contains("不带印章"), "{all}");
        }
    }
}

/// Detail lines of many pages, with texts of every length.
fn long(rows: usize) -> Receipt {
    let mut receipt = receipt("S02");
    let line = |index: usize| AuxItem {
        related_item_code: "0609".to_owned(),
        related_item_name: "西药费".to_owned(),
        item_code: format!("XA{index:04}"),
        item_name: "某".repeat(1 + index * 7 % 200),
        unit: "盒".to_owned(),
        quantity: None,
        standard: None,
        amount: receipt_core::receipt::decimal::Yuan4::new(index as i64 * 10_000),
        remark: "乙类，".repeat(index % 5),
    };
    receipt.draft.aux_items = (0..rows).map(line).collect();
    receipt
}

#[test]
fn rows_run_over_as_many_pages_as_they_need_and_none_is_lost() {
    let receipt = long(800);
    let face = face(&receipt);
    assert!(face.pages.len() > 30, "{}", face.pages.len());
    let joined: Vec<String> =
        face.pages.iter().map(|page| texts(page).iter().map(|text| text.text.as_str()).collect::<String>()).collect();
    for (index, page) in joined.iter().enumerate() {
        assert!(page.contains(&format!("第 {} 页 共 {} 页", index + 1, face.pages.len())), "page {}", index + 1);
        assert!(page.contains(&receipt.draft.receipt_name) && page.contains(&receipt.draft.payer_name));
    }
    for index in 0..800 {
        let code = format!("XA{index:04}");
        assert_eq!(face.texts().filter(|text| *text == code).count(), 1, "{code}");
    }
    // Every character of every name is there once.
    let wanted: usize = receipt.draft.aux_items.iter().map(|item| item.item_name.chars().count()).sum();
    let found: usize = face.texts().map(|text| text.chars().filter(|c| *c == '某').count()).sum();
    let elsewhere = face
        .texts()
        .filter(|text| text.contains("："))
        .map(|text| text.chars().filter(|c| *c == '某').count())
        .sum::<usize>();
    assert_eq!(found - elsewhere, wanted);
}

#[test]
fn nothing_leaves_its_page_or_lies_over_something_else() {
    let mut crowded = long(40);
    crowded.draft.other_info = (0..60)
        .map(|no| OtherInfo { no, name: format!("地区字段{no}"), value: "值".repeat(no as usize * 8) })
        .collect();
    crowded.draft.payer_name = "某".repeat(200);
    crowded.draft.items[0].unit = "单".repeat(50);
    crowded.draft.items[0].remark = "备注，".repeat(66);
    let mut tall = receipt("S01");
    tall.draft.items[0].remark = "备".repeat(200);
    tall.draft.items[0].item_name = "名".repeat(200);
    let template = template();
    let boxes_end = template.flow.top_um;
    for receipt in [receipt("S01"), receipt("S04"), crowded, tall] {
        let face = face(&receipt);
        for page in &face.pages {
            let texts = texts(page);
            for text in &texts {
                let (left, right) = (text.x_um, text.x_um + cells(&text.text) * text.size_um / 2);
                assert!(left >= 0 && right <= face.width_um, "{} {left}..{right}", text.text);
                assert!(text.baseline_um > 0 && text.baseline_um < face.height_um, "{}", text.text);
            }
            for (index, one) in texts.iter().enumerate() {
                for other in &texts[index + 1..] {
                    assert!(!overlap(one, other), "{} / {}", one.text, other.text);
                }
            }
        }
        let head = texts(&face.pages[0]).into_iter().filter(|text| text.baseline_um < boxes_end).count();
        assert!(head >= 8, "{head} lines of head");
    }
}

/// Whether the ink of two lines can touch.
fn overlap(one: &Text, other: &Text) -> bool {
    let side = |text: &Text| (text.x_um, text.x_um + cells(&text.text) * text.size_um / 2);
    let rows = |text: &Text| (text.baseline_um - text.size_um * 86 / 100, text.baseline_um + text.size_um * 12 / 100);
    let meets = |(a, b): (i32, i32), (c, d): (i32, i32)| a < d && c < b;
    meets(side(one), side(other)) && meets(rows(one), rows(other))
}

#[test]
fn what_does_not_fit_into_its_box_stands_whole_below() {
    let mut receipt = receipt("S01");
    let name = format!("{}尾", "某".repeat(199));
    receipt.draft.payer_name.clone_from(&name);
    let face = face(&receipt);
    let head = texts(&face.pages[0]).into_iter().find(|text| text.text.starts_with("交款人：某")).unwrap();
    assert!(head.baseline_um < template().flow.top_um);
    assert!(face.texts().any(|text| text.ends_with(GOES_ON)));
    // The first entry of 其他信息 has all of it.
    let all: String = face.texts().collect();
    assert!(all.contains(&format!("其他信息交款人：{name}")), "{all}");
}

#[test]
fn the_code_stands_alone_in_its_square_on_the_first_page() {
    let receipt = receipt("S01");
    let code = Code::of_modules(73, 4, 375, "TALLY.EXAMPLE", |x, y| (x + y) % 2 == 0);
    let options = FaceOptions { code: Some(&code), test_chain: true, ..FaceOptions::default() };
    let template = template();
    let face = Face::of(&receipt, &template, &options);
    assert!(has(&face, "扫码核验") && has(&face, "TALLY.EXAMPLE"));
    let codes = face.pages.iter().map(|page| page.marks.iter().filter(|mark| matches!(mark, Mark::Code(_))).count());
    assert_eq!(codes.collect::<Vec<_>>(), [1, 0]);
    let square = &template.code;
    let (left, right) = (square.x_um, square.x_um + square.side_um);
    let (top, bottom) = (square.y_um, square.y_um + square.side_um);
    for mark in &face.pages[0].marks {
        match mark {
            Mark::Code(placed) => {
                let (inset, side) = (4 * 375, 73 * 375);
                assert!(placed.x_um - inset >= left && placed.x_um + side + inset <= right);
                assert!(placed.y_um - inset >= top && placed.y_um + side + inset <= bottom);
            }
            Mark::Text(text) => {
                let outside = text.x_um >= right
                    || text.x_um + cells(&text.text) * text.size_um / 2 <= left
                    || text.baseline_um - text.size_um * 88 / 100 >= bottom
                    || text.baseline_um + text.size_um * 12 / 100 <= top;
                assert!(outside, "{} stands in the code's square", text.text);
            }
            Mark::Line(line) => assert!(line.y1_um > bottom, "{line:?}"),
            Mark::Stamp(stamp) => {
                // This is its right end with half its height more.
                let half = cells(&stamp.text) * stamp.size_um / 4 + stamp.size_um / 2;
                assert!(stamp.center_x_um + half < left || stamp.center_y_um - half * 5 / 12 > bottom);
            }
        }
    }
}

/// No clock, no map order: equal input, equal face.
#[test]
fn a_face_is_a_function_of_its_input() {
    let receipt = long(30);
    assert_eq!(face(&receipt), face(&receipt));
}
