//! Files made by hand, each with one thing about it.

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::*;
use crate::find;

const BUNDLE: &[u8] = b"{\"format\":\"tallystick/bundle/v1\"}";

/// A file of objects in order, with a table of addresses.
struct Made {
    bytes: Vec<u8>,
    places: Vec<(u32, usize)>,
    /// Where the addresses of the last revision stand.
    last: Option<usize>,
}

impl Made {
    fn new() -> Self {
        Self { bytes: b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec(), places: Vec::new(), last: None }
    }

    fn object(mut self, number: u32, value: &str) -> Self {
        self.places.push((number, self.bytes.len()));
        self.bytes.extend(format!("{number} 0 obj\n{value}\nendobj\n").into_bytes());
        self
    }

    fn stream(mut self, number: u32, dictionary: &str, contents: &[u8]) -> Self {
        self.places.push((number, self.bytes.len()));
        let length = contents.len();
        self.bytes.extend(format!("{number} 0 obj\n<</Length {length} {dictionary}>>\nstream\n").into_bytes());
        self.bytes.extend(contents);
        self.bytes.extend(b"\nendstream\nendobj\n");
        self
    }

    /// Ends a revision with a table; `free`: objects that are taken away.
    fn table(mut self, trailer: &str, free: &[u32]) -> Self {
        let at = self.bytes.len();
        let mut table = "xref\n0 1\n0000000000 65535 f \n".to_owned();
        for (number, place) in self.places.drain(..) {
            table += &format!("{number} 1\n{place:010} 00000 n \n");
        }
        for number in free {
            table += &format!("{number} 1\n0000000000 00001 f \n");
        }
        let previous = self.last.map_or(String::new(), |last| format!("/Prev {last}"));
        table += &format!("trailer\n<</Root 1 0 R {trailer} {previous}>>\nstartxref\n{at}\n%%EOF\n");
        self.bytes.extend(table.into_bytes());
        self.last = Some(at);
        self
    }

    /// Ends a revision with a stream of addresses. `inside`: objects and the streams that they stand in.
    fn address_stream(mut self, own: u32, inside: &[(u32, u32)], predictor: bool) -> Self {
        let at = self.bytes.len();
        self.places.push((own, at));
        let mut rows: Vec<(u32, u8, u32)> =
            self.places.drain(..).map(|(number, at)| (number, 1, u32::try_from(at).unwrap())).collect();
        rows.extend(inside.iter().map(|(number, stream)| (*number, 2, *stream)));
        rows.sort_unstable();
        let index: String = rows.iter().map(|(number, ..)| format!("{number} 1 ")).collect();
        let mut contents: Vec<u8> = Vec::new();
        let mut above = [0_u8; 7];
        for (_, kind, second) in rows {
            let [a, b, c, d] = second.to_be_bytes();
            let row = [kind, a, b, c, d, 0, 0];
            if predictor {
                contents.push(2);
                contents.extend(row.iter().zip(above).map(|(own, above)| own.wrapping_sub(above)));
                above = row;
            } else {
                contents.extend(row);
            }
        }
        let packed = compress_to_vec_zlib(&contents, 6);
        let parameters = if predictor { "/DecodeParms<</Predictor 12/Columns 7>>" } else { "" };
        let previous = self.last.map_or(String::new(), |last| format!("/Prev {last}"));
        let dictionary =
            format!("/Type/XRef/Root 1 0 R/W[1 4 2]/Index[{index}]/Size 99/Filter/FlateDecode{parameters}{previous}");
        self = self.stream(own, &dictionary, &packed);
        self.places.clear();
        self.bytes.extend(format!("startxref\n{at}\n%%EOF\n").into_bytes());
        self.last = Some(at);
        self
    }
}

const CATALOG: &str = "<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(bundle.tally) 3 0 R]>>>>/AF[3 0 R]>>";
const FILE: &str = "<</Type/Filespec/F(bundle.tally)/EF<</F 4 0 R>>/AFRelationship/Data>>";
const MEDIA_TYPE: &str = "/Type/EmbeddedFile/Subtype/application#2Fvnd.tallystick.bundle+json";

