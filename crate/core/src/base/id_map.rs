//! Maps and sets by id, ordered, and small in Wasm.
//!
//! Each instance of a generic B-tree is some five kilobytes of code. All maps here share one: a tree
//! from 32 bytes to the place of the entry in a list. What depends on the types is only the list.
//!
//! Methods named like those of [`BTreeMap`] and `BTreeSet` do what these do.
#![allow(missing_docs)]

use core::fmt;
use core::ops::{Index, RangeBounds};
use std::collections::BTreeMap;
use std::collections::btree_map::Values;

use crate::base::id::{AuthorId, CommitId, DocId, LinkId, LogId, PeerKey, PresenceId, RequestId, ShortId};

/// What a map or a set can be ordered by.
pub trait Key: Clone {
    /// As bytes, in the order of the keys, and different for different keys.
    fn bytes(&self) -> [u8; 32];
}

/// These in a row, and zeros behind them.
pub(crate) fn padded(parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut at = 0;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    bytes
}

macro_rules! key_of_bytes {
    ($($name:ident),*) => {
        $(impl Key for $name {
            fn bytes(&self) -> [u8; 32] {
                padded(&[&self.0])
            }
        })*
    };
}

macro_rules! key_of_number {
    ($($name:ident),*) => {
        $(impl Key for $name {
            fn bytes(&self) -> [u8; 32] {
                padded(&[&self.0.to_be_bytes()])
            }
        })*
    };
}

key_of_bytes!(AuthorId, CommitId, DocId, LogId, PeerKey, PresenceId, ShortId);
key_of_number!(LinkId, RequestId);

impl Key for [u8; 32] {
    fn bytes(&self) -> [u8; 32] {
        *self
    }
}

impl Key for u64 {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.to_be_bytes()])
    }
}

impl Key for usize {
    fn bytes(&self) -> [u8; 32] {
        (*self as u64).bytes()
    }
}

impl Key for (AuthorId, u64) {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.0.0, &self.1.to_be_bytes()])
    }
}

impl Key for (u64, ShortId) {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.0.to_be_bytes(), &self.1.0])
    }
}

impl Key for (u64, LinkId) {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.0.to_be_bytes(), &self.1.0.to_be_bytes()])
    }
}

/// Where each key's entry is in the list.
#[derive(Clone, Default)]
struct Places(BTreeMap<[u8; 32], u32>);

impl Places {
    #[inline(never)]
    fn get(&self, key: &[u8; 32]) -> Option<usize> {
        self.0.get(key).map(|place| *place as usize)
    }

    #[inline(never)]
    fn insert(&mut self, key: [u8; 32], place: usize) {
        self.0.insert(key, place as u32);
    }

    #[inline(never)]
    fn remove(&mut self, key: &[u8; 32]) -> Option<usize> {
        self.0.remove(key).map(|place| place as usize)
    }

    #[inline(never)]
    fn first(&self) -> Option<usize> {
        self.0.first_key_value().map(|(_, place)| *place as usize)
    }

    #[inline(never)]
    fn last(&self) -> Option<usize> {
        self.0.last_key_value().map(|(_, place)| *place as usize)
    }
}

/// A map in the order of its keys.
///
/// Entries are at most 2^32 in number.
#[derive(Clone)]
pub struct IdMap<K, V> {
    places: Places,
    /// In no order that means anything.
    entries: Vec<(K, V)>,
}

impl<K, V> Default for IdMap<K, V> {
    fn default() -> Self {
        Self { places: Places::default(), entries: Vec::new() }
    }
}

impl<K: Key, V> IdMap<K, V> {
    pub const fn new() -> Self {
        Self { places: Places(BTreeMap::new()), entries: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.places.get(&key.bytes()).is_some()
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.places.get(&key.bytes()).map(|place| &self.entries[place].1)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.places.get(&key.bytes()).map(|place| &mut self.entries[place].1)
    }

    /// The value that was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let bytes = key.bytes();
        if let Some(place) = self.places.get(&bytes) {
            return Some(core::mem::replace(&mut self.entries[place].1, value));
        }
        self.places.insert(bytes, self.entries.len());
        self.entries.push((key, value));
        None
    }

