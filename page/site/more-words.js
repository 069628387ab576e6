// Words of the second script, as in words.js.

export const MORE_WORDS = {
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
  storeRefused: [
    '浏览器不让本页留存东西（无痕窗口，或设置里禁止了）。什么也没有留下；请把票据文件另外保存。',
    'The browser lets this page keep nothing (a private window, or its settings). Nothing was kept: save the receipt’s file elsewhere.',
  ],
  storeFull: [
    '浏览器说空间不够，没有留下。请腾出空间再试，或把票据文件另外保存。',
    'The browser says that there is no room, so nothing was kept. Make room and try again, or save the receipt’s file elsewhere.',
  ],
  storeNewer: [
    '这里的票据是由更新的本页留存的，这一版读不了，也没有动它们。请重新打开本页。',
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
  keptFile: [
    '本页是这台设备上的文件：在有的浏览器里，设备上别的网页文件也读得到这里留存的票据。',
    'This page is a file on this device: in some browsers, other web pages on this device’s disk can read what is kept here.',
  ],
  keptWechat: [
    '微信里存不成文件，这里留的也只有微信看得到。要另存：点右上角“⋯”，选“在浏览器打开”，在那里再选一次票据文件。',
    'WeChat saves no files, and what is kept here only WeChat sees. To save: tap ⋯ at the top right, then “Open in Browser”, and choose the receipt’s file there again.',
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
  keptChanged: ['与上次看到的不同。', 'This has changed since it was last looked at.'],
  keptNew: ['已刷新。', 'Refreshed.'],
  keptRefreshing: ['正在刷新第 {number} 张，共 {count} 张…', 'Refreshing {number} of {count}…'],
  keptWaits: ['本网站请稍等：{seconds} 秒后继续…', 'This site asks to wait: it goes on in {seconds} seconds…'],
  keptRefreshed: ['问过了 {count} 张，结果见各张。', 'All {count} were asked about; what came of it stands with each.'],
  keptStopped: ['已停止：问过了 {number} 张，共 {count} 张。', 'Stopped: {number} of {count} were asked about.'],
  keptOffline: ['没有网络，停在第 {number} 张之后（共 {count} 张）。', 'No network: stopped after {number} of {count}.'],
  keptTooOften: [
    '本网站现在不再答复这么多询问，停在第 {number} 张之后（共 {count} 张）。请过一会儿再刷新。',
    'This site answers no more questions for now: stopped after {number} of {count}. Refresh again a little later.',
  ],
};
