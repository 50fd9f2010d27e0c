//! Groups: the links of one group, paths to objects, and the walk over a whole file.
//!
//! Cycles of hard links and ladders of shared groups cannot make the walk long: each object is
//! entered once, under the first name met.

use super::header::Object;
use super::source::{DAMAGED, Source, lock};
use crate::error::{Error, Result};
use hdf5_reader::btree_v1::collect_btree_v1_leaves_storage;
use hdf5_reader::btree_v2::{BTreeV2Header, BTreeV2Record, collect_btree_v2_records_storage};
use hdf5_reader::fractal_heap::{FractalHeap, FractalHeapDirectBlockCache};
use hdf5_reader::io::Cursor;
use hdf5_reader::local_heap::LocalHeap;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{LinkMessage, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::symbol_table::SymbolTableNode;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Nesting that the walk accepts; paths grow with it.
const DEPTH_LIMIT: usize = 256;
/// Soft links followed for one path.
const LINK_LIMIT: usize = 64;
/// Bytes of dense links or attributes read for one object.
pub(super) const DENSE_LIMIT: usize = 256 << 20;
/// Bytes of headers a walk parses per byte of file, beyond a fixed allowance.
const WALK_FACTOR: u64 = 16;
const WALK_ALLOWANCE: u64 = 256 << 20;

/// The links of one group, in the file's order of names.
pub(super) struct Group {
    links: Vec<LinkMessage>,
    by_name: HashMap<String, usize>,
}

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    Dataset,
    /// A committed datatype or something unknown: neither listed nor read.
    Other,
}

/// What the walk meets.
pub(super) enum Found<'a> {
    Group,
    Dataset(&'a Object),
    /// Where a link that leads nowhere points.
    Dead(&'a str),
}

/// Group or dataset, by the messages of the header.
pub(super) fn kind(object: &Object) -> Kind {
    if object.raw_layout.is_some() || object.messages.iter().any(|m| matches!(m, HdfMessage::DataLayout(_))) {
        return Kind::Dataset;
    }
    let group = object.messages.iter().any(|m| {
        matches!(
            m,
            HdfMessage::SymbolTable(_)
                | HdfMessage::LinkInfo(_)
                | HdfMessage::Link(_)
                | HdfMessage::GroupInfo(_)
        )
    });
    if group { Kind::Group } else { Kind::Other }
}

/// A path with one leading slash and no empty or `.` parts.
pub(super) fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    format!("/{}", parts.join("/"))
}

/// Where a path ends.
enum End {
    At(u64),
    /// It stops at this place for this reason.
    Nowhere(String),
}

impl Source {
    /// The address of the object at a path.
    pub fn resolve(&self, path: &str) -> Result<u64> {
        match self.follow(self.root, path)? {
            End::At(address) => Ok(address),
            End::Nowhere(reason) => {
                let advice = "list the file to see its names";
                Err(Error::data(self.place(path), reason, "a group or dataset", advice))
            }
        }
    }

    /// Goes along `path` from the group at `start`, or from the root when it begins with a slash.
    fn follow(&self, start: u64, path: &str) -> Result<End> {
        let mut at = if path.starts_with('/') { self.root } else { start };
        let split = |path: &str| -> Vec<String> {
            path.split('/').rev().filter(|p| !p.is_empty() && *p != ".").map(str::to_owned).collect()
        };
        let mut left = split(path);
        let mut followed = 0;
        while let Some(name) = left.pop() {
            let object = self.object(at)?;
            if kind(&object) != Kind::Group {
                return Ok(End::Nowhere(format!("no group on the way to {name}")));
            }
            let group = self.group(&object)?;
            match group.by_name.get(&name).and_then(|&i| group.links.get(i)).map(|link| &link.target) {
                None => return Ok(End::Nowhere(format!("nothing named {name}"))),
                Some(LinkTarget::Hard { address }) => at = *address,
                Some(LinkTarget::External { filename, path }) => {
                    return Ok(End::Nowhere(format!("a link into another file, {filename}:{path}")));
                }
                Some(LinkTarget::Soft { path }) => {
                    followed += 1;
                    if followed > LINK_LIMIT || left.len() > 4096 {
                        return Ok(End::Nowhere("a loop of soft links".to_owned()));
                    }
                    if path.starts_with('/') {
                        at = self.root;
                    }
                    left.extend(split(path));
                }
            }
        }
        Ok(End::At(at))
    }

