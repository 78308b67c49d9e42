//! Names that lead elsewhere: of tenants, environments, routes, secrets, findings, and in addresses of the console.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::{TRAPS, assert_harmless};
use crate::console::doors::free_port;
use crate::world::World;

/// What leads out of a folder, or would in some reader's eyes.
const AWAY: [&str; 12] = [
    "..",
    ".",
    "",
    "../globex",
    "acme/../globex",
    "/etc",
    "a/b",
    r"..\globex",
    "..%2fglobex",
    "acme\0",
    "\u{ff0e}\u{ff0e}/globex",
    ".acme",
];

/// Every path below a folder.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            found.extend(below(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn a_tenant_or_environment_that_leads_elsewhere_is_refused_before_anything_is_written() {
    let world = World::new();
    let around = world.root().parent().unwrap().to_owned();
    let before = below(&around);
    let verbs: [&[&str]; 9] = [
        &["findings"],
        &["detect"],
        &["compact"],
        &["gaps"],
        &["activity", "--user", "ann"],
        &["erase", "--user", "ann"],
        &["tenant", "show"],
        &["tenant", "guide"],
        &["render"],
    ];
    // No argument of a process can hold a zero.
    for name in AWAY.iter().filter(|name| !name.contains('\0')) {
        for verb in verbs {
            for arguments in [
                ["--environment", "local", "--tenant", name],
                ["--environment", name, "--tenant", "acme"],
            ] {
                if verb == ["render"] && arguments[1] == "local" {
                    continue;
                }
                let arguments = if verb == ["render"] {
                    &arguments[..2]
                } else {
                    &arguments[..]
                };
                let output = world.run(&[verb, arguments].concat());
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(3), "{verb:?} {arguments:?}: {said}");
            }
        }
    }
    assert_eq!(below(&around), before);
}

#[test]
fn a_tenant_file_names_nothing_that_leads_elsewhere() {
    let world = World::new();
    let path = world.root().join("environments/local/tenants/acme.yaml");
    let file = std::fs::read_to_string(&path).unwrap();
    let route = |name: &str, secret: &str| {
        format!("notifications:\n  - {{name: {name}, protocol: slack, secret: {secret}, minimum_severity: low}}\n")
    };
    for name in AWAY.into_iter().chain(["*", "chat-??????", "${AWS::StackName}"]) {
        let quoted = Value::from(name).to_string();
        for (from, to) in [
            ("tenant: acme", format!("tenant: {quoted}")),
            ("subdomain: acme", format!("subdomain: {quoted}")),
            ("notifications:\n", route(&quoted, "chat-hook")),
            ("notifications:\n", route("chat", &quoted)),
        ] {
            assert!(file.contains(from));
            std::fs::write(&path, file.replacen(from, &to, 1)).unwrap();
            let output = world.run(&["findings", "--tenant", "acme"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{to}: {said}");
            assert!(said.contains("acme.yaml:"), "{to}: {said}");
        }
    }
    std::fs::write(&path, file.replacen("notifications:\n", &route("chat", "chat-hook"), 1)).unwrap();
    world.ok(&["findings", "--tenant", "acme"]);
}

#[test]
fn a_finding_and_a_user_are_looked_up_and_are_no_paths() {
    let world = World::new();
    world.send(&world.sample(300, 3));
    world.ok(&["detect", "--tenant", "acme"]);
    world.ok(&["compact", "--tenant", "acme"]);
    let globex = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
    assert!(!globex.as_array().unwrap().is_empty());
    for name in AWAY.iter().filter(|name| !name.is_empty() && !name.contains('\0')) {
        let output = world.run(&["findings", "show", name, "--tenant", "acme"]);
        assert_eq!(output.status.code(), Some(3), "{name}");
        let shown = world.ok(&["activity", "--user", name, "--tenant", "acme"]);
        assert_eq!(shown.trim(), "no activity in the table", "{name}");
    }
}

/// The status of an answer to a request that no client would send.
fn status(port: u16, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request).unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}"));
    status.parse().unwrap()
}

#[test]
fn an_address_of_the_console_leads_nowhere_else_and_its_log_has_a_line_for_each() {
    let world = World::new();
    let port = free_port();
    let mut child = world
        .command(&[
            "console",
            "--environment",
            "local",
            "--listen",
            &format!("127.0.0.1:{port}"),
        ])
        .env("OORT_LOG_FORMAT", "json")
        .current_dir(world.root())
        .args(["--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let host = format!("127.0.0.1:{port}");
    let get = |path: &str, more: &[u8]| {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").into_bytes();
        request.extend_from_slice(more);
        request.extend_from_slice(b"\r\n");
        status(port, &request)
    };
    assert_eq!(get("/tenants/acme/findings", b""), 200);
    for path in [
        "/../../etc/passwd",
        "/tenants/../tenants/acme/../../etc/passwd",
        "/tenants/..%2f..%2fglobex/findings",
        "/tenants/acme%2f..%2fglobex/findings",
        "/tenants/%2e%2e/findings",
        "/tenants/acme%00/findings",
        "/tenants/acme/findings/..%2f..%2f..%2fruns",
        "/tenants/acme/findings/%0d%0aset-cookie:%20a=b",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e%2fconsole.css",
        "/assets//etc/passwd",
        "/tenants/acme/rules/..%2f..%2fdetections",
        "/api/v1/tenants/..%2fglobex/findings",
        "/tenants/%1b%5d0;owned%07%e2%80%ae/findings",
        "/tenants/acme/findings/%0a%7b%22message%22:%22forged%22%7d",
    ] {
        let answered = get(path, b"");
        assert!(answered == 404 || answered == 400, "{path}: {answered}");
    }
    // Headers as no browser sends them.
    assert_eq!(get("/", b"user-agent: \xe2\x80\xae\xc2\x9b\r\n"), 200);
    assert_eq!(get("/", b"user-agent: \x1b[2J\r\n"), 400);
    assert_eq!(
        status(
            port,
            b"GET / HTTP/1.1\r\nhost: \x1b]0;owned\x07\r\nconnection: close\r\n\r\n"
        ),
        400
    );
    let traps = TRAPS
        .bytes()
        .fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
    // A user of whom nothing is known has a page that says so.
    assert_eq!(get(&format!("/tenants/acme/users/{traps}"), b""), 200);
    assert_eq!(get(&format!("/tenants/{traps}/users"), b""), 404);
    child.kill().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert_harmless("the console's log", &said);
    for line in said.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_ne!(record["message"], "forged");
    }
}
