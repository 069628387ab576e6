use super::*;

#[derive(Debug, Deserialize)]
struct Config {
    listen: std::net::SocketAddr,
    data: ConfigPath,
    limits: Option<Limits>,
}

#[derive(Debug, Deserialize)]
struct Limits {
    connections_max: u32,
}

fn load_text(text: &str) -> Result<Loaded<Config>, String> {
    let dir = scratch::Directory::new();
    let path = dir.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    load(&path).map_err(|error| error.to_string().replace(&dir.path().display().to_string(), "DIR"))
}

const GOOD: &str = "listen = \"127.0.0.1:1\"\ndata = \"data\"\n";

#[test]
fn paths_are_relative_to_the_file() {
    let loaded = load_text(GOOD).unwrap();
    assert_eq!(loaded.resolve(&loaded.value.data), loaded.path().parent().unwrap().join("data"));
    assert_eq!(loaded.resolve(&ConfigPath::new("/var/x")), Path::new("/var/x"));
    assert_eq!(loaded.value.listen.port(), 1);
    assert!(loaded.value.limits.is_none());
    let limited = load_text(&format!("{GOOD}[limits]\nconnections_max = 7\n")).unwrap();
    assert_eq!(limited.value.limits.map(|limits| limits.connections_max), Some(7));
}

#[test]
fn refusals_name_the_key() {
    let rows = [
        ("spare = 1", "config DIR/node.toml: unknown key `spare`; remove it or correct its name"),
        (
            "[limits]\nconnections_max = 1\nconnection_max = 2",
            "config DIR/node.toml: unknown key `limits.connection_max`; remove it or correct its name",
        ),
        (
            "[limits]\nconnection_max = 2",
            "config DIR/node.toml: unknown key `limits.connection_max`; remove it or correct its name",
        ),
        ("[limits]\n", "config DIR/node.toml: key `limits`: missing field `connections_max`"),
        (
            "[limits]\nconnections_max = \"many\"",
            "config DIR/node.toml: key `limits.connections_max`: invalid type: string \"many\", expected u32",
        ),
    ];
    for (addition, expected) in rows {
        assert_eq!(load_text(&format!("{GOOD}{addition}\n")).unwrap_err(), expected);
    }
}

#[test]
fn what_is_no_toml_is_refused() {
    assert!(load_text("listen = ").unwrap_err().starts_with("config DIR/node.toml: "));
    assert!(load::<Config>(Path::new("/nonexistent.toml")).unwrap_err().to_string().contains("/nonexistent.toml"));
}

#[test]
fn a_cross_check_reads_like_the_others() {
    let loaded = load_text(GOOD).unwrap();
    let error = loaded.invalid("data", "is not a directory");
    assert!(error.to_string().ends_with("key `data`: is not a directory"), "{error}");
    assert_eq!(format!("{:?}", error.exit_code()), format!("{:?}", ExitCode::from(64)));
}
