//! Questions to a person at a terminal.

use std::io::{self, BufRead, Write};

/// Where questions are asked and answers come from.
pub struct Dialogue<'d> {
    pub input: &'d mut dyn BufRead,
    pub output: &'d mut dyn Write,
}

impl Dialogue<'_> {
    /// Asks until `parse` takes the answer; `None` when there is no more input.
    pub fn ask<T>(&mut self, question: &str, parse: impl Fn(&str) -> Result<T, String>) -> io::Result<Option<T>> {
        loop {
            write!(self.output, "{question}: ")?;
            self.output.flush()?;
            let mut answer = String::new();
            if self.input.read_line(&mut answer)? == 0 {
                return Ok(None);
            }
            match parse(answer.trim()) {
                Ok(value) => return Ok(Some(value)),
                Err(why) => self.tell(&why)?,
            }
        }
    }

    /// Tells something about the answer before.
    pub fn tell(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.output, "  {what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_answer_is_told_why_and_asked_again() {
        let mut input = "x\n 7 \n".as_bytes();
        let mut output = Vec::new();
        let mut dialogue = Dialogue {
            input: &mut input,
            output: &mut output,
        };
        let number = |text: &str| text.parse::<u8>().map_err(|error| error.to_string());
        assert_eq!(dialogue.ask("How many", number).unwrap(), Some(7));
        assert_eq!(dialogue.ask("How many", number).unwrap(), None);
        insta::assert_snapshot!(String::from_utf8(output).unwrap(), @"
        How many:   invalid digit found in string
        How many: How many:
        ");
    }
}
