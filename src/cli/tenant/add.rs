//! `oort tenant add`: a new tenant's file.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::Args;

use crate::cli::context::{check_claims, environment_names, not_found};
use crate::cli::tenant::ask::Dialogue;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::onboard::clash::Claims;
use crate::deploy::onboard::tenant_file::{self, NewRoute, NewTenant, subdomain};
use crate::deploy::problem::Problems;
use crate::deploy::profile;
use crate::deploy::source::{Source, read_environment, read_tenants};
use crate::model::name::{EventSourceName, IntegrationId, TenantId};

/// Write the file of a new tenant, once everything in it is right. What is not given is asked for at a terminal.
#[derive(Debug, Args)]
pub struct Add {
    /// The tenant's ID: lower-case letters, digits and hyphens.
    tenant: Option<String>,
    /// The environment, a folder under `environments/`.
    #[arg(long, short)]
    environment: Option<String>,
    /// The Okta org's subdomain, or any address of its pages: acme, or <https://acme-admin.okta.com>.
    #[arg(long)]
    subdomain: Option<String>,
    /// The ID of the Okta integration, as the address of its page shows it.
    #[arg(long)]
    integration_id: Option<String>,
    /// The group of tenants whose settings it shares.
    #[arg(long)]
    group: Option<String>,
    /// Who is told of findings, as name,severity,endpoint: soc,high,soc@acme.example. May be repeated.
    #[arg(long, value_name = "ROUTE", value_parser = NewRoute::parse)]
    notify: Vec<NewRoute>,
    /// A tag of the tenant's stack. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    tag: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What answers are held against while they are given: the files that are there.
#[derive(Debug, Default)]
struct Neighbours {
    /// Of the environment.
    groups: Vec<String>,
    /// Of all environments.
    tenants: Vec<Source>,
}

impl Neighbours {
    fn read(global: &Global, environment: &str) -> Result<Self, Failure> {
        let sources = read_environment(&global.root, environment).map_err(not_found)?;
        let mut tenants = sources.tenants;
        for name in environment_names(global)? {
            if name != environment {
                tenants.extend(read_tenants(&global.root, &name).map_err(not_found)?);
            }
        }
        Ok(Self {
            groups: sources.groups.iter().map(|group| group.stem().to_owned()).collect(),
            tenants,
        })
    }
}

impl Add {
    pub fn run(self, global: &Global) -> Outcome {
        let is_asked = !self.is_complete();
        let (environment, tenant) = if !is_asked {
            // Without input nothing can be asked, and nothing needs to be.
            let mut dialogue = Dialogue {
                input: &mut io::empty(),
                output: &mut io::sink(),
            };
            self.asked(&[], |_| Ok(Neighbours::default()), &mut dialogue)?
        } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
            let mut dialogue = Dialogue {
                input: &mut io::stdin().lock(),
                output: &mut io::stderr().lock(),
            };
            let read = |environment: &str| Neighbours::read(global, environment);
            self.asked(&environment_names(global)?, read, &mut dialogue)?
        } else {
            return Err(self.missing());
        };
        let path = add(global, &environment, &tenant).map_err(|failure| {
            if !is_asked {
                return failure;
            }
            failure.hint(format!(
                "nothing was written; the command with these answers is\n  {}",
                command(&environment, &tenant)
            ))
        })?;
        let id = &tenant.id;
        output::line(format!("wrote {path}: Okta subdomain {}", tenant.subdomain));
        output::line("next:");
        output::line(format!(
            "  oort render -e {environment} -t {id}   writes its stack under snapshots/, for review"
        ));
        output::line(format!(
            "  oort tenant guide -e {environment} -t {id}   is for its Okta admin"
        ));
        Ok(Exit::Done)
    }

    fn is_complete(&self) -> bool {
        self.tenant.is_some() && self.environment.is_some() && self.subdomain.is_some() && self.integration_id.is_some()
    }

    fn missing(&self) -> Failure {
        let flags = [
            ("the tenant's ID", self.tenant.is_none()),
            ("--environment", self.environment.is_none()),
            ("--subdomain", self.subdomain.is_none()),
            ("--integration-id", self.integration_id.is_none()),
        ];
        let missing: Vec<&str> = flags
            .iter()
            .filter(|(_, is_missing)| *is_missing)
            .map(|(name, _)| *name)
            .collect();
        Failure::input(format!("{} must be given", missing.join(", "))).hint("at a terminal they are asked for")
    }

