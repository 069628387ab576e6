//! Every way in which a certificate, its key and the authorities can fail to fit: what is said of it at the start, and that a reload does
//! not take it over what works. What is said is compared with what peers do.

use rcgen::ExtendedKeyUsagePurpose as Usage;

use super::*;

/// Puts files in the server's place. Gives the authority that certifies its peers; `None`: the world's.
type Change = fn(&World) -> Option<Authority>;

const OTHER_VALIDATOR: &str = "tallystick://demo/validator/2";
/// Before the clock of the tests.
const PAST: i64 = 1_700_000_001;

impl World {
    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("server")
    }

    fn files(&self) -> TlsFiles {
        let folder = self.folder();
        TlsFiles {
            certificate_chain: folder.join("cert.pem"),
            private_key: folder.join("key.pem"),
            authorities: folder.join("ca.pem"),
        }
    }

    fn load(&self) -> Result<Arc<Tls>, TlsError> {
        Tls::load(self.files(), chain(), self.clock.clone())
    }

    fn certify(&self, leaf: &Leaf<'_>) {
        self.authority.certify(&self.folder(), leaf);
    }

    fn trust(&self, authorities: &[&Authority]) {
        let pems: Vec<&str> = authorities.iter().map(|authority| authority.pem()).collect();
        std::fs::write(self.files().authorities, pems.concat()).unwrap();
    }

    /// Whether the holder of these files and a validator certified by `authority` talk to each other, whoever begins.
    async fn is_taken_by_peers(&self, authority: &Authority) -> bool {
        let files = authority.certify(&self.dir.path().join("peer"), &Leaf::new(OTHER_VALIDATOR));
        std::fs::copy(self.files().authorities, &files.authorities).unwrap();
        let (own, peer) = (self.load().unwrap(), Tls::load(files, chain(), self.clock.clone()).unwrap());
        let mut taken = true;
        for (from, to, id) in [(&peer, &own, 1), (&own, &peer, 2)] {
            let address = serve(to, &self.clock, IncomingLimits::default(), &self.stop).await;
            let expected = ExpectedPeer { role: Role::Validator, id: Some(id) };
            let channel = connect_lazy(from, &ChannelConfig::new(address.to_string(), expected)).unwrap();
            taken &= who_am_i(&channel).await.is_ok();
        }
        taken
    }
}

/// The first certificate of a chain, and those behind it.
fn parts(chain: &str) -> (&str, &str) {
    let end = "-----END CERTIFICATE-----\n";
    chain.split_at(chain.find(end).unwrap() + end.len())
}

/// Puts a certificate of one intermediate authority in the server's place, with another one behind it.
fn certify_with_foreign_intermediate(world: &World, leaf: &Leaf<'_>) {
    let path = world.files().certificate_chain;
    let [own, foreign] = [(); 2].map(|()| {
        // The last key is the one that stays.
        world.authority.intermediate().certify(&world.folder(), leaf);
        std::fs::read_to_string(&path).unwrap()
    });
    std::fs::write(&path, [parts(&foreign).0, parts(&own).1].concat()).unwrap();
}

/// Files that fit together, and that peers refuse all the same.
const REFUSED: &[(&str, Change)] = &[
    ("leads to none of the authorities in", |world| {
        Authority::new().certify(&world.folder(), &Leaf::new(SERVER));
        world.trust(&[&world.authority]);
        None
    }),
    // The authorities were replaced, and the certificate was not.
    ("leads to none of the authorities in", |world| {
        let other = Authority::new();
        world.certify(&Leaf::new(SERVER));
        world.trust(&[&other]);
        Some(other)
    }),
    // The same, and the new authority has the name of the old one.
    ("leads to none of the authorities in", |world| {
        let other = world.authority.renewed();
        world.certify(&Leaf::new(SERVER));
        world.trust(&[&other]);
        Some(other)
    }),
    // The intermediate one is missing.
    ("leads to none of the authorities in", |world| {
        world.authority.intermediate().certify(&world.folder(), &Leaf::new(SERVER));
        let path = world.files().certificate_chain;
        std::fs::write(&path, parts(&std::fs::read_to_string(&path).unwrap()).0).unwrap();
        None
    }),
    // There is one, and it is another's.
    ("leads to none of the authorities in", |world| {
        certify_with_foreign_intermediate(world, &Leaf::new(SERVER));
        None
    }),
    ("is not for servers: its extended key usage lacks serverAuth", |world| {
        world.certify(&Leaf { usages: &[Usage::ClientAuth], ..Leaf::new(SERVER) });
        None
    }),
    ("is not for clients: its extended key usage lacks clientAuth", |world| {
        world.certify(&Leaf { usages: &[Usage::ServerAuth], ..Leaf::new(SERVER) });
        None
    }),
    ("is not for clients: its extended key usage lacks clientAuth", |world| {
        world.certify(&Leaf { usages: &[Usage::CodeSigning], ..Leaf::new(SERVER) });
        None
    }),
    ("names no host (DNS or IP)", |world| {
        world.certify(&Leaf { hosts: &[], ..Leaf::new(SERVER) });
        None
    }),
];

