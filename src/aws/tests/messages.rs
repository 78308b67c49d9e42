//! What a person reads when AWS does not do what it was asked.

use std::error::Error as _;
use std::fmt::Write as _;

use aws_credential_types::provider::error::CredentialsError;

use crate::aws::tests::requests::new_change_set;
use crate::aws::tests::script::{Answer, account, account_of, cbor, json, refusal, xml};
use crate::aws::tests::watch::results;
use crate::ports::Error;
use crate::ports::cloud::{
    Caller as _, EventSources as _, ProposeStacks as _, Quota, ReadStacks as _, Watch as _, WriteStacks as _,
};

const STACK: &str = "arn:aws:cloudformation:us-east-2:909617834444:stack/oort-staging-acme/aaaa";
const CHANGE_SET: &str = "arn:aws:cloudformation:us-east-2:909617834444:changeSet/oort-p1/bbbb";

/// As the command line prints it.
fn printed(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        writeln!(text, "  because: {error}").unwrap();
        cause = error.source();
    }
    text
}

async fn listing(answer: Answer) -> Error {
    account([answer]).0.stacks(None).await.unwrap_err()
}

async fn proposing(answer: Answer) -> Error {
    account([answer]).0.propose(&new_change_set()).await.unwrap_err()
}

async fn executing(answer: Answer) -> Error {
    account([answer]).0.execute(CHANGE_SET, "t").await.unwrap_err()
}

async fn deleting(answer: Answer) -> Error {
    account([answer]).0.delete(STACK, "t", &[]).await.unwrap_err()
}

async fn identifying(answer: Answer) -> Error {
    account([answer]).0.identity().await.unwrap_err()
}

async fn signing_in(error: fn() -> CredentialsError) -> Error {
    account_of(error).identity().await.unwrap_err()
}

fn signature(what: &str) -> Answer {
    refusal(403, "SignatureDoesNotMatch", what)
}

fn validation(message: &str) -> Answer {
    refusal(400, "ValidationError", message)
}

/// Where a network wants something else first.
fn web_page(status: u16) -> Answer {
    let page = b"<html><body>Sign in to the network</body></html>".to_vec();
    Answer::Http(status, "1234", "text/html", page)
}

