//! What a verdict amounts to: its code, its class for programs, its tone for the eye, and its words.

use super::super::language::Sentence;

/// The class of a finding, on which exit codes and callers decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingResult {
    /// Genuine, anchored, in force as of the stated time.
    InForce,
    /// It was in force as of a time that lies further back than the asker allows.
    TooOld,
    /// Genuine and anchored, and not in force any more.
    Reversed,
    /// The unit signed it. What the ledger says of it is not known.
    Signed,
    /// The unit signed it, and the ledger refused it.
    Refused,
    /// Something does not hold.
    Invalid,
    /// This program, trust file or directory does not know enough.
    Unjudged,
    /// The file is something else.
    NoReceipt,
    /// There were no bytes to judge.
    Unreadable,
}

impl FindingResult {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::TooOld => "too_old",
            Self::Reversed => "reversed",
            Self::Signed => "signed",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Unjudged => "unjudged",
            Self::NoReceipt => "no_receipt",
            Self::Unreadable => "unreadable",
        }
    }

    /// How many of several files came to this are counted under these words.
    pub const fn counted(self) -> Sentence {
        match self {
            Self::InForce => Sentence { zh: "有效{count}", en: "{count} in force" },
            Self::TooOld => Sentence { zh: "状态过旧{count}", en: "{count} too old" },
            Self::Reversed => Sentence { zh: "已冲红{count}", en: "{count} reversed" },
            Self::Signed => Sentence { zh: "仅有签名{count}", en: "{count} signed only" },
            Self::Refused => Sentence { zh: "被账本拒绝{count}", en: "{count} refused" },
            Self::Invalid => Sentence { zh: "无效{count}", en: "{count} invalid" },
            Self::Unjudged => Sentence { zh: "无法判断{count}", en: "{count} cannot be judged here" },
            Self::NoReceipt => Sentence { zh: "不是票据{count}", en: "{count} no receipt" },
            Self::Unreadable => Sentence { zh: "无法读取{count}", en: "{count} not read" },
        }
    }
}

/// Which colour and sign go with the words; never without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Read on before relying on it.
    Caution,
    /// Do not rely on it.
    Bad,
    /// Nothing can be said.
    Unknown,
}

impl Tone {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Caution => "caution",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

macro_rules! findings {
    ($($variant:ident = $code:literal, $result:ident $tone:ident, $word_zh:literal $word:literal,
        $zh:literal $en:literal, $advice_zh:literal $advice:literal;)*) => {
        /// What a verdict amounts to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Finding {
            $(#[doc = $en] $variant,)*
        }

        impl Finding {
            /// Every finding, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Its class.
            pub const fn result(self) -> FindingResult {
                match self { $(Self::$variant => FindingResult::$result,)* }
            }

            /// Its tone.
            pub const fn tone(self) -> Tone {
                match self { $(Self::$variant => Tone::$tone,)* }
            }

            /// In a word.
            pub const fn word(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $word_zh, en: $word },)* }
            }

            /// In a sentence.
            pub const fn sentence(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $zh, en: $en },)* }
            }

            /// What to do.
            pub const fn advice(self) -> Sentence {
                match self { $(Self::$variant => Sentence { zh: $advice_zh, en: $advice },)* }
            }
        }
    };
}

