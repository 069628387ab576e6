//! What is said around a conclusion: notices, what was not checked, headings, and clauses for sorts of files and damage.

use super::super::language::Sentence;
use super::super::layer::{Layer, LayerResult};
use crate::bundle::FileSort;
use crate::shown::Damage;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $code:literal, $zh:literal $en:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $en] $variant,)*
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// In words.
            pub const fn sentence(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $zh, en: $en },)* }
            }
        }
    };
}

coded! {
    /// What must be read beside the conclusion.
    Notice:
    TestChain = "TEST_CHAIN", "测试样票：这条链只供测试，它的票据没有效力。"
        "TEST SPECIMEN: this chain is for tests only, and its receipts are worth nothing.";
    Presentation = "PRESENTATION", "这是部分出示，不是完整的票据：{shown}项已出示，{withheld}项没有出示。"
        "This shows a part and is not the whole receipt: {shown} values are shown, {withheld} are withheld.";
    Red = "RED", "这是红字票据，冲销{reverses}，不证明收到款项。"
        "It is a red receipt, which reverses {reverses} and attests no payment received.";
    RulesBroken = "RULES_BROKEN", "内容有不合票据规则之处（规则{rules}）；有疑问请向开票单位询问。"
        "The content breaks fiscal rules ({rules}); if in doubt, ask the unit.";
    Compare = "COMPARE", "二维码可以从别的票据上复制过来：请与手里的票据逐项核对，有一项不同就不要接受。"
        "A code can be copied from another receipt: compare each of these with the one you hold, and do not accept it if one differs.";
}

coded! {
    /// What could not be known with these means, or is left to the quorum.
    NotChecked:
    Anchored = "ANCHORED", "票据是否已上链。" "Whether the receipt is anchored.";
    Reversed = "REVERSED", "票据是否已冲红。" "Whether the receipt was reversed.";
    Content = "CONTENT", "票面其他内容（交款人、项目、备注）：码里没有。"
        "What else stands on the face (payer, items, remarks): the code does not have it.";
    Withheld = "WITHHELD", "没有出示的各项：只有哈希。" "What is withheld: there is only a hash of each value.";
    ContentRules = "CONTENT_RULES", "票据规则（金额相加、日期等）：需要全部内容。"
        "The fiscal rules (sums, dates and others): they need the whole content.";
    LaterStatus = "LATER_STATUS", "所述时间之后票据的变化。" "What happened to the receipt after the stated time.";
    IssuerSignature = "ISSUER_SIGNATURE", "开票方对批次的签名：这里不查，由共同签署的机关检查过。"
        "The issuer's signature over the batch: not checked here, but by the agencies that cosigned.";
    LedgerRules = "LEDGER_RULES", "账本规则（号码、唯一性、权限、冲红金额）：这里不查，由共同签署的机关执行过。"
        "The ledger's rules (numbers, uniqueness, permissions, reversal amounts): not checked here, but by the agencies that cosigned.";
    KeyRevocation = "KEY_REVOCATION", "单位密钥此后是否被吊销：验证方接收记录时有效。"
        "Whether the unit's key was revoked meanwhile: it was good when the quorum took the record.";
    KeyRevoked = "KEY_REVOKED", "单位密钥在名录日期之后是否被吊销。"
        "Whether the unit's key was revoked after the date of the directory.";
    ItemsAttached = "ITEMS_ATTACHED", "项目是否已配给该单位和票据种类：需要登记表。"
        "Whether the items are attached to the unit and kind: this needs the registry.";
    PayerIdentity = "PAYER_IDENTITY", "出示票据的人是否为交款人。" "Whether whoever shows the receipt is its payer.";
}