/// Files that peers take.
const TAKEN: &[Change] = &[
    |world| {
        world.certify(&Leaf::new(SERVER));
        None
    },
    // An authority changes: the new one beside the old one, in both orders, and whoever's the certificates are.
    |world| {
        let next = Authority::new();
        world.trust(&[&world.authority, &next]);
        Some(next)
    },
    |world| {
        let next = Authority::new();
        world.trust(&[&next, &world.authority]);
        Some(next)
    },
    |world| {
        let next = Authority::new();
        next.certify(&world.folder(), &Leaf::new(SERVER));
        world.trust(&[&world.authority, &next]);
        None
    },
    |world| {
        let next = Authority::new();
        next.certify(&world.folder(), &Leaf::new(SERVER));
        world.trust(&[&next, &world.authority]);
        None
    },
    |world| {
        let next = Authority::new();
        next.certify(&world.folder(), &Leaf::new(SERVER));
        Some(next)
    },
    // The same with one that has the old one's name.
    |world| {
        let next = world.authority.renewed();
        world.trust(&[&world.authority, &next]);
        Some(next)
    },
    |world| {
        let next = world.authority.renewed();
        next.certify(&world.folder(), &Leaf::new(SERVER));
        world.trust(&[&next, &world.authority]);
        None
    },
    // One of the authorities has ended.
    |world| {
        world.trust(&[&Authority::until(PAST), &world.authority]);
        None
    },
    |world| {
        world.authority.intermediate().certify(&world.folder(), &Leaf::new(SERVER));
        None
    },
    |world| {
        world.certify(&Leaf { usages: &[Usage::ServerAuth, Usage::ClientAuth], ..Leaf::new(SERVER) });
        None
    },
    |world| {
        world.certify(&Leaf { hosts: &["node-1.example.org", "127.0.0.1"], ..Leaf::new(SERVER) });
        None
    },
];

#[tokio::test]
async fn what_is_said_of_the_files_at_the_start_is_what_peers_do() {
    for (row, (said, change)) in REFUSED.iter().enumerate() {
        let world = World::new().await;
        let authority = change(&world);
        let tls = world.load().unwrap();
        let validity = tls.validity();
        assert!(
            matches!(validity, Validity::Refused { .. }) && validity.to_string().starts_with(said),
            "{row}: {validity}"
        );
        assert!(!world.is_taken_by_peers(authority.as_ref().unwrap_or(&world.authority)).await, "{row}: {said}");
    }
    for (row, change) in TAKEN.iter().enumerate() {
        let world = World::new().await;
        let authority = change(&world);
        let validity = world.load().unwrap().validity();
        assert!(validity.is_valid(), "{row}: {validity}");
        assert!(world.is_taken_by_peers(authority.as_ref().unwrap_or(&world.authority)).await, "{row}");
    }
}

#[tokio::test]
async fn a_reload_takes_no_files_that_peers_refuse_over_good_ones() {
    let world = World::new().await;
    let client = world.client(&world.authority, &Leaf::new(SYSTEM));
    for (row, (said, change)) in REFUSED.iter().enumerate() {
        change(&world);
        let refused = world.server.reload().unwrap_err().to_string();
        assert!(refused.contains(said) && refused.ends_with("the one in use is valid"), "{row}: {refused}");
        assert!(world.server.validity().is_valid(), "{row}");
        who_am_i(&world.channel(&client, Role::Validator, Some(1))).await.unwrap();
    }
    for (row, change) in TAKEN.iter().enumerate() {
        let world = World::new().await;
        change(&world);
        assert!(world.server.reload().unwrap(), "{row}");
        assert!(world.server.validity().is_valid(), "{row}");
    }
}

