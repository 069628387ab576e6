// The page's own words. What a receipt amounts to is said by receipt-core, in its words: none of that stands here.

export const LANGUAGES = ['zh', 'en'];

const WORDS = {
  title: ['核验电子票据', 'Verify a receipt'],
  lead: [
    '选一个票据文件（.tally、PDF、OFD），或扫票面上的二维码。核验在这台设备上进行，文件不会离开它，断网也能用。',
    'Choose a receipt’s file (.tally, PDF, OFD), or scan the code on it. It is judged on this device and never leaves it; no network is needed.',
  ],
  leadSite: [
    '选一个票据文件（.tally、PDF、OFD），或扫票面上的二维码。核验在这台设备上进行，文件不会离开它。打开 PDF、OFD 和扫码要连网；要断网也能用，请先下载单文件版（见下）。',
    'Choose a receipt’s file (.tally, PDF, OFD), or scan the code on it. It is judged on this device and never leaves it. A PDF, an OFD or a code takes a network; to do without, download this page as one file first (below).',
  ],
  choose: ['选择票据文件', 'Choose a receipt file'],
  drop: ['也可以把文件拖到这里。', 'Or drop the file here.'],
  wechat: [
    '选不到文件？点右上角“⋯”，选“在浏览器打开”。',
    'Cannot choose the file? Tap ⋯ at the top right, then “Open in Browser”.',
  ],
  specimenPage: [
    '测试样票：本页依据一条测试链，凡按它核验的都是样票，不能入账、报销。',
    'Specimens: this page judges by a test chain. What it says of a receipt is said of a specimen, which is worth nothing.',
  ],
  specimen: ['测试样票', 'Specimen (测试样票)'],
  refresh: ['刷新状态', 'Refresh the state'],
  askLedger: ['联网查是否上链、有没有冲红', 'Ask the ledger: recorded, reversed?'],
  refreshing: ['正在向本网站询问…', 'Asking this site…'],
  refreshed: ['状态已刷新，由本页核验。', 'The state is new, and was judged by this page.'],
  refreshedAbsent: [
    '本网站说账本里没有这张票据；“没有”无法证明，只能说开票单位签了名。',
    'This site says that the ledger does not have this receipt. Nobody can prove that; what is proved is that the unit signed it.',
  ],
  refreshUnfit: ['这个文件无法刷新。', 'This file cannot be refreshed.'],
  refreshFalse: [
    '收到的答复都核验不了，未予采用；上面仍是原来的状态。请稍后再试。',
    'No answer that came could be proved, so none was used; above is the state as it was. Try again later.',
  ],
  refreshClock: [
    '答复比这台设备的时钟还新，未予采用；上面仍是原来的状态。请先校准时钟。',
    'The answer is dated later than this device’s clock, so it was not used; above is the state as it was. Set the clock first.',
  ],
  refreshOlder: [
    '答复不比上面的状态新，未予采用。',
    'The answers are no newer than the state above, so none was used.',
  ],
  refreshOffline: ['没有网络，状态没有刷新。', 'No network: the state was not refreshed.'],
  refreshTooOften: ['刷新次数过多，请过一会儿再试。', 'Refreshed too often. Try again a little later.'],
  refreshLater: ['现在问不到账本，状态没有刷新，请稍后再试。', 'The ledger cannot be asked now: the state was not refreshed. Try again later.'],
  keep: ['留在本机浏览器', 'Keep in this browser'],
  kept: ['我的票据', 'My receipts'],
  share: ['只出示一部分', 'Show a part to others'],
  files: ['存成 PDF、OFD 等文件', 'Save as PDF, OFD …'],
  part: ['部分出示，不是完整的票据。', 'Shown in part: not the whole receipt.'],
  report: ['报告漏记', 'Report as left out'],
  partMissing: [
    '这部分没有取到，请检查网络后再试；断网时请用单文件版的本页。',
    'This part could not be fetched. Check the network and try again; without a network, use this page as one file.',
  ],
  age: ['状态最多允许多旧', 'Greatest age of the state'],
  ageAny: ['不限', 'any'],
  ageDay: ['一天', '1 day'],
  ageWeek: ['七天', '7 days'],
  ageMonth: ['31 天', '31 days'],
  typed: ['没有文件？输入票面上的五项', 'No file? Type five entries of the receipt'],
  typedLead: [
    '五项会发给本网站；网站给出的票据由本页核验。',
    'The five entries are sent to this site; the receipt that it gives is judged by this page.',
  ],
  typedPlain: ['五项会发给本网站，由它查对。', 'The five entries are sent to this site, which looks them up.'],
  receiptCode: ['票据代码（8 位）', 'Receipt code (8 digits)'],
  receiptNumber: ['票据号码（10 位）', 'Receipt number (10 digits)'],
  checkCode: ['校验码（6 位）', 'Check code (6 characters)'],
  issueDate: ['开票日期', 'Date of issue'],
  totalAmount: ['金额合计（元）', 'Total (yuan)'],
  typedAsk: ['查验', 'Look it up'],
  siteFetch: ['取票据文件（PDF、OFD、.tally 等）', 'Get the receipt as a file (PDF, OFD, .tally …)'],
  siteLost: ['票据丢了？凭缴款信息取', 'Lost it? Fetch it by what was paid'],
  siteFile: ['下载单文件版的本页，断网也能用', 'Download this page as one file, which needs no network'],
  typedOffline: [
    '输入的五项本身证明不了什么，要由开票单位公布的查验网站查对，而本页不连网。请打开查验网站，或选择票据文件（.tally）。',
    'Five typed entries prove nothing by themselves: the site that the unit names looks them up, and this page makes no connection. Open that site, or choose the receipt file (.tally).',
  ],
  typedFailed: [
    '现在查不到：没有网络，或网站没有答复。这不说明票据有问题，请稍后再试。',
    'It cannot be looked up now: no network, or no answer from the site. That says nothing about the receipt: try again later.',
  ],
  clockAhead: [
    '这台设备的时钟比本网站的快 {apart}，结论里的时间按这台设备的时钟。请先校准时钟。',
    'This device’s clock is {apart} ahead of this site’s, and verdicts are dated by the device. Set the clock first.',
  ],
  clockBehind: [
    '这台设备的时钟比本网站的慢 {apart}，结论里的时间按这台设备的时钟。请先校准时钟。',
    'This device’s clock is {apart} behind this site’s, and verdicts are dated by the device. Set the clock first.',
  ],
  minutes: ['{count} 分钟', '{count} minutes'],
  hours: ['{count} 小时', '{count} hours'],
  days: ['{count} 天', '{count} days'],
  judging: ['正在核验…', 'Verifying…'],
  compare: ['请与手里的票据核对', 'Compare with the receipt you hold'],
  compareWhy: [
    '下面由开票单位签名。有一项与手里的不同，手里的就不是这张票据。',
    'The issuing unit signed this. If one of these differs on the receipt you hold, it is another receipt.',
  ],
  face: ['票面', 'The receipt'],
  red: ['红字（冲红）', 'red: reverses another'],
  items: ['项目明细', 'Items'],
  auxItems: ['清单', 'Details'],
  shownOf: ['显示 {shown} 行，共 {all} 行', '{shown} of {all} lines'],
  proof: ['看证明', 'Show the proof'],
  checks: ['做了哪些检查（{count}）', 'What was checked ({count})'],
  passed: ['通过', 'holds'],
  warned: ['注意', 'note'],
  failed: ['不成立', 'fails'],
  unknown: ['未判断', 'not judged'],
  notChecked: ['没有检查什么', 'What was not checked'],
  about: ['依据', 'Judged against'],
  aboutChain: ['链“{name}”的信任文件', 'the trust file of the chain “{name}”'],
  aboutTrust: ['链的编号', 'Chain id'],
  file: ['文件', 'File'],
  trustBad: [
    '本页自带的信任文件读不出来，无法核验任何票据。请重新取得本页。',
    'The trust file in this page does not read, so nothing can be judged. Get the page anew.',
  ],
  clockBad: [
    '这台设备的时钟显示的时间不可能（{time}），无法判断“截至何时”。请先校准时钟，再选一次文件。',
    'This device’s clock shows an impossible time ({time}), so nothing can be dated. Set the clock, then choose the file again.',
  ],
  trapped: [
    '核验程序意外停止，没有得出结论。请重新打开本页再试。',
    'The verifier stopped unexpectedly and came to no conclusion. Open this page anew and try again.',
  ],
  codeNotRead: [
    '读到了二维码，但本页没有单位名录，核验不了它，也没有打开。请选择票据文件，或输入票面上的五项。',
    'A code was read. This page has no directory of units to judge it by, and does not open it. Choose the receipt’s file, or type its five entries.',
  ],
  codeNoHost: [
    '读到了二维码，但本页不知道票据的二维码应指向哪个网址，核验不了它，也没有打开。请从票面上印的网址打开查验页。',
    'A code was read. This page does not know to which address receipts’ codes lead, so it cannot judge one, and does not open it. Open the page at the address that the receipt names.',
  ],
  reportNotRead: [
    '这是一份漏记报告。核验它要有单位名录，而本页没有。请用开票单位公布的查验页，或交给财政部门。',
    'This is a report of a receipt left out. It is judged by a directory of units, and this page has none: take the page that the unit names, or hand it to the finance department.',
  ],
  directoryMissing: [
    '核验所需的单位名录没有取到。请检查网络后再试；断网时请用单文件版的本页。',
    'The directory of units, by which this is judged, could not be fetched. Check the network and try again; without a network, use this page as one file.',
  ],
  directoryBad: [
    '单位名录不是本页信任的机构签署的，或已损坏，无法据以核验。请重新取得本页。',
    'The directory of units is damaged, or not signed by those whom this page trusts, so nothing can be judged by it. Get the page anew.',
  ],
  paste: ['粘贴或输入二维码的内容', 'Paste or type the text of a code'],
  pasteText: ['二维码的内容（以 HTTPS:// 开头），或其中“#”后面的数字', 'The text of the code (it begins with HTTPS://), or the digits behind its #'],
  pasteJudge: ['核验', 'Verify'],
  document: [
    '下面的票面由本页根据文件里附带的凭证重新绘制：以本页的票面为准，不要以文件画出来的为准。伪造的人可以保留附件、改画页面。',
    'The receipt below is drawn anew by this page, from the proof inside the file. Trust this drawing, not the file’s: a forger keeps the attachment and repaints the page.',
  ],
  documentGone: [
    '这个文件里没有附带凭证：合并、打印成 PDF 或用别的软件另存时会丢掉它。文件画出来的内容证明不了什么。请输入票面上的五项（票据代码、号码、校验码等），或向开票单位索取原文件。',
    'There is no proof in this file: merging, printing to PDF or saving with another program drops it. What the file draws proves nothing. Type the five entries of the receipt (code, number, check code …), or ask the issuing unit for the original.',
  ],
  documentNoBundle: [
    '这个文件带有附件，但其中没有票据凭证（.tally）。附件若是另一份票据文件，请先把它存出来，再单独选择；也可以输入票面上的五项。',
    'This file has attachments, and none of them is a receipt’s proof (.tally). If one is a receipt’s document, save it and choose it by itself; or type the receipt’s five entries.',
  ],
  documentSeveral: [
    '这个文件里有不止一份票据凭证，本页不替您挑选。请把附件逐个存出来，分别选择。',
    'There is more than one receipt’s proof in this file, and this page does not pick one for you. Save the attachments and choose each by itself.',
  ],
  documentEncrypted: [
    '这个文件加密了，读不到里面的凭证。请用密码打开，另存为不加密的文件再选；也可以输入票面上的五项。',
    'This file is encrypted, so its proof cannot be read. Open it with its password, save it without encryption and choose that; or type the receipt’s five entries.',
  ],
  documentDamaged: [
    '这个文件已损坏或不完整，读不到里面的凭证。请重新下载或索取；也可以输入票面上的五项。',
    'This file is damaged or incomplete, so its proof cannot be read. Get it again; or type the receipt’s five entries.',
  ],
  documentTooLarge: [
    '这个文件太大（或解压后太大），没有打开：票据的版式文件不超过 32 MB。请选择票据的原文件，或输入票面上的五项。',
    'This file is too large, as it is or unpacked, and was not opened: no receipt’s document has more than 32 MB. Choose the receipt’s original file, or type its five entries.',
  ],
  documentUnread: ['文件读不出来，请重新选择。', 'The file cannot be read. Choose it again.'],
  documentOther: [
    '这个压缩包里没有票据凭证（.tally）。请先解压，再选择里面的票据文件。',
    'There is no receipt’s proof (.tally) in this archive. Unpack it and choose the receipt’s file.',
  ],
  carrierMissing: [
    '打开这类文件和扫码所需的程序没有取到。请检查网络后再选一次；断网时请用单文件版的本页。',
    'The program that opens such files and scans codes could not be fetched. Check the network and choose again; without a network, use this page as one file.',
  ],
  pictureNoCode: [
    '这张图片里没有找到二维码。图片本身证明不了什么：请把票面上的二维码拍清楚、拍大一些再选，或输入票面上的五项。',
    'No code was found in this picture, and a picture by itself proves nothing. Take one in which the code on the receipt is sharp and larger, or type its five entries.',
  ],
  pictureSeveralCodes: [
    '画面里有不止一张票据的二维码，分不清是哪一张。请一次只拍一张。',
    'There are the codes of more than one receipt here, so it is not clear which is meant. Take one at a time.',
  ],
  pictureNotOpened: [
    '这个浏览器打不开这张图片：图片损坏，或格式不认识。请另存为 JPEG 或 PNG 再选。',
    'This browser cannot open this picture: it is damaged, or of an unknown kind. Save it as JPEG or PNG and choose that.',
  ],
  pictureTooLarge: [
    '这张图片太大（{megapixels} 百万像素），没有打开。请裁剪到二维码附近，或缩小后再选。',
    'This picture is too large ({megapixels} megapixels) and was not opened. Crop it to the code, or make it smaller, and choose it again.',
  ],
  scan: ['扫描票面上的二维码', 'Scan the code on a receipt'],
  cameraStop: ['关闭', 'Close'],
  cameraStarting: ['正在打开摄像头。浏览器若询问，请选“允许”。', 'Opening the camera. If the browser asks, allow it.'],
  cameraLooking: [
    '请把票面上的二维码放进画面。画面只在这台设备上读取。',
    'Bring the code on the receipt into view. What the camera sees stays on this device.',
  ],
  cameraHint: [
    '还没读到二维码：请拿远一点，让整个二维码清楚地在画面里，避开反光。',
    'No code read yet: move a little farther away, until the whole code is sharp and in view, and avoid glare.',
  ],
  cameraRefused: [
    '浏览器没有获得摄像头的使用许可。请在浏览器或系统的设置里允许本页使用摄像头，再试；或用下面的按钮拍一张二维码的照片。',
    'The browser may not use the camera. Allow it for this page in the settings of the browser or the system and try again; or take a picture of the code with the button below.',
  ],
  cameraNone: [
    '这台设备没有找到摄像头。请在别处拍下二维码，用下面的按钮选择照片。',
    'No camera was found on this device. Take a picture of the code elsewhere, and choose it with the button below.',
  ],
  cameraBusy: [
    '摄像头被别的程序占用。请关掉那个程序再试；或用下面的按钮拍照。',
    'Another program is using the camera. Close it and try again; or take a picture with the button below.',
  ],
  cameraInsecure: [
    '这样打开的页面，浏览器不让用摄像头。请用手机相机拍下二维码，用下面的按钮选择照片；或用 https 开头的网址打开本页。',
    'The browser keeps the camera from a page opened in this way. Take a picture of the code with the phone’s camera app and choose it with the button below; or open this page at its https address.',
  ],
  cameraWechat: [
    '微信没有让本页使用摄像头：点右上角“⋯”，选“在浏览器打开”；或用下面的按钮拍照。也可以直接用微信的“扫一扫”扫票面上的二维码。',
    'WeChat keeps the camera from this page: tap ⋯ at the top right, then “Open in Browser”; or take a picture with the button below. WeChat’s own scanner reads the code on the receipt, too.',
  ],
  cameraUnknown: [
    '打不开摄像头。请用手机相机拍下二维码，用下面的按钮选择照片。',
    'The camera cannot be opened. Take a picture of the code with the phone’s camera app, and choose it with the button below.',
  ],
  photo: ['拍照或选择照片', 'Take or choose a picture'],
  unread: ['文件读不出来：{why}。请重新选择。', 'The file cannot be read: {why}. Choose it again.'],
};

// The words of the second script.
export function learn(words) {
  Object.assign(WORDS, words);
}

// The word in a language, with `{name}` replaced by the value of that name.
export function word(language, name, values) {
  const text = WORDS[name][LANGUAGES.indexOf(language)];
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}