fn usual() -> Made {
    Made::new()
        .object(1, CATALOG)
        .object(2, "<</Type/Pages/Count 0/Kids[]>>")
        .object(3, FILE)
        .stream(4, MEDIA_TYPE, BUNDLE)
}

/// A file whose catalog is the usual one, whatever the other objects are.
fn with(file: &str, dictionary: &str, contents: &[u8]) -> Vec<u8> {
    let made = Made::new().object(1, CATALOG).object(2, "<<>>").object(3, file).stream(4, dictionary, contents);
    made.table("", &[]).bytes
}

fn found(file: &[u8]) -> Result<Vec<u8>, Why> {
    let (kind, found) = find(file);
    assert_eq!(kind.name(), "pdf");
    found
}

fn assert_found(file: &[u8]) {
    assert_eq!(found(file).as_deref(), Ok(BUNDLE), "{}", String::from_utf8_lossy(&file[..file.len().min(2000)]));
}

#[test]
fn an_attachment_is_found_by_name_or_type_wherever_it_is_listed() {
    assert_found(&usual().table("", &[]).bytes);
    // By its name alone, in several spellings; by its type alone.
    for name in ["/F(bundle.tally)", "/F(x)/UF<FEFF0062002E00540041004C004C0059>", "/UF(\\357\\273\\277\\345.tally)"] {
        assert_found(&with(&format!("<<{name}/EF<</F 4 0 R>>>>"), "", BUNDLE));
    }
    assert_found(&with("<</F(a\\(b\\).bin)/EF<</UF 4 0 R>>>>", MEDIA_TYPE, BUNDLE));
    // In a tree, in either list alone.
    for catalog in [
        "<</Pages 2 0 R/AF[3 0 R]>>",
        "<</Pages 2 0 R/AF 7 0 R>>",
        "<</Pages 2 0 R/Names 5 0 R>>",
        "<</Pages 2 0 R/Names<</EmbeddedFiles<</Names[(b)<</F(b.tally)/EF<</F 4 0 R>>>>]>>>>>>",
    ] {
        let made = Made::new()
            .object(1, catalog)
            .object(3, FILE)
            .stream(4, MEDIA_TYPE, BUNDLE)
            .object(5, "<</EmbeddedFiles 6 0 R>>")
            .object(6, "<</Kids[<</Kids[8 0 R]>>]>>")
            .object(7, "[3 0 R]")
            .object(8, "<</Limits[(a)(z)]/Names[(a)(b) (bundle.tally)3 0 R]>>");
        assert_found(&made.table("", &[]).bytes);
    }
}

#[test]
fn contents_are_unpacked() {
    let packed = compress_to_vec_zlib(BUNDLE, 9);
    let twice = compress_to_vec_zlib(&packed, 9);
    for (dictionary, contents) in [
        ("/Filter/FlateDecode", &packed),
        ("/Filter[/FlateDecode]/DecodeParms[null]", &packed),
        ("/Filter[/FlateDecode/FlateDecode]", &twice),
        ("/Filter 2 0 R", &BUNDLE.to_vec()),
    ] {
        let file = with(FILE, dictionary, contents);
        let known = !dictionary.contains('2');
        assert_eq!(found(&file).as_deref(), if known { Ok(BUNDLE) } else { Err(&Why::Damaged) }, "{dictionary}");
    }
    for dictionary in ["/Filter/LZWDecode", "/Filter[/FlateDecode/Crypt]", "/Filter/FlateDecode"] {
        assert_eq!(found(&with(FILE, dictionary, BUNDLE)), Err(Why::Damaged), "{dictionary}");
    }
}

#[test]
fn addresses_and_objects_may_stand_in_streams() {
    for predictor in [false, true] {
        let values = [CATALOG, "<</Type/Pages/Count 0/Kids[]>>", FILE];
        let (mut heads, mut body) = (String::new(), String::new());
        for (number, value) in (1..).zip(values) {
            heads += &format!("{number} {} ", body.len());
            body += &format!("{value} ");
        }
        let contents = format!("{heads}{body}");
        let packed = compress_to_vec_zlib(contents.as_bytes(), 6);
        let dictionary = format!("/Type/ObjStm/N 3/First {}/Filter/FlateDecode", heads.len());
        let made = Made::new().stream(4, MEDIA_TYPE, BUNDLE).stream(5, &dictionary, &packed);
        let made = made.address_stream(6, &[(1, 5), (2, 5), (3, 5)], predictor);
        assert_found(&made.bytes);
        // The same without the last line: addresses are searched for, and the stream of objects is opened.
        let cut = made.bytes.len() - 20;
        assert_found(&made.bytes[..cut]);
    }
}