    /// The value of the key, made first where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let bytes = key.bytes();
        let place = self.places.get(&bytes).unwrap_or_else(|| {
            self.places.insert(bytes, self.entries.len());
            self.entries.push((key, make()));
            self.entries.len() - 1
        });
        &mut self.entries[place].1
    }

    /// The value of the key, made first where there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.remove_entry(key).map(|(_, value)| value)
    }

    pub fn remove_entry(&mut self, key: &K) -> Option<(K, V)> {
        let place = self.places.remove(&key.bytes())?;
        let entry = self.entries.swap_remove(place);
        if let Some((moved, _)) = self.entries.get(place) {
            self.places.insert(moved.bytes(), place);
        }
        // A list that was long once gives its memory back.
        if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.capacity() / 2);
        }
        Some(entry)
    }

    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.places.first().map(|place| self.at(place))
    }

    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.places.last().map(|place| self.at(place))
    }

    /// The entry of the last key.
    pub fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        let place = self.places.last()?;
        let (key, value) = &mut self.entries[place];
        Some((key, value))
    }

    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let key = self.first_key_value()?.0.clone();
        self.remove_entry(&key)
    }

    fn at(&self, place: usize) -> (&K, &V) {
        let (key, value) = &self.entries[place];
        (key, value)
    }

    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { places: self.places.0.values(), entries: &self.entries }
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.iter().map(|(_, value)| value)
    }

    /// The values in the order of their keys.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let range = (range.start_bound().map(Key::bytes), range.end_bound().map(Key::bytes));
        self.places.0.range(range).map(|(_, place)| self.at(*place as usize))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let mut entries: Vec<_> = self.entries.iter_mut().map(Some).collect();
        let entries = self.places.0.values().filter_map(move |place| entries[*place as usize].take());
        entries.map(|(key, value)| (&*key, value))
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// Keeps the entries for which this is true; asks in the order of the keys.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &mut V) -> bool) {
        let mut gone = Vec::new();
        for (key, value) in self.iter_mut() {
            if !is_kept(key, value) {
                gone.push(key.clone());
            }
        }
        for key in gone {
            self.remove(&key);
        }
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

/// The entries of a map in the order of their keys.
pub struct Iter<'a, K, V> {
    places: Values<'a, [u8; 32], u32>,
    entries: &'a [(K, V)],
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = &self.entries[*self.places.next()? as usize];
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) = &self.entries[*self.places.next_back()? as usize];
        Some((key, value))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<'a, K: Key, V> IntoIterator for &'a IdMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Key, V> Index<&K> for IdMap<K, V> {
    type Output = V;

    /// Panics where the key is not in the map.
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("a key that is in the map")
    }
}

impl<K: Key, V> IntoIterator for IdMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        let mut entries: Vec<_> = self.entries.into_iter().map(Some).collect();
        let ordered: Vec<_> =
            self.places.0.values().filter_map(|place| entries[*place as usize].take()).collect();
        ordered.into_iter()
    }
}

impl<K: Key, V> Extend<(K, V)> for IdMap<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, entries: T) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Key, V> FromIterator<(K, V)> for IdMap<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Key + fmt::Debug, V: fmt::Debug> fmt::Debug for IdMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Key + PartialEq, V: PartialEq> PartialEq for IdMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Key + Eq, V: Eq> Eq for IdMap<K, V> {}

/// A set in the order of its members.
#[derive(Clone)]
pub struct IdSet<K>(IdMap<K, ()>);

impl<K> Default for IdSet<K> {
    fn default() -> Self {
        Self(IdMap::default())
    }
}

