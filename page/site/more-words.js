// Words of the second script, as in words.js.

// What can be done with a receipt whose file or code cannot be judged, on a page with a site and without: the end of a sentence.
const ENTRIES = ['也可以到开票单位公布的查验网站，输入票面上的五项', 'or type its five entries on the site that the unit names'];

export const MORE_WORDS = {
  codeNotRead: [
    `读到了二维码，但本页没有单位名录，核验不了它，也没有打开它指向的网址。请选择票据文件；${ENTRIES[0]}。`,
    `A code was read. This page has no directory of units to judge it by, and does not open it. Choose the receipt’s file; ${ENTRIES[1]}.`,
  ],
  codeNoHost: [
    '读到了二维码，但本页不知道票据的二维码应指向哪个网址，核验不了它，也没有打开它指向的网址。请从票面上印的网址打开查验页。',
    'A code was read. This page does not know to which address receipts’ codes lead, so it cannot judge one, and does not open it. Open the page at the address that the receipt names.',
  ],
  reportNotRead: [
    '这是一份漏记报告。核验它要有单位名录，而本页没有。请用开票单位公布的查验页，或交给财政部门。',
    'This is a report of a receipt left out. It is judged by a directory of units, and this page has none: take the page that the unit names, or hand it to the finance department.',
  ],
  documentGone: [
    `这个文件里没有附带凭证：合并、打印成 PDF 或用别的软件另存时会丢掉它。文件画出来的内容证明不了什么。请向开票单位索取原文件；${ENTRIES[0]}。`,
    `There is no proof in this file: merging, printing to PDF or saving with another program drops it. What the file draws proves nothing. Ask the issuing unit for the original; ${ENTRIES[1]}.`,
  ],
  documentNoBundle: [
    `这个文件带有附件，但其中没有票据凭证（.tally）。附件若是另一份票据文件，请先把它存出来，再单独选择；${ENTRIES[0]}。`,
    `This file has attachments, and none of them is a receipt’s proof (.tally). If one is a receipt’s document, save it and choose it by itself; ${ENTRIES[1]}.`,
  ],
  documentSeveral: [
    '这个文件里有不止一份票据凭证，本页不替您挑选。请把附件逐个存出来，分别选择。',
    'There is more than one receipt’s proof in this file, and this page does not pick one for you. Save the attachments and choose each by itself.',
  ],
  documentEncrypted: [
    `这个文件加密了，读不到里面的凭证。请向开票单位索取不加密的原文件；或用密码打开，把附件（.tally）存出来再选；${ENTRIES[0]}。`,
    `This file is encrypted, so its proof cannot be read. Ask the issuing unit for the original without encryption; or open it with its password, save the attachment (.tally) and choose that; ${ENTRIES[1]}.`,
  ],
  documentDamaged: [
    `这个文件已损坏或不完整，读不到里面的凭证。请重新下载或索取；${ENTRIES[0]}。`,
    `This file is damaged or incomplete, so its proof cannot be read. Get it again; ${ENTRIES[1]}.`,
  ],
  documentTooLarge: [
    `这个文件太大（或解压后太大），没有打开：票据的版式文件不超过 32 MB。请选择票据的原文件；${ENTRIES[0]}。`,
    `This file is too large, as it is or unpacked, and was not opened: no receipt’s document has more than 32 MB. Choose the receipt’s original file; ${ENTRIES[1]}.`,
  ],
  documentOther: [
    '这个压缩包里没有票据凭证（.tally）。请先解压，再选择里面的票据文件。',
    'There is no receipt’s proof (.tally) in this archive. Unpack it and choose the receipt’s file.',
  ],
  pictureNoCode: [
    `这张图片里没有找到二维码。图片本身证明不了什么：请把票面上的二维码拍清楚、拍大一些再选；${ENTRIES[0]}。`,
    `No code was found in this picture, and a picture by itself proves nothing. Take one in which the code on the receipt is sharp and larger; ${ENTRIES[1]}.`,
  ],
  pictureNotOpened: [
    '这个浏览器打不开这张图片：图片损坏，或格式不支持。请另存为 JPEG 或 PNG 再选。',
    'This browser cannot open this picture: it is damaged, or of an unknown kind. Save it as JPEG or PNG and choose that.',
  ],
  pictureTooLarge: [
    '这张图片太大（{wan} 万像素），没有打开。请裁剪到二维码附近，或缩小后再选。',
    'This picture is too large ({megapixels} megapixels) and was not opened. Crop it to the code, or make it smaller, and choose it again.',
  ],
  keepDone: [
    '已留在本机浏览器，见“我的票据”。凡能用这个浏览器的人都看得到它。',
    'Kept in this browser, under “My receipts”. Whoever uses this browser sees it.',
  ],
  keepOlder: ['这张票据已经留着，状态不比这一份旧，没有改动。', 'This receipt is kept already, in a state that is no older. Nothing was changed.'],
  keepMany: [
    '已经留了 500 张，不能再多。请先在“我的票据”里另存并删除一些。',
    '500 receipts are kept here, and no more can be. Save and remove some under “My receipts” first.',
  ],
  keepUnfit: ['这个文件留存不了。', 'This file cannot be kept.'],
  keepGone: ['这张票据已从本机浏览器删除，没有再留。', 'This receipt was removed from this browser, and was not kept again.'],
  keepTrapped: [
    '与已留的那一份比较时，核验程序意外停止，没有改动。请重新打开本页再试；还不行，就在“我的票据”里删除那一份再留。',
    'The verifier stopped while it compared this receipt with the one that is kept. Nothing was changed. Open this page anew and try again; if it stops again, remove that one under “My receipts” first.',
  ],
  storeUnread: [
    '浏览器不让本页读取留存的票据（无痕窗口，或设置里禁止了）。它们没有被改动；请在普通窗口（非无痕）里打开本页。',
    'The browser does not let this page read what is kept (a private window, or its settings). Nothing was changed: open this page in a window that is not private.',
  ],
  storeUnreadLate: [
    '没有读到留存的票据，它们没有被改动。请重新打开本页再试。',
    'What is kept could not be read, and was not changed. Open this page anew and try again.',
  ],
  storeNotRemoved: [
    '浏览器没有删除，票据还在。请重新打开本页再试，或在浏览器设置里清除本网站的数据。',
    'The browser removed nothing: what is kept is still there. Open this page anew and try again, or clear this site’s data in the browser’s settings.',
  ],
  storeLate: [
    '浏览器的存储迟迟没有答复，这一步已放弃。请重新打开本页，在“我的票据”里看结果再试。',
    'The browser’s store did not answer in time, and this was given up. Open this page anew, see under “My receipts” what is there, and try again.',
  ],
  storeRefused: [
    '浏览器不让本页留存东西（无痕窗口，或设置里禁止了）。什么也没有留下；请把票据文件另外保存。',
    'The browser lets this page keep nothing (a private window, or its settings). Nothing was kept: save the receipt’s file elsewhere.',
  ],
  storeFull: [
    '浏览器说空间不够，没有留下。请腾出空间再试，或把票据文件另外保存。',
    'The browser says that there is no room, so nothing was kept. Make room and try again, or save the receipt’s file elsewhere.',
  ],
  storeNewer: [
    '这里的票据是由新版的本页留存的，这一版读不了，没有改动它们。请重新打开本页。',
    'A newer version of this page keeps the receipts here. This one cannot read them and has left them alone. Load this page anew.',
  ],
  keptLead: [
    '它们只在这台设备的这个浏览器里，没有上传；凡能用这个浏览器的人都看得到，公用设备上请删除。每次打开都重新核验。无痕窗口一关就没有了。',
    'They are in this browser on this device alone, and were sent nowhere. Whoever uses this browser sees them: on a shared device, remove them. Each is judged anew when you come here. A private window forgets them when it is closed.',
  ],
  keptLoose: [
    '浏览器空间不足、长期不打开本页或清理数据时，可能把它们删掉：请另存一份。',
    'The browser may remove them when it needs room, when you have not been here for long, or with its other data: save a copy elsewhere.',
  ],
  keptFirm: [
    '浏览器答应不自行删除它们；清理浏览数据时仍会删掉，请另存一份。',
    'The browser has promised not to remove them by itself. They still go with its data when that is cleared: save a copy elsewhere.',
  ],
  keptLooseOnly: [
    '浏览器空间不足、长期不打开本页或清理数据时，可能把它们删掉。',
    'The browser may remove them when it needs room, when you have not been here for long, or with its other data.',
  ],
  keptFirmOnly: [
    '浏览器答应不自行删除它们；清理浏览数据时仍会删掉。',
    'The browser has promised not to remove them by itself. They still go with its data when that is cleared.',
  ],
  keptFile: [
    '本页是这台设备上的文件：在有的浏览器里，设备上别的网页文件也读得到这里留存的票据。',
    'This page is a file on this device: in some browsers, other web pages on this device’s disk can read what is kept here.',
  ],
  keptWechatSite: [
    '微信里存不成留在这里的票据，它们也只有微信看得到。要存成文件：点页面下方的“取票据文件”，凭票面上的代码、号码和校验码取；或点右上角“⋯”，选“在浏览器打开”，在那里选票据文件。',
    'WeChat saves nothing of what is kept here, and only WeChat sees it. For a file, use “Get the receipt as a file” below, by the code, number and check code on the receipt; or tap ⋯ at the top right, then “Open in Browser”, and choose the receipt’s file there.',
  ],
  keptWechat: [
    '微信里存不成文件，这里留的也只有微信看得到。要另存：点右上角“⋯”，选“在浏览器打开”，在那里再选一次票据文件。',
    'WeChat saves no files, and what is kept here only WeChat sees. To save: tap ⋯ at the top right, then “Open in Browser”, and choose the receipt’s file there again.',
  ],
  keptCount: ['（{count}）', ' ({count})'],
  keptUndated: ['时钟不对，暂不能核验', 'The clock is wrong: not verified'],
  keptClockBad: [
    '这台设备的时钟是 {time}，不可能是对的，无法核验。请先校准时钟，再打开“我的票据”。',
    'By this device’s clock it is {time}, which cannot be right, so nothing can be verified. Set the clock, then open “My receipts” again.',
  ],
  keptGone: [
    '这张票据已在别的窗口删除，这里只剩眼前这一份：要留请另存。',
    'Another window has removed this receipt, and this is all that is left of it: save it to keep it.',
  ],
  keptNone: ['还没有留存的票据。核验一张票据后，点“留在本机浏览器”。', 'No receipt is kept yet. Verify one, then use “Keep in this browser”.'],
  keptBack: ['返回', 'Back'],
  keptRefresh: ['全部刷新', 'Refresh all'],
  keptStop: ['停止刷新', 'Stop refreshing'],
  keptSaveAll: ['全部另存（ZIP）', 'Save all (ZIP)'],
  keptRemoveAll: ['全部删除', 'Remove all'],
  keptRemoveAllSure: ['删除全部 {count} 张？删了找不回来。', 'Remove all {count}? They cannot be brought back.'],
  keptRemoveAllYes: ['全部删除', 'Remove all'],
  keptOpen: ['打开', 'Open'],
  keptSave: ['另存', 'Save'],
  keptRemove: ['删除', 'Remove'],
  keptRemoveSure: ['删除这一张？', 'Remove this one?'],
  keptRemoveYes: ['删除', 'Remove'],
  keptNo: ['不删', 'Keep'],
  keptRemoved: ['已删除。', 'Removed.'],
  keptChanged: ['状态与上次看到的不同。', 'Its state has changed since it was last looked at.'],
  keptNew: ['已刷新。', 'Refreshed.'],
  keptRefreshing: ['正在刷新第 {number} 张，共 {count} 张…', 'Refreshing {number} of {count}…'],
  keptStopping: ['正在停止：等已问的一张…', 'Stopping: waiting for the one that was asked about…'],
  keptWaits: ['本网站要求稍等，约 {seconds} 秒后自动继续…', 'This site asks to wait: it goes on by itself in about {seconds} seconds…'],
  keptRefreshed: ['已查询 {count} 张，结果见各张。', 'All {count} were asked about; what came of it stands with each.'],
  keptStopped: ['已停止：要问的 {count} 张，问了 {number} 张。', 'Stopped: {number} of {count} were asked about.'],
  keptOffline: ['没有网络：要问的 {count} 张，问了 {number} 张。', 'No network: {number} of {count} were asked about.'],
  ask: ['缴过费但没有票据？凭缴款信息取', 'You paid and have no receipt? Fetch it by what was paid'],
  askLead: [
    '填写的内容会发给本网站，由开票单位查对；取到的票据由本页核验。没有登记交款人证件号码的票据不能这样取，请向收款单位索取。',
    'What you fill in is sent to this site, and the issuer looks it up; the receipt that comes is judged by this page. Receipts without the payer’s ID number cannot be had this way: ask the unit that was paid.',
  ],
  askOffline: [
    '本页不连网，取不了票据。请打开收款单位公布的查验网站，或向收款单位索取。',
    'This page makes no connection, so it can fetch nothing. Open the site that the unit names, or ask the unit for the receipt.',
  ],
  ask_unit_code: ['收款单位统一社会信用代码（18 位）', 'Code of the unit that was paid (18 characters)'],
  askKind: ['号码种类', 'Kind of number'],
  ask_pay_code: ['缴款码', 'Pay code'],
  ask_settlement_number: ['医保结算号', 'Settlement number of medical insurance'],
  ask_decision: ['处罚决定书文号', 'Number of a penalty decision'],
  ask_biz_code: ['业务流水号', 'The unit’s transaction number'],
  ask_reference: ['号码', 'The number'],
  ask_instalment: ['第几期（一次缴清不填）', 'Which instalment (empty if all was paid at once)'],
  ask_last_four: ['交款人证件号码后四位', 'Last four characters of the payer’s ID number'],
  ask_date: ['开票日期', 'Date of issue'],
  ask_total: ['金额合计（元）', 'Total (yuan)'],
  askSend: ['取票据', 'Fetch the receipt'],
  askName: ['按缴款信息取得的票据', 'the receipt of what was paid'],
  askAsking: ['正在向本网站询问…', 'Asking this site…'],
  askMore: ['有人试过多次，请再填开票日期和金额，然后再取。', 'It was tried for often. Give date and amount as well, then fetch again.'],
  askNotFound: [
    '没有找到：填写的内容与票据不符，或票据还没有开出，答复都是这一句。请核对号码和证件后四位；刚缴费的过一会儿再试；仍没有，请凭缴款凭据向收款单位索取。',
    'Nothing was found: something differs, or the receipt is not issued yet; the answer is the same. Compare the number and the end of the ID number; if you have just paid, try again later; else ask the unit that was paid.',
  ],
  askPending: [
    '本网站说票据已开出、正在上链；这句话本页核实不了。请过几分钟再取。',
    'This site says that the receipt is issued and on its way to the ledger; this page cannot confirm that. Fetch it in some minutes.',
  ],
  askRefused: [
    '本网站说票据开出了，但账本没有接受它；这句话本页核实不了。请与收款单位联系。',
    'This site says that the receipt was issued, and that the ledger refused it; this page cannot confirm that. Ask the unit that was paid.',
  ],
  reportDone: [
    '报告文件 {name} 已生成，请交给票据的监管部门（财政部门）。它证明开票单位签了名、承诺的上链时间已过；只含票面二维码里的内容，没有交款人和项目。',
    'The report {name} was made: hand it to the authority for receipts (the finance department). It proves that the unit signed and that its promised time is over, and says no more than the code on the paper: no payer, no items.',
  ],
  reportFailed: [
    '按现有的答复生成不了报告。请再联网查一次，然后重试。',
    'No report can be made of the answer at hand. Ask the ledger once more and try again.',
  ],
  reportWechat: [
    '微信里存不成文件：点右上角“⋯”，选“在浏览器打开”，在那里再扫一次。',
    'WeChat saves no files: tap ⋯ at the top right, then “Open in Browser”, and scan the code there again.',
  ],
  typedName: ['按五项查得的票据', 'the receipt of the five entries'],
  typedNotFound: [
    '没有找到五项全部相符的票据。请逐项核对票面：不论哪一项不符，答复都是这一句。',
    'There is no receipt with these five entries. Compare each with the paper: the answer is the same, whichever of them differs.',
  ],
  typedOther: [
    '本网站给出的是另一张票据，与输入的内容不符，未予采用。请核对输入，或向开票单位询问。',
    'This site gave another receipt than was asked for, so it was not used. Check what you typed, or ask the unit.',
  ],
  typedPending: [
    '本网站说五项相符、票据正在上链；还没有可核验的证明，这句话本页核实不了。请过几分钟再查。',
    'This site says that all five fit and that the receipt is on its way to the ledger. There is no proof yet, so this page cannot confirm that. Look again in some minutes.',
  ],
  typedRefused: [
    '本网站说五项相符，但账本没有接受这张票据；这句话本页核实不了。请与开票单位联系。',
    'This site says that all five fit, but that the ledger refused this receipt; this page cannot confirm that. Ask the unit that issued it.',
  ],
  typedWaits: [
    '刚才有人试过这张票据，或这个网络上尝试次数太多：{seconds} 秒后自动再查，请不要关掉本页。',
    'Somebody has tried this receipt just now, or this network tries too often. It is looked up again in {seconds} seconds: leave this page open.',
  ],
  typedLater: ['试的次数过多，请过 {seconds} 秒再试。', 'Too many tries. Try again in {seconds} seconds.'],
  filesLead: [
    '本网站按您刚才填的内容再取一次，给出可下载的链接。PDF 和 OFD 里附有同一份凭证，以后可用本页核验；图片里只有票面上的二维码，可按码核验；XML 供记账系统读取，不能核验。',
    'This site fetches it once more by what you have just filled in, and gives a link. A PDF or OFD has the same proof inside, and can be verified by this page; a picture has only the code, which can be judged; an XML is for accounting systems and cannot be verified.',
  ],
  filesPicture: ['图片（PNG）', 'Picture (PNG)'],
  filesPage: ['取图片第 {page} 页（共 {pages} 页）', 'Picture, page {page} of {pages}'],
  filesAsking: ['正在向本网站取…', 'Asking this site for it…'],
  filesNone: ['开票单位的系统给不了这种文件，请选别的一种。', 'The issuer’s system cannot make this kind of file. Choose another.'],
  filesGood: ['已备好：链接 {minutes} 分钟内有效，最多用两次。', 'It is ready: the link is good for {minutes} minutes, and twice at most.'],
  filesGoodPage: [
    '已备好第 {page} 页（共 {pages} 页）：链接 {minutes} 分钟内有效，最多用两次；再点“取图片第 {next} 页”取下一页。',
    'Page {page} of {pages} is ready: the link is good for {minutes} minutes, and twice at most. Choose page {next} for the next one.',
  ],
  filesGoodLast: [
    '已备好最后一页（第 {page} 页）：链接 {minutes} 分钟内有效，最多用两次。',
    'The last page, {page}, is ready: the link is good for {minutes} minutes, and twice at most.',
  ],
  filesLink: ['下载 {name}（{kilobytes}\u00a0kB）', 'Download {name} ({kilobytes}\u00a0kB)'],
  filesWechat: ['微信里下载不了的话：长按链接复制，粘贴到手机浏览器里打开。', 'If WeChat does not download it: hold the link, copy it, and open it in the phone’s browser.'],
  keptTooOften: [
    '本网站现在不再答复这么多询问：要问的 {count} 张，问了 {number} 张。请过一会儿再刷新。',
    'This site answers no more questions for now: {number} of {count} were asked about. Refresh again a little later.',
  ],
  presented: ['出示的内容', 'Shown and proved'],
  withheld: ['没有出示：{count} 项', 'Withheld: {count} values'],
  withheldWhy: ['原件上可能有，也可能没有。', 'The receipt may have them or not.'],
  itemRows: ['项目明细第{from}–{to}行', 'Items {from}–{to}'],
  auxRows: ['清单第{from}–{to}行', 'Detail lines {from}–{to}'],
  shareLead: [
    '勾选要给对方看的，其余的不给看。做出的文件和原件一样可以核验，并写明是部分出示。在这台设备上制作，不发给任何人。',
    'Tick what others may see; the rest is withheld. The file that comes out is verified like the whole one, and says that it is a part. It is made on this device and sent to nobody.',
  ],
  shareAlways: [
    '已勾上、不能改的几项总会出示：开票单位签名的记录里本来就有。',
    'What is ticked and cannot be changed is always shown: the record that the unit signed says it anyway.',
  ],
  shareNever: [
    '校验码不在下面，从不出示：有了它就能取到整张票据。',
    'The check code is not below and is never shown: whoever has it can fetch the whole receipt.',
  ],
  shareTwo: [
    '同一张票据做出的两份，若落到同一个人手里，就能拼起来看。',
    'Whoever gets two such files of one receipt can put them together.',
  ],
  shareFields: ['票面各项', 'Entries'],
  shareEmpty: ['票面上空着的项（{count}）', 'Entries that are empty ({count})'],
  shareAll: ['全部 {count} 行', 'All {count} rows'],
  shareRows: ['逐行选择', 'Choose row by row'],
  shareCounts: ['出示 {shown} 项，其余 {withheld} 项不出示。', '{shown} values will be shown, {withheld} withheld.'],
  shareUnfit: ['这张票据做不出部分出示的文件。', 'No part of this receipt can be shown by itself.'],
  shareSee: ['看对方会看到什么', 'See what others will see'],
  shareSeen: ['对方会看到的', 'What others will see'],
  shareSave: ['保存这个文件', 'Save this file'],
  shareGive: [
    '交给对方的是这个文件（{name}），不是原件；票据的 PDF、OFD、XML 和图片都含有整张票据。',
    'Give others this file ({name}), never the original; the receipt’s PDF, OFD, XML and picture hold all of it.',
  ],
  shareWechat: [
    '微信里存不了这个文件：点右上角“⋯”，选“在浏览器打开”，在那里重新选择票据、勾选、保存。',
    'WeChat cannot save this file: tap ⋯ at the top right, then “Open in Browser”; choose the receipt, tick and save there.',
  ],
  proofLead: [
    '从票面上的一项到各机关共同签署的检查点：每一步把两个哈希合成一个。改动一个字，后面的每个哈希都会不同。',
    'From one entry of the receipt to the checkpoint that the agencies cosigned: each step makes one hash of two. Change one character, and every hash after it differs.',
  ],
  proofField: ['从哪一项开始', 'Begin with'],
  proofPicture: ['从“{field}”到检查点，共 {count} 步', 'From “{field}” to the checkpoint, {count} steps'],
  proofHashes: ['全部哈希（文字）', 'All hashes as text'],
  proofEnds: [
    '这张票据没有上链证明，路径到签名的记录为止。',
    'There is no proof that this receipt is on the ledger: the way ends at the signed record.',
  ],
  treeContent: ['票面内容，共 {size} 项', 'Content, {size} entries'],
  treeBatch: ['批次，共 {size} 张票据', 'Batch, {size} receipts'],
  treeLog: ['账本，共 {size} 条', 'Ledger, {size} entries'],
  leafContent: ['第 {index} 项加盐后的哈希', 'Hash of entry {index}, salted'],
  leafBatch: ['签名记录的哈希，第 {index} 张', 'Hash of the signed record, no. {index}'],
  leafLog: ['批次头的哈希，第 {index} 条', 'Hash of the batch header, no. {index}'],
  treeLeaf: ['{tree}：{leaf}', '{tree}: {leaf}'],
  rootContent: ['内容根：写在开票单位签名的记录里', 'Content root: in the record that the unit signed'],
  rootBatch: ['批次根：写在批次头里', 'Batch root: in the batch header'],
  rootLog: ['账本根：写在检查点里', 'Ledger root: in the checkpoint'],
  with: ['与（{side}）', 'with ({side})'],
  left: ['左', 'left'],
  right: ['右', 'right'],
  gives: ['得', 'gives'],
  checkpoint: ['检查点', 'Checkpoint'],
  checkpointLine: ['检查点：{origin}，{at}（UTC）。共同签署：{signers}', 'Checkpoint: {origin}, {at} (UTC). Cosigned by {signers}'],
};