async fn metering(answer: Answer) -> Error {
    let at = "2026-11-23T08:00:00Z".parse().unwrap();
    account([answer]).0.metrics(&[], at, at, None).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn every_failure_says_what_failed_and_why() {
    let groups = [
        ("Too fast", too_fast().await),
        ("Not allowed", not_allowed().await),
        ("Nobody signed in", nobody_signed_in().await),
        ("Not there", not_there().await),
        ("Somebody else was faster", somebody_was_faster().await),
        ("Not as it has to be", not_as_it_has_to_be().await),
        ("No answer", no_answer().await),
        ("An answer, but none that can be used", no_usable_answer().await),
    ];
    let mut text = String::new();
    for (title, errors) in groups {
        writeln!(text, "# {title}").unwrap();
        text.extend(errors.iter().map(printed));
    }
    for secret in ["AKIDEXAMPLE", "a-secret", "a-session-token"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    insta::assert_snapshot!(text);
}

async fn too_fast() -> Vec<Error> {
    vec![
        listing(refusal(400, "Throttling", "Rate exceeded")).await,
        account([json(
            400,
            r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#,
        )])
        .0
        .sources(None)
        .await
        .unwrap_err(),
        listing(refusal(503, "RequestLimitExceeded", "Request limit exceeded.")).await,
        listing(Answer::Http(429, "1234", "text/plain", Vec::new())).await,
    ]
}

async fn not_allowed() -> Vec<Error> {
    vec![
        proposing(refusal(
            403,
            "AccessDenied",
            "User: arn:aws:sts::909617834444:assumed-role/read/x is not authorized to perform: \
             cloudformation:CreateChangeSet on resource: oort-staging-acme because no identity-based policy allows it",
        ))
        .await,
        account([json(
            400,
            r#"{"__type": "AccessDeniedException", "Message": "not authorized to perform: events:ListEventBuses"}"#,
        )])
        .0
        .buses(None)
        .await
        .unwrap_err(),
        identifying(refusal(403, "ExpiredToken", "The security token included in the request is expired")).await,
        identifying(refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")).await,
        identifying(signature("Signature expired: 20261123T080000Z is now earlier than 20261123T081500Z")).await,
        identifying(signature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this \
             request should have been\n'POST\n/\n\nx-amz-security-token:a-session-token'",
        ))
        .await,
        identifying(web_page(403)).await,
        metering(results(&[("q0", "Forbidden", &[])], None)).await,
    ]
}

async fn nobody_signed_in() -> Vec<Error> {
    vec![
        signing_in(|| CredentialsError::not_loaded("no providers in chain provided credentials")).await,
        signing_in(|| CredentialsError::invalid_configuration("profile `acme` was not defined")).await,
        signing_in(|| CredentialsError::provider_error("the SSO token has expired and cannot be refreshed")).await,
        signing_in(|| CredentialsError::provider_error("exited with code 3. Stderr: the vault\nis locked\n")).await,
        signing_in(|| CredentialsError::provider_timed_out(std::time::Duration::from_secs(5))).await,
        signing_in(|| CredentialsError::provider_error("dispatch failure")).await,
    ]
}

async fn not_there() -> Vec<Error> {
    vec![
        account([validation("Stack with id oort-staging-acme does not exist")])
            .0
            .template("oort-staging-acme")
            .await
            .unwrap_err(),
        executing(refusal(404, "ChangeSetNotFound", "ChangeSet [oort-p1] does not exist")).await,
    ]
}

async fn somebody_was_faster() -> Vec<Error> {
    vec![
        executing(refusal(
            400,
            "InvalidChangeSetStatus",
            "ChangeSet [oort-p1] cannot be executed in its current execution status of [OBSOLETE]",
        ))
        .await,
        executing(refusal(400, "TokenAlreadyExistsException", "Token t is used already")).await,
        proposing(validation(
            "Stack:oort-staging-acme is in UPDATE_ROLLBACK_FAILED state and can not be updated.",
        ))
        .await,
        proposing(validation(
            "Stack:oort-staging-acme is in ROLLBACK_COMPLETE state and can not be updated.",
        ))
        .await,
        proposing(validation(
            "Stack [oort-staging-acme] already exists and cannot be created again with the changeSet [oort-p1].",
        ))
        .await,
        proposing(refusal(
            400,
            "AlreadyExistsException",
            "ChangeSet oort-p1 cannot be created due to a mismatch with existing attribute Template",
        ))
        .await,
        deleting(validation(
            "Stack [oort-staging-acme] cannot be deleted while in status UPDATE_IN_PROGRESS",
        ))
        .await,
    ]
}

async fn not_as_it_has_to_be() -> Vec<Error> {
    vec![
        proposing(validation(
            "Template format error: Unresolved resource dependencies [Buz] in the Resources block",
        ))
        .await,
        proposing(validation("S3 error: The specified key does not exist.")).await,
        proposing(refusal(
            400,
            "LimitExceededException",
            "Limit for stack has been exceeded",
        ))
        .await,
        proposing(refusal(
            400,
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
        ))
        .await,
        deleting(validation(
            "Stack [oort-staging-acme] cannot be deleted while TerminationProtection is enabled",
        ))
        .await,
    ]
}

async fn no_answer() -> Vec<Error> {
    vec![
        listing(Answer::Dropped).await,
        listing(Answer::NotConnected).await,
        listing(Answer::Silent).await,
        listing(refusal(500, "InternalFailure", "An internal error occurred")).await,
        listing(Answer::Http(
            502,
            "1234",
            "text/html",
            b"<html>bad gateway</html>".to_vec(),
        ))
        .await,
        listing(Answer::Http(503, "1234", "text/plain", Vec::new())).await,
    ]
}

async fn no_usable_answer() -> Vec<Error> {
    vec![
        listing(Answer::Http(
            200,
            "1234",
            "text/xml",
            b"<DescribeStacksResponse><DescribeStacksResult><Stacks><member>".to_vec(),
        ))
        .await,
        listing(web_page(200)).await,
        account([json(200, "{\"EventSources\": [")])
            .0
            .sources(None)
            .await
            .unwrap_err(),
        account([cbor(vec![0xff])]).0.alarms("oort-", None).await.unwrap_err(),
        metering(results(&[("q0", "InternalError", &[])], None)).await,
        proposing(xml("CreateChangeSet", "")).await,
        identifying(xml("GetCallerIdentity", "")).await,
        account([xml("GetTemplate", "")]).0.template(STACK).await.unwrap_err(),
        account([xml("DescribeAccountLimits", "")])
            .0
            .quota(Quota::Stacks)
            .await
            .unwrap_err(),
    ]
}