    /// What the flags say, and for the rest what a person answers. A wrong flag is no question.
    fn asked(
        self,
        environments: &[String],
        neighbours: impl Fn(&str) -> Result<Neighbours, Failure>,
        dialogue: &mut Dialogue<'_>,
    ) -> Result<(String, NewTenant), Failure> {
        let is_asked = !self.is_complete();
        let known = environments.join(", ");
        let environment = |text: &str| match environments {
            [] => Ok(text.to_owned()),
            _ if environments.iter().any(|name| name == text) => Ok(text.to_owned()),
            _ => Err(format!("there is no environment `{text}`; there is {known}")),
        };
        let question = format!("Environment ({known})");
        let environment = value(self.environment, &question, environment, dialogue)?;
        let Neighbours { groups, tenants } = neighbours(&environment)?;
        let mut claims = Claims::default();
        claims.add(&tenants, &mut Problems::default());

        let id = |text: &str| {
            let id = TenantId::parse(text).map_err(|error| error.to_string())?;
            match tenants.iter().find(|source| source.path == path_of(&environment, &id)) {
                Some(source) => Err(format!("{} exists already", source.path)),
                None => Ok(id),
            }
        };
        let id = value(self.tenant, "Tenant ID", id, dialogue)?;
        let is_answered = self.subdomain.is_none();
        let subdomain = value(self.subdomain, "Okta org (acme or acme.okta.com)", subdomain, dialogue)?;
        if is_answered {
            dialogue
                .tell(&format!("its subdomain is {subdomain}"))
                .map_err(Failure::unavailable)?;
        }
        let integration = |text: &str| {
            let integration = IntegrationId::parse(text).map_err(|error| error.to_string())?;
            EventSourceName::of(&subdomain, &integration).map_err(|error| error.to_string())?;
            match claims.taken(subdomain.as_str(), integration.as_str()) {
                Some(why) => Err(why),
                None => Ok(integration),
            }
        };
        let integration_id = value(self.integration_id, "Integration ID", integration, dialogue)?;
        let (mut group, mut routes) = (self.group, self.notify);
        if is_asked && group.is_none() && !groups.is_empty() {
            group = ask_group(&groups, dialogue)?;
        }
        if is_asked && routes.is_empty() {
            routes.extend(ask_route(dialogue)?);
        }
        let mut tags = BTreeMap::new();
        for (key, value) in self.tag {
            if tags.insert(key.clone(), value).is_some() {
                return Err(Failure::input(format!("the tag `{key}` is given twice")));
            }
        }
        let tenant = NewTenant {
            id,
            group,
            subdomain,
            integration_id,
            routes,
            tags,
        };
        Ok((environment, tenant))
    }
}

/// What a flag says, or else a person.
fn value<T>(
    given: Option<String>,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    dialogue: &mut Dialogue<'_>,
) -> Result<T, Failure> {
    match given {
        Some(text) => parse(&text).map_err(Failure::input),
        None => answer(question, parse, dialogue),
    }
}

fn answer<T>(
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    dialogue: &mut Dialogue<'_>,
) -> Result<T, Failure> {
    let answer = dialogue.ask(question, parse).map_err(Failure::unavailable)?;
    answer.ok_or_else(|| Failure::input("the questions were not answered to the end; nothing was written"))
}

fn ask_group(groups: &[String], dialogue: &mut Dialogue<'_>) -> Result<Option<String>, Failure> {
    let known = groups.join(", ");
    let group = |text: &str| match text {
        "" => Ok(None),
        text if groups.iter().any(|group| group == text) => Ok(Some(text.to_owned())),
        text => Err(format!("there is no group `{text}`; there is {known}")),
    };
    answer(&format!("Group ({known}; nothing for none)"), group, dialogue)
}

fn ask_route(dialogue: &mut Dialogue<'_>) -> Result<Option<NewRoute>, Failure> {
    let route = |text: &str| match text {
        "" => Ok(None),
        text => NewRoute::parse(text).map(Some),
    };
    let question = "Who is told of findings (name,severity,endpoint; nothing for nobody yet)";
    answer(question, route, dialogue)
}

/// The command that says what was answered, so that no answer has to be given twice.
pub fn command(environment: &str, tenant: &NewTenant) -> String {
    let mut words: Vec<String> = ["oort", "tenant", "add", tenant.id.as_str()].map(str::to_owned).into();
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), quoted(value)]);
    flag("--environment", environment);
    flag("--subdomain", tenant.subdomain.as_str());
    flag("--integration-id", tenant.integration_id.as_str());
    if let Some(group) = &tenant.group {
        flag("--group", group);
    }
    for route in &tenant.routes {
        flag("--notify", &route.to_string());
    }
    for (key, value) in &tenant.tags {
        flag("--tag", &format!("{key}={value}"));
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=@,+".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn path_of(environment: &str, id: &TenantId) -> String {
    format!("environments/{environment}/tenants/{id}.yaml")
}

/// Writes the file after all files of the environment are right together with it. Returns its path below the root.
pub fn add(global: &Global, environment: &str, tenant: &NewTenant) -> Result<String, Failure> {
    let mut sources = read_environment(&global.root, environment).map_err(not_found)?;
    let path = path_of(environment, &tenant.id);
    if global.root.join(&path).exists() {
        return Err(Failure::input(format!("{path} exists already")).hint("edit it, or choose another ID"));
    }
    let text = tenant_file::text(tenant);
    sources.tenants.push(Source {
        path: path.clone(),
        text: text.clone(),
    });
    profile::validate(&sources).map_err(|problems| Failure::input(problems).hint("nothing was written"))?;
    check_claims(global, &sources)?;
    write_new(&global.root.join(&path), &text)
        .map_err(|error| Failure::unavailable(error).hint(format!("nothing was written; check that {path} can be")))?;
    Ok(path)
}

