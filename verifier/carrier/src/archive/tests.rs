//! Archives made by hand, each with one thing about it.

use miniz_oxide::deflate::compress_to_vec;

use super::*;
use crate::find;

const BUNDLE: &[u8] = b"{\"format\":\"tallystick/bundle/v1\"}";
const OFD: &str =
    "<ofd:OFD xmlns:ofd=\"u\"><ofd:DocBody><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>";
const DOCUMENT: &str = "<Document><Attachments>Attachs/Attachments.xml</Attachments></Document>";
const LIST: &str =
    "<Attachments><Attachment Name=\"bundle.tally\"><FileLoc>bundle.tally</FileLoc></Attachment></Attachments>";

/// An archive of files; `change` may do something to a directory entry and its packed bytes.
fn archive(files: &[(&str, &[u8])], change: impl Fn(usize, &mut Vec<u8>)) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let number = |value: usize, width: usize| value.to_le_bytes()[..width].to_vec();
    for (index, (name, contents)) in files.iter().enumerate() {
        let packed = compress_to_vec(contents, 6);
        let at = bytes.len();
        let sizes = [number(packed.len(), 4), number(contents.len(), 4), number(name.len(), 2), number(0, 2)].concat();
        let head = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes].concat();
        bytes.extend([&b"PK\x03\x04"[..], &head, name.as_bytes(), &packed].concat());
        let mut entry = [&b"PK\x01\x02\x14\0"[..], &head, &[0; 10], &number(at, 4), name.as_bytes()].concat();
        change(index, &mut entry);
        directory.extend(entry);
    }
    let (start, count) = (bytes.len(), number(files.len(), 2));
    let end = [vec![0; 4], count.clone(), count, number(directory.len(), 4), number(start, 4), vec![0; 2]].concat();
    [bytes, directory, b"PK\x05\x06".to_vec(), end].concat()
}

fn found_in(files: &[(&str, &[u8])]) -> Result<Vec<u8>, Why> {
    found(&archive(files, |_, _| {}))
}

fn found(file: &[u8]) -> Result<Vec<u8>, Why> {
    let (kind, found) = find(file);
    assert_eq!(kind.name(), "ofd");
    found
}

/// An OFD with this list of attachments and these files.
fn ofd(list: &str, files: &[(&str, &[u8])]) -> Result<Vec<u8>, Why> {
    let lists = [
        ("OFD.xml", OFD.as_bytes()),
        ("Doc_0/Document.xml", DOCUMENT.as_bytes()),
        ("Doc_0/Attachs/Attachments.xml", list.as_bytes()),
    ];
    found_in(&[&lists[..], files].concat())
}

#[test]
fn an_attachment_is_found_by_its_list_or_its_name() {
    assert_eq!(ofd(LIST, &[("Doc_0/Attachs/bundle.tally", BUNDLE)]).as_deref(), Ok(BUNDLE));
    let renamed = LIST.replace("<FileLoc>bundle.tally", "<FileLoc>/Doc_0/Res/7.dat");
    assert_eq!(ofd(&renamed, &[("Doc_0/Res/7.dat", BUNDLE)]).as_deref(), Ok(BUNDLE));
    assert_eq!(ofd("<Attachments/>", &[("Doc_0\\Attachs\\B.TALLY", BUNDLE)]).as_deref(), Ok(BUNDLE));
    let both = format!("{}<Attachment Name='e.xml'><FileLoc>e.xml</FileLoc></Attachment>", LIST);
    let files = [("Doc_0/Attachs/e.xml", &b"<E/>"[..]), ("Doc_0/Attachs/bundle.tally", BUNDLE)];
    assert_eq!(ofd(&both, &files).as_deref(), Ok(BUNDLE));
    // Any archive with one bundle in it will do.
    assert_eq!(found_in(&[("bundle.tally", BUNDLE)]).as_deref(), Ok(BUNDLE));
}

