//! A city gets authorities of its own, by the page that operators read, with real processes: they are named by the chain's, change what
//! lies in the city, and nothing else; an issuer follows them, and an audit replays them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::AREA_CODE;
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::issue_and_keep;
use tallystick_tests::pages::commands;

use crate::offices::{Desk, at_home, digest_of};

const PAGE: &str = "docs/ops/areas.md";
const AUTHORITIES: &str = "docs/ops/authorities.md";
const ISSUER: u32 = 1;

/// Makes an authority's key at home; the public half.
async fn newcomer<'a>(network: &'a TestNetwork, name: &str) -> (Desk<'a>, String) {
    let home = Desk::new(network, name);
    let command = commands(AUTHORITIES, "A new authority's key").unwrap().remove(0);
    let said = home.types(&command, "").await;
    let key = said.lines().find(|line| line.len() == 64).unwrap().to_owned();
    (home, key)
}

/// Somebody at home signs what the office sends, and sends it back.
async fn signs(office: &Desk<'_>, home: &Desk<'_>, command: &str, proposal: &str, shown: &str) {
    home.obtain(&office.path(proposal), proposal);
    let said = home.types(command, &format!("{}\n", digest_of(shown))).await;
    assert!(said.contains("signed as authority"), "{said}");
    office.obtain(&home.path(proposal), proposal);
}

/// Two of the chain's authorities and both new ones name those of the city.
async fn name_them(network: &TestNetwork, office: &Desk<'_>, homes: &[Desk<'_>], steps: &[String], set: &str) {
    // The same steps, without the area's authorities: the chain's own sign this.
    let own = |step: &String| step.replace("--area-authorities 330106.toml", "").replace("school", "naming");
    let [propose, attempt, sign, submit] = [0, 1, 2, 3].map(|step| own(&steps[step]));
    let description = format!("[[actions]]\n[actions.set_area_authorities]\n{set}");
    std::fs::write(office.path("naming.toml"), description).unwrap();
    let shown = office.types(&propose, "").await;
    assert!(shown.contains(&format!("Name these 2 the authorities of area {AREA_CODE}")), "{shown}");
    assert!(office.types(&attempt, "").await.contains("THE LEDGER WOULD EXECUTE IT"));
    for authority in [1, 2] {
        signs(office, &at_home(network, authority), &sign, "naming.proposal", &shown).await;
    }
    let refused = office.tries(&submit, "").await.unwrap_err().to_string();
    assert!(refused.contains("and 0 of 2 of the new ones"), "{refused}");
    for home in homes {
        signs(office, home, &sign, "naming.proposal", &shown).await;
    }
    assert!(office.types(&submit, "").await.contains("executed at height"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_governs_itself_as_the_page_has_it() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    {
        let office = Desk::new(&network, "office");
        office.certificate("operator");
        let (mut homes, mut keys) = (Vec::new(), Vec::new());
        for name in ["home-4", "home-5"] {
            let (home, key) = newcomer(&network, name).await;
            homes.push(home);
            keys.push(format!("{key:?}"));
        }
        let set = format!("area = \"{AREA_CODE}\"\nthreshold = 2\npublic_keys = [{}]\n", keys.join(", "));
        for desk in homes.iter().chain([&office]) {
            std::fs::write(desk.path("330106.toml"), &set).unwrap();
        }
        let steps = commands(PAGE, "Signing for an area").unwrap();
        let [propose, attempt, sign, submit] = steps.as_slice() else { panic!("{steps:?}") };
        let items = |name: &str| {
            let unit = &network.registry().units[0];
            let kind = unit.kinds.keys().next().unwrap();
            let items = format!("items = [{{ code = \"9999\", name = \"{name}\" }}]\nadds = true");
            format!("[[actions]]\n[actions.attach_items]\nunit_id = {}\nkind = \"{kind:06}\"\n{items}\n", unit.unit_id)
        };
        std::fs::write(office.path("school.toml"), items("先行")).unwrap();
        let refused = office.tries(propose, "").await.unwrap_err().to_string();
        assert!(refused.contains(&format!("area {AREA_CODE} has no authorities of its own")), "{refused}");
        name_them(&network, &office, &homes, &steps, &set).await;

        let shown = office.types(propose, "").await;
        assert!(shown.contains(&format!("area       {AREA_CODE}: by its authorities")), "{shown}");
        assert!(office.types(attempt, "").await.contains("THE LEDGER WOULD EXECUTE IT"));
        // The chain's own authorities have no say in it, nor has whoever does not know whose it is.
        let chains = at_home(&network, 1);
        chains.obtain(&office.path("school.proposal"), "school.proposal");
        chains.obtain(&office.path("330106.toml"), "330106.toml");
        let refused = chains.tries(sign, &format!("{}\n", digest_of(&shown))).await.unwrap_err().to_string();
        assert!(refused.contains("is no authority's of this chain now"), "{refused}");
        let stranger = sign.replace("--area-authorities 330106.toml", "");
        let refused = chains.tries(&stranger, "").await.unwrap_err().to_string();
        assert!(refused.contains(&format!("it is a message of area {AREA_CODE}")), "{refused}");
        for home in &homes {
            signs(&office, home, sign, "school.proposal", &shown).await;
        }
        assert!(office.types(submit, "").await.contains("executed at height"));

        // What is everybody's is not the city's to change.
        let kind = "[[actions]]\n[actions.register_kind]\nkind = \"999001\"\nname = \"示例\"\nopens = \"rows\"\n";
        std::fs::write(office.path("beyond.toml"), kind).unwrap();
        let beyond = |step: &String| step.replace("school", "beyond");
        let shown = office.types(&beyond(propose), "").await;
        assert!(shown.contains("sequence   2"), "the area's own order: {shown}");
        let refused = office.tries(&beyond(attempt), "").await.unwrap_err().to_string();
        assert!(refused.contains("THE LEDGER WOULD REFUSE IT"), "{refused}");
        assert!(refused.contains("it reaches beyond the area whose authorities sign"), "{refused}");
    }
    // The issuer has followed the area's message, and goes on.
    issue_and_keep(&network, ISSUER, 1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