/// The whole file or none, and never over another.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().permissions(readable()).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(|_| ()).map_err(|error| error.error)
}

/// As any file of a repository: a temporary file would be its owner's alone.
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Add {
        Add {
            tenant: None,
            environment: None,
            subdomain: None,
            integration_id: None,
            group: None,
            notify: Vec::new(),
            tag: Vec::new(),
        }
    }

    fn there() -> Neighbours {
        let text = "tenant: other\nokta:\n  subdomain: acme\n  integration_id: taken\n";
        Neighbours {
            groups: vec!["busy".to_owned()],
            tenants: vec![Source {
                path: "environments/staging/tenants/other.yaml".to_owned(),
                text: text.to_owned(),
            }],
        }
    }

    /// The answers that were taken, and all that was written to the terminal, without the questions' last space.
    fn dialogue(add: Add, answers: &str) -> (Result<(String, NewTenant), Failure>, String) {
        let mut output = Vec::new();
        let mut dialogue = Dialogue {
            input: &mut answers.as_bytes(),
            output: &mut output,
        };
        let environments = ["production".to_owned(), "staging".to_owned()];
        let result = add.asked(&environments, |_| Ok(there()), &mut dialogue);
        (result, String::from_utf8(output).unwrap().replace(": ", ":\n"))
    }

    #[test]
    fn what_flags_leave_out_is_asked_for_until_it_is_right() {
        let answers = "nowhere\nstaging\nAcme\nother\nacme\nhttps://acme-admin.okta.com/x\na/b\ntaken\na-b\nidle\nbusy\n\
                       soc,high,nobody\nsoc,high,soc@acme.example\n";
        let (result, told) = dialogue(nothing(), answers);
        let Ok((environment, tenant)) = result else {
            panic!("{told}")
        };
        insta::assert_snapshot!(command(&environment, &tenant), @"oort tenant add acme --environment staging --subdomain acme --integration-id a-b --group busy --notify soc,high,soc@acme.example");
        insta::assert_snapshot!(told, @r#"
        Environment (production, staging):
          there is no environment `nowhere`; there is production, staging
        Environment (production, staging):
        Tenant ID:
          "Acme" is no tenant ID:
        2 to 24 lower-case letters, digits and single hyphens, starting with a letter; foundation and schedule are taken
        Tenant ID:
          environments/staging/tenants/other.yaml exists already
        Tenant ID:
        Okta org (acme or acme.okta.com):
          its subdomain is acme
        Integration ID:
          "a/b" is no integration ID:
        1 to 75 letters, digits, dots, hyphens and underscores
        Integration ID:
          Okta subdomain acme with integration ID taken belongs to environments/staging/tenants/other.yaml:4 already, and to one tenant only
        Integration ID:
        Group (busy; nothing for none):
          there is no group `idle`; there is busy
        Group (busy; nothing for none):
        Who is told of findings (name,severity,endpoint; nothing for nobody yet):
          "nobody" is no e-mail address, and no address that starts with https://
        Who is told of findings (name,severity,endpoint; nothing for nobody yet):
        "#);
    }

    #[test]
    fn a_flag_is_no_question_and_a_wrong_one_ends_the_dialogue() {
        let given = |tenant: &str| Add {
            tenant: Some(tenant.to_owned()),
            environment: Some("staging".to_owned()),
            ..nothing()
        };
        let (result, told) = dialogue(given("acme"), "beta\nb-1\n\n\n");
        let Ok((_, tenant)) = result else { panic!("{told}") };
        assert_eq!((tenant.group, tenant.routes), (None, Vec::new()));
        assert!(!told.contains("Environment") && !told.contains("Tenant ID"), "{told}");
        let (result, told) = dialogue(given("other"), "");
        assert!(result.is_err() && told.is_empty(), "{told}");
    }

    #[test]
    fn an_unanswered_question_writes_nothing() {
        let all = "staging\nacme\nacme\na-b\nbusy\nsoc,high,soc@acme.example\n";
        assert!(dialogue(nothing(), all).0.is_ok());
        for (last, _) in all.trim_end().match_indices('\n') {
            let Err(failure) = dialogue(nothing(), &all[..=last]).0 else {
                panic!("{}", &all[..=last])
            };
            assert!(failure.error.to_string().contains("nothing was written"));
        }
    }

    #[test]
    fn a_command_is_quoted_for_a_shell() {
        assert_eq!(quoted("soc,high,soc@acme.example"), "soc,high,soc@acme.example");
        assert_eq!(quoted("owner=it's us"), r"'owner=it'\''s us'");
    }
}