#[test]
fn a_table_that_hides_objects_has_them_in_a_stream() {
    let made = Made::new().object(1, CATALOG).object(2, "<<>>").stream(4, MEDIA_TYPE, BUNDLE);
    let body = format!("3 0 {FILE}");
    let mut made = made.stream(5, "/Type/ObjStm/N 1/First 4", body.as_bytes());
    let (places, hidden) = (made.places.clone(), made.bytes.len());
    made.places.clear();
    let mut made = made.stream(6, "/Type/XRef/W[1 2 1]/Index[3 1]/Size 7", &[2, 0, 5, 0]);
    made.places = places;
    assert_found(&made.table(&format!("/XRefStm {hidden}"), &[3]).bytes);
}

#[test]
fn the_last_revision_counts() {
    let other = b"{\"format\":\"tallystick/bundle/v1\",\"newer\":1}";
    let replaced = usual().table("", &[]).stream(4, MEDIA_TYPE, other).table("", &[]);
    assert_eq!(found(&replaced.bytes).as_deref(), Ok(&other[..]));
    let with_streams = usual().table("", &[]).stream(4, MEDIA_TYPE, other).address_stream(9, &[], true);
    assert_eq!(found(&with_streams.bytes).as_deref(), Ok(&other[..]));
    let removed = usual().table("", &[]).table("", &[3, 4]);
    assert_eq!(found(&removed.bytes), Err(Why::Gone));
    let unlisted = usual().table("", &[]).object(1, "<</Type/Catalog/Pages 2 0 R>>").table("", &[]);
    assert_eq!(found(&unlisted.bytes), Err(Why::Gone));
}

#[test]
fn what_others_do_to_files_is_borne() {
    let whole = usual().table("", &[]).bytes;
    // Something in front; bytes behind; other line ends; addresses that are wrong or cut off.
    assert_found(&[b"X-Mail: 1\r\n".as_slice(), &whole].concat());
    assert_found(&[whole.as_slice(), b"\n\n--\nsent from a phone\n"].concat());
    let text: Vec<u8> =
        whole.iter().flat_map(|byte| if *byte == b'\n' { b"\r\n".to_vec() } else { vec![*byte] }).collect();
    assert_found(&text);
    let lost = |word: &str, by: &str| String::from_utf8_lossy(&whole).replace(word, by).into_bytes();
    assert_found(&lost("startxref", "startxrex"));
    assert_found(&lost("trailer", "railer"));
    assert_found(&lost("/Length ", "/Length 9"));
    let cut = whole.windows(4).position(|window| window == b"xref").unwrap();
    assert_found(&whole[..cut]);
    // Half of the proof is none.
    assert_eq!(found(&whole[..cut - 60]), Err(Why::Damaged));
}

#[test]
fn of_several_attachments_the_bundle_is_meant_and_of_several_bundles_none() {
    let listed = |files: &str| format!("<</Pages 2 0 R/Names<</EmbeddedFiles<</Names[{files}]>>>>>>");
    let made = |files: &str| {
        Made::new()
            .object(1, &listed(files))
            .object(2, "<<>>")
            .object(3, FILE)
            .stream(4, MEDIA_TYPE, BUNDLE)
            .object(5, "<</F(einvoice.xml)/EF<</F 6 0 R>>>>")
            .stream(6, "/Subtype/text#2Fxml", b"<EInvoice/>")
            .object(7, "<</F(other.tally)/EF<</F 8 0 R>>>>")
            .stream(8, "", b"{}")
            .object(9, "<</F(copy.tally)/EF<</F 10 0 R>>>>")
            .stream(10, "", BUNDLE)
            .object(11, "<</F(somewhere.tally)>>")
            .table("", &[])
            .bytes
    };
    assert_found(&made("(a)5 0 R(b)3 0 R"));
    assert_found(&made("(a)3 0 R(b)3 0 R(c)9 0 R"));
    assert_found(&made("(a)11 0 R(b)3 0 R"));
    for (files, why) in [
        ("(a)3 0 R(b)7 0 R", Why::Several),
        ("(a)7 0 R(b)5 0 R(c)3 0 R", Why::Several),
        ("(a)5 0 R", Why::NoBundle),
        ("(a)11 0 R", Why::Gone),
        ("", Why::Gone),
    ] {
        assert_eq!(found(&made(files)), Err(why), "{files}");
    }
}

