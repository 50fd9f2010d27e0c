//! The links of one group, from either kind of group storage.

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
use hdf5_reader::symbol_table::{SymbolTableEntry, SymbolTableNode};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Bytes of dense links or attributes read for one object.
const DENSE_LIMIT: usize = 256 << 20;

/// The links of one group, in the file's order of names.
pub(super) struct Group {
    pub links: Vec<LinkMessage>,
    pub by_name: HashMap<String, usize>,
}

impl Source {
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
                links.push(self.table_link(&entry, &names, place)?);
            }
        }
        Ok(links)
    }

    /// One entry of a symbol node; `names` is the local heap.
    fn table_link(&self, entry: &SymbolTableEntry, names: &[u8], place: &str) -> Result<LinkMessage> {
        let name = |offset: u64| -> Result<String> {
            let bytes = usize::try_from(offset).ok().and_then(|start| names.get(start..));
            let bytes = bytes.and_then(|b| b.split(|&c| c == 0).next()).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes).into_owned();
            if text.is_empty() {
                return Err(Error::data(self.place(place), "a link without a name", "a name", DAMAGED));
            }
            Ok(text)
        };
        let target = if entry.cache_type == 2 {
            let [a, b, c, d, ..] = entry.scratch;
            LinkTarget::Soft { path: name(u64::from(u32::from_le_bytes([a, b, c, d])))? }
        } else {
            LinkTarget::Hard { address: entry.object_header_address }
        };
        Ok(LinkMessage { name: name(entry.link_name_offset)?, target, creation_order: None })
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
