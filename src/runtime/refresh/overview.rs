//! Who a user is, by their org: account, factors and devices.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::lake::objects::decode;
use crate::model::okta::User;
use crate::ports::okta::{Ask, Okta};
use crate::ports::{Error, Kind, Result, chain};

/// What an org says of a user.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Overview {
    pub user: User,
    /// As Okta writes them.
    #[cfg_attr(feature = "deploy", schemars(with = "Vec<serde_json::Value>"))]
    pub factors: Vec<Box<RawValue>>,
    /// As Okta writes them.
    #[cfg_attr(feature = "deploy", schemars(with = "Vec<serde_json::Value>"))]
    pub devices: Vec<Box<RawValue>>,
}

/// The user whom an ID, a login or an e-mail address names; `None` when the org knows none. [`Kind::Invalid`] when an e-mail
/// address is of several.
pub async fn resolve(okta: &dyn Okta, name: &str) -> Result<Option<User>> {
    match okta.ask(&Ask::User(name.to_owned()), None).await {
        Ok(page) => return page.items.first().map(|item| read(item)).transpose(),
        Err(error) if error.kind == Kind::NotFound => {}
        Err(error) => return Err(error),
    }
    if !name.contains('@') {
        return Ok(None);
    }
    let page = okta.ask(&Ask::UsersByEmail(name.to_owned()), None).await?;
    let users: Vec<User> = page.items.iter().map(|item| read(item)).collect::<Result<_>>()?;
    if users.len() > 1 {
        let logins: Vec<&str> = users.iter().map(|user| user.profile.login.as_str()).collect();
        let why = format!("the address is of several: {}; name one of them", logins.join(", "));
        return Err(Error::caused(Kind::Invalid, format!("look for the user {name}"), why));
    }
    Ok(users.into_iter().next())
}

/// A user's account, factors and devices; `None` when the org knows none of this name.
pub async fn account(okta: &dyn Okta, name: &str) -> Result<Option<Overview>> {
    match resolve(okta, name).await? {
        Some(user) => Ok(Some(of(okta, &user, &mut Vec::new()).await)),
        None => Ok(None),
    }
}

/// What cannot be asked is a problem that is told, and no failure.
pub async fn of(okta: &dyn Okta, user: &User, problems: &mut Vec<String>) -> Overview {
    let (factors, devices) = (Ask::Factors(user.id.clone()), Ask::UserDevices(user.id.clone()));
    let (factors, devices) = futures::join!(okta.ask(&factors, None), okta.ask(&devices, None));
    let mut items = |answer: Result<crate::ports::okta::Page>| match answer {
        Ok(page) => page.items,
        Err(error) => {
            problems.push(chain(&error));
            Vec::new()
        }
    };
    Overview {
        user: user.clone(),
        factors: items(factors),
        devices: items(devices),
    }
}

fn read(item: &RawValue) -> Result<User> {
    decode("a user of Okta's", item.get().as_bytes())
}
