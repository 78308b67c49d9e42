//! The whole runtime in one process on a virtual clock, with faults at every call to a port. Whatever the seed, no event is lost or
//! doubled, everything that the rules imply is found once and told once, and no tenant sees what is another's.

mod events;
mod judge;
mod life;
mod org;
mod process;
mod table;
mod tenant;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oort_streams::model::planted::{Mistake, plant};

use crate::emulator::setting;
use life::World;
use process::Weather;
use tenant::Tenant;

/// What one seed came to.
struct Told {
    broken: Vec<String>,
    story: Vec<String>,
    print: u64,
    faults: u64,
}

async fn live(weather: Weather) -> Told {
    let weather = Arc::new(weather);
    let world = Arc::new(World {
        weather: Arc::clone(&weather),
        warehouse: Arc::default(),
        rules: Arc::new(life::rules()),
    });
    let mut tenants = Vec::new();
    for (name, many) in [("acme", 45), ("birch", 15)] {
        let events = events::all(name, many, &weather.chance);
        let stored = |event: &events::Event| {
            let late = if weather.chance.one_in(10) {
                weather.chance.below(4 * 3_600)
            } else {
                1
            };
            let at = event.published + jiff::SignedDuration::from_secs(late.cast_signed());
            event.text.as_ref().map(|text| (at, text.clone()))
        };
        let tenant = Arc::new(Tenant {
            name,
            weather: Arc::clone(&weather),
            receive_limit: *weather.chance.of(&[5, 1_000]),
            kept: tenant::Kept::default(),
            log: Mutex::new(events.iter().filter_map(stored).collect()),
        });
        tenants.push((tenant, events));
    }
    let storm = async {
        tokio::time::sleep(Duration::from_hours(2)).await;
        weather.calm(false);
        tokio::time::sleep(Duration::from_hours(events::HOURS)).await;
        weather.calm(true);
    };
    let lives = tenants.iter().map(|(tenant, events)| world.live(tenant, events));
    futures::join!(storm, futures::future::join_all(lives));
    for (tenant, events) in &tenants {
        world.settle(tenant).await;
        judge::judge(&world, tenant, events).await;
    }
    Told {
        broken: weather.all_broken(),
        story: weather.story(),
        print: weather.print(),
        faults: weather.faults(),
    }
}

/// One seed.
fn simulate(seed: u64) -> Told {
    within(async { live(Weather::new(seed)).await })
}

/// On a clock of its own.
fn within(life: impl Future<Output = Told>) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, life)
}

/// The seeds from `first` on, on all cores; the first that breaks a promise is told with what replays it.
fn hold(first: u64, many: u64) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let failed = &Mutex::new(Vec::new());
    let faults = std::thread::scope(|scope| {
        let part = |core: u64| {
            scope.spawn(move || {
                let mut faults = 0;
                for seed in (first..first + many).filter(|seed| seed % cores == core) {
                    let told = simulate(seed);
                    faults += told.faults;
                    if !told.broken.is_empty() {
                        failed.lock().unwrap().push((seed, told.broken));
                    }
                }
                faults
            })
        };
        let parts: Vec<_> = (0..cores).map(part).collect();
        parts
            .into_iter()
            .map(|part| part.join().map_err(std::panic::resume_unwind).unwrap())
            .sum()
    });
    let mut failed = std::mem::take(&mut *failed.lock().unwrap());
    failed.sort();
    let told = failed.iter().map(|(seed, broken)| {
        format!(
            "seed {seed} breaks {} promises; replay it with\n  OORT_TEST_SEED={seed} cargo test --locked --test it -- simulator::one_seed --nocapture\n{}\n",
            broken.len(),
            broken.join("\n")
        )
    });
    assert!(
        failed.is_empty(),
        "{} of {many} seeds break promises\n{}",
        failed.len(),
        told.collect::<String>()
    );
    faults
}

/// `OORT_TEST_SEEDS` says how many; `OORT_TEST_SEED` the first.
#[test]
fn whatever_goes_wrong_nothing_is_lost_or_doubled_or_told_twice() {
    let number = |name: &str, usual: u64| setting(name).map_or(usual, |text| text.parse().unwrap());
    let (first, many) = (number("OORT_TEST_SEED", 1), number("OORT_TEST_SEEDS", 200));
    let began = std::time::Instant::now();
    let faults = hold(first, many);
    println!("{many} seeds with {faults} faults in {:.0?}", began.elapsed());
    assert!(faults > many * 5, "the weather is too fair: {faults} faults");
}

/// Replays `OORT_TEST_SEED` and tells its story.
#[test]
fn one_seed() {
    let seed = setting("OORT_TEST_SEED").map_or(1, |text| text.parse().unwrap());
    let told = simulate(seed);
    println!("{}", told.story.join("\n"));
    assert!(told.broken.is_empty(), "{}", told.broken.join("\n"));
}

#[test]
fn a_seed_tells_the_same_story_each_time() {
    for seed in 1..6 {
        let (first, second) = (simulate(seed), simulate(seed));
        let differs = first.story.iter().zip(&second.story).find(|(one, other)| one != other);
        assert!(
            differs.is_none() && first.print == second.print,
            "seed {seed}: {differs:?}"
        );
    }
}

/// The simulator would see it if the runtime did what it must not.
#[cfg(debug_assertions)]
#[test]
fn every_planted_mistake_is_caught() {
    for mistake in Mistake::ALL {
        // Of a lease nobody misses the fence but who stood still.
        let weather = if mistake == Mistake::LeaseWithoutFencing {
            Weather::freezing
        } else {
            Weather::new
        };
        plant(Some(mistake));
        let caught = (1..=100).find_map(|seed| {
            let told = within(async { live(weather(seed)).await });
            told.broken.into_iter().next().map(|broken| (seed, broken))
        });
        plant(None);
        match caught {
            Some((seed, broken)) => println!("{mistake:?}: caught by seed {seed}: {broken}"),
            None => panic!("{mistake:?} is not caught by any of 100 seeds"),
        }
    }
}