impl<K: Key> IdSet<K> {
    pub const fn new() -> Self {
        Self(IdMap::new())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Whether it was not in the set before.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// Whether it was in the set.
    pub fn remove(&mut self, key: &K) -> bool {
        self.0.remove(key).is_some()
    }

    pub fn first(&self) -> Option<&K> {
        self.0.first_key_value().map(|(key, ())| key)
    }

    pub fn last(&self) -> Option<&K> {
        self.0.last_key_value().map(|(key, ())| key)
    }

    pub fn pop_first(&mut self) -> Option<K> {
        self.0.pop_first().map(|(key, ())| key)
    }

    pub fn pop_last(&mut self) -> Option<K> {
        let key = self.last()?.clone();
        self.remove(&key);
        Some(key)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.0.keys()
    }

    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = &K> {
        self.0.range(range).map(|(key, ())| key)
    }

    pub fn retain(&mut self, mut is_kept: impl FnMut(&K) -> bool) {
        self.0.retain(|key, ()| is_kept(key));
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|key| other.contains(key))
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Key> IntoIterator for IdSet<K> {
    type Item = K;
    type IntoIter = core::iter::Map<std::vec::IntoIter<(K, ())>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, ())| key)
    }
}

impl<'a, K: Key> IntoIterator for &'a IdSet<K> {
    type Item = &'a K;
    type IntoIter = core::iter::Map<Iter<'a, K, ()>, fn((&'a K, &'a ())) -> &'a K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, ())| key)
    }
}

impl<K: Key> Extend<K> for IdSet<K> {
    fn extend<T: IntoIterator<Item = K>>(&mut self, keys: T) {
        self.0.extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<'a, K: Key + 'a> Extend<&'a K> for IdSet<K> {
    fn extend<T: IntoIterator<Item = &'a K>>(&mut self, keys: T) {
        self.extend(keys.into_iter().cloned());
    }
}

impl<K: Key> FromIterator<K> for IdSet<K> {
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let mut set = Self::new();
        set.extend(keys);
        set
    }
}

impl<K: Key, const N: usize> From<[K; N]> for IdSet<K> {
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K: Key + fmt::Debug> fmt::Debug for IdSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<K: Key + PartialEq> PartialEq for IdSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Key + Eq> Eq for IdSet<K> {}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn a_map_does_what_an_ordered_map_does() {
        let mut rng = Rng::new([7; 32]);
        let mut map = IdMap::new();
        let mut model = BTreeMap::new();
        for step in 0..20_000_u64 {
            let key = (AuthorId([(rng.below(3)) as u8; 16]), rng.below(300));
            match rng.below(8) {
                0..3 => assert_eq!(map.insert(key, step), model.insert(key, step)),
                3..6 => assert_eq!(map.remove(&key), model.remove(&key)),
                6 => {
                    *map.get_or_default(key) += 1;
                    *model.entry(key).or_default() += 1;
                }
                _ if step % 50 == 0 => {
                    map.retain(|_, value| *value % 3 != 0);
                    model.retain(|_, value| *value % 3 != 0);
                }
                _ => assert_eq!(map.pop_first(), model.pop_first()),
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!(map.len(), model.len());
            assert_eq!(map.last_key_value(), model.last_key_value());
            if step % 100 == 0 {
                assert!(map.iter().eq(&model));
                assert!(map.iter().rev().eq(model.iter().rev()));
                assert!(map.range(key..).eq(model.range(key..)));
                assert!(map.iter_mut().eq(model.iter_mut()));
                assert!(map.clone().into_iter().eq(model.clone()));
            }
        }
        assert!(!model.is_empty());
    }

    #[test]
    fn numbers_are_in_the_order_of_numbers() {
        let numbers = [u64::MAX, 0, 256, 255, 1 << 40];
        let set: IdSet<u64> = numbers.into_iter().collect();
        assert!(set.iter().eq(&BTreeSet::from(numbers)));
    }

    #[test]
    fn a_map_that_was_large_gives_its_memory_back() {
        let mut map: IdMap<u64, [u8; 64]> = (0..10_000).map(|key| (key, [0; 64])).collect();
        for key in 0..9_990 {
            map.remove(&key);
        }
        assert!(map.entries.capacity() <= 64, "{}", map.entries.capacity());
    }
}