/// Waits for what the watch brings about, which takes a look at the files.
async fn until(holds: impl Fn() -> bool, what: &str) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn files_that_peers_refuse_are_told_and_good_ones_are_taken_without_a_restart() {
    for (row, (said, change)) in REFUSED.iter().enumerate() {
        let world = World::new().await;
        change(&world);
        let tls = world.load().unwrap();
        let (stop, readiness, days_left) = (CancellationToken::new(), Readiness::new(), DaysLeft::default());
        let (interval, ready) = (Duration::from_millis(1), readiness.part("tls"));
        let watch = CertificateWatch { interval, ready, days_left: days_left.clone() };
        let watch = tokio::spawn(tls.clone().watch(watch, stop.clone()));
        let begins = format!("tls certificate {said}");
        until(|| readiness.to_string().starts_with(&begins), &begins).await;
        assert!(readiness.to_string().ends_with("; put the right files in place\n"), "{row}: {readiness}");
        assert_eq!(days_left.get(), 0.0, "an alarm sees it");
        world.certify(&Leaf::new(SERVER));
        until(|| readiness.is_ready(), "good files are taken").await;
        assert!(days_left.get() > 1.0);
        stop.cancel();
        watch.await.unwrap().unwrap();
    }
}

/// The TLS library passes over an authority's end; other programs do not.
#[tokio::test]
async fn the_end_of_an_authority_is_an_end_of_its_certificates() {
    let world = World::new().await;
    let ended = Authority::until(PAST);
    ended.certify(&world.folder(), &Leaf::new(SERVER));
    let said = world.load().unwrap().validity().to_string();
    assert!(said.starts_with("leads to an authority that ended "), "{said}");
    let refused = world.server.reload().unwrap_err().to_string();
    assert!(refused.contains("leads to an authority that ended "), "{refused}");

    // It is warned of before, and the file to renew is that of the authorities.
    let ends = now_seconds() + 3 * 86_400;
    let soon = Authority::until(ends);
    soon.certify(&world.folder(), &Leaf::new(SERVER));
    let tls = world.load().unwrap();
    assert_eq!(
        (tls.validity().to_string().as_str(), Watched::path(&*tls)),
        ("ends in 3 d 0 h", &*world.files().authorities)
    );
    // As good as the authority that is good longest; and the certificate ends before that.
    for authorities in [[&soon, &world.authority], [&world.authority, &soon]] {
        world.certify(&Leaf { valid: (VALID_FROM, ends - 86_400), ..Leaf::new(SERVER) });
        world.trust(&authorities);
        let tls = world.load().unwrap();
        let path = world.files().certificate_chain;
        assert_eq!((tls.validity().to_string().as_str(), Watched::path(&*tls)), ("ends in 2 d 0 h", &*path));
    }
}

/// Others connect to an issuer and a validator alone.
#[tokio::test]
async fn a_certificate_is_for_what_its_role_does() {
    let world = World::new().await;
    for role in Role::ALL {
        let uri = format!("tallystick://demo/{role}/1");
        let caller = Leaf { usages: &[Usage::ClientAuth], hosts: &[], ..Leaf::new(&uri) };
        world.certify(&caller);
        let serves = matches!(role, Role::Issuer | Role::Validator);
        assert_eq!(world.load().unwrap().validity().is_valid(), !serves, "{role}");
    }
}