coded! {
    /// Headings and lines around a verdict.
    Phrase:
    AsOfCheckpoint = "as_of_checkpoint", "{age_seconds}的状态（{as_of_seconds}）" "state as of {age_seconds} ({as_of_seconds})";
    AsOfDirectory = "as_of_directory", "依据{age_seconds}的单位名录（{as_of_seconds}）"
        "by the directory of units as of {age_seconds} ({as_of_seconds})";
    AtClock = "at_clock", "按本机时钟{at_ms}判断" "judged at {at_ms} by this machine's clock";
    AtGiven = "at_given", "按给定的时间{at_ms}判断" "judged at the given time, {at_ms}";
    PartMark = "part_mark", "【部分出示】" "SHOWN IN PART: ";
    TestMark = "test_mark", "【测试样票】" "TEST SPECIMEN: ";
    LayerLine = "layer_line", "{layer}：{result}" "{layer}: {result}";
    Signers = "signers", "签署机构：{signers}" "Signed by: {signers}";
    CompareHeading = "compare_heading", "请与手里的票据核对" "Compare with the receipt you hold";
    ReceiptHeading = "receipt_heading", "票面" "Receipt";
    ItemsHeading = "items_heading", "项目明细" "Items";
    AuxHeading = "aux_heading", "清单（{shown}/{count}）" "Details ({shown} of {count})";
    ShownHeading = "shown_heading", "出示的内容" "Shown and proved";
    WithheldHeading = "withheld_heading", "没有出示（原件上可能有，也可能没有）" "Withheld (the receipt may have them or not)";
    ItemRow = "item_row", "项目明细第{row}行" "Item {row}";
    AuxRow = "aux_row", "清单第{row}行" "Detail line {row}";
    NoValue = "no_value", "（空）" "(empty)";
    SharedTogether = "shared_together", "不能出示“{field}”，请不要选它：有了它和交款人代码（您一并选了；交款人是单位时，代码本来就公开），就能取到整张票据。"
        "\"{field}\" is not shown together with the payer's code (shown as well, or an organisation's, which is public): whoever has both can fetch the whole receipt.";
    ChecksHeading = "checks_heading", "检查（{chain}）" "Checks ({chain})";
    NotCheckedHeading = "not_checked_heading", "没有检查的内容" "Not checked";
    GivenBefore = "given_before", "重复：与{first}是同一张票据" "SAME RECEIPT AS {first}";
    File = "file", "文件 {file}" "FILE {file}";
    Files = "files", "共{count}个文件" "{count} files";
    RedOnes = "red_ones", "（其中红字{count}）" " ({count} of them red)";
    PartOnes = "part_ones", "（其中部分出示{count}）" " ({count} of them shown in part)";
    Again = "again", "；重复{count}" "; {count} given more than once";
}

/// What a layer is called.
pub(in super::super) const fn layer_name(layer: Layer) -> Sentence {
    match layer {
        Layer::Genuine => Sentence { zh: "真实", en: "Genuine" },
        Layer::Anchored => Sentence { zh: "已上链", en: "Anchored" },
        Layer::InForce => Sentence { zh: "有效", en: "In force" },
    }
}

/// What the first layer is called if it passes for a record without its content, and nothing proves that the ledger took it.
pub(in super::super) const SIGNATURE_LAYER: Sentence = Sentence { zh: "签名成立", en: "Signature holds" };

/// What became of a layer.
pub(in super::super) const fn layer_result_word(result: LayerResult) -> Sentence {
    match result {
        LayerResult::Passed => Sentence { zh: "是", en: "yes" },
        LayerResult::Failed => Sentence { zh: "否", en: "NO" },
        LayerResult::Unknown => Sentence { zh: "未判断", en: "not judged" },
    }
}

/// What a file is instead of a bundle, without a stop.
pub(in super::super) const fn sort_clause(sort: FileSort) -> Sentence {
    match sort {
        FileSort::Empty => Sentence { zh: "文件是空的", en: "the file is empty" },
        FileSort::Trust => Sentence { zh: "这是信任文件", en: "it is a trust file" },
        FileSort::ForkEvidence => Sentence {
            zh: "这是分叉证据，请用 compare 命令",
            en: "it is the evidence of a fork: use `compare`",
        },
        FileSort::LogProof => Sentence { zh: "这只是一份日志证明", en: "it is a bare proof of the log" },
        FileSort::LeftOut => Sentence { zh: "这是漏记报告", en: "it is the report of a receipt left out" },
        FileSort::Pdf => Sentence {
            zh: "这是 PDF 文件，票据包可能在它的附件里",
            en: "it is a PDF; the bundle may be attached to it",
        },
        FileSort::Zip => Sentence {
            zh: "这是 ZIP 或 OFD 文件，票据包可能在里面",
            en: "it is a ZIP archive or OFD; the bundle may be inside",
        },
        FileSort::Picture => Sentence { zh: "这是图片", en: "it is a picture" },
        FileSort::Utf16 => Sentence {
            zh: "文件被某个程序另存成了 UTF-16 文本",
            en: "it is UTF-16 text: a program has saved it anew",
        },
        FileSort::Compressed => {
            Sentence { zh: "文件是压缩的，请先解压", en: "it is compressed: unpack it first" }
        }
        FileSort::Unknown => {
            Sentence { zh: "文件开头不是票据包", en: "it does not begin as a bundle (.tally) does" }
        }
    }
}

/// What happened to a file on its way, without a stop.
pub(in super::super) const fn damage_clause(damage: Damage) -> Sentence {
    match damage {
        Damage::ByteOrderMark => Sentence {
            zh: "被某个程序另存，开头多了字节顺序标记",
            en: "a program saved it anew, with a byte order mark",
        },
        Damage::Utf16 => {
            Sentence { zh: "被某个程序另存成了 UTF-16 文本", en: "a program saved it anew as UTF-16 text" }
        }
        Damage::LineEnds => {
            Sentence { zh: "传送时换行被改成了 CR LF", en: "a transfer changed its line ends to CR LF" }
        }
        Damage::NewlineAdded => Sentence { zh: "传送时末尾多了换行", en: "a transfer added a line end to it" },
    }
}
