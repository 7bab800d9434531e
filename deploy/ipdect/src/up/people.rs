//! Who uses the portables: numbers, identities, access codes.

use ipdect_dect::identity::Ipei;
use ipdect_dect::security::AccessCode;
use ipdect_node::{Random, StartError};
use ipdect_portable::{Config, Memory};

use crate::host::Setup;
use crate::host::memory::Shelf;
use crate::host::sound::Speech;

/// Maker code of our portables.
const EMC: u16 = 65_535;
/// Number of the first user, less one.
const BEFORE_FIRST: u32 = 1000;
/// Portables stand this far from one another, in metres.
const STEP_M: f64 = 0.5;

/// One user and his portable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    pub(crate) number: String,
    pub(crate) ipei: Ipei,
    pub(crate) access_code: String,
    pub(crate) memory: Option<Memory>,
}

/// The first so many users, with numbers from 1001 on; codes are still to be drawn.
pub(crate) fn first(count: usize) -> Vec<Person> {
    let person = |n: u32| Person {
        number: (BEFORE_FIRST + n).to_string(),
        ipei: Ipei::new(EMC, n).expect("small serial numbers are valid"),
        access_code: String::new(),
        memory: None,
    };
    (1..=count as u32).map(person).collect()
}

/// Reads what the portables remember, and draws a code for each that has none. In a new system nothing that they
/// remember of a former one counts, but their codes do.
///
/// # Errors
/// [`StartError`] if a file cannot be read or understood.
pub(crate) fn recall(
    people: &mut [Person],
    shelf: &Shelf,
    new_system: bool,
    random: &Random,
) -> Result<(), StartError> {
    for person in people {
        let kept = shelf.read(person.ipei)?;
        person.memory = kept.subscription.filter(|_| !new_system);
        person.access_code = kept.access_code;
        if person.access_code.is_empty() {
            person.access_code = draw_code(random);
        }
    }
    Ok(())
}

/// Eight digits, as many as an access code has.
pub(crate) fn draw_code(random: &Random) -> String {
    format!("{:08}", random.number() % 100_000_000)
}

/// The portables of these people, in a row a metre from the base station.
///
/// # Errors
/// If a file holds a code that is none.
pub(crate) fn setups(people: &[Person], base_m: [f64; 3]) -> Result<Vec<Setup>, StartError> {
    let setup = |(n, person): (usize, &Person)| {
        let code: AccessCode = person
            .access_code
            .parse()
            .map_err(|error| StartError::Other {
                what: format!("the access code of {}: {error}", person.number),
                remedy: "remove the handset's file, or mend it".into(),
            })?;
        let mut config = Config::new(person.ipei, code);
        config.position_m = [base_m[0] + 1.0 + STEP_M * n as f64, base_m[1], base_m[2]];
        Ok(Setup {
            config,
            number: person.number.clone(),
            memory: person.memory.clone(),
            speech: Speech::Silence,
            hearing: None,
            answers: false,
            access_code: person.access_code.clone(),
        })
    };
    people.iter().enumerate().map(setup).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::Kept;

    #[test]
    fn the_first_users_have_the_identities_of_the_contract() {
        let people = first(2);
        let shown: Vec<_> = people
            .iter()
            .map(|p| (p.number.clone(), p.ipei.to_string()))
            .collect();
        assert_eq!(
            shown,
            [
                ("1001".to_owned(), "65535 0000001 3".to_owned()),
                ("1002".to_owned(), "65535 0000002 4".to_owned())
            ]
        );
    }

    #[test]
    fn a_code_is_drawn_once() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        let random = Random::seeded(1);
        let mut people = first(2);
        recall(&mut people, &shelf, true, &random).unwrap();
        assert_ne!(people[0].access_code, people[1].access_code);
        let code = people[0].access_code.clone();
        assert_eq!(code.len(), 8);
        let kept = Kept {
            access_code: code.clone(),
            ..Kept::default()
        };
        shelf.write(people[0].ipei, &kept).unwrap();
        let mut again = first(1);
        recall(&mut again, &shelf, false, &random).unwrap();
        assert_eq!(again[0].access_code, code);
    }
}
