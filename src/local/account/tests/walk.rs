//! Random walks: whatever is asked in whatever order, the account stays in one piece.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

use super::*;
use crate::model::source::SourceState;

const STACKS: [&str; 3] = ["a", "b", "c"];

struct Walk {
    account: Account,
    chance: Pcg32,
    change_sets: Vec<String>,
    stack_ids: Vec<String>,
    /// Names that only one call has.
    asked: u32,
}

impl Walk {
    fn below(&mut self, bound: u32) -> u32 {
        self.chance.next_u32() % bound
    }

    fn pick(&mut self, from: &[String]) -> String {
        let index = self.below(u32::try_from(from.len()).unwrap().max(1)) as usize;
        from.get(index).cloned().unwrap_or_else(|| "nothing".to_owned())
    }

    fn template(&mut self, stack: &str) -> String {
        let visibility = self.below(3);
        let policy = if self.below(2) == 0 { "Retain" } else { "Delete" };
        let mut resources = vec![
            (
                "Queue",
                format!(
                    "{{Type: AWS::SQS::Queue, DeletionPolicy: {policy}, Properties: {{QueueName: {stack}-{}, DelaySeconds: {visibility}}}}}",
                    self.below(2)
                ),
            ),
            ("Plain", queue(visibility)),
        ];
        if self.below(2) == 0 {
            let source = format!("aws.partner/okta.com/{stack}/1");
            resources.push((
                "Bus",
                format!("{{Type: AWS::Events::EventBus, Properties: {{Name: {source}, EventSourceName: {source}}}}}"),
            ));
        }
        if stack != "a" && self.below(2) == 0 {
            resources.push((
                "User",
                "{Type: AWS::SNS::Topic, Properties: {DisplayName: {Fn::ImportValue: shared}}}".to_owned(),
            ));
        }
        let exports = [("Name", "{Value: {Ref: Queue}, Export: {Name: shared}}")];
        let exports = if stack == "a" && self.below(4) > 0 {
            &exports[..]
        } else {
            &[]
        };
        with_outputs(
            &resources
                .iter()
                .map(|(id, body)| (*id, body.as_str()))
                .collect::<Vec<_>>(),
            exports,
        )
    }

    async fn step(&mut self) {
        let account = self.account.clone();
        let stack = STACKS[self.below(3) as usize];
        self.asked += 1;
        let token = format!("t{}", self.below(self.asked));
        match self.below(12) {
            0..=3 => {
                let kind = if self.below(2) == 0 {
                    ChangeSetKind::Create
                } else {
                    ChangeSetKind::Update
                };
                let text = self.template(stack);
                let mut wanted = wanted(stack, &format!("c{}", self.asked), kind, &text);
                wanted.adopts = self.below(2) == 0;
                if let Ok(proposed) = account.propose(&wanted).await {
                    self.change_sets.push(proposed.change_set);
                    self.stack_ids.push(proposed.stack_id);
                }
            }
            4..=6 => {
                let recent = self.change_sets.len().saturating_sub(3);
                let id = self.pick(&self.change_sets.clone()[recent..]);
                let _ = account.execute(&id, &token).await;
            }
            7 => {
                let id = self.pick(&self.stack_ids.clone());
                let _ = account.delete(&id, &token, &[]).await;
            }
            8 => {
                let id = self.pick(&self.stack_ids.clone());
                let _ = account.continue_rollback(&id, &token, &[]).await;
            }
            9 => match self.below(3) {
                0 => account.fail(stack, "Plain", "no", 1),
                1 => account.fail_deletion(stack, "Plain", "no", 1),
                _ => account.stick(stack),
            },
            10 => {
                let id = self.pick(&self.change_sets.clone());
                let _ = account.drop_change_set(&id).await;
            }
            _ => {
                let text = self.template(stack);
                account.update_outside(stack, &text, &tags(&[]));
            }
        }
        sleep(Duration::from_secs(u64::from(self.below(40)))).await;
    }

    fn check(&self) {
        let state = self.account.now();
        let stacks: Vec<_> = state.stacks.values().collect();
        assert_eq!(state.at_work, stacks.iter().filter(|stack| stack.is_at_work()).count());
        let mut held: BTreeMap<(String, String), u64> = BTreeMap::new();
        for stack in &stacks {
            assert_eq!(stack.operation.is_some(), stack.is_at_work(), "{}", stack.status);
            assert_eq!(
                state.by_name.get(&stack.name) == Some(&stack.number),
                !stack.is_deleted()
            );
            for placed in stack.resources.values() {
                let key = (placed.resource_type.clone(), placed.physical_id.clone());
                assert_eq!(held.insert(key.clone(), stack.number), None, "{key:?} is in two stacks");
            }
            for name in stack.exports.keys() {
                assert_eq!(state.estate.exports[name].stack, stack.number);
            }
            if stack.is_deleted() {
                assert!(stack.resources.is_empty() && stack.exports.is_empty() && stack.imports.is_empty());
            }
        }
        for left in state.estate.leftovers() {
            assert_eq!(held.get(&left), None, "{left:?} is in a stack");
        }
        let mut once = state.executions.clone();
        once.sort_by(|one, other| one.change_set.cmp(&other.change_set));
        assert!(
            once.windows(2).all(|pair| pair[0].change_set != pair[1].change_set),
            "one ran twice"
        );
        let buses = state.estate.buses();
        for source in state.estate.sources.values() {
            assert_eq!(
                source.state == SourceState::Active,
                buses.contains(&source.name),
                "{source:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_account_stays_in_one_piece() {
    for seed in 0..60 {
        let account = account();
        for stack in STACKS {
            account.offer_source(&format!("aws.partner/okta.com/{stack}/1"), None);
        }
        account.faults(seed, 50);
        let mut walk = Walk {
            account,
            chance: Pcg32::seed_from_u64(seed),
            change_sets: Vec::new(),
            stack_ids: Vec::new(),
            asked: 0,
        };
        for _ in 0..120 {
            walk.step().await;
            walk.account.faults(0, 0);
            walk.check();
            walk.account.faults(seed + u64::from(walk.asked), 50);
        }
        walk.account.faults(0, 0);
        sleep(Duration::from_mins(10)).await;
        let state = walk.account.now();
        assert_eq!(state.at_work, 0, "seed {seed}: everything comes to rest");
    }
}
