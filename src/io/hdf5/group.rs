//! Paths to objects, and the walk over a whole file.
//!
//! Cycles of hard links and ladders of shared groups cannot make the walk long: each object is
//! entered once, under the first name met.

use super::header::Object;
use super::source::{DAMAGED, Source};
use crate::error::{Error, Result};
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::LinkTarget;
use std::collections::{HashMap, HashSet};

/// Nesting that the walk accepts; paths grow with it.
const DEPTH_LIMIT: usize = 256;
/// Soft links followed for one path.
const LINK_LIMIT: usize = 64;
/// Bytes of headers a walk parses per byte of file, beyond a fixed allowance.
const WALK_FACTOR: u64 = 16;
const WALK_ALLOWANCE: u64 = 256 << 20;

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
    /// By its address.
    Group(u64),
    Dataset(&'a Object),
    /// Where a link that leads nowhere points.
    Dead(&'a str),
}

/// Receives what the walk meets, by path.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&str, Found<'_>) -> Result<()>;

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
    pub fn walk(&self, visit: Visit<'_>) -> Result<()> {
        let mut seen = HashSet::from([self.root]);
        let mut pending = vec![(self.root, String::new(), 0)];
        let mut budget = self.len.saturating_mul(WALK_FACTOR).saturating_add(WALK_ALLOWANCE);
        visit("/", Found::Group(self.root))?;
        while let Some((address, path, depth)) = pending.pop() {
            let group = self.group(&*self.object(address)?)?;
            let mut inner = Vec::new();
            for link in &group.links {
                let path = format!("{path}/{}", link.name);
                match &link.target {
                    LinkTarget::Hard { address } if !seen.insert(*address) => {}
                    LinkTarget::Hard { address } => {
                        let object = self.object(*address)?;
                        budget = budget.checked_sub(object.bytes).ok_or_else(|| {
                            Error::data(
                                self.place(&path),
                                "headers that overlap",
                                "separate objects",
                                DAMAGED,
                            )
                        })?;
                        if self.meet(&path, &object, depth, visit)? {
                            inner.push((*address, path, depth + 1));
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

    /// Visits one object; true when it is a group to enter.
    fn meet(&self, path: &str, object: &Object, depth: usize, visit: Visit<'_>) -> Result<bool> {
        match kind(object) {
            Kind::Dataset => visit(path, Found::Dataset(object)).map(|()| false),
            Kind::Group if depth < DEPTH_LIMIT => visit(path, Found::Group(object.address)).map(|()| true),
            Kind::Group => {
                let found = format!("groups nested deeper than {DEPTH_LIMIT}");
                Err(Error::data(self.place(path), found, "fewer levels", DAMAGED))
            }
            Kind::Other => Ok(false),
        }
    }

    /// First names of all objects, by address.
    pub fn paths(&self) -> Result<&HashMap<u64, String>> {
        if let Some(paths) = self.paths.get() {
            return Ok(paths);
        }
        let mut paths = HashMap::from([(self.root, "/".to_owned())]);
        self.walk(&mut |path, found| {
            let address = match found {
                Found::Dataset(object) => object.address,
                Found::Group(address) => address,
                Found::Dead(_) => return Ok(()),
            };
            paths.entry(address).or_insert_with(|| path.to_owned());
            Ok(())
        })?;
        Ok(self.paths.get_or_init(|| paths))
    }
}
