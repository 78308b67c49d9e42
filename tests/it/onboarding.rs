//! A tenant's life from its first file to its last: added, listed, shown, guided, rendered, and not removed too early.

use std::collections::BTreeMap;

use oort_streams::deploy::onboard::guide;
use oort_streams::deploy::onboard::tenant_file::{self, NewRoute, NewTenant};
use oort_streams::deploy::source::Source;
use oort_streams::deploy::{profile, source};
use oort_streams::model::name::{IntegrationId, OktaSubdomain, TenantId};
use proptest::prelude::*;

use crate::world::World;

const ADD: [&str; 13] = [
    "tenant",
    "add",
    "hooli",
    "--environment",
    "local",
    "--subdomain",
    "https://hooli-admin.okta.com/admin",
    "--integration-id",
    "77aa-hooli",
    "--notify",
    "soc,high,soc@hooli.example",
    "--tag",
    "owner=platform team",
];

fn refused(world: &World, arguments: &[&str], code: i32) -> String {
    let output = world.run(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    told
}

#[test]
fn a_tenant_is_added_shown_guided_and_removed() {
    let world = World::new();
    world.ok(&["render"]);
    assert!(world.ok(&ADD).contains("Okta subdomain hooli\n"));
    let file = world.root().join("environments/local/tenants/hooli.yaml");
    insta::assert_snapshot!(std::fs::read_to_string(&file).unwrap(), @r#"
    # yaml-language-server: $schema=../../schema/tenant.json
    tenant: hooli

    okta:
      subdomain: hooli
      integration_id: "77aa-hooli"

    notifications:
      - name: soc
        protocol: email
        endpoint: "soc@hooli.example"
        minimum_severity: high

    tags:
      owner: "platform team"
    "#);
    assert!(world.ok(&["tenant", "list"]).contains("not rendered yet"));
    world.ok(&["render"]);
    let list = world.ok(&["tenant", "list"]);
    assert!(list.contains("hooli") && !list.contains("not rendered yet"), "{list}");
    let shown = world.ok(&["tenant", "show", "-e", "local", "-t", "hooli"]);
    for part in [
        "aws.partner/okta.com/hooli/77aa-hooli",
        "oort-local-hooli-dead-letters",
        "tags.owner",
        "retained",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let told = world.ok(&["tenant", "guide", "-e", "local", "-t", "hooli"]);
    assert!(
        told.contains("77aa-hooli") && told.contains("US East (Ohio), us-east-2"),
        "{told}"
    );
    world.ok(&["tenant", "remove", "-e", "local", "-t", "hooli"]);
    assert!(!file.exists() && !world.root().join("snapshots/local/hooli.yaml").exists());
    assert_eq!(world.ok(&["render", "--check"]), "");
}

#[test]
fn a_tenant_stays_while_anything_is_kept_of_it_and_comes_back_as_new() {
    let world = World::new();
    let remove = ["tenant", "remove", "-e", "local", "-t", "hooli"];
    let events = world.file("events", &world.sample(50, 1));
    let life = || {
        world.ok(&ADD);
        let send = |file: &str| world.json(&["local", "send", file, "--tenant", "hooli"]);
        send(&events);
        let detected = world.json(&["detect", "--tenant", "hooli"]);
        let compacted = world.json(&["compact", "--tenant", "hooli"]);
        send(&events);
        (detected, compacted)
    };
    let first = life();
    let told = refused(&world, &remove, 4);
    let findings = first.0["new_findings"].as_u64().unwrap();
    for kept in [
        "the deployed stack: ",
        "the queue with 50 messages, and 0 in its dead-letter queue: ",
        "1 segment of events: ",
        &format!("{findings} findings: "),
        "how far its runs are: ",
        &format!("the Activity table with {} rows: ", first.1["added"]),
    ] {
        assert!(told.contains(kept), "{kept}: {told}");
    }
    refused(&world, &[&remove[..], &["--confirm", "oort-local-hooli"]].concat(), 3);
    for (_, place) in told
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(": "))
    {
        let place = std::path::Path::new(place);
        if place.is_dir() {
            std::fs::remove_dir_all(place).unwrap();
        } else if place.exists() {
            // What the queue wrote last may be taken in by its file meanwhile.
            std::fs::remove_file(place).unwrap();
        }
    }
    world.ok(&remove);
    // Nothing of the first life stands in the way of the second.
    assert_eq!(life(), first);
}

#[test]
fn nothing_wrong_is_written() {
    let world = World::new();
    let before = world.ok(&["tenant", "list"]);
    let with = |position: usize, value: &'static str| {
        let mut arguments = ADD;
        arguments[position] = value;
        arguments
    };
    for (position, value, why) in [
        (2, "Hooli", "tenant ID"),
        (2, "acme", "exists already"),
        (4, "nowhere", "no environment `nowhere`"),
        (6, "login.hooli.com", "no address of an Okta org"),
        (8, "a/b", "integration ID"),
        (10, "soc,high,nobody", "is no e-mail address"),
        (10, "soc,urgent,soc@hooli.example", "is no severity"),
        (10, "soc", "name,severity,endpoint"),
        (12, "aws:owner=x", "are taken"),
        (12, "owner", "key=value"),
    ] {
        let told = refused(&world, &with(position, value), 3);
        assert!(told.contains(why), "{value}: {told}");
    }
    let told = refused(&world, &[&ADD[..], &["--tag", "owner=x"]].concat(), 3);
    assert!(told.contains("the tag `owner` is given twice"), "{told}");
    let told = refused(&world, &["tenant", "add", "hooli"], 3);
    assert!(
        told.contains("--environment, --subdomain, --integration-id must be given"),
        "{told}"
    );
    assert_eq!(world.ok(&["tenant", "list"]), before);
}

#[test]
fn an_event_source_belongs_to_one_tenant_of_all_environments() {
    let world = World::new();
    let local = world.root().join("environments/local");
    let second = world.root().join("environments/second");
    std::fs::create_dir_all(second.join("tenants")).unwrap();
    let profile = std::fs::read_to_string(local.join("profile.yaml")).unwrap();
    std::fs::write(
        second.join("profile.yaml"),
        profile.replace("environment: local", "environment: second"),
    )
    .unwrap();
    let clash = [
        "--environment",
        "second",
        "--subdomain",
        "acme",
        "--integration-id",
        "5f1d7a42-acme",
    ];
    let told = refused(&world, &[&["tenant", "add", "other"][..], &clash].concat(), 3);
    assert!(
        told.contains("belongs to environments/local/tenants/acme.yaml:6 already"),
        "{told}"
    );
    assert!(!second.join("tenants/other.yaml").exists());
    // A file that was written by hand is found as well.
    std::fs::copy(local.join("tenants/acme.yaml"), second.join("tenants/acme.yaml")).unwrap();
    for verb in ["render", "diff"] {
        let told = refused(&world, &[verb], 3);
        assert!(told.contains("and to one tenant only"), "{told}");
    }
}

#[test]
fn a_tenant_on_aws_is_removed_on_a_persons_word_only() {
    let world = World::new();
    world.edit_profile(|profile| *profile = profile.replace("target: embedded", "target: aws"));
    world.ok(&["render"]);
    let remove = ["tenant", "remove", "-e", "local", "-t", "acme"];
    let told = refused(&world, &remove, 4);
    for lost in [
        "AWS::SQS::Queue oort-local-acme-events",
        "AWS::Events::Archive",
        "acme_activity",
        "--confirm oort-local-acme",
    ] {
        assert!(told.contains(lost), "{lost}: {told}");
    }
    refused(&world, &[&remove[..], &["--confirm", "oort-local-globex"]].concat(), 4);
    let told = world.ok(&[&remove[..], &["--confirm", "oort-local-acme"]].concat());
    assert!(
        told.contains("removed environments/local/tenants/acme.yaml") && told.contains("removed snapshots/"),
        "{told}"
    );
}

fn staging_guide() -> guide::Guide {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = source::read_environment(root, "staging").unwrap();
    let environment = profile::validate(&sources).unwrap();
    guide::guide(&environment.profile, &environment.tenants[0])
}

#[test]
fn the_guide_has_this_tenants_values_as_text() {
    insta::assert_snapshot!(guide::text(&staging_guide()), @"
    Stream Okta's System Log to Oort: acme (staging)
    ================================================

    Before you start
    ----------------
    - Sign in to the right Okta org. Its subdomain is acme-preview: the address begins with acme-preview
      or acme-preview-admin, and goes on with okta.com, or with oktapreview.com for a preview org.
    - The org's Okta data integration is active in Oort, with a valid API token.
    - The Log Streaming module is part of the org's Okta contract: Reports has an entry Log Streaming.
    - The org has fewer than two log streams: Okta allows two.

    Who can do this: Okta's help asks for a super admin to add a log stream. Setups are known in which
    the Read-only Administrator role was enough. See what your own account may do before you begin: if
    Add Log Stream is missing or greyed out, ask a super admin.

    Agree on a time with your contact at Oort. Okta sends from the moment the stream is saved, and what
    it sends before the platform has accepted the stream is dropped for good.

    Add the log stream
    ------------------
    1. Open the Admin Console, then Reports > Log Streaming.
    2. Choose Add Log Stream, then AWS EventBridge, then Next.
    3. Fill in the fields below, exactly as they stand here.
    4. Save, and tell your contact at Oort at once.

       Name                   Oort staging
                              (Your choice, 1 to 100 characters; the only field that can be changed
                              later.)
       AWS Event Source Name  3f6c1d90-acme-staging
                              (The ID of your Okta integration, as the address of its page in Oort shows
                              it.)
       AWS account ID         909617834444
                              (The account of the Oort platform.)
       AWS region             US East (Ohio), us-east-2
                              (Where the platform listens.)

    A mistake in the last three cannot be corrected: deactivate and delete the stream, and add it anew.

    What the platform team does
    ---------------------------
    1. Before: renders and reviews the stack of tenant acme, ready to be deployed.
    2. Once the stream is saved: looks in account 909617834444, region us-east-2, under EventBridge >
       Partner event sources for aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging. It is there as
       PENDING. Until it is there, the stack cannot be deployed.
    3. Deploys the stack at once. Its event bus accepts the source, which becomes ACTIVE. A source that
       nobody accepts expires; AWS shows when.

    See that it works
    -----------------
    - In Okta, Reports > Log Streaming shows the stream as Active.
    - Sign out of the org and in again. The event user.session.start stands in Okta's System Log,
      reaches the platform's queue, and is looked at by the next run of the detections.

    Nobody has to report that it works: the platform sees the first event by itself.

    Later
    -----
    - When a delivery fails, Okta tries twice more at once and then deactivates the stream. It stays so
      until an admin activates it again under Reports > Log Streaming. Look for the event
      system.log_stream.lifecycle.deactivate in the System Log.
    - Okta repeats nothing that was missed. Tell your contact at Oort from when to when the stream was
      inactive, so that the gap can be filled from the System Log, which Okta keeps for 90 days.
    - To stop the stream, deactivate it and then delete it. The event source
      aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging goes with it.
    ");
}

#[test]
fn the_guide_has_this_tenants_values_as_markdown() {
    insta::assert_snapshot!(guide::markdown(&staging_guide()), @r#"
    # Stream Okta's System Log to Oort: acme (staging)

    ## Before you start

    - Sign in to the right Okta org. Its subdomain is acme-preview: the address begins with acme-preview or acme-preview-admin, and goes on with okta.com, or with oktapreview.com for a preview org.
    - The org's Okta data integration is active in Oort, with a valid API token.
    - The Log Streaming module is part of the org's Okta contract: Reports has an entry Log Streaming.
    - The org has fewer than two log streams: Okta allows two.

    Who can do this: Okta's help asks for a super admin to add a log stream. Setups are known in which the Read-only Administrator role was enough. See what your own account may do before you begin: if Add Log Stream is missing or greyed out, ask a super admin.

    Agree on a time with your contact at Oort. Okta sends from the moment the stream is saved, and what it sends before the platform has accepted the stream is dropped for good.

    ## Add the log stream

    1. Open the Admin Console, then Reports > Log Streaming.
    2. Choose Add Log Stream, then AWS EventBridge, then Next.
    3. Fill in the fields below, exactly as they stand here.
    4. Save, and tell your contact at Oort at once.

    | field | value | |
    | --- | --- | --- |
    | Name | `Oort staging` | Your choice, 1 to 100 characters; the only field that can be changed later. |
    | AWS Event Source Name | `3f6c1d90-acme-staging` | The ID of your Okta integration, as the address of its page in Oort shows it. |
    | AWS account ID | `909617834444` | The account of the Oort platform. |
    | AWS region | `US East (Ohio), us-east-2` | Where the platform listens. |

    A mistake in the last three cannot be corrected: deactivate and delete the stream, and add it anew.

    ## What the platform team does

    1. Before: renders and reviews the stack of tenant acme, ready to be deployed.
    2. Once the stream is saved: looks in account 909617834444, region us-east-2, under EventBridge > Partner event sources for aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging. It is there as PENDING. Until it is there, the stack cannot be deployed.
    3. Deploys the stack at once. Its event bus accepts the source, which becomes ACTIVE. A source that nobody accepts expires; AWS shows when.

    ## See that it works

    - In Okta, Reports > Log Streaming shows the stream as Active.
    - Sign out of the org and in again. The event user.session.start stands in Okta's System Log, reaches the platform's queue, and is looked at by the next run of the detections.

    Nobody has to report that it works: the platform sees the first event by itself.

    ## Later

    - When a delivery fails, Okta tries twice more at once and then deactivates the stream. It stays so until an admin activates it again under Reports > Log Streaming. Look for the event system.log\_stream.lifecycle.deactivate in the System Log.
    - Okta repeats nothing that was missed. Tell your contact at Oort from when to when the stream was inactive, so that the gap can be filled from the System Log, which Okta keeps for 90 days.
    - To stop the stream, deactivate it and then delete it. The event source aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging goes with it.
    "#);
}

#[test]
fn the_guide_has_this_tenants_values_as_a_page() {
    let page = guide::html(&staging_guide());
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    assert!(!page.contains("<script"));
    insta::assert_snapshot!(format!("{head}{body}"), @r#"
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Stream Okta&#39;s System Log to Oort: acme (staging)</title>

    </head>
    <body>
    <main>
    <h1>Stream Okta&#39;s System Log to Oort: acme (staging)</h1>
    <h2>Before you start</h2>
    <ul>
    <li>Sign in to the right Okta org. Its subdomain is acme-preview: the address begins with acme-preview or acme-preview-admin, and goes on with okta.com, or with oktapreview.com for a preview org.</li>
    <li>The org&#39;s Okta data integration is active in Oort, with a valid API token.</li>
    <li>The Log Streaming module is part of the org&#39;s Okta contract: Reports has an entry Log Streaming.</li>
    <li>The org has fewer than two log streams: Okta allows two.</li>
    </ul>
    <p>Who can do this: Okta&#39;s help asks for a super admin to add a log stream. Setups are known in which the Read-only Administrator role was enough. See what your own account may do before you begin: if Add Log Stream is missing or greyed out, ask a super admin.</p>
    <p>Agree on a time with your contact at Oort. Okta sends from the moment the stream is saved, and what it sends before the platform has accepted the stream is dropped for good.</p>
    <h2>Add the log stream</h2>
    <ol>
    <li>Open the Admin Console, then Reports &gt; Log Streaming.</li>
    <li>Choose Add Log Stream, then AWS EventBridge, then Next.</li>
    <li>Fill in the fields below, exactly as they stand here.</li>
    <li>Save, and tell your contact at Oort at once.</li>
    </ol>
    <table>
    <tr><th scope="row">Name</th><td><code>Oort staging</code><small>Your choice, 1 to 100 characters; the only field that can be changed later.</small></td></tr>
    <tr><th scope="row">AWS Event Source Name</th><td><code>3f6c1d90-acme-staging</code><small>The ID of your Okta integration, as the address of its page in Oort shows it.</small></td></tr>
    <tr><th scope="row">AWS account ID</th><td><code>909617834444</code><small>The account of the Oort platform.</small></td></tr>
    <tr><th scope="row">AWS region</th><td><code>US East (Ohio), us-east-2</code><small>Where the platform listens.</small></td></tr>
    </table>
    <p>A mistake in the last three cannot be corrected: deactivate and delete the stream, and add it anew.</p>
    <h2>What the platform team does</h2>
    <ol>
    <li>Before: renders and reviews the stack of tenant acme, ready to be deployed.</li>
    <li>Once the stream is saved: looks in account 909617834444, region us-east-2, under EventBridge &gt; Partner event sources for aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging. It is there as PENDING. Until it is there, the stack cannot be deployed.</li>
    <li>Deploys the stack at once. Its event bus accepts the source, which becomes ACTIVE. A source that nobody accepts expires; AWS shows when.</li>
    </ol>
    <h2>See that it works</h2>
    <ul>
    <li>In Okta, Reports &gt; Log Streaming shows the stream as Active.</li>
    <li>Sign out of the org and in again. The event user.session.start stands in Okta&#39;s System Log, reaches the platform&#39;s queue, and is looked at by the next run of the detections.</li>
    </ul>
    <p>Nobody has to report that it works: the platform sees the first event by itself.</p>
    <h2>Later</h2>
    <ul>
    <li>When a delivery fails, Okta tries twice more at once and then deactivates the stream. It stays so until an admin activates it again under Reports &gt; Log Streaming. Look for the event system.log_stream.lifecycle.deactivate in the System Log.</li>
    <li>Okta repeats nothing that was missed. Tell your contact at Oort from when to when the stream was inactive, so that the gap can be filled from the System Log, which Okta keeps for 90 days.</li>
    <li>To stop the stream, deactivate it and then delete it. The event source aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging goes with it.</li>
    </ul>
    </main>
    </body>
    </html>
    "#);
}

#[test]
fn the_guide_of_one_machine_says_that_it_is_not_for_okta() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in source::environments(root).unwrap() {
        let environment = profile::validate(&source::read_environment(root, &name).unwrap()).unwrap();
        let text = guide::text(&guide::guide(&environment.profile, &environment.tenants[0]));
        let is_aws = environment.profile.target == profile::Target::Aws;
        assert_eq!(text.contains("Okta streams to AWS only"), !is_aws, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_written_file_says_what_was_answered(
        id in "[a-z][a-z0-9]{1,8}(-[a-z0-9]{1,5}){0,2}",
        subdomain in "[a-z0-9]{1,12}",
        integration in "[.A-Za-z0-9_-]{1,30}",
        name in "[A-Za-z0-9]{1,12}",
        severity in prop::sample::select(vec!["informational", "low", "medium", "high", "critical"]),
        endpoint in prop_oneof!["[a-z0-9.,+]{1,9}@[a-z]{1,6}\\.example", "https://[a-z]{1,6}\\.example/[a-z?=,&#:]{0,12}"],
        tags in prop::collection::btree_map("[a-zA-Z0-9_.:/=+@ -]{1,20}", "[a-zA-Z0-9_.:/=+@ -]{0,20}", 0..3),
    ) {
        prop_assume!(TenantId::parse(&id).is_ok());
        prop_assume!(tags.keys().all(|key| !key.to_lowercase().starts_with("aws:") && !key.starts_with("oort:")));
        let tenant = NewTenant {
            id: TenantId::parse(&id).unwrap(),
            group: None,
            subdomain: OktaSubdomain::parse(&subdomain).unwrap(),
            integration_id: IntegrationId::parse(&integration).unwrap(),
            routes: vec![NewRoute { name, minimum_severity: severity.to_owned(), endpoint: endpoint.clone() }],
            tags: tags.clone(),
        };
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = source::read_environment(root, "local").unwrap();
        let text = tenant_file::text(&tenant);
        sources.tenants = vec![Source { path: format!("environments/local/tenants/{id}.yaml"), text: text.clone() }];
        let read = profile::validate(&sources);
        prop_assert!(read.is_ok(), "{}\n{}", text, read.unwrap_err());
        let read = read.unwrap().tenants.remove(0);
        prop_assert_eq!(read.id, tenant.id);
        prop_assert_eq!((read.subdomain, read.integration_id), (tenant.subdomain, tenant.integration_id));
        prop_assert_eq!(&read.notifications[0].endpoint, &endpoint);
        let own: BTreeMap<_, _> = read.tags.into_iter().filter(|(key, _)| key != "product" || tags.contains_key(key)).collect();
        prop_assert_eq!(own, tags);
    }
}