#[test]
fn an_attached_document_is_not_opened() {
    let inner = usual().table("", &[]).bytes;
    let nested = "<</F(receipt.pdf)/EF<</F 4 0 R>>>>";
    for dictionary in ["/Subtype/application#2Fpdf", ""] {
        let whole = with(nested, dictionary, &inner);
        assert_eq!(found(&whole), Err(Why::NoBundle));
        // Nor where objects have to be searched for.
        let searched: Vec<u8> = whole[..whole.len() - 15].to_vec();
        assert_eq!(found(&searched), Err(Why::NoBundle));
    }
}

#[test]
fn an_encrypted_file_says_so() {
    assert_eq!(found(&usual().table("/Encrypt 9 0 R", &[]).bytes), Err(Why::Encrypted));
    let searched = usual().table("/Encrypt<</Filter/Standard>>", &[]).bytes;
    assert_eq!(found(&searched[..searched.len() - 15]), Err(Why::Encrypted));
}

#[test]
fn work_is_bounded() {
    let zeros = vec![0; 64 * 1024 * 1024];
    let bomb = compress_to_vec_zlib(&zeros, 1);
    let twice = compress_to_vec_zlib(&bomb, 1);
    assert!(bomb.len() < 1024 * 1024);
    assert_eq!(found(&with(FILE, "/Filter/FlateDecode", &bomb)), Err(Why::TooLarge));
    assert_eq!(found(&with(FILE, "/Filter[/FlateDecode/FlateDecode]", &twice)), Err(Why::TooLarge));
    let in_stream = Made::new().stream(5, "/Type/ObjStm/N 1/First 4/Filter/FlateDecode", &bomb);
    assert_eq!(found(&in_stream.address_stream(6, &[(1, 5)], false).bytes), Err(Why::TooLarge));
    assert_eq!(found(&with(FILE, MEDIA_TYPE, &zeros[..BUNDLE_BYTES_AND_ONE])), Err(Why::TooLarge));

    // Texts without an end, from each of which a reader would look through all of the file.
    let open = format!("%PDF-1.7\n{}", "1 0 obj (".repeat(400_000));
    assert_eq!(found(open.as_bytes()), Err(Why::TooLarge));
    let open = format!("%PDF-1.7\n{}", "1 0 obj <</A 1>> stream\n".repeat(400_000));
    assert_eq!(found(open.as_bytes()), Err(Why::TooLarge));
    let many = format!("%PDF-1.7\n{}", "1 0 obj [] endobj ".repeat(1_100_000));
    assert_eq!(found(many.as_bytes()), Err(Why::TooLarge));
    let values = format!("[{}]", "0 ".repeat(1_100_000));
    let many = Made::new().object(1, "<</Pages 2 0 R/AF 3 0 R>>").object(3, &values).table("", &[]);
    assert_eq!(found(&many.bytes), Err(Why::TooLarge));
    // White space and comments that are passed over again and again: before an object, behind one, behind a stream.
    let (names, empty) = ("<</EF 5 0 R>> ".repeat(60_000), " ".repeat(4 * 1024 * 1024));
    let catalog = format!("<</Pages 2 0 R/AF[{names}]>>");
    let behind = Made::new().object(1, &catalog).object(5, &format!("<</F 4 0 R>>{empty}")).stream(4, "", b"");
    assert_eq!(found(&behind.table("", &[]).bytes), Err(Why::TooLarge));
    let mut before = Made::new().object(1, &catalog).stream(4, "", b"");
    before.places.push((5, before.bytes.len()));
    before.bytes.extend(format!("{empty}5 0 obj\n<</F 4 0 R>>\nendobj\n").into_bytes());
    assert_eq!(found(&before.table("", &[]).bytes), Err(Why::TooLarge));
    let line = format!("%PDF-1.7\n{}", "1 0 obj<<>>%".repeat(400_000));
    assert_eq!(found(line.as_bytes()), Err(Why::TooLarge));
    let files = "<</F(x)/EF<</F 4 0 R>>>> ".repeat(100);
    let made =
        |names: &str| Made::new().object(1, &format!("<</Pages 2 0 R/AF[{names}]>>")).stream(4, "", b"").table("", &[]);
    assert_eq!(found(&made(&files).bytes), Err(Why::NoBundle), "one stream is one attachment");
    let large = vec![b' '; crate::FILE_BYTES_MAX + 1];
    assert_eq!(found(&[b"%PDF-1.7\n".as_slice(), &large].concat()), Err(Why::TooLarge));
}