#[test]
fn why_there_is_none_is_said() {
    assert_eq!(ofd("<Attachments/>", &[]), Err(Why::Gone));
    assert_eq!(ofd(LIST, &[]), Err(Why::Gone));
    assert_eq!(
        ofd(&LIST.replace("bundle.tally", "e.xml"), &[("Doc_0/Attachs/e.xml", &b"<E/>"[..])]),
        Err(Why::NoBundle)
    );
    assert_eq!(found_in(&[("word/document.xml", &b"<w/>"[..])]), Err(Why::Other));
    let two = [("Doc_0/Attachs/bundle.tally", BUNDLE), ("Doc_0/bundle.tally", &b"{}"[..])];
    assert_eq!(ofd(LIST, &two), Err(Why::Several));
    // Two files of one name: readers differ on which one they take.
    let twice = [("Doc_0/Attachs/bundle.tally", &b"{}"[..]), ("Doc_0/Attachs/bundle.tally", BUNDLE)];
    assert_eq!(ofd(LIST, &twice), Err(Why::Several));
    let many: Vec<(String, &[u8])> = (0..20).map(|index| (format!("{index}.tally"), BUNDLE)).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    assert_eq!(found_in(&many), Err(Why::Several));
}

#[test]
fn work_is_bounded() {
    let zeros = vec![0; 64 * 1024 * 1024];
    assert_eq!(found_in(&[("bundle.tally", &zeros[..])]), Err(Why::TooLarge));
    // The directory tells a size that it has not.
    let lying = archive(&[("bundle.tally", &zeros[..])], |_, entry| entry[24..28].copy_from_slice(&[9, 0, 0, 0]));
    assert_eq!(found(&lying), Err(Why::TooLarge));
    let list = format!("{}{}", LIST, " ".repeat(2 * 1024 * 1024));
    assert_eq!(ofd(&list, &[("Doc_0/Attachs/bundle.tally", BUNDLE)]), Err(Why::TooLarge));
    let roots = "<o><DocRoot>Doc_0/Document.xml</DocRoot></o>".repeat(17);
    assert_eq!(found_in(&[("OFD.xml", roots.as_bytes())]), Err(Why::TooLarge));
    let empty: Vec<(String, &[u8])> = (0..10_001).map(|index| (format!("{index}"), &b""[..])).collect();
    let empty: Vec<(&str, &[u8])> = empty.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    assert_eq!(found_in(&empty), Err(Why::TooLarge));
}

#[test]
fn a_location_out_of_the_archive_and_an_entity_are_refused() {
    let file: [(&str, &[u8]); 1] = [("Doc_0/Attachs/bundle.tally", BUNDLE)];
    let out = LIST.replace("<FileLoc>", "<FileLoc>../../../../etc/");
    assert_eq!(ofd(&out, &file), Err(Why::Damaged));
    let entity = format!(
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>{}",
        LIST.replace("<FileLoc>", "<FileLoc>&b;")
    );
    assert_eq!(ofd(&entity, &file), Err(Why::Damaged));
    // Names that lead out are names, and nothing is written.
    assert_eq!(found_in(&[("../../../../tmp/bundle.tally", BUNDLE)]).as_deref(), Ok(BUNDLE));
}

#[test]
fn damage_is_said() {
    let good = [("bundle.tally", BUNDLE)];
    let changed = |at: usize, value: u8| found(&archive(&good, |_, entry| entry[at] = value));
    assert_eq!(changed(8, 1), Err(Why::Encrypted));
    for (at, value) in [(0, 0), (10, 12), (20, 0xFF), (24, 1), (42, 1)] {
        assert_eq!(changed(at, value), Err(Why::Damaged), "{at}");
    }
    let whole = archive(&good, |_, _| {});
    for length in [5, whole.len() / 2, whole.len() - 5] {
        assert_eq!(found(&whole[..length]), Err(Why::Damaged), "{length}");
    }
    // Numbers that stand elsewhere, in archives of a size that no receipt has.
    let mut large = whole.clone();
    let end = large.len() - 22;
    large[end + 16..end + 20].fill(0xFF);
    assert_eq!(found(&large), Err(Why::TooLarge));
    // Something in front of the archive, and a comment behind it.
    let shifted = [b"PK\x03\x04 something in front ".as_slice(), &whole].concat();
    assert_eq!(found(&shifted).as_deref(), Ok(BUNDLE));
    assert_eq!(found(&[whole.as_slice(), b"comment"].concat()).as_deref(), Ok(BUNDLE));
}
