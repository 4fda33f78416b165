//! How much of something each key has under way: requests or connections of a client address, exports of an account.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts by key. A key without a count takes no memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Counts<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Copy> Counts<K> {
    /// Counts one more of this key until what this returns is dropped; how many there are, this one among them.
    pub fn enter(&self, key: K) -> (Counted<K>, usize) {
        let mut counts = self.lock();
        let count = counts.entry(key).or_default();
        *count += 1;
        (Counted { counts: self.clone(), key }, *count)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is counted until this is dropped.
#[derive(Debug)]
pub struct Counted<K: Eq + Hash + Copy> {
    counts: Counts<K>,
    key: K,
}

impl<K: Eq + Hash + Copy> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
                // A crowd of many keys leaves no large table behind.
                if counts.capacity() > 4 * (counts.len() + 64) {
                    counts.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_while_it_is_there_and_forgotten_afterwards() {
        let counts = Counts::default();
        let (first, one) = counts.enter("a");
        let (second, two) = counts.enter("a");
        let (_other, of_other) = counts.enter("b");
        assert_eq!((one, two, of_other), (1, 2, 1));
        drop(first);
        assert_eq!(counts.enter("a").1, 2);
        drop(second);
        assert_eq!(counts.lock().len(), 1);
    }
}