const BUNDLE_BYTES_AND_ONE: usize = receipt_core::limits::BUNDLE_BYTES_MAX + 1;

#[test]
fn circles_and_depths_end() {
    let catalog = |value: &str| Made::new().object(1, value).object(3, FILE).stream(4, MEDIA_TYPE, BUNDLE);
    for (value, why) in [
        ("1 0 R", Why::Damaged),
        ("<</Pages 2 0 R/AF 1 0 R>>", Why::Gone),
        ("<</Pages 2 0 R/Names<</EmbeddedFiles 5 0 R>>>>", Why::Damaged),
        ("<</Pages 2 0 R/Names<</EmbeddedFiles 7 0 R>>>>", Why::Damaged),
    ] {
        let made = catalog(value).object(5, "<</Kids[6 0 R]>>").object(6, "<</Kids[5 0 R]>>").object(7, "8 0 R");
        assert_eq!(found(&made.object(8, "7 0 R").table("", &[]).bytes), Err(why), "{value}");
    }
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(found(&catalog(&format!("<</Pages 2 0 R/AF {deep}>>")).table("", &[]).bytes), Err(Why::Damaged));
    let wide = "<</Kids[".repeat(200_000);
    assert_eq!(found(&catalog(&format!("<</Pages 2 0 R/Names {wide}>>")).table("", &[]).bytes), Err(Why::Damaged));
    // Revisions that name each other, and one that names itself: the objects are searched for.
    let mut circle = usual().table("", &[]);
    let own = circle.bytes.windows(5).rposition(|window| window == b"xref\n").unwrap();
    circle.last = Some(own);
    let text = String::from_utf8_lossy(&circle.bytes).replace("trailer\n<<", &format!("trailer\n<</Prev {own}"));
    assert_found(text.as_bytes());
    // A stream of objects that stands in itself; a length that is its own.
    let mut own = Made::new().stream(5, "/Type/ObjStm/N 1/First 4", b"1 0 <<>>");
    own.places.clear();
    assert_eq!(found(&own.address_stream(6, &[(1, 5), (5, 5)], false).bytes), Err(Why::Damaged));
    let text = String::from_utf8_lossy(&with(FILE, MEDIA_TYPE, BUNDLE)).replace("/Length 33 ", "/Length 4 0 R ");
    assert_found(text.as_bytes());
}

#[test]
fn numbers_beyond_all_measure_are_borne() {
    for (word, by) in [
        ("startxref\n", "startxref\n99999999999999999999"),
        ("startxref\n", "startxref\n4294967295"),
        ("3 1\n", "4294967295 4294967295\n"),
        ("/Length 33", "/Length 18446744073709551615"),
        ("/Length 33", "/Length -33"),
        ("3 0 R", "99999999999 0 R"),
    ] {
        let text = String::from_utf8_lossy(&usual().table("", &[]).bytes).replace(word, by);
        let found = found(text.as_bytes());
        assert!(matches!(found, Ok(_) | Err(Why::Damaged | Why::Gone)), "{word} {by}: {found:?}");
    }
    for widths in ["[1 9 2]", "[1 0 2]", "[]", "[1 4 2 3]", "[9999999999999999999 1 1]"] {
        let text = usual().address_stream(9, &[], false).bytes;
        let at = text.windows(7).rposition(|window| window == b"[1 4 2]").unwrap();
        let text = [&text[..at], widths.as_bytes(), &text[at + 7..]].concat();
        assert_found(&text);
    }
}
