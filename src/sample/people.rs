//! Who works in the sample org, where, and on what. Everything about a person follows from the seed and their number.
//!
//! Names and companies are made up; domains and AS numbers are those reserved for examples, addresses those for tests.

use super::dice::Dice;

/// A town that people sign in from.
pub struct Place {
    pub country: &'static str,
    pub state: &'static str,
    pub city: &'static str,
    pub postal: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    /// Hours ahead of UTC.
    pub ahead: i8,
    pub provider: &'static str,
    pub as_number: u32,
    pub domain: &'static str,
}

/// Homes of people; the last three only attackers use.
#[rustfmt::skip]
pub const PLACES: [Place; 11] = [
    place("United States", "Ohio", "Columbus", "43215", (39.9612, -82.9988), -5, ("Buckeye Example Cable", 64_496, "example.net")),
    place("United States", "California", "San José", "95113", (37.3382, -121.8863), -8, ("Pacific Example Fiber", 64_497, "example.net")),
    place("Brazil", "São Paulo", "São Paulo", "01310", (-23.5505, -46.6333), -3, ("Exemplo Telecom", 64_498, "example.org")),
    place("Germany", "Land Berlin", "Berlin", "10115", (52.0, 13.0), 1, ("Beispiel Netz GmbH", 64_499, "example.org")),
    place("Poland", "Małopolskie", "Kraków", "31-042", (50.0647, 19.945), 1, ("Przykład Internet", 64_500, "example.org")),
    place("India", "Karnataka", "Bengaluru", "560001", (12.9716, 77.5946), 5, ("Udaharan Broadband", 64_501, "example.net")),
    place("Japan", "Tōkyō", "Tokyo", "100-0001", (35.6762, 139.6503), 9, ("Rei Communications", 64_502, "example.net")),
    place("United Kingdom", "England", "Bristol", "BS1 4DJ", (51.4545, -2.5879), 0, ("Avon Example Broadband", 64_503, "example.org")),
    place("Netherlands", "North Holland", "Amsterdam", "1012", (52.374, 4.8897), 1, ("Voorbeeld Hosting", 64_504, "example.com")),
    place("Singapore", "", "Singapore", "048616", (1.2897, 103.8501), 8, ("Contoh Cloud", 64_505, "example.com")),
    place("Moldova", "Chişinău", "Chişinău", "2001", (47.0105, 28.8638), 2, ("Exemplu Transit", 64_506, "example.com")),
];
pub const HOMES: usize = 8;
pub const HOSTING: usize = 8;
pub const FAR_HOSTING: usize = 9;
pub const TRANSIT: usize = 10;

const fn place(
    country: &'static str,
    state: &'static str,
    city: &'static str,
    postal: &'static str,
    (latitude, longitude): (f64, f64),
    ahead: i8,
    (provider, as_number, domain): (&'static str, u32, &'static str),
) -> Place {
    Place {
        country,
        state,
        city,
        postal,
        latitude,
        longitude,
        ahead,
        provider,
        as_number,
        domain,
    }
}

/// What a request comes from.
pub struct Agent {
    pub browser: &'static str,
    pub os: &'static str,
    pub device: &'static str,
    pub raw: &'static str,
}