    /// Calls `visit` for each group, dataset and dead link, parents before children.
    pub fn walk(&self, visit: &mut dyn FnMut(&str, Found<'_>) -> Result<()>) -> Result<()> {
        let mut seen = HashSet::from([self.root]);
        let mut pending = vec![(self.root, String::new(), 0)];
        let mut budget = self.len.saturating_mul(WALK_FACTOR).saturating_add(WALK_ALLOWANCE);
        visit("/", Found::Group)?;
        while let Some((address, path, depth)) = pending.pop() {
            let group = self.group(&*self.object(address)?)?;
            let mut inner = Vec::new();
            for link in &group.links {
                let path = format!("{path}/{}", link.name);
                match &link.target {
                    LinkTarget::Hard { address } => {
                        if !seen.insert(*address) {
                            continue;
                        }
                        let object = self.object(*address)?;
                        budget = budget.checked_sub(object.bytes).ok_or_else(|| {
                            Error::data(
                                self.place(&path),
                                "headers that overlap",
                                "separate objects",
                                DAMAGED,
                            )
                        })?;
                        match kind(&object) {
                            Kind::Dataset => visit(&path, Found::Dataset(&object))?,
                            Kind::Group if depth < DEPTH_LIMIT => {
                                visit(&path, Found::Group)?;
                                inner.push((*address, path, depth + 1));
                            }
                            Kind::Group => {
                                let found = format!("groups nested deeper than {DEPTH_LIMIT}");
                                return Err(Error::data(self.place(&path), found, "fewer levels", DAMAGED));
                            }
                            Kind::Other => {}
                        }
                    }
                    LinkTarget::External { filename, path: inside } => {
                        visit(&path, Found::Dead(&format!("{filename}:{inside}")))?;
                    }
                    LinkTarget::Soft { path: target } => {
                        if let End::Nowhere(_) = self.follow(address, target)? {
                            visit(&path, Found::Dead(target))?;
                        }
                    }
                }
            }
            pending.extend(inner.into_iter().rev());
        }
        Ok(())
    }

    /// First names of all objects, by address.
    pub fn paths(&self) -> Result<&HashMap<u64, String>> {
        if let Some(paths) = self.paths.get() {
            return Ok(paths);
        }
        let mut paths = HashMap::from([(self.root, "/".to_owned())]);
        self.each_object(&mut |address, path| {
            paths.entry(address).or_insert_with(|| path.to_owned());
        })?;
        Ok(self.paths.get_or_init(|| paths))
    }

    fn each_object(&self, visit: &mut dyn FnMut(u64, &str)) -> Result<()> {
        // Groups are found again by path: the walk reports names, not addresses.
        self.walk(&mut |path, found| {
            match found {
                Found::Dataset(object) => visit(object.address, path),
                Found::Group => visit(self.resolve(path)?, path),
                Found::Dead(_) => {}
            }
            Ok(())
        })
    }

    /// The links of a group.
    pub fn group(&self, object: &Object) -> Result<Arc<Group>> {
        if let Some(group) = lock(&self.groups).get(&object.address) {
            return Ok(group.clone());
        }
        let place = format!("group at {:#x}", object.address);
        let mut links = Vec::new();
        let mut sorted = false;
        for message in &object.messages {
            match message {
                HdfMessage::SymbolTable(table) => links.extend(self.table_links(table, &place)?),
                HdfMessage::Link(link) => links.push(link.clone()),
                HdfMessage::LinkInfo(info) => {
                    sorted = info.creation_order_tracked;
                    if !self.is_undefined(info.fractal_heap_address) {
                        links.extend(self.dense_links(info, &place)?);
                    }
                }
                _ => {}
            }
        }
        if sorted && links.iter().all(|link| link.creation_order.is_some()) {
            links.sort_by_key(|link| link.creation_order);
        } else {
            links.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let by_name = links.iter().enumerate().map(|(i, link)| (link.name.clone(), i)).collect();
        let group = Arc::new(Group { links, by_name });
        lock(&self.groups).insert(object.address, group.clone());
        Ok(group)
    }

    /// Links of an old group: a B-tree of symbol nodes, names in a local heap.
    fn table_links(&self, table: &SymbolTableMessage, place: &str) -> Result<Vec<LinkMessage>> {
        let damaged = self.damaged(place);
        let (storage, os, ls) = (self.storage.as_ref(), self.offset_size, self.length_size);
        let leaves = collect_btree_v1_leaves_storage(storage, table.btree_address, os, ls, None, &[], None)
            .map_err(&damaged)?;
        if leaves.is_empty() {
            return Ok(Vec::new());
        }
        let heap = LocalHeap::parse_at_storage(storage, table.heap_address, os, ls).map_err(&damaged)?;
        let names = storage
            .read_range(
                heap.data_segment_address,
                usize::try_from(heap.data_segment_size).unwrap_or(usize::MAX),
            )
            .map_err(&damaged)?;
        let name = |offset: u64| -> Result<String> {
            let bytes = usize::try_from(offset).ok().and_then(|start| names.get(start..));
            let bytes = bytes.and_then(|b| b.split(|&c| c == 0).next()).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes).into_owned();
            if text.is_empty() {
                return Err(Error::data(self.place(place), "a link without a name", "a name", DAMAGED));
            }
            Ok(text)
        };
        let mut seen = HashSet::new();
        let mut links = Vec::new();
        for (_, address) in leaves {
            // A node met twice would let a small file state billions of links.
            if !seen.insert(address) {
                return Err(Error::data(self.place(place), "a symbol node met twice", "a tree", DAMAGED));
            }
            let head = storage.read_range(address, 8).map_err(&damaged)?;
            let count = usize::from(u16::from_le_bytes([head[6], head[7]]));
            let node =
                storage.read_range(address, 8 + count * (2 * usize::from(os) + 24)).map_err(&damaged)?;
            let node = SymbolTableNode::parse(&mut Cursor::new(&node), os, ls).map_err(&damaged)?;
            for entry in node.entries {
                let target = if entry.cache_type == 2 {
                    let [a, b, c, d, ..] = entry.scratch;
                    LinkTarget::Soft { path: name(u64::from(u32::from_le_bytes([a, b, c, d])))? }
                } else {
                    LinkTarget::Hard { address: entry.object_header_address }
                };
                links.push(LinkMessage { name: name(entry.link_name_offset)?, target, creation_order: None });
            }
        }
        Ok(links)
    }

    /// Links of a large new group: a B-tree of hashes, link messages in a fractal heap.
    fn dense_links(&self, info: &LinkInfoMessage, place: &str) -> Result<Vec<LinkMessage>> {
        let mut links = Vec::new();
        let (os, ls) = (self.offset_size, self.length_size);
        self.dense_objects(info.fractal_heap_address, info.btree_name_index_address, place, &mut |bytes| {
            let link = hdf5_reader::messages::link::parse(&mut Cursor::new(&bytes), os, ls, bytes.len());
            links.push(link.map_err(self.damaged(place))?);
            Ok(())
        })?;
        Ok(links)
    }

    /// Hands out every object of a fractal heap that a B-tree of links or attributes names.
    pub fn dense_objects(
        &self,
        heap: u64,
        tree: u64,
        place: &str,
        take: &mut dyn FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let damaged = self.damaged(place);
        let (storage, os, ls) = (self.storage.as_ref(), self.offset_size, self.length_size);
        let heap = FractalHeap::parse_at_storage(storage, heap, os, ls).map_err(&damaged)?;
        let head = BTreeV2Header::parse_at_storage(storage, tree, os, ls).map_err(&damaged)?;
        let records =
            collect_btree_v2_records_storage(storage, &head, os, ls, None, &[], None).map_err(&damaged)?;
        let mut blocks = FractalHeapDirectBlockCache::default();
        let mut total = 0usize;
        for record in &records {
            let (BTreeV2Record::LinkNameHash { heap_id, .. }
            | BTreeV2Record::CreationOrder { heap_id, .. }
            | BTreeV2Record::AttributeNameHash { heap_id, .. }
            | BTreeV2Record::AttributeCreationOrder { heap_id, .. }) = record
            else {
                continue;
            };
            let bytes =
                heap.get_object_storage_cached(heap_id, storage, os, ls, &mut blocks).map_err(&damaged)?;
            total = total.saturating_add(bytes.len() + 64);
            if total > DENSE_LIMIT {
                let found = format!("more than {DENSE_LIMIT} bytes of names and attributes");
                return Err(Error::data(self.place(place), found, "less", DAMAGED));
            }
            take(bytes)?;
        }
        Ok(())
    }
}
