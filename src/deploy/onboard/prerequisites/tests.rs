use super::*;
use crate::model::okta::NewLogStream;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn place() -> StreamSettings {
    StreamSettings {
        account_id: "909617834444".to_owned(),
        event_source_name: "5f1d".to_owned(),
        region: "us-east-2".to_owned(),
    }
}

fn stream(name: &str, settings: StreamSettings, status: &str) -> LogStream {
    let new = NewLogStream {
        kind: EVENTBRIDGE,
        name: name.to_owned(),
        settings,
    };
    LogStream {
        id: format!("0oa{name}"),
        kind: new.kind.to_owned(),
        name: new.name,
        status: status.to_owned(),
        settings: new.settings,
    }
}

fn source(state: SourceState) -> EventSource {
    EventSource {
        name: "aws.partner/okta.com/acme/5f1d".to_owned(),
        state,
        created: None,
        expires: Some(at("2026-12-01T00:00:00Z")),
    }
}

/// A tenant of whom all is well.
fn well() -> Seen {
    Seen {
        now: at("2026-11-24T09:00:00Z"),
        okta: Some((
            Org {
                address: "https://acme.okta.com".to_owned(),
                source: "aws.partner/okta.com/acme/5f1d".to_owned(),
                place: place(),
                sign_in: SignIn::Token,
                rate_limit_percent: 50,
                history_days: 90,
                reactivates: true,
            },
            OfOkta {
                org: Ok(Some(at("2026-11-24T09:00:02Z"))),
                who: Ok(Who::User {
                    login: "oort@acme.example".to_owned(),
                    roles: Ok(vec!["READ_ONLY_ADMIN".to_owned()]),
                }),
                log: Ok(()),
                streams: Ok(vec![
                    stream("Splunk", StreamSettings::default(), "ACTIVE"),
                    stream("Oort", place(), "ACTIVE"),
                ]),
            },
        )),
        aws: Some(Ok(OfAws {
            source: Some(source(SourceState::Active)),
            has_bus: true,
        })),
        last_event: Ok(Some(at("2026-11-24T08:58:00Z"))),
    }
}

fn refused<T>(because: Because) -> Answer<T> {
    Err(Refused {
        because,
        why: format!("ask Okta: {because:?}"),
    })
}

/// The prerequisites that do not hold, or of which that is not known, after a change to what is well.
fn after(change: impl FnOnce(&mut Seen)) -> Vec<(&'static str, Verdict)> {
    let mut seen = well();
    change(&mut seen);
    let lines = lines(&seen);
    assert!(
        lines
            .iter()
            .all(|line| line.verdict != Failed || !line.to_do.is_empty())
    );
    let bad = lines.into_iter().filter(|line| line.verdict != Passed);
    bad.map(|line| (line.id, line.verdict)).collect()
}

fn okta(seen: &mut Seen) -> &mut OfOkta {
    &mut seen.okta.as_mut().unwrap().1
}

#[test]
fn all_is_well() {
    assert_eq!(after(|_| ()), []);
    assert_eq!(lines(&well()).len(), 10);
}

#[test]
fn each_thing_that_is_missing_is_told_by_its_name() {
    let of_streams = |streams: Vec<LogStream>| after(|seen| okta(seen).streams = Ok(streams));
    assert_eq!(
        of_streams(vec![stream("Oort", place(), "INACTIVE")]),
        [("log-stream-active", Failed)]
    );
    let none = [("log-stream", Failed), ("log-stream-active", Unknown)];
    assert_eq!(of_streams(Vec::new()), none);
    let two = || {
        vec![
            stream("A", StreamSettings::default(), "ACTIVE"),
            stream("B", StreamSettings::default(), "ACTIVE"),
        ]
    };
    assert_eq!(of_streams(two()), [("fewer-than-two", Failed), none[0], none[1]]);
    assert_eq!(
        after(|seen| okta(seen).who = refused(Because::Denied)),
        [("token-valid", Failed)]
    );
    assert_eq!(
        after(|seen| okta(seen).who = Ok(Who::User {
            login: "x".to_owned(),
            roles: Ok(Vec::new())
        })),
        [("token-valid", Failed)]
    );
    assert_eq!(after(|seen| okta(seen).who = Ok(Who::Application)), []);
    assert_eq!(
        after(|seen| okta(seen).log = refused(Because::Denied)),
        [("data-integration", Failed)]
    );
    assert_eq!(
        after(|seen| okta(seen).streams = refused(Because::NotThere)),
        [
            ("log-streaming", Failed),
            ("fewer-than-two", Unknown),
            ("log-stream", Unknown),
            ("log-stream-active", Unknown)
        ]
    );
    assert_eq!(
        after(|seen| okta(seen).org = Ok(Some(at("2026-11-24T09:01:01Z")))),
        [("clock", Failed)]
    );
    for (source, has_bus) in [
        (None, false),
        (Some(source(SourceState::Pending)), false),
        (Some(source(SourceState::Active)), false),
        (Some(source(SourceState::Deleted)), true),
    ] {
        let found = after(|seen| seen.aws = Some(Ok(OfAws { source, has_bus })));
        assert_eq!(found, [("partner-source", Failed)]);
    }
    for last in [None, Some(at("2026-11-23T20:59:59Z"))] {
        assert_eq!(after(|seen| seen.last_event = Ok(last)), [("last-event", Failed)]);
    }
    assert_eq!(after(|seen| seen.okta = None), [("okta-api", Unknown)]);
    let down = after(|seen| {
        let okta = okta(seen);
        okta.org = refused(Because::NoAnswer);
        okta.log = refused(Because::NoAnswer);
        okta.who = refused(Because::NoAnswer);
        okta.streams = refused(Because::NoAnswer);
    });
    assert_eq!(down.iter().filter(|(_, verdict)| *verdict == Failed).count(), 1);
    assert_eq!(down[0], ("org-reachable", Failed));
}

#[test]
fn a_stream_with_a_slip_of_the_pen_is_named() {
    let slip = StreamSettings {
        region: "us-east-1".to_owned(),
        ..place()
    };
    let mut seen = well();
    okta(&mut seen).streams = Ok(vec![stream("Oort", slip, "ACTIVE")]);
    let line = lines(&seen).into_iter().find(|line| line.id == "log-stream").unwrap();
    assert_eq!(
        line.seen,
        "the log stream Oort has AWS region us-east-1 instead of us-east-2"
    );
}

#[test]
fn a_test_report_has_a_case_for_each() {
    let mut seen = well();
    okta(&mut seen).streams = Ok(vec![stream("Oort", place(), "INACTIVE")]);
    seen.aws = Some(refused(Because::Denied));
    let report = junit("acme", &lines(&seen));
    assert!(
        report.contains(r#"tests="10" failures="1" errors="0" skipped="1""#),
        "{report}"
    );
    assert!(
        report.contains(r#"<failure message="INACTIVE">oort tenant reactivate"#),
        "{report}"
    );
}
