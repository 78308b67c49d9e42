//! That data is encrypted where it rests and on its way, and shown to nobody.

use crate::deploy::check::cursor::{Cursor, Resource};
use crate::deploy::check::policy::Statement;
use crate::deploy::check::{Found, Rule, Severity, Template};
use crate::deploy::tree::Tree;

pub const RULES: &[Rule] = &[
    Rule {
        id: "encrypted-at-rest",
        severity: Severity::Error,
        demand: "Queues, topics, buckets, log groups, tables, streams and file systems are encrypted, and say so.",
        why: "They hold tenants' sign-ins and findings. A default that AWS could change is not what was reviewed.",
        help: "Set the property that the message names. What AWS always encrypts, such as event buses and archives, is not asked for.",
        admits: &[],
        find: at_rest,
    },
    Rule {
        id: "key-rotated",
        severity: Severity::Error,
        demand: "A symmetric key is rotated.",
        why: "A key that never changes makes every leak of it a leak of all data.",
        help: "Set EnableKeyRotation: true.",
        admits: &[],
        find: key_rotated,
    },
    Rule {
        id: "bucket-tls-only",
        severity: Severity::Error,
        demand: "A bucket refuses requests without TLS.",
        why: "S3 still answers plain HTTP, where events could be read on their way.",
        help: "Add a bucket policy that denies s3:* to * on the bucket and its objects, with Bool aws:SecureTransport: \"false\".",
        admits: &[],
        find: tls_only,
    },
    Rule {
        id: "bucket-private",
        severity: Severity::Error,
        demand: "A bucket blocks public access in all four ways.",
        why: "One policy or access list written by mistake would show the bucket to the internet.",
        help: "Set the four properties of PublicAccessBlockConfiguration to true.",
        admits: &[],
        find: private,
    },
];

/// What a resource needs: its type, the property, what the property must be.
const AT_REST: &[(&str, &[&[&str]], Is, &str)] = &[
    (
        "AWS::SQS::Queue",
        &[&["SqsManagedSseEnabled"], &["KmsMasterKeyId"]],
        Is::Set,
        "SqsManagedSseEnabled: true or KmsMasterKeyId",
    ),
    ("AWS::SNS::Topic", &[&["KmsMasterKeyId"]], Is::Set, "KmsMasterKeyId"),
    (
        "AWS::S3::Bucket",
        &[&["BucketEncryption", "ServerSideEncryptionConfiguration"]],
        Is::BucketRules,
        "BucketEncryption with an SSEAlgorithm in each rule",
    ),
    ("AWS::Logs::LogGroup", &[&["KmsKeyId"]], Is::Set, "KmsKeyId"),
    (
        "AWS::DynamoDB::Table",
        &[&["SSESpecification", "SSEEnabled"]],
        Is::Set,
        "SSESpecification with SSEEnabled: true",
    ),
    (
        "AWS::Kinesis::Stream",
        &[&["StreamEncryption", "KeyId"]],
        Is::Set,
        "StreamEncryption with a KeyId",
    ),
    ("AWS::EFS::FileSystem", &[&["Encrypted"]], Is::Set, "Encrypted: true"),
];

#[derive(Clone, Copy)]
enum Is {
    /// Neither false nor empty.
    Set,
    /// Rules of a bucket, each with an algorithm.
    BucketRules,
}

impl Is {
    fn met(self, value: &Cursor<'_>) -> bool {
        match self {
            Self::Set => is_set(value.tree),
            Self::BucketRules => {
                let rules = value.many();
                let has_algorithm = |rule: &Cursor<'_>| {
                    rule.at(&["ServerSideEncryptionByDefault", "SSEAlgorithm"])
                        .is_some_and(|algorithm| is_set(algorithm.tree))
                };
                !rules.is_empty() && rules.iter().all(has_algorithm)
            }
        }
    }
}

fn is_set(value: &Tree) -> bool {
    match value {
        Tree::Null | Tree::Bool(false) => false,
        Tree::Text(text) => !text.is_empty() && text != "false",
        _ => true,
    }
}

fn is_true(value: Option<&Cursor<'_>>) -> bool {
    value.is_some_and(|value| value.text() == "true")
}

fn at_rest(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (kind, paths, is, needs) in AT_REST {
        for resource in template.of_type(kind) {
            let is_met = |path: &&[&str]| resource.property(path).is_some_and(|value| is.met(&value));
            if !paths.iter().any(is_met) {
                found.push(resource.lacks(paths[0], format!("needs {needs}")));
            }
        }
    }
    found
}

fn key_rotated(template: &Template<'_>) -> Vec<Found> {
    let is_symmetric = |key: &&Resource<'_>| {
        key.property(&["KeySpec"])
            .is_none_or(|spec| spec.text() == "SYMMETRIC_DEFAULT")
    };
    let keys = template.of_type("AWS::KMS::Key").filter(is_symmetric);
    keys.filter(|key| !is_true(key.property(&["EnableKeyRotation"]).as_ref()))
        .map(|key| key.lacks(&["EnableKeyRotation"], "the key is not rotated"))
        .collect()
}