/// Browsers of people; the last two only attackers and programs use.
#[rustfmt::skip]
pub const AGENTS: [Agent; 7] = [
    Agent { browser: "CHROME", os: "Windows 11", device: "Computer", raw: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", },
    Agent { browser: "CHROME", os: "Mac OS 15 (Sequoia)", device: "Computer", raw: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", },
    Agent { browser: "SAFARI", os: "iOS", device: "Mobile", raw: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1", },
    Agent { browser: "FIREFOX", os: "Linux", device: "Computer", raw: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", },
    Agent { browser: "EDGE", os: "Windows 11", device: "Computer", raw: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", },
    Agent { browser: "UNKNOWN", os: "Unknown", device: "Unknown", raw: "okta-auth-java/2.0.9 java/21.0.2 Linux/6.8", },
    Agent { browser: "CHROME", os: "Linux", device: "Computer", raw: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/139.0.0.0 Safari/537.36", },
];
const BROWSERS: u32 = 5;
pub const PROGRAM: usize = 5;
pub const HEADLESS: usize = 6;

/// As written and as in a login.
#[rustfmt::skip]
const FIRST: [(&str, &str); 32] = [
    ("Zoë", "zoe"), ("José", "jose"), ("Anna", "anna"), ("Łukasz", "lukasz"), ("Mia", "mia"), ("Søren", "soren"),
    ("Priya", "priya"), ("Kenji", "kenji"), ("Ayşe", "ayse"), ("David", "david"), ("Chloé", "chloe"), ("Noor", "noor"),
    ("Ivan", "ivan"), ("Sofía", "sofia"), ("Björn", "bjorn"), ("Amara", "amara"), ("Ruth", "ruth"), ("Tomáš", "tomas"),
    ("Leila", "leila"), ("Grace", "grace"), ("Hiroshi", "hiroshi"), ("Marta", "marta"), ("Omar", "omar"), ("Ewa", "ewa"),
    ("Luís", "luis"), ("Ingrid", "ingrid"), ("Rahul", "rahul"), ("Nia", "nia"), ("Pavel", "pavel"), ("Yuki", "yuki"),
    ("Elif", "elif"), ("Sean", "sean"),
];
#[rustfmt::skip]
const LAST: [(&str, &str); 31] = [
    ("Müller", "mueller"), ("García", "garcia"), ("Wójcik", "wojcik"), ("Ferreira", "ferreira"), ("Østergård", "ostergard"), ("Sharma", "sharma"),
    ("佐藤", "sato"), ("Yılmaz", "yilmaz"), ("Cohen", "cohen"), ("Dubois", "dubois"), ("Haddad", "haddad"), ("Petrov", "petrov"),
    ("O'Neil", "oneil"), ("Lindström", "lindstrom"), ("Okafor", "okafor"), ("Smith", "smith"), ("Novák", "novak"), ("Karimi", "karimi"),
    ("Jones", "jones"), ("Tanaka", "tanaka"), ("Nowak", "nowak"), ("Farouk", "farouk"), ("Costa", "costa"), ("Berg", "berg"),
    ("Iyer", "iyer"), ("Mbeki", "mbeki"), ("Svoboda", "svoboda"), ("Ito", "ito"), ("Demir", "demir"), ("Walsh", "walsh"),
    ("王", "wang"),
];
const NAMES: u32 = 32 * 31;

/// One user of the org.
pub struct Person {
    pub id: String,
    pub login: String,
    pub name: String,
    pub home: usize,
    pub agent: usize,
    pub ip: String,
    pub device_id: String,
}

impl Person {
    pub fn new(seed: u64, number: u32) -> Self {
        let mut dice = Dice::new(seed, u64::from(number) | PERSON);
        let first = FIRST[(number % 32) as usize];
        // 1 + 7 * 32 shares no factor with 31, so that each of the first 992 people has a name of their own.
        let last = LAST[((number / 32 + (number % NAMES) * 7) % 31) as usize];
        let namesake = match number / NAMES {
            0 => String::new(),
            again => format!(".{}", again + 1),
        };
        Self {
            id: dice.id("00u", 17),
            login: format!("{}.{}{namesake}@example.com", first.1, last.1),
            name: format!("{} {}", first.0, last.0),
            home: dice.below(8) as usize,
            agent: dice.below(BROWSERS) as usize,
            ip: home_address(&mut dice),
            device_id: dice.id("guo", 17),
        }
    }
}

const PERSON: u64 = 1 << 62;

/// How many of `users` people are administrators; they have the lowest numbers.
pub fn administrators(users: u32) -> u32 {
    (users / 20).clamp(1, 40)
}

/// Mostly from the range for benchmarks of networks, now and then IPv6.
fn home_address(dice: &mut Dice) -> String {
    if dice.once_in(12) {
        return format!(
            "2001:db8:{:x}:{:x}::{:x}",
            dice.below(0xffff),
            dice.below(0xffff),
            1 + dice.below(0xfffe)
        );
    }
    format!("198.{}.{}.{}", 18 + dice.below(2), dice.below(256), 1 + dice.below(254))
}

/// An application that people open, or that calls by itself.
pub struct App {
    pub name: &'static str,
    pub id: &'static str,
}

pub const APPS: [App; 9] = [
    App {
        name: "Mail",
        id: "0oa1mailSrv0Sample697",
    },
    App {
        name: "Chat",
        id: "0oa2chatSrv0Sample697",
    },
    App {
        name: "Source Code",
        id: "0oa3codeSrv0Sample697",
    },
    App {
        name: "Payroll",
        id: "0oa4payrSrv0Sample697",
    },
    App {
        name: "Sales CRM",
        id: "0oa5saleSrv0Sample697",
    },
    App {
        name: "Intranet – Überblick",
        id: "0oa6intrSrv0Sample697",
    },
    App {
        name: "AWS IAM Identity Center",
        id: "0oa7awsiSrv0Sample697",
    },
    App {
        name: "Okta Dashboard",
        id: "0oa8dashSrv0Sample697",
    },
    App {
        name: "Okta Admin Console",
        id: "0oa9admnSrv0Sample697",
    },
];
pub const EVERYDAY_APPS: u32 = 8;
pub const CONSOLE: usize = 8;

/// Programs that fetch tokens for themselves.
pub const SERVICES: [App; 3] = [
    App {
        name: "warehouse-loader",
        id: "0oaAloadSrv0Sample697",
    },
    App {
        name: "hr-sync",
        id: "0oaBsyncSrv0Sample697",
    },
    App {
        name: "ci-runner",
        id: "0oaCrunnSrv0Sample697",
    },
];

pub const GROUPS: [&str; 6] = [
    "Everyone",
    "Engineering",
    "Finanzen & Steuern",
    "Contractors",
    "Sales EMEA",
    "VPN Users",
];
