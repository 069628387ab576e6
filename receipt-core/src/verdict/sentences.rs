//! Every sentence of a verdict, in Chinese and English: one table for page, line, JSON and gRPC.
//!
//! ```text
//! CheckId      what holds if a check passes, and what it means if it does not
//! Doubt        why a file cannot be judged here
//! Heading      what it all amounts to
//! NotChecked   what nobody without a network can know
//! ```
//! Codes are stable; sentences are not. No sentence of something bad begins with a word that reads as praise.

use std::fmt;

use super::layer::Layer;

/// The same thing said twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.zh, self.en)
    }
}

macro_rules! checks {
    ($($variant:ident = $code:literal, $layer:ident, $claim_zh:literal $claim:literal, $failure_zh:literal $failure:literal;)*) => {
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

            /// What holds if it passes.
            pub const fn claim(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $claim_zh, en: $claim },)* }
            }

            /// What it means if it does not.
            pub const fn failure(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $failure_zh, en: $failure },)* }
            }
        }
    };
}

checks! {
    BundleForm = "BUNDLE_FORM", Genuine,
        "文件是规范格式的票据包，且未超过限制。" "The file is a bundle, within its limits and in canonical form.",
        "文件不是规范的票据包：已损坏或被改动。" "The file is not a bundle in canonical form: it was damaged or changed.";
    Chain = "CHAIN", Genuine,
        "票据包属于信任文件所述的链。" "The bundle is of the chain that the trust file is about.",
        "票据包属于另一条链。" "The bundle is of another chain.";
    RecordForm = "RECORD_FORM", Genuine,
        "已签名的记录格式规范。" "The signed record is in canonical form.",
        "已签名的记录格式错误。" "The signed record is malformed.";
    CredentialForm = "CREDENTIAL_FORM", Genuine,
        "单位凭证格式规范。" "The unit's credential is in canonical form.",
        "单位凭证格式错误。" "The unit's credential is malformed.";
    CredentialSignatures = "CREDENTIAL_SIGNATURES", Genuine,
        "足够数量的当时在任监管机关签署了单位凭证。"
        "Enough of the supervising authorities in force when the record was anchored signed the unit's credential.",
        "当时在任的监管机关没有签署这份凭证。"
        "The supervising authorities in force when the record was anchored did not sign this credential.";
    CredentialScope = "CREDENTIAL_SCOPE", Genuine,
        "凭证与记录的单位和密钥一致，算法套件为本链所用，并覆盖开票时间。"
        "The credential is of the record's unit and key, both are of the chain's suite, and it covers the time of issue.",
        "凭证不适用于这条记录。" "The credential does not cover this record.";
    RecordSignature = "RECORD_SIGNATURE", Genuine,
        "记录由开票单位的密钥签署。" "The unit's key signed the record.",
        "开票单位没有签署这条记录。" "The unit did not sign this record.";
    BodyRoot = "BODY_ROOT", Genuine,
        "票面内容的每一项都与记录的承诺一致。" "The content, every value of it, is what the record commits to.",
        "内容已被改动，不是开票单位签署的内容。" "The content was changed: it is not what the unit signed.";
    BodyForm = "BODY_FORM", Genuine,
        "内容恰好是一张票据。" "The content is exactly one receipt.",
        "内容不是一张票据。" "The content is not a receipt.";
    BodyRecord = "BODY_RECORD", Genuine,
        "代码、号码、金额、开票时间和日期以及冲红关联与记录一致。"
        "Code, number, total, time and date of issue, and the link to a reversed original, equal the record's.",
        "内容与开票单位签署的记录矛盾。" "The content contradicts the record that the unit signed.";
    BodyUnit = "BODY_UNIT", Genuine,
        "单位代码、单位名称和监管区划与凭证一致。" "Unit code, unit name and supervising area equal the credential's.",
        "内容中的单位与凭证中的单位不同。" "The content names another unit than the credential.";
    BodyRules = "BODY_RULES", Genuine,
        "内容符合可由其自身判断的票据规则。" "The content keeps the fiscal rules that can be judged from it alone.",
        "内容违反票据规则。" "The content breaks a fiscal rule.";
    IssueTime = "ISSUE_TIME", Genuine,
        "开票时间不在未来。" "The time of issue is not in the future.",
        "开票时间在未来。" "The time of issue is in the future.";
    HeaderForm = "HEADER_FORM", Anchored,
        "批次头格式规范，算法套件为本链所用。" "The batch header is in canonical form and of the chain's suite.",
        "批次头格式错误。" "The batch header is malformed.";
    BatchInclusion = "BATCH_INCLUSION", Anchored,
        "记录在该批次中。" "The record stands in the batch.",
        "记录不在该批次中。" "The record does not stand in this batch.";
    HeaderTime = "HEADER_TIME", Anchored,
        "开票时间在批次的时间范围内。" "The time of issue lies within those of the batch.",
        "开票时间超出批次的时间范围。" "The time of issue lies outside those of the batch.";
    AnchorForm = "ANCHOR_FORM", Anchored,
        "批次上链证明格式规范。" "The proof that the batch stands in the log is in canonical form.",
        "批次上链证明格式错误。" "The proof that the batch stands in the log is malformed.";
    AnchorQuorum = "ANCHOR_QUORUM", Anchored,
        "对应该树大小的法定数量验证方共同签署了检查点。"
        "A quorum of the validators that count for this tree size cosigned the checkpoint.",
        "批次的检查点没有可信验证方法定数量的共同签署。"
        "The checkpoint over the batch is not under a quorum of the trusted validators.";
    AnchorInclusion = "ANCHOR_INCLUSION", Anchored,
        "批次头在该检查点下的日志中。" "The batch header stands in the log under that checkpoint.",
        "批次不在日志中。" "The batch does not stand in the log.";
    AnchorTime = "ANCHOR_TIME", Anchored,
        "批次的检查点不在未来。" "The checkpoint over the batch is not from the future.",
        "批次的检查点来自未来。" "The checkpoint over the batch is from the future.";
    SealForm = "SEAL_FORM", InForce,
        "封印及其证明格式规范，算法套件为本链所用。"
        "The seal and the proof of it are in canonical form, the seal of the chain's suite.",
        "封印格式错误。" "The seal is malformed.";
    SealQuorum = "SEAL_QUORUM", InForce,
        "对应该树大小的法定数量验证方共同签署了状态检查点。"
        "A quorum of the validators that count for this tree size cosigned the checkpoint of the status.",
        "状态检查点没有可信验证方法定数量的共同签署。"
        "The checkpoint of the status is not under a quorum of the trusted validators.";
    SealNewer = "SEAL_NEWER", InForce,
        "状态检查点覆盖该批次。" "The checkpoint of the status covers the batch.",
        "状态早于票据上链。" "The status is from before the receipt was anchored.";
    SealPosition = "SEAL_POSITION", InForce,
        "封印是该检查点下日志的最后一片叶子。" "The seal is the last leaf of the log under that checkpoint.",
        "封印不是日志的最后一片叶子。" "The seal is not the last leaf of the log.";
    SealSet = "SEAL_SET", InForce,
        "封印所指的验证方集合就是共同签署它的集合。" "The seal names the validator set whose quorum cosigned it.",
        "封印所指的验证方集合不是共同签署它的集合。"
        "The seal names another validator set than the one that cosigned it.";
    SealTime = "SEAL_TIME", InForce,
        "封印及其检查点都不在未来。" "Neither the seal nor its checkpoint is from the future.",
        "状态来自未来。" "The status is from the future.";
    StatusProof = "STATUS_PROOF", InForce,
        "封印下的状态映射对该票据就是这样记载的。" "The status map under the seal says this of the receipt.",
        "所述状态不是账本的记载。" "The statement about the status is not what the ledger says.";
}

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

            /// One sentence for a person.
            pub const fn sentence(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $zh, en: $en },)* }
            }
        }
    };
}

