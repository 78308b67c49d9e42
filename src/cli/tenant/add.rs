//! `oort tenant add`: a new tenant's file.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::Args;

use crate::cli::context::{check_claims, environment_names, not_found};
use crate::cli::tenant::ask::Dialogue;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::onboard::tenant_file::{self, NewRoute, NewTenant, subdomain};
use crate::deploy::profile;
use crate::deploy::source::{Source, read_environment};
use crate::model::name::{IntegrationId, OktaSubdomain, TenantId};

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

impl Add {
    pub fn run(self, global: &Global) -> Outcome {
        let environments = environment_names(global)?;
        let (environment, tenant) = if self.is_complete() {
            self.given()?
        } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
            let mut dialogue = Dialogue {
                input: &mut io::stdin().lock(),
                output: &mut io::stderr().lock(),
            };
            self.asked(&environments, &mut dialogue)?
        } else {
            return Err(self.missing());
        };
        let path = add(global, &environment, &tenant)?;
        let id = &tenant.id;
        output::line(format!("wrote {path}"));
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

    /// What the flags say.
    fn given(self) -> Result<(String, NewTenant), Failure> {
        // Without input nothing can be asked, and nothing needs to be.
        let mut dialogue = Dialogue {
            input: &mut io::empty(),
            output: &mut io::sink(),
        };
        self.asked(&[], &mut dialogue)
    }

    /// What the flags say, and for the rest what a person answers. A wrong flag is no question.
    fn asked(self, environments: &[String], dialogue: &mut Dialogue<'_>) -> Result<(String, NewTenant), Failure> {
        let id = |text: &str| TenantId::parse(text).map_err(|error| error.to_string());
        let integration = |text: &str| IntegrationId::parse(text).map_err(|error| error.to_string());
        let is_interactive = !self.is_complete();
        let known = environments.join(", ");
        let environment = |text: &str| {
            if environments.is_empty() || environments.iter().any(|name| name == text) {
                Ok(text.to_owned())
            } else {
                Err(format!("there is no such environment; there is {known}"))
            }
        };
        let environment = value(
            self.environment,
            &format!("Environment ({known})"),
            environment,
            dialogue,
        )?;
        let id: TenantId = value(self.tenant, "Tenant ID", id, dialogue)?;
        let subdomain: OktaSubdomain = value(self.subdomain, "Okta org (acme or acme.okta.com)", subdomain, dialogue)?;
        let integration_id = value(self.integration_id, "Integration ID", integration, dialogue)?;
        let mut routes = self.notify;
        if is_interactive && routes.is_empty() {
            let route = |text: &str| match text {
                "" => Ok(None),
                text => NewRoute::parse(text).map(Some),
            };
            let question = "Who is told of findings (name,severity,endpoint; nothing for nobody yet)";
            routes.extend(dialogue.ask(question, route).map_err(Failure::unavailable)?.flatten());
        }
        let tenant = NewTenant {
            id,
            group: self.group,
            subdomain,
            integration_id,
            routes,
            tags: self.tag.into_iter().collect::<BTreeMap<_, _>>(),
        };
        Ok((environment, tenant))
    }
}

fn value<T>(
    given: Option<String>,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    dialogue: &mut Dialogue<'_>,
) -> Result<T, Failure> {
    match given {
        Some(text) => parse(&text).map_err(Failure::input),
        None => dialogue
            .ask(question, parse)
            .map_err(Failure::unavailable)?
            .ok_or_else(|| Failure::input("the questions were not answered to the end; nothing was written")),
    }
}

/// Writes the file after all files of the environment are right together with it. Returns its path below the root.
fn add(global: &Global, environment: &str, tenant: &NewTenant) -> Result<String, Failure> {
    let mut sources = read_environment(&global.root, environment).map_err(not_found)?;
    let path = format!("environments/{environment}/tenants/{}.yaml", tenant.id);
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

    #[test]
    fn what_flags_leave_out_is_asked_for() {
        let add = Add {
            tenant: Some("acme".to_owned()),
            ..nothing()
        };
        let mut output = Vec::new();
        let mut dialogue = Dialogue {
            input: &mut "nowhere\nstaging\nhttps://acme-admin.okta.com/x\na/b\na-b\nsoc\nsoc,high,soc@acme.example\n"
                .as_bytes(),
            output: &mut output,
        };
        let environments = ["production".to_owned(), "staging".to_owned()];
        let Ok((environment, tenant)) = add.asked(&environments, &mut dialogue) else {
            panic!()
        };
        assert_eq!((environment.as_str(), tenant.subdomain.as_str()), ("staging", "acme"));
        assert_eq!(
            (tenant.integration_id.as_str(), tenant.routes[0].name.as_str()),
            ("a-b", "soc")
        );
        insta::assert_snapshot!(String::from_utf8(output).unwrap().replace(": ", ":\n"), @r#"
        Environment (production, staging):
          there is no such environment; there is production, staging
        Environment (production, staging):
        Okta org (acme or acme.okta.com):
        Integration ID:
          "a/b" is no integration ID:
        1 to 75 letters, digits, dots, hyphens and underscores
        Integration ID:
        Who is told of findings (name,severity,endpoint; nothing for nobody yet):
          write name,severity,endpoint, as in soc,high,soc@acme.example
        Who is told of findings (name,severity,endpoint; nothing for nobody yet):
        "#);
    }

    #[test]
    fn an_unanswered_question_writes_nothing() {
        let mut dialogue = Dialogue {
            input: &mut "staging\n".as_bytes(),
            output: &mut Vec::new(),
        };
        let Err(failure) = nothing().asked(&["staging".to_owned()], &mut dialogue) else {
            panic!()
        };
        assert!(failure.error.to_string().contains("nothing was written"));
    }
}
