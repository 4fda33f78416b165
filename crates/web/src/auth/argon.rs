//! argon2id in memory that is used again: taking 19 MiB from the system and giving them back costs more than a tenth of a hash.

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};

/// 19 MiB, two passes, one lane: the OWASP minimum.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of a new hash.
const OUTPUT: usize = 32;

/// What an unknown address is compared with, so that it takes as long as a known one. It is the hash of no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$aG9tZXN0cmV0Y2gtbm9ib2R5$mR2n1C7Z3G5u8wqv0bYkTz4Jx6sLhPf9EdAoVcXiQyU";

/// The memory of one hash at a time. Empty until it is first used.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    fn of(&mut self, params: &Params) -> &mut [Block] {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            // What would be copied and given back is wiped first.
            self.wipe();
            self.0.resize(blocks, Block::new());
        }
        &mut self.0[..blocks]
    }

    /// Leaves nothing of the last password behind.
    pub(super) fn wipe(&mut self) {
        self.0.fill(Block::new());
    }
}

/// What comparing gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    Right,
    /// Right, and kept under parameters that are too weak today.
    RightButOld,
    Wrong,
}

/// Compares with what is kept; with nothing kept, or under weaker parameters, a wrong one takes as long as with today's.
pub(super) fn compare(memory: &mut Memory, typed: &str, kept: Option<&str>) -> Result<Compared, String> {
    let unreadable = |error: String| format!("a kept password cannot be read: {error}");
    let parsed = PasswordHash::new(kept.unwrap_or(NOBODY)).map_err(|error| unreadable(error.to_string()))?;
    let (argon2, salt, output) = read(&parsed).map_err(unreadable)?;
    let mut out = [0; Output::MAX_LENGTH];
    let out = &mut out[..output.len()];
    fill(memory, &argon2, typed, &salt, out)?;
    // The comparison takes the same time wherever the two differ.
    let right = Output::new(out).map_err(|error| error.to_string())? == output && kept.is_some();
    match (right, is_current(&parsed)) {
        (true, true) => Ok(Compared::Right),
        (true, false) => Ok(Compared::RightButOld),
        (false, true) => Ok(Compared::Wrong),
        (false, false) => {
            even_out(memory, argon2.params(), typed)?;
            Ok(Compared::Wrong)
        }
    }
}

/// A new hash, as PHC text.
pub(super) fn hash(memory: &mut Memory, password: &str) -> Result<String, String> {
    let params = today()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt).map_err(|error| format!("no randomness from the system: {error}"))?;
    let salt = Salt::new(&salt).map_err(|error| error.to_string())?;
    let mut out = [0; OUTPUT];
    fill(memory, &argon2, password, &salt, &mut out)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(|error| error.to_string())?,
        salt: Some(salt),
        hash: Some(Output::new(&out).map_err(|error| error.to_string())?),
    };
    Ok(hash.to_string())
}

fn fill(memory: &mut Memory, argon2: &Argon2<'_>, password: &str, salt: &[u8], out: &mut [u8]) -> Result<(), String> {
    let blocks = memory.of(argon2.params());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, blocks).map_err(|error| error.to_string())
}

fn today() -> Result<Params, String> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).map_err(|error| error.to_string())
}

fn read(hash: &PasswordHash) -> Result<(Argon2<'static>, Salt, Output), String> {
    let algorithm: Algorithm = hash.algorithm.as_str().parse().map_err(|error: argon2::Error| error.to_string())?;
    let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from).map_err(|error| error.to_string())?;
    let params = Params::try_from(hash).map_err(|error| error.to_string())?;
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else { return Err("it has no salt or no hash".into()) };
    Ok((Argon2::new(algorithm, version, params), salt, output))
}

fn is_current(hash: &PasswordHash) -> bool {
    let at_least = |name, least| hash.params.get_decimal(name).is_some_and(|value| value >= least);
    hash.algorithm.as_str() == "argon2id" && at_least("m", MEMORY_KIB) && at_least("t", PASSES) && at_least("p", LANES)
}

/// Does the work that the older parameters saved: otherwise a quick refusal would tell that an account is there, and old.
fn even_out(memory: &mut Memory, old: &Params, typed: &str) -> Result<(), String> {
    let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
    let missing = work(MEMORY_KIB, PASSES).saturating_sub(work(old.m_cost(), old.t_cost()));
    let kib = u32::try_from(missing / u64::from(PASSES)).unwrap_or(MEMORY_KIB);
    if kib < Params::MIN_M_COST {
        return Ok(());
    }
    let params = Params::new(kib, PASSES, LANES, Some(OUTPUT)).map_err(|error| error.to_string())?;
    let mut nowhere = [0; OUTPUT];
    fill(memory, &Argon2::new(Algorithm::Argon2id, Version::V0x13, params), typed, b"homestretch-nobody", &mut nowhere)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    fn weak(m: u32, t: u32) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(m, t, 1, None).unwrap())
    }

    #[test]
    fn memory_used_again_gives_what_fresh_memory_gives() {
        let mut memory = Memory::default();
        let kept = hash(&mut memory, "four quiet garden chairs").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        // The library's own way agrees, both ways round, also after a hash that used less of the memory.
        let parsed = PasswordHash::new(&kept).unwrap();
        assert!(Argon2::default().verify_password(b"four quiet garden chairs", &parsed).is_ok());
        let small = weak(1024, 1).hash_password(b"four quiet garden chairs").unwrap().to_string();
        for _ in 0..2 {
            assert_eq!(compare(&mut memory, "four quiet garden chairs", Some(&small)), Ok(Compared::RightButOld));
            assert_eq!(compare(&mut memory, "four quiet garden chairs", Some(&kept)), Ok(Compared::Right));
            assert_eq!(compare(&mut memory, "four quiet garden chair", Some(&kept)), Ok(Compared::Wrong));
            assert_eq!(compare(&mut memory, "four quiet garden chair", Some(&small)), Ok(Compared::Wrong));
            assert_eq!(compare(&mut memory, "four quiet garden chairs", None), Ok(Compared::Wrong));
        }
        assert_ne!(hash(&mut memory, "four quiet garden chairs").unwrap(), kept, "a salt of its own each time");
    }

    #[test]
    fn wiped_memory_holds_nothing() {
        let mut memory = Memory::default();
        hash(&mut memory, "four quiet garden chairs").unwrap();
        assert_eq!(memory.0.len(), MEMORY_KIB as usize);
        assert!(memory.0.iter().any(|block| block.as_ref().iter().any(|word| *word != 0)));
        memory.wipe();
        assert!(memory.0.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[test]
    fn nobody_has_a_hash_that_costs_as_much() {
        let parsed = PasswordHash::new(NOBODY).unwrap();
        assert!(is_current(&parsed));
        assert_eq!(parsed.hash.unwrap().as_bytes().len(), OUTPUT);
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_and_not_a_wrong_password() {
        for bad in [
            "",
            "x",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        ] {
            assert!(compare(&mut Memory::default(), "four quiet garden chairs", Some(bad)).is_err(), "{bad}");
        }
    }
}
