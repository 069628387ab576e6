// The page's own words. What a receipt amounts to is said by receipt-core, in its words: none of that stands here.

export const LANGUAGES = ['zh', 'en'];

const WORDS = {
  title: ['核验电子票据', 'Verify a receipt'],
  lead: [
    '选一个票据文件（.tally）。核验在这台设备上进行，文件不会离开它，断网也能用。',
    'Choose a receipt file (.tally). It is judged on this device and never leaves it; no network is needed.',
  ],
  choose: ['选择票据文件', 'Choose a receipt file'],
  drop: ['也可以把文件拖到这里。', 'Or drop the file here.'],
  wechat: [
    '选不到文件？点右上角“⋯”，选“在浏览器打开”。',
    'Cannot choose the file? Tap ⋯ at the top right, then “Open in Browser”.',
  ],
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
  rootContent: ['内容根：写在开票单位签名的记录里', 'Content root: in the record that the unit signed'],
  rootBatch: ['批次根：写在批次头里', 'Batch root: in the batch header'],
  rootLog: ['账本根：写在检查点里', 'Ledger root: in the checkpoint'],
  with: ['与', 'with'],
  left: ['左', 'left'],
  right: ['右', 'right'],
  gives: ['得', 'gives'],
  checkpoint: ['检查点', 'Checkpoint'],
  cosigned: ['共同签署：{signers}', 'Cosigned by {signers}'],
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
  unread: ['文件读不出来：{why}。请重新选择。', 'The file cannot be read: {why}. Choose it again.'],
};

// The word in a language, with `{name}` replaced by the value of that name.
export function word(language, name, values) {
  const text = WORDS[name][LANGUAGES.indexOf(language)];
  return text.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}
