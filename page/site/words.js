// The page's own words. What a receipt amounts to is said by receipt-core, in its words: none of that stands here.

export const LANGUAGES = ['zh', 'en'];

const WORDS = {
  title: ['核验电子票据', 'Verify a receipt'],
  lead: [
    '选一个票据文件（.tally、PDF、OFD，或带二维码的图片），或扫票面上的二维码。核验在这台设备上进行，文件不会离开它，断网也能用。',
    'Choose a receipt’s file (.tally, PDF, OFD, or a picture with its code), or scan the code on it. It is judged on this device and never leaves it; no network is needed.',
  ],
  leadSite: [
    '选一个票据文件（.tally、PDF、OFD，或带二维码的图片），或扫票面上的二维码。核验在这台设备上进行，文件不会离开它。打开 PDF、OFD 和扫码要连网；要断网也能用，请先下载单文件版（见下）。',
    'Choose a receipt’s file (.tally, PDF, OFD, or a picture with its code), or scan the code on it. It is judged on this device and never leaves it. A PDF, an OFD or a code takes a network; to do without, download this page as one file first (below).',
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
  testMark: ['【测试样票】', 'TEST SPECIMEN: '],
  specimen: ['测试样票', 'Specimen (测试样票)'],
  refresh: ['刷新状态', 'Refresh the state'],
  askLedger: ['联网查是否上链、有没有冲红', 'Ask the ledger: recorded, reversed?'],
  refreshing: ['正在向本网站询问…', 'Asking this site…'],
  refreshed: ['状态已刷新，新状态已由本页核验。', 'The state is new, and was judged by this page.'],
  refreshSame: ['问过了：本网站给出的仍是这个时间的状态，没有更新的。', 'Asked: this site has no newer state than this one.'],
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
    '这项功能没有取到，请检查网络后再试；断网时请用本页的单文件版。',
    'This part could not be fetched. Check the network and try again; without a network, use this page as one file.',
  ],
  age: ['只接受多久以内的状态', 'Greatest age of the state'],
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
  siteFile: ['下载本页的单文件版，断网也能用', 'Download this page as one file, which needs no network'],
  typedOffline: [
    '输入的五项本身证明不了什么，要由开票单位公布的查验网站查对，而本页不连网。请打开查验网站，或选择票据文件（.tally、PDF、OFD）。',
    'Five typed entries prove nothing by themselves: the site that the unit names looks them up, and this page makes no connection. Open that site, or choose the receipt’s file (.tally, PDF, OFD).',
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
    '下面的内容由开票单位的密钥签名。有一项与手里的不同，手里的就不是这张票据。',
    'The key of the issuing unit signed this. If one of these differs on the receipt you hold, it is another receipt.',
  ],
  signed: ['开票单位签过名的内容', 'What the unit signed'],
  signedWhy: [
    '只供查对：这几项相同，也不说明手里的票据可以接受。',
    'For looking up alone: that these are the same does not make a receipt acceptable.',
  ],
  revoked: ['码里写的内容', 'What the code says'],
  revokedWhy: [
    '签它的密钥已被吊销，不能证明是开票单位写的。',
    'The key that signed this is revoked: nothing proves that the unit wrote it.',
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
  notChecked: ['没有检查的内容', 'What was not checked'],
  about: ['依据：链“{name}”的信任文件', 'Judged against: the trust file of the chain “{name}”'],
  aboutTrust: ['链的编号：', 'Chain id: '],
  file: ['文件：{name}', 'File: {name}'],
  trustBad: [
    '本页自带的信任文件读不出来，无法核验任何票据。请重新取得本页。',
    'The trust file in this page does not read, so nothing can be judged. Get the page anew.',
  ],
  clockBad: [
    '这台设备的时钟是 {time}，不可能是对的，无法核验。请先校准时钟，再选一次文件。',
    'By this device’s clock it is {time}, which cannot be right, so nothing can be verified. Set the clock, then choose the file again.',
  ],
  trapped: [
    '核验程序意外停止，没有得出结论。请重新打开本页再试。',
    'The verifier stopped unexpectedly and came to no conclusion. Open this page anew and try again.',
  ],
  directoryMissing: [
    '核验所需的单位名录没有取到。请检查网络后再试；断网时请用本页的单文件版。',
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
  documentUnread: ['文件读不出来，请重新选择。', 'The file cannot be read. Choose it again.'],
  carrierMissing: [
    '打开这类文件和扫码所需的程序没有取到。请检查网络后再试；断网时请用本页的单文件版。',
    'The program that opens such files and scans codes could not be fetched. Check the network and try again; without a network, use this page as one file.',
  ],
  pictureSeveralCodes: [
    '画面里有不止一张票据的二维码，分不清是哪一张。请一次只拍一张。',
    'There are the codes of more than one receipt here, so it is not clear which is meant. Take one at a time.',
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
    '浏览器没有获得摄像头的使用许可。请在浏览器或系统的设置里允许本页使用摄像头，再点“扫描票面上的二维码”；或用下面的按钮拍一张二维码的照片。',
    'The browser may not use the camera. Allow it for this page in the settings of the browser or the system and choose “Scan the code on a receipt” again; or take a picture of the code with the button below.',
  ],
  cameraNone: [
    '这台设备没有找到摄像头。请在别处拍下二维码，用下面的按钮选择照片。',
    'No camera was found on this device. Take a picture of the code elsewhere, and choose it with the button below.',
  ],
  cameraBusy: [
    '摄像头被别的程序占用。请关掉那个程序，再点“扫描票面上的二维码”；或用下面的按钮拍照。',
    'Another program is using the camera. Close it and choose “Scan the code on a receipt” again; or take a picture with the button below.',
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

// Whether a word is here, and not still in the second script.
export function isKnown(name) {
  return name in WORDS;
}

// The word in a language, with `{name}` replaced by the value of that name.
export function word(language, name, values) {
  const text = WORDS[name][LANGUAGES.indexOf(language)];
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}
