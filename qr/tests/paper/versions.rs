//! Which version and level a record gets. `cargo test -p tallystick-qr -- --nocapture versions` prints the table of the decision record.

use receipt_core::code::{self, Host};
use tallystick_qr::{Level, Lint, Print, ReceiptSymbol, VERSION_LOW_MAX, VERSION_MAX, address_symbol, receipt_symbol};

use crate::records::records;

/// A host of so many characters.
fn host(chars: usize) -> Host {
    Host::new(&format!("{}.CN", "A".repeat(chars - 3))).unwrap()
}

/// The largest record of which `accepts` is true of its symbol; of no larger one it is.
fn largest(host: &Host, accepts: impl Fn(&ReceiptSymbol) -> bool) -> usize {
    let sizes: Vec<usize> = (1..=1024).collect();
    sizes.partition_point(|bytes| accepts(&receipt_symbol(host, &vec![0xA5; *bytes])))
}

#[test]
fn every_sample_fits_and_the_bounds_hold() {
    let mut table = String::from("sample  keys  bytes");
    for chars in [14, 24, 64] {
        table += &format!("   {chars} chars");
    }
    table += "\n";
    for record in records(1) {
        table += &format!("{}     {:4}  {:5}", record.sample, record.keys, record.bytes.len());
        for (chars, version_max) in [(14, 11), (24, 12), (64, VERSION_LOW_MAX)] {
            let host = host(chars);
            let printed = receipt_symbol(&host, &record.bytes);
            let (version, level) = (printed.symbol.version(), printed.symbol.level());
            table += &format!("   {version:4}-{level:?}  ");
            assert!(version <= version_max, "{} at {host}: version {version}", record.sample);
            assert_eq!(code::read(&printed.text, &[host]).as_ref(), Ok(&record.bytes));
            if chars <= 24 {
                assert_eq!((level, printed.lint), (Level::M, None), "{} at {chars} characters", record.sample);
            }
        }
        table += "\n";
    }
    for epochs in 2..=4 {
        let record = records(epochs).into_iter().max_by_key(|record| record.bytes.len()).unwrap();
        let printed = [14, 24].map(|chars| {
            let printed = receipt_symbol(&host(chars), &record.bytes);
            format!("{}-{:?}", printed.symbol.version(), printed.symbol.level())
        });
        table += &format!(
            "{} after {} changes of the secret: {} bytes, {printed:?}\n",
            record.sample,
            epochs - 1,
            record.bytes.len()
        );
    }
    for chars in [14, 24, 64] {
        let host = host(chars);
        let at_m = [10, 11, VERSION_MAX]
            .map(|version| largest(&host, |printed| printed.lint.is_none() && printed.symbol.version() <= version));
        let at_l = largest(&host, |printed| printed.lint != Some(Lint::AddressAlone));
        table += &format!(
            "{chars} characters: at most {at_m:?} bytes at versions 10, 11, 12 of level M, {at_l} at level L\n"
        );
    }
    println!("{table}");
}

#[test]
fn what_has_no_room_is_printed_weaker_and_then_not_at_all() {
    let host = host(14);
    let of = |bytes: usize| receipt_symbol(&host, &vec![0xA5; bytes]);
    let (strong, low) = (
        largest(&host, |printed| printed.lint.is_none()),
        largest(&host, |printed| printed.lint != Some(Lint::AddressAlone)),
    );
    assert!(300 > strong && strong > 250 && low > 400, "{strong} {low}");
    let printed = of(strong + 1);
    assert_eq!((printed.lint, printed.symbol.level()), (Some(Lint::Low), Level::L));
    assert!(printed.symbol.version() <= VERSION_LOW_MAX);
    for bytes in [low + 1, 1024, 5000] {
        let printed = of(bytes);
        assert_eq!((printed.lint, printed.symbol.level()), (Some(Lint::AddressAlone), Level::M));
        assert_eq!(printed.text, code::address(&host));
        assert_eq!(printed.symbol, address_symbol(&host));
        assert!(printed.symbol.version() <= 4);
        assert_eq!(code::read(&printed.text, std::slice::from_ref(&host)), Err(code::CodeError::AddressAlone));
    }
    // A shorter host leaves more room: the sentence says so.
    for lint in [Lint::Low, Lint::AddressAlone] {
        assert!(lint.to_string().ends_with("a shorter host leaves more room"));
    }
}

#[test]
fn sizes_are_whole_dots() {
    for (dots_per_inch, dots, micrometres) in
        [(203, 3, 375), (300, 4, 339), (600, 8, 339), (180, 3, 423), (1, 1, 25_400)]
    {
        let print = Print::at(dots_per_inch);
        assert_eq!((print.dots_per_module, print.module_micrometres()), (dots, micrometres));
    }
    assert_eq!(Print::at(0), Print::at(1));
    assert_eq!(Print::PAPER, Print::at(203));
    let symbols: Vec<_> = records(1).iter().map(|record| receipt_symbol(&host(14), &record.bytes).symbol).collect();
    let largest = symbols.iter().max_by_key(|symbol| symbol.version()).unwrap();
    assert_eq!((largest.version(), largest.side(), largest.side_with_quiet_zone()), (11, 61, 69));
    let print = Print::PAPER;
    assert_eq!((print.side_dots(largest), print.side_with_quiet_zone_dots(largest)), (183, 207));
    let sides = (print.side_micrometres(largest), print.side_with_quiet_zone_micrometres(largest));
    assert_eq!(sides, (22_898, 25_900));
    // 58 mm paper has 384 dots: the largest symbol of all leaves room beside it.
    assert!((17 + 4 * u32::from(VERSION_LOW_MAX) + 8) * print.dots_per_module <= 384);
}