coded! {
    /// Why a file that may be good cannot be judged with this program and this trust file.
    Doubt:
    OtherChain = "OTHER_CHAIN", "票据包属于另一条链，需要那条链的信任文件。"
        "The bundle is of another chain: take the trust file of that chain.";
    FormatUnknown = "FORMAT_UNKNOWN", "本程序不认识这一格式，需要更新的程序。"
        "This program does not know the format: take a newer program.";
    ValidatorsUnknown = "VALIDATORS_UNKNOWN", "签署方不在信任文件中，需要更新信任文件。"
        "It is signed by validators that the trust file does not know: bring the trust file up to date.";
    AuthoritiesUnknown = "AUTHORITIES_UNKNOWN", "信任文件所列监管机关为单位凭证签名的不足法定数量，需要更新信任文件后重新验证。"
        "Too few authorities of the trust file have signed the unit's credential: bring the trust file up to date, and judge again.";
    StatusUnknown = "STATUS_UNKNOWN", "账本记载了本程序不认识的状态，需要更新的程序。"
        "The ledger states something of the receipt that this program does not know: take a newer program.";
    TooOld = "TOO_OLD", "状态证明早于所要求的时限，需要重新获取票据包。"
        "The status was stated longer ago than is allowed here: fetch the bundle anew.";
}

coded! {
    /// What a verdict amounts to, as the words that it begins with; also of a file that gave no bytes to judge.
    Heading:
    InForce = "in_force", "有效" "IN FORCE";
    Reversed = "reversed", "已冲红" "REVERSED";
    Unjudged = "unjudged", "无法在此判断" "CANNOT BE JUDGED HERE";
    NoReceipt = "no_receipt", "不是票据文件" "NO RECEIPT";
    Invalid = "invalid", "无效" "INVALID";
    Unreadable = "unreadable", "无法读取" "NOT READ";
}

coded! {
    /// What a verifier without network cannot know or leaves to the quorum.
    NotChecked:
    LaterStatus = "LATER_STATUS", "所述时间之后票据的变化。" "What happened to the receipt after the stated time.";
    IssuerSignature = "ISSUER_SIGNATURE", "开票方对批次头的签名：已由法定数量的验证方检查。"
        "The issuer's signature over the batch header: the quorum checked it.";
    LedgerRules = "LEDGER_RULES", "账本规则（号码、唯一性、权限、冲红金额）：已由法定数量的验证方执行。"
        "The ledger's rules (numbers, uniqueness, permissions, reversal amounts): the quorum applied them.";
    KeyRevocation = "KEY_REVOCATION", "单位密钥此后是否被吊销：验证方接收记录时有效。"
        "Whether the unit's key was revoked meanwhile: it was good when the quorum took the record.";
    ItemsAttached = "ITEMS_ATTACHED", "项目是否已配给该单位和票据种类（V13）：需要登记表。"
        "Whether the items are attached to the unit and kind (V13): this needs the registry.";
    PayerIdentity = "PAYER_IDENTITY", "出示票据的人是否为交款人。" "Whether whoever shows the receipt is its payer.";
}