#[tokio::test]
async fn a_file_in_the_middle_of_being_written_is_named_and_not_taken() {
    let world = World::new().await;
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        let path = world.folder().join(name);
        let whole = std::fs::read(&path).unwrap();
        for content in [b"".as_slice(), &whole[..whole.len() / 2], &whole[..whole.len() - 9], b"junk"] {
            std::fs::write(&path, content).unwrap();
            for refused in [world.server.reload().unwrap_err(), world.load().unwrap_err()] {
                assert!(refused.to_string().contains(name), "{refused}");
            }
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(!world.server.reload().unwrap());
    }
    // Of two authorities only the other one is there yet.
    let other = Authority::new();
    world.trust(&[&other]);
    world.server.reload().unwrap_err();
    world.trust(&[&other, &world.authority]);
    assert!(world.server.reload().unwrap());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_named_as_such() {
    let world = World::new().await;
    let other = world.authority.certify(&world.dir.path().join("other"), &Leaf::new(SERVER));
    std::fs::copy(other.private_key, world.files().private_key).unwrap();
    for refused in [world.server.reload().unwrap_err(), world.load().unwrap_err()] {
        let refused = refused.to_string();
        assert!(
            refused.contains("key.pem: is not the key of the certificate in ") && refused.ends_with("cert.pem"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_other_hosts_is_not_taken_while_a_process_runs() {
    let world = World::new().await;
    world.certify(&Leaf { hosts: &["elsewhere.example.org", "127.0.0.2"], ..Leaf::new(SERVER) });
    let refused = world.server.reload().unwrap_err().to_string();
    assert!(refused.contains("holds for none of the hosts of the certificate in use (127.0.0.1)"), "{refused}");
    assert!(world.load().unwrap().validity().is_valid(), "a start takes it");
    // Nobody connects to a caller.
    let client = world.client(&world.authority, &Leaf::new(SYSTEM));
    world.authority.certify(&world.dir.path().join("client"), &Leaf { hosts: &[], ..Leaf::new(SYSTEM) });
    assert!(client.reload().unwrap());
}

struct Public {
    world: World,
    tls: Arc<PublicTls>,
}

impl Public {
    /// A server before strangers with this certificate.
    async fn new(leaf: &Leaf<'_>) -> Self {
        let world = World::new().await;
        world.certify(leaf);
        let tls = PublicTls::load(world.files().own(), world.clock.clone()).unwrap();
        Self { world, tls }
    }
}

#[tokio::test]
async fn before_strangers_no_worse_certificate_is_taken_either() {
    let page = Leaf { hosts: &["page.example.org", "other.example.org"], ..Leaf::new(SERVER) };
    let public = Public::new(&page).await;
    let (world, tls) = (&public.world, &public.tls);
    let refused: &[(&str, &dyn Fn())] = &[
        ("cert.pem holds a certificate that ended 0 d 0 h ago", &|| {
            world.certify(&Leaf { valid: (VALID_FROM, now_seconds() - 1), ..page });
        }),
        ("is not for servers", &|| world.certify(&Leaf { usages: &[Usage::ClientAuth], ..page })),
        ("does not come from the certificates that stand behind it", &|| {
            certify_with_foreign_intermediate(world, &page)
        }),
        ("holds for none of the hosts", &|| world.certify(&Leaf { hosts: &["elsewhere.example.org"], ..page })),
        ("holds for none of the hosts", &|| world.certify(&Leaf { hosts: &[], ..page })),
        ("holds no certificate", &|| std::fs::write(world.files().certificate_chain, "").unwrap()),
        ("is not the key of the certificate", &|| {
            world.certify(&page);
            let other = world.authority.certify(&world.dir.path().join("other"), &page);
            std::fs::copy(other.private_key, world.files().private_key).unwrap();
        }),
    ];
    for (said, change) in refused {
        change();
        let refused = tls.reload().unwrap_err().to_string();
        assert!(refused.contains(said), "{said}: {refused}");
        assert!(tls.validity().is_valid());
    }
    // Where the certificate leads is the client's to judge. One host is enough, also by a wildcard.
    let taken: &[&dyn Fn()] = &[
        &|| drop(Authority::new().certify(&world.folder(), &page)),
        &|| drop(world.authority.intermediate().certify(&world.folder(), &page)),
        &|| world.certify(&Leaf { usages: &[Usage::ServerAuth], ..page }),
        &|| world.certify(&Leaf { hosts: &["page.example.org"], ..page }),
        &|| world.certify(&Leaf { hosts: &["*.example.org"], ..page }),
    ];
    for (row, change) in taken.iter().enumerate() {
        change();
        assert!(tls.reload().unwrap(), "{row}");
        assert!(tls.validity().is_valid(), "{row}");
    }
}

#[tokio::test]
async fn a_start_before_strangers_says_what_is_wrong() {
    let ended = Public::new(&Leaf { valid: (VALID_FROM, now_seconds() - 1), ..Leaf::new(SERVER) }).await;
    assert_eq!(ended.tls.validity().to_string(), "ended 0 d 0 h ago");
    let for_clients = Public::new(&Leaf { usages: &[Usage::ClientAuth], ..Leaf::new(SERVER) }).await;
    assert!(for_clients.tls.validity().to_string().starts_with("is not for servers"));
    assert!(!for_clients.tls.validity().is_valid());
}