fn tls_only(template: &Template<'_>) -> Vec<Found> {
    let refused: Vec<String> = template
        .statements
        .iter()
        .filter(|statement| {
            let effect = statement.at.get("Effect").map(|effect| effect.text());
            let is_everyone = |(_, principal): &(&str, Cursor<'_>)| principal.text() == "*";
            let condition = statement.at.at(&["Condition", "Bool", "aws:SecureTransport"]);
            effect.as_deref() == Some("Deny")
                && statement.acts_only_by(&["s3:*"])
                && statement.principals().iter().any(is_everyone)
                && condition.is_some_and(|value| value.text() == "false")
        })
        .flat_map(Statement::resources)
        .map(|resource| resource.text())
        .collect();
    let is_refused = |arn: &String| refused.contains(arn);
    template
        .of_type("AWS::S3::Bucket")
        .filter(|bucket| {
            let arn = format!("${{{}.Arn}}", bucket.id);
            !(is_refused(&arn) && is_refused(&format!("{arn}/*")))
        })
        .map(|bucket| bucket.at.found("no bucket policy refuses requests without TLS"))
        .collect()
}

fn private(template: &Template<'_>) -> Vec<Found> {
    const BLOCKS: [&str; 4] = [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ];
    let mut found = Vec::new();
    for bucket in template.of_type("AWS::S3::Bucket") {
        let path = |block| ["PublicAccessBlockConfiguration", block];
        let open = BLOCKS
            .iter()
            .find(|block| !is_true(bucket.property(&path(block)).as_ref()));
        found.extend(open.map(|block| bucket.lacks(&path(block), format!("{block} is not true"))));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::found;

    fn resource(kind: &str, properties: &str) -> String {
        format!("Resources: {{It: {{Type: {kind}, Properties: {{{properties}}}}}}}\n")
    }

    #[test]
    fn data_at_rest_is_encrypted() {
        for (kind, good, bad) in [
            (
                "AWS::SQS::Queue",
                "SqsManagedSseEnabled: true",
                "SqsManagedSseEnabled: false",
            ),
            ("AWS::SQS::Queue", "KmsMasterKeyId: !Ref Key", "KmsMasterKeyId: ''"),
            ("AWS::SNS::Topic", "KmsMasterKeyId: !Ref Key", "TopicName: a"),
            (
                "AWS::S3::Bucket",
                "BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: aws:kms}}]}",
                "BucketEncryption: {ServerSideEncryptionConfiguration: [{BucketKeyEnabled: true}]}",
            ),
            ("AWS::Logs::LogGroup", "KmsKeyId: !GetAtt Key.Arn", "RetentionInDays: 1"),
            (
                "AWS::DynamoDB::Table",
                "SSESpecification: {SSEEnabled: true}",
                "SSESpecification: {SSEEnabled: false}",
            ),
            (
                "AWS::Kinesis::Stream",
                "StreamEncryption: {KeyId: a}",
                "StreamEncryption: {EncryptionType: KMS}",
            ),
            ("AWS::EFS::FileSystem", "Encrypted: true", "Encrypted: \"false\""),
        ] {
            assert_eq!(
                found("encrypted-at-rest", &resource(kind, good)),
                [""; 0],
                "{kind} {good}"
            );
            assert_eq!(
                found("encrypted-at-rest", &resource(kind, bad)).len(),
                1,
                "{kind} {bad}"
            );
        }
        assert_eq!(
            found(
                "encrypted-at-rest",
                &resource("AWS::SQS::Queue", "SqsManagedSseEnabled: false")
            ),
            ["/Resources/It/Properties/SqsManagedSseEnabled: needs SqsManagedSseEnabled: true or KmsMasterKeyId"]
        );
        assert_eq!(
            found("encrypted-at-rest", "Resources: {It: {Type: AWS::SNS::Topic}}\n"),
            ["/Resources/It: needs KmsMasterKeyId"]
        );
    }

    #[test]
    fn symmetric_keys_are_rotated() {
        for (properties, count) in [
            ("EnableKeyRotation: true", 0),
            ("EnableKeyRotation: false", 1),
            ("Description: a", 1),
            ("KeySpec: RSA_2048", 0),
        ] {
            assert_eq!(
                found("key-rotated", &resource("AWS::KMS::Key", properties)).len(),
                count,
                "{properties}"
            );
        }
    }

    #[test]
    fn a_bucket_takes_tls_only() {
        let template = |statement: &str| {
            format!(
                "Resources: {{Bucket: {{Type: AWS::S3::Bucket}}, Policy: {{Type: AWS::S3::BucketPolicy, Properties: {{PolicyDocument: {{Statement: [{statement}]}}}}}}}}\n"
            )
        };
        let good = "{Effect: Deny, Principal: '*', Action: 's3:*', Resource: [!GetAtt Bucket.Arn, !Sub '${Bucket.Arn}/*'], Condition: {Bool: {aws:SecureTransport: 'false'}}}";
        assert_eq!(found("bucket-tls-only", &template(good)), [""; 0]);
        for (from, to) in [
            ("Deny", "Allow"),
            ("'*', Action", "{AWS: '123456789012'}, Action"),
            ("'s3:*'", "s3:GetObject"),
            ("!GetAtt Bucket.Arn, ", ""),
            (", !Sub '${Bucket.Arn}/*'", ""),
            ("'false'", "'true'"),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert_eq!(found("bucket-tls-only", &template(&bad)).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_bucket_blocks_public_access() {
        let blocks = "PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}";
        assert_eq!(found("bucket-private", &resource("AWS::S3::Bucket", blocks)), [""; 0]);
        assert_eq!(
            found(
                "bucket-private",
                &resource(
                    "AWS::S3::Bucket",
                    &blocks.replace("IgnorePublicAcls: true", "IgnorePublicAcls: false")
                )
            ),
            ["/Resources/It/Properties/PublicAccessBlockConfiguration/IgnorePublicAcls: IgnorePublicAcls is not true"]
        );
        assert_eq!(found("bucket-private", &resource("AWS::S3::Bucket", "")).len(), 1);
    }
}
