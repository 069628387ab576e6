//! The checks, in the order in which they are made: what holds, what it means if it does not, and what the verdict then comes to.

use super::super::language::Sentence;
use super::super::layer::Layer;
use super::conclusions::Finding;

macro_rules! checks {
    ($($variant:ident = $code:literal, $layer:ident, $finding:ident,
        $claim_zh:literal $claim:literal, $failure_zh:literal $failure:literal;)*) => {
        /// A check, in the order in which they are made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CheckId {
            $(#[doc = $claim] $variant,)*
        }

        impl CheckId {
            /// All checks, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The layer that it belongs to.
            pub const fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer,)* }
            }

            /// What the verdict comes to if it does not hold, or cannot be made.
            pub const fn finding(self) -> Finding {
                match self { $(Self::$variant => Finding::$finding,)* }
            }

            /// What holds if it passes.
            pub const fn claim(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $claim_zh, en: $claim },)* }
            }

            /// What it means if it does not; empty of a check that is passed or left open only.
            pub const fn failure(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $failure_zh, en: $failure },)* }
            }
        }
    };
}

checks! {
    BundleForm = "BUNDLE_FORM", Genuine, Damaged,
        "文件是规范格式的票据包，且未超过限制。" "The file is a bundle, within its limits and in canonical form.",
        "文件不是规范的票据包：已损坏或被改动[（{damage}）]。" "The file is not a bundle in canonical form: it was damaged or changed[ ({damage})].";
    ReportForm = "REPORT_FORM", Genuine, Damaged,
        "文件是规范格式的报告。" "The file is a report in canonical form.",
        "文件不是规范的报告：已损坏或被改动[（{damage}）]。" "The file is not a report in canonical form: it was damaged or changed[ ({damage})].";
    CodeForm = "CODE_FORM", Genuine, CodeRefused,
        "扫得的内容是本页面的票据二维码。" "The text is the code of a receipt on this page.",
        "" "";
    Chain = "CHAIN", Genuine, OtherChain,
        "文件属于信任文件所述的链。" "The file is of the chain that the trust file is about.",
        "" "";
    RecordForm = "RECORD_FORM", Genuine, Damaged,
        "已签名的记录格式规范。" "The signed record is in canonical form.",
        "已签名的记录格式错误。" "The signed record is malformed.";
    DirectoryKey = "DIRECTORY_KEY", Genuine, KeyUnknown,
        "单位名录中有这把密钥。" "The directory of units has this key.",
        "" "";
    CredentialForm = "CREDENTIAL_FORM", Genuine, Damaged,
        "单位凭证格式规范。" "The unit's credential is in canonical form.",
        "单位凭证格式错误。" "The unit's credential is malformed.";
    CredentialSignatures = "CREDENTIAL_SIGNATURES", Genuine, Forged,
        "足够数量的当时在任监管机关签署了单位凭证。"
        "Enough of the supervising authorities in force when the record was anchored signed the unit's credential.",
        "当时在任的监管机关没有签署这份凭证。"
        "The supervising authorities in force when the record was anchored did not sign this credential.";
    CredentialScope = "CREDENTIAL_SCOPE", Genuine, Forged,
        "凭证与记录的单位和密钥一致，算法套件为本链所用，并覆盖开票时间。"
        "The credential is of the record's unit and key, both are of the chain's suite, and it covers the time of issue.",
        "凭证不适用于这条记录。" "The credential does not cover this record.";
    RecordSignature = "RECORD_SIGNATURE", Genuine, Forged,
        "记录由开票单位的密钥签署。" "The unit's key signed the record.",
        "开票单位没有签署这条记录。" "The unit did not sign this record.";
    BodyRoot = "BODY_ROOT", Genuine, Altered,
        "票面内容的每一项都与记录的承诺一致。" "The content, every value of it, is what the record commits to.",
        "内容已被改动，不是开票单位签署的内容[：{field}]。" "The content was changed: it is not what the unit signed[: {field}].";
    ShownRoot = "SHOWN_ROOT", Genuine, Altered,
        "出示的每一项，连同未出示各项的哈希，都与记录的承诺一致。"
        "Each value that is shown, together with the hashes of those that are not, is what the record commits to.",
        "出示的内容或未出示部分的哈希已被改动：合在一起不是开票单位签署的内容[：{field}]。"
        "What is shown, or a hash of what is not, was changed: together they are not what the unit signed[: {field}].";
    BodyForm = "BODY_FORM", Genuine, Contradictory,
        "内容恰好是一张票据。" "The content is exactly one receipt.",
        "内容不是一张票据。" "The content is not a receipt.";
    ShownForm = "SHOWN_FORM", Genuine, Contradictory,
        "出示的每一项都是票据上的这一项。" "Each value that is shown reads as its field of a receipt.",
        "出示的内容不是票据上的内容。" "What is shown does not read as fields of a receipt.";
    BodyRecord = "BODY_RECORD", Genuine, Contradictory,
        "代码、号码、金额、开票时间和日期以及冲红关联与记录一致。"
        "Code, number, total, time and date of issue, and the link to a reversed original, equal the record's.",
        "内容与开票单位签署的记录矛盾：{field}。" "The content contradicts the record that the unit signed: {field}.";
    ShownRecord = "SHOWN_RECORD", Genuine, Contradictory,
        "代码、号码、金额、开票时间和日期与记录一致；冲红关联如有出示，也一致。"
        "Code, number, total, time and date of issue equal the record's, and so does the link to a reversed original where it is shown.",
        "出示的内容与开票单位签署的记录矛盾：{field}。" "What is shown contradicts the record that the unit signed: {field}.";
    BodyUnit = "BODY_UNIT", Genuine, Contradictory,
        "单位代码、单位名称和监管区划与凭证一致。" "Unit code, unit name and supervising area equal the credential's.",
        "内容中的单位与凭证中的单位不同：{field}。" "The content names another unit than the credential: {field}.";
    BodyRules = "BODY_RULES", Genuine, Contradictory,
        "内容符合可由其自身判断的票据规则。" "The content keeps the fiscal rules that can be judged from it alone.",
        "内容有不合票据规则之处：{rules}。" "The content breaks fiscal rules: {rules}.";
    IssueTime = "ISSUE_TIME", Genuine, FromTheFuture,
        "开票时间不在未来。" "The time of issue is not in the future.",
        "开票时间{signed_seconds}晚于判断所用的时间。" "The time of issue, {signed_seconds}, is later than the time of the judgement.";
    DirectoryRevocation = "DIRECTORY_REVOCATION", Genuine, KeyRevoked,
        "按单位名录，这把密钥没有被吊销。" "By the directory of units this key is not revoked.",
        "" "";
    HeaderForm = "HEADER_FORM", Anchored, Damaged,
        "批次头格式规范，算法套件为本链所用。" "The batch header is in canonical form and of the chain's suite.",
        "批次头格式错误。" "The batch header is malformed.";
    BatchInclusion = "BATCH_INCLUSION", Anchored, NotAnchored,
        "记录在该批次中。" "The record stands in the batch.",
        "记录不在该批次中。" "The record does not stand in this batch.";
    HeaderTime = "HEADER_TIME", Anchored, NotAnchored,
        "开票时间在批次的时间范围内。" "The time of issue lies within those of the batch.",
        "开票时间超出批次的时间范围。" "The time of issue lies outside those of the batch.";
    AnchorForm = "ANCHOR_FORM", Anchored, Damaged,
        "批次上链证明格式规范。" "The proof that the batch stands in the log is in canonical form.",
        "批次上链证明格式错误。" "The proof that the batch stands in the log is malformed.";
    AnchorQuorum = "ANCHOR_QUORUM", Anchored, NotAnchored,
        "对应该树大小的法定数量验证方共同签署了检查点。"
        "A quorum of the validators that count for this tree size cosigned the checkpoint.",
        "检查点没有可信验证方法定数量的共同签署。"
        "The checkpoint is not under a quorum of the trusted validators.";
    AnchorInclusion = "ANCHOR_INCLUSION", Anchored, NotAnchored,
        "批次头在该检查点下的日志中。" "The batch header stands in the log under that checkpoint.",
        "批次不在日志中。" "The batch does not stand in the log.";
    AnchorTime = "ANCHOR_TIME", Anchored, FromTheFuture,
        "检查点不在未来。" "The checkpoint is not from the future.",
        "检查点时间{signed_seconds}晚于判断所用的时间。" "The checkpoint is of {signed_seconds}, later than the time of the judgement.";
    SealByPassed = "SEAL_BY_PASSED", Anchored, ReportUnproved,
        "检查点晚于承诺的期限。" "The checkpoint is later than the promised time.",
        "检查点不晚于承诺的期限，或早于这条记录。" "The checkpoint is not later than the promised time, or is from before the record.";
    LedgerAnswer = "LEDGER_ANSWER", Anchored, Refused,
        "账本收下了这条记录。" "The ledger took the record.",
        "账本拒绝了这条记录。" "The ledger refused the record.";
    SealForm = "SEAL_FORM", InForce, Damaged,
        "封印及其证明格式规范，算法套件为本链所用。"
        "The seal and the proof of it are in canonical form, the seal of the chain's suite.",
        "封印格式错误。" "The seal is malformed.";
    SealQuorum = "SEAL_QUORUM", InForce, StatusUnproved,
        "对应该树大小的法定数量验证方共同签署了状态检查点。"
        "A quorum of the validators that count for this tree size cosigned the checkpoint of the status.",
        "状态检查点没有可信验证方法定数量的共同签署。"
        "The checkpoint of the status is not under a quorum of the trusted validators.";
    SealNewer = "SEAL_NEWER", InForce, StatusUnproved,
        "状态检查点覆盖该批次。" "The checkpoint of the status covers the batch.",
        "状态早于票据上链。" "The status is from before the receipt was anchored.";
    SealPosition = "SEAL_POSITION", InForce, StatusUnproved,
        "封印是该检查点下日志的最后一片叶子。" "The seal is the last leaf of the log under that checkpoint.",
        "封印不是日志的最后一片叶子。" "The seal is not the last leaf of the log.";
    SealSet = "SEAL_SET", InForce, StatusUnproved,
        "封印所指的验证方集合就是共同签署它的集合。" "The seal names the validator set whose quorum cosigned it.",
        "封印所指的验证方集合不是共同签署它的集合。"
        "The seal names another validator set than the one that cosigned it.";
    SealTime = "SEAL_TIME", InForce, FromTheFuture,
        "封印及其检查点都不在未来。" "Neither the seal nor its checkpoint is from the future.",
        "状态时间{signed_seconds}晚于判断所用的时间。" "The status is of {signed_seconds}, later than the time of the judgement.";
    StatusProof = "STATUS_PROOF", InForce, StatusUnproved,
        "封印下的状态映射对该票据就是这样记载的。" "The status map under the seal says this of the receipt.",
        "所述状态不是账本的记载。" "The statement about the status is not what the ledger says.";
}
