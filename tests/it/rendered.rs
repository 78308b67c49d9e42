//! Rendered stacks with every reference replaced by what it will be in AWS: ARNs, names and URLs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

/// A stack's resources, by logical ID, with no intrinsic function left in them.
pub struct Stack {
    pub resources: BTreeMap<String, Value>,
}

/// The stacks of an environment, by the stem of their golden files.
pub fn read(environment: &str, account: &str, region: &str) -> BTreeMap<String, Stack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("snapshots")
        .join(environment);
    let mut templates = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let template: Value = serde_yaml::from_str(&text).unwrap();
        templates.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), template);
    }
    let place = Place {
        account,
        region,
        environment,
    };
    let foundation = &templates["foundation"];
    let exports = place.exports(foundation);
    let resolve = |template: &Value| {
        let resources = template["Resources"].as_object().unwrap();
        let resolver = Resolver {
            place: &place,
            resources,
            exports: &exports,
        };
        let resources = resources
            .iter()
            .map(|(id, resource)| (id.clone(), resolver.value(resource)));
        Stack {
            resources: resources.collect(),
        }
    };
    templates
        .iter()
        .map(|(name, template)| (name.clone(), resolve(template)))
        .collect()
}

struct Place<'a> {
    account: &'a str,
    region: &'a str,
    environment: &'a str,
}

impl Place<'_> {
    fn exports(&self, foundation: &Value) -> BTreeMap<String, Value> {
        let none = BTreeMap::new();
        let resolver = Resolver {
            place: self,
            resources: foundation["Resources"].as_object().unwrap(),
            exports: &none,
        };
        let outputs = foundation["Outputs"].as_object().unwrap().values();
        outputs
            .map(|output| {
                let name = output["Export"]["Name"].as_str().unwrap().to_owned();
                (name, resolver.value(&output["Value"]))
            })
            .collect()
    }
}

struct Resolver<'a> {
    place: &'a Place<'a>,
    resources: &'a Map<String, Value>,
    exports: &'a BTreeMap<String, Value>,
}

impl Resolver<'_> {
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => match map.iter().next() {
                Some((key, argument)) if map.len() == 1 => match key.as_str() {
                    "Ref" => json!(self.reference(argument.as_str().unwrap())),
                    "Fn::GetAtt" => json!(self.attribute(argument)),
                    "Fn::ImportValue" => self.exports[argument.as_str().unwrap()].clone(),
                    "Fn::Sub" => json!(self.substituted(argument)),
                    _ => json!({key: self.value(argument)}),
                },
                _ => map
                    .iter()
                    .map(|(key, value)| (key.clone(), self.value(value)))
                    .collect(),
            },
            plain => plain.clone(),
        }
    }

    fn substituted(&self, argument: &Value) -> String {
        let (mut text, values) = match argument {
            Value::Array(parts) => (parts[0].as_str().unwrap().to_owned(), self.value(&parts[1])),
            text => (text.as_str().unwrap().to_owned(), json!({})),
        };
        while let Some((before, rest)) = text.clone().split_once("${") {
            let (name, after) = rest.split_once('}').unwrap();
            let value = match (values.get(name), name.split_once('.')) {
                (Some(value), _) => value.as_str().unwrap().to_owned(),
                (None, Some((id, attribute))) => self.attribute(&json!([id, attribute])),
                (None, None) => self.reference(name),
            };
            text = format!("{before}{value}{after}");
        }
        text
    }

    fn reference(&self, id: &str) -> String {
        let Place { account, region, .. } = self.place;
        match id {
            "AWS::AccountId" => (*account).to_owned(),
            "AWS::Region" => (*region).to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            id => match self.resources[id]["Type"].as_str().unwrap() {
                "AWS::SNS::Topic" | "AWS::ECS::TaskDefinition" | "AWS::ECS::Cluster" => self.arn(id),
                "AWS::SQS::Queue" => format!("https://sqs.{region}.amazonaws.com/{account}/{}", self.name(id)),
                _ => self.name(id),
            },
        }
    }

    fn attribute(&self, argument: &Value) -> String {
        let (id, attribute) = (argument[0].as_str().unwrap(), argument[1].as_str().unwrap());
        match attribute {
            "Arn" => self.arn(id),
            "QueueName" | "TopicName" => self.name(id),
            other => panic!("what is {id}.{other}?"),
        }
    }

    /// The physical name, which every resource here has but a key.
    fn name(&self, id: &str) -> String {
        let properties = &self.resources[id]["Properties"];
        let names = [
            "Name",
            "QueueName",
            "TopicName",
            "RoleName",
            "BucketName",
            "ClusterName",
            "ArchiveName",
            "Family",
            "LogGroupName",
            "AlarmName",
        ];
        let found = names.iter().find_map(|name| properties.get(*name));
        let found = found.or_else(|| properties.pointer("/DatabaseInput/Name"));
        match found.map(|found| self.value(found)) {
            Some(Value::String(name)) => name,
            _ => format!("{}-{id}", self.place.environment),
        }
    }

    fn arn(&self, id: &str) -> String {
        let Place { account, region, .. } = self.place;
        let name = self.name(id);
        let here = |service: &str, rest: String| format!("arn:aws:{service}:{region}:{account}:{rest}");
        match self.resources[id]["Type"].as_str().unwrap() {
            "AWS::SQS::Queue" => here("sqs", name),
            "AWS::SNS::Topic" => here("sns", name),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:aws:iam::{account}:role/{name}"),
            "AWS::KMS::Key" => here("kms", format!("key/{name}")),
            "AWS::ECS::Cluster" => here("ecs", format!("cluster/{name}")),
            "AWS::ECS::TaskDefinition" => here("ecs", format!("task-definition/{name}:1")),
            "AWS::Logs::LogGroup" => here("logs", format!("log-group:{name}:*")),
            "AWS::Events::EventBus" => here("events", format!("event-bus/{name}")),
            "AWS::Events::Archive" => here("events", format!("archive/{name}")),
            "AWS::Events::Rule" => match self.resources[id]["Properties"].get("EventBusName") {
                Some(bus) => here("events", format!("rule/{}/{name}", self.value(bus).as_str().unwrap())),
                None => here("events", format!("rule/{name}")),
            },
            "AWS::Scheduler::Schedule" => here("scheduler", format!("schedule/oort-{}/{name}", self.place.environment)),
            other => panic!("what is the ARN of {other}?"),
        }
    }
}

impl Stack {
    pub fn of_type<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = (&'s String, &'s Value)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
    }
}
