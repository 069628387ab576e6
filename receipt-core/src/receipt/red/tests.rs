//! A red receipt is the exact negative, and nothing else passes for one.

use crate::ids::Fen;
use crate::receipt::civil::CivilDate;
use crate::receipt::ext::{FineExt, NonTaxExt};
use crate::receipt::fixture;
use crate::receipt::model::ReversalReason;

use super::*;

fn request() -> RedRequest {
    RedRequest {
        receipt_code: ReceiptCode::parse("99060127").unwrap(),
        issue_date: CivilDate::parse("2027-01-04").unwrap(),
        biz_code: "T1".to_owned(),
        place_code: "MZ-03".to_owned(),
        handling_person: "何某".to_owned(),
        checker: "吴某".to_owned(),
        remark: String::new(),
        reversal: Reversal {
            reason: ReversalReason::FullRefund,
            text: String::new(),
            operator: "何某".to_owned(),
            refund_reference: "TF1".to_owned(),
            reissue_biz_code: String::new(),
        },
    }
}

#[test]
fn every_sign_is_turned_and_the_rest_kept() {
    let original = fixture::receipt();
    let red = red_draft(&original, &request()).unwrap();
    let values = |draft: &ReceiptDraft| to_values(&fixture::issue(draft.clone(), 1024)).unwrap();
    let changed: String = values(&original.draft)
        .iter()
        .zip(&values(&red))
        .zip(0..)
        .filter(|((before, after), _)| before != after)
        .map(|((_, after), position)| format!("{} = {after}\n", position_name(6, 2, position)))
        .collect();
    expect_test::expect![[r#"
        receipt_code = 99060127
        issue_date = 2027-01-04
        total_amount = -121.00
        specimen_code = 9906012701
        biz_code = T1
        payments = [{"mode":"medical_insurance","amount":"-101.00","channel_reference":"YB1"},{"mode":"wechat","amount":"-20.00"}]
        related = [{"relation":"reversal_of","receipt_code":"99060126","receipt_number":"0000001023"}]
        reversal = {"reason":"full_refund","operator":"何某","refund_reference":"TF1"}
        medical.fund_pay = -81.00
        medical.account_pay = -20.00
        medical.own_pay = -20.00
        items[0] = {"item_code":"0602","item_name":"诊察费","unit":"项","quantity":"-1","standard":"25.0000","amount":"-25.00"}
        items[1] = {"item_code":"0604","item_name":"化验费","quantity":"-1.5","standard":"64.0000","amount":"-96.00"}
        aux_items[0] = {"related_item_code":"0604","item_name":"血细胞分析","quantity":"-3","standard":"32.0000","amount":"-96.0049"}
    "#]].assert_eq(&changed);
    assert_eq!(first_difference(&red, &original), Ok(None));
}

#[test]
fn a_fine_turns_its_late_penalty() {
    let mut original = fixture::receipt();
    let fine = FineExt { late_penalty: Some(Fen::new(6)), ..FineExt::default() };
    original.draft.receipt_code = ReceiptCode::parse("99030126").unwrap();
    original.draft.ext = Ext::PaymentBook { non_tax: NonTaxExt::default(), fine };
    original.draft.related = vec![Related::CoversPayCode { pay_code: "1".to_owned() }];
    let request = RedRequest { receipt_code: original.draft.receipt_code, ..request() };
    let red = red_draft(&original, &request).unwrap();
    let Ext::PaymentBook { fine, .. } = &red.ext else { panic!("{:?}", red.ext) };
    assert_eq!(fine.late_penalty, Some(Fen::new(-6)));
    assert_eq!(red.reversal_of(), Some(original.key()));
    assert_eq!(red.related.len(), 2, "covered pay codes stay");
}

#[test]
fn what_cannot_be_reversed() {
    let original = fixture::receipt();
    let code = |text| RedRequest { receipt_code: ReceiptCode::parse(text).unwrap(), ..request() };
    assert_eq!(red_draft(&original, &code("99060226")), Err(RedError::KindDiffers));
    assert_eq!(red_draft(&original, &code("98060126")), Err(RedError::KindDiffers));
    let red = fixture::issue(red_draft(&original, &request()).unwrap(), 1024);
    assert_eq!(red_draft(&red, &request()), Err(RedError::OriginalIsRed));
    let mut huge = original.clone();
    huge.draft.items[0].amount = Fen::new(i64::MIN);
    assert_eq!(red_draft(&huge, &request()), Err(RedError::AmountOutOfRange));
}

#[test]
fn differences_are_named() {
    let original = fixture::receipt();
    let check = |edit: fn(&mut ReceiptDraft), field: Option<&str>| {
        let mut red = red_draft(&original, &request()).unwrap();
        edit(&mut red);
        assert_eq!(first_difference(&red, &original), Ok(field.map(str::to_owned)));
    };
    check(|red| red.biz_code = "T2".to_owned(), None);
    check(|red| red.supervisor_area_code = "110000".to_owned(), None);
    check(|red| red.reversal = None, Some("reversal"));
    check(|red| red.total_amount = Fen::new(-1), Some("total_amount"));
    check(|red| red.payer_name = "赵某".to_owned(), Some("payer_name"));
    check(|red| red.payments[0].amount = Fen::new(-1), Some("payments"));
    check(|red| red.related.clear(), Some("related"));
    check(|red| red.items[1].amount = Fen::new(9600), Some("items[1]"));
    check(|red| red.aux_items.clear(), Some("aux_count"));
    check(|red| red.aux_items[0].remark = "x".to_owned(), Some("aux_items[0]"));
    check(|red| red.ext = Ext::Other, Some("ext"));
}