findings! {
    InForce = "IN_FORCE", InForce Good, "有效" "IN FORCE",
        "票据真实，已上链，有效。" "The receipt is genuine, anchored and in force.",
        "此后是否冲红，这里不知道；要最新状态，请联网刷新，或向开票单位重新获取票据。"
        "Whether it was reversed since then is not known here; for the newest state refresh it online, or fetch the receipt anew from the unit.";
    Presented = "PRESENTED", InForce Caution, "部分出示，有效" "SHOWN IN PART, IN FORCE",
        "只出示了票据的一部分；这张票据真实，已上链，有效。"
        "Only a part of the receipt is shown; the receipt is genuine, anchored and in force.",
        "没有出示的内容在这里得不到证明；需要时请索取完整的票据。"
        "What is withheld is not proved here: ask for the whole receipt where it matters.";
    RedInForce = "RED_IN_FORCE", InForce Caution, "红字票据" "RED RECEIPT",
        "这是冲红用的红字票据，冲销{reverses}，不证明收到款项。"
        "This is a red receipt: it reverses {reverses} and attests no payment received.",
        "请勿凭此报销。" "Reimburse nothing on it.";
    TooOld = "TOO_OLD", TooOld Caution, "状态过旧" "STATE TOO OLD",
        "状态是{age_seconds}以前的，要求不超过{allowed_seconds}；当时有效。"
        "The state is {age_seconds} old, no more than {allowed_seconds} being allowed; the receipt was in force then.",
        "请联网刷新状态，或向开票单位重新获取票据再查。"
        "Refresh the state online, or fetch the receipt anew from the unit, and check again.";
    Reversed = "REVERSED", Reversed Bad, "已冲红" "REVERSED",
        "这张票据已被红字票据{by}冲红，不再有效。" "The red receipt {by} reversed this receipt, which is no longer in force.",
        "请勿凭此报销；不清楚原因的，请向开票单位询问。" "Reimburse nothing on it; if you do not know why, ask the unit.";
    Pending = "PENDING", Signed Caution, "待上链" "NOT YET ANCHORED",
        "开票单位已签名；查询的答复说尚未上链，仍在期限内。"
        "The unit signed the receipt; by what was answered it is not yet anchored, and still in time.",
        "开票单位承诺在{seal_by_ms}前上链，请届时再查。" "The unit promises to have it anchored by {seal_by_ms}: check again then.";
    Overdue = "OVERDUE", Signed Caution, "逾期未查到" "OVERDUE, NOT FOUND",
        "开票单位承诺在{seal_by_ms}前上链；期限已过，查询的答复说至今未上链。"
        "The unit promised to have it anchored by {seal_by_ms}; that time is over, and by what was answered it is not.",
        "这一点无法证明：请过后再查，或向开票单位询问；可向财政部门报告漏记。"
        "Nobody can prove that: check again later, or ask the unit; it can be reported to the finance authority as left out.";
    LeftOut = "LEFT_OUT", Signed Caution, "漏记报告" "REPORTED AS LEFT OUT",
        "开票单位承诺在{seal_by_ms}前上链；期限已过，报告人称至今未上链。"
        "The unit promised to have the receipt anchored by {seal_by_ms}; that time is over, and by the reporter's word it is not.",
        "文件不能证明未上链：请由审计部门重放账本核实。"
        "No file can prove that it is not: an auditor's replay of the ledger tells.";
    Unchecked = "UNCHECKED", Signed Caution, "已签名，未核实" "SIGNED, NOT CHECKED",
        "由{unit_name}的密钥签名；是否已上链、是否已冲红，没有查。"
        "Signed with the key of {unit_name}; whether it is anchored or reversed was not checked.",
        "请与手里的票据逐项核对；是否上链、冲红，请联网在开票单位公布的查验网站上再查。"
        "Compare it with the receipt you hold item by item; whether it is anchored or reversed, check online, on the site that the unit names.";
    Refused = "REFUSED", Refused Bad, "账本未接受" "REFUSED",
        "账本拒绝了这张票据：{reason}[；答复称已由{replaced_by}代替]。"
        "The ledger refused this receipt: {reason}[; by what was answered, {replaced_by} replaces it].",
        "请向开票单位索取有效的票据。" "Ask the unit for a receipt that is in force.";
    Altered = "ALTERED", Invalid Bad, "已被改动" "ALTERED",
        "内容被改动过，不是开票单位签名的内容[；不同的是：{field}]。"
        "The content was changed, and is not what the unit signed[; what differs: {field}].",
        "请勿接受；请从开票单位重新获取。" "Do not accept it; fetch the receipt anew from the unit.";
    Contradictory = "CONTRADICTORY", Invalid Bad, "自相矛盾" "CONTRADICTORY",
        "内容与开票单位自己签名的记录不一致[；不同的是：{field}]。" "The content contradicts the record that the unit itself signed[; what differs: {field}].",
        "请向开票单位询问。" "Ask the unit.";
    Forged = "FORGED", Invalid Bad, "签名无效" "FORGED SIGNATURE",
        "没有开票单位的有效签名。" "It bears no valid signature of the unit.",
        "请勿接受。" "Do not accept it.";
    Damaged = "DAMAGED", Invalid Bad, "文件损坏" "DAMAGED",
        "文件与开票单位给出的不同，已损坏或被改动[：{damage}]。"
        "The file is not as it was handed out, but damaged or changed[: {damage}].",
        "请重新获取原文件。" "Fetch the file anew, as it was handed out.";
    FromTheFuture = "FROM_THE_FUTURE", Invalid Unknown, "时间不符" "FROM THE FUTURE",
        "票据或其证明的时间是{signed_seconds}，晚于判断所用的时间。"
        "The receipt, or a proof of it, is dated {signed_seconds}, later than the time of the judgement.",
        "请先核对本机时钟。" "Check the clock first.";
    NotAnchored = "NOT_ANCHORED", Invalid Bad, "上链证明不成立" "NOT ANCHORED",
        "文件不能证明票据已上链。" "The file does not prove that the receipt is anchored.",
        "请勿接受；请从开票单位重新获取。" "Do not accept it; fetch the receipt anew from the unit.";
    StatusUnproved = "STATUS_UNPROVED", Invalid Bad, "状态证明不成立" "STATE NOT PROVED",
        "文件不能证明票据的状态，是否已冲红不能确定。"
        "The file does not prove the state of the receipt; whether it was reversed is not known.",
        "请勿接受；请从开票单位重新获取。" "Do not accept it; fetch the receipt anew from the unit.";
    ReportUnproved = "REPORT_UNPROVED", Invalid Bad, "报告不成立" "REPORT NOT PROVED",
        "文件不能证明上链期限已过。" "The file does not prove that the time for anchoring is over.",
        "请重新查询账本，再作报告。" "Ask the ledger again, and report anew.";
    OtherChain = "OTHER_CHAIN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "这张票据记在另一个账本（链 {chain}[，自称 {log}]）上，这里只能判断 {own_name}（{own_chain}）的票据。"
        "The receipt is of another chain, {chain}[ (log {log} by its own word)]; here receipts of {own_name} ({own_chain}) are judged.",
        "请用那个账本的核验页面或信任文件。" "Take the page or the trust file of that chain.";
    KeyUnknown = "KEY_UNKNOWN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "单位名录里没有签这张票据的密钥：可能是名录过旧，也可能是伪造的。"
        "The directory of units does not have the key that signed: it may be too old, or the receipt forged.",
        "查明以前请勿接受：请联网打开查验网站（或重新下载单文件版）再查，或向开票单位询问。"
        "Do not accept it before that is known: check on the verify site online (or download the page as one file anew), or ask the unit.";
    DirectoryAhead = "DIRECTORY_AHEAD", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "单位名录的时间是{directory_seconds}，晚于判断所用的时间。"
        "The directory of units is dated {directory_seconds}, later than the time of the judgement.",
        "请先核对本机时钟。" "Check the clock first.";
    KeyRevoked = "KEY_REVOKED", Unjudged Unknown, "密钥已吊销" "KEY REVOKED",
        "签这张票据的密钥自{revoked_from_ms}起已被吊销；密钥可能被盗，没有账本的证明，这个码什么也不能证明。"
        "The key that signed was revoked from {revoked_from_ms} on; it may have been stolen, and without the ledger's proof the code proves nothing.",
        "请联网再查，或索取票据文件。" "Check again online, or ask for the receipt as a file.";
    DirectoryOld = "DIRECTORY_OLD", Unjudged Unknown, "名录过旧" "DIRECTORY TOO OLD",
        "单位名录是{age_seconds}以前的，要求不超过{allowed_seconds}；按它签名成立，但密钥此后可能已被吊销。"
        "The directory of units is {age_seconds} old, no more than {allowed_seconds} being allowed; by it the signature holds, but the key may have been revoked since.",
        "查明以前请勿接受：请联网打开查验网站（或重新下载单文件版）再查，或向开票单位询问。"
        "Do not accept it before that is known: check on the verify site online (or download the page as one file anew), or ask the unit.";
    FormatUnknown = "FORMAT_UNKNOWN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "本程序不认识这种格式。" "This program does not know the format.",
        "请重新打开查验网站、下载新的单文件版，或更新程序。" "Open the verify site anew, download the page as one file anew, or take a newer program.";
    ValidatorsUnknown = "VALIDATORS_UNKNOWN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "签署检查点的机构不在信任文件里。" "It is signed by validators that the trust file does not know.",
        "请更新信任文件：重新打开查验网站，或重新下载单文件版。"
        "Bring the trust file up to date: open the verify site anew, or download the page as one file anew.";
    AuthoritiesUnknown = "AUTHORITIES_UNKNOWN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "信任文件里的财政部门为单位凭证签名的数量不足。"
        "Too few authorities of the trust file have signed the unit's credential.",
        "请更新信任文件再查：重新打开查验网站，或重新下载单文件版。"
        "Bring the trust file up to date and judge again: open the verify site anew, or download the page as one file anew.";
    StatusUnknown = "STATUS_UNKNOWN", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "账本对这张票据有本程序不认识的记载。" "The ledger states something of the receipt that this program does not know.",
        "请重新打开查验网站、下载新的单文件版，或更新程序。" "Open the verify site anew, download the page as one file anew, or take a newer program.";
    AnswerFalse = "ANSWER_FALSE", Unjudged Unknown, "无法判断" "CANNOT BE JUDGED HERE",
        "开票单位已签名；但查询得到的答复不成立。" "The unit signed it; but what was answered about it does not hold.",
        "请换一处再查。" "Ask elsewhere.";
    NoReceipt = "NO_RECEIPT", NoReceipt Unknown, "不是票据" "NO RECEIPT",
        "这不是票据文件：{seems}。" "This is no receipt: {seems}.",
        "请选择开票单位给出的文件（.tally）；它也可能附在 PDF 或 OFD 里。"
        "Take the file that the unit handed out (.tally); it may be attached to a PDF or an OFD.";
    CodeRefused = "CODE_REFUSED", NoReceipt Unknown, "没有读出票据" "NO RECEIPT READ",
        "{fault}。" "Of this code no receipt was read: {fault}.",
        "" "";
    CodeElsewhere = "CODE_ELSEWHERE", NoReceipt Bad, "指向别处" "LEADS ELSEWHERE",
        "{fault}。" "This code was not opened: {fault}.",
        "请勿打开那个网址，也不要凭这个码接受票据；请从开票单位公布的网址打开查验页。"
        "Neither open that address nor accept a receipt by this code; open the verify page at the address that the unit names.";
    Unreadable = "UNREADABLE", Unreadable Unknown, "无法读取" "NOT READ",
        "文件无法读取：{problem}。" "The file cannot be read: {problem}.",
        "" "";
}
