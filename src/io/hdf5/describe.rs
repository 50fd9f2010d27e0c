//! What an object header says about a dataset.

use super::chunks::Chunking;
use super::filters::Pipeline;
use super::header::Object;
use super::source::{DAMAGED, Source};
use super::types::{self, Element};
use crate::error::{Error, Result};
use crate::io::{DatasetInfo, StoredType};
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::dataspace::{DataspaceMessage, DataspaceType};
use hdf5_reader::messages::datatype::Datatype;
use hdf5_reader::messages::filter_pipeline::FilterPipelineMessage;
use hdf5_reader::messages::layout::DataLayout;

/// HDF5's own limit.
const RANK_LIMIT: usize = 32;

/// Where the elements lie.
pub(super) enum Layout {
    /// In the object header.
    Compact(Vec<u8>),
    /// In one piece at this address, of so many bytes.
    Contiguous(u64, u64),
    /// In chunks.
    Chunked(Chunking),
    /// Nowhere yet: every cell has the fill value.
    Unwritten,
    /// Somewhere we do not follow, for this reason.
    Elsewhere(String),
}

/// All that the header says about a dataset.
pub(super) struct Description {
    pub info: DatasetInfo,
    pub element: Element,
    pub layout: Layout,
    pub pipeline: Pipeline,
    pub fill: Option<Vec<u8>>,
    /// Greatest lengths of the axes, `u64::MAX` for unlimited; numbering of chunks depends on them.
    pub max_shape: Vec<u64>,
}

/// The messages that describe a dataset.
#[derive(Default)]
struct Messages<'a> {
    space: Option<&'a DataspaceMessage>,
    datatype: Option<&'a Datatype>,
    layout: Option<&'a DataLayout>,
    filters: Option<&'a FilterPipelineMessage>,
    fill: Option<Vec<u8>>,
    external: bool,
}

impl Messages<'_> {
    fn of(object: &Object) -> Messages<'_> {
        let mut messages = Messages::default();
        for message in &object.messages {
            match message {
                HdfMessage::Dataspace(found) => messages.space = Some(found),
                HdfMessage::Datatype(found) => messages.datatype = Some(&found.datatype),
                HdfMessage::DataLayout(found) => messages.layout = Some(&found.layout),
                HdfMessage::FilterPipeline(found) => messages.filters = Some(found),
                // Files may carry the old and the new message: either may be the empty one.
                HdfMessage::FillValue(found) => messages.fill = found.value.clone().or(messages.fill),
                HdfMessage::ExternalFiles(_) => messages.external = true,
                _ => {}
            }
        }
        messages
    }
}

/// Describes the dataset whose header is `object`.
pub(super) fn describe(source: &Source, path: &str, object: &Object) -> Result<Description> {
    let fail = |found: &str, expected: &str| Error::data(source.place(path), found, expected, DAMAGED);
    let Messages { space, datatype, layout, filters, fill, external } = Messages::of(object);
    let space = space.ok_or_else(|| fail("no data space", "a dataset with a shape"))?;
    let mut element = match (datatype, &object.unread_type) {
        (Some(datatype), _) => {
            types::element(datatype, object.raw_datatype.as_deref().unwrap_or_default(), source.offset_size)
        }
        (None, Some(reason)) => Element { stored: StoredType::Other(reason.clone()), text: None, size: 0 },
        (None, None) => return Err(fail("no datatype", "a dataset with a type")),
    };
    let shape = if space.dataspace_type == DataspaceType::Simple { space.dims.clone() } else { Vec::new() };
    if space.dataspace_type == DataspaceType::Null {
        element =
            Element { stored: StoredType::Other("nothing (null data space)".into()), text: None, size: 0 };
    }
    if shape.len() > RANK_LIMIT || bytes_of(&shape, element.size.max(1)).is_none() {
        return Err(fail(&format!("shape {shape:?}"), "at most 32 axes and 2^63 bytes"));
    }
    let max_shape =
        space.max_dims.clone().filter(|m| m.len() == shape.len()).unwrap_or_else(|| shape.clone());
    let layout = match (layout, &object.unread_layout) {
        _ if external => Layout::Elsewhere("data in another, external file".into()),
        (Some(layout), _) => arrange(source, layout, &shape, element.size, object),
        (None, Some(reason)) => Layout::Elsewhere(format!("a layout that is not read here ({reason})")),
        (None, None) => return Err(fail("no layout", "a dataset with a layout")),
    };
    let pipeline = Pipeline::new(filters, element.size);
    let info = DatasetInfo {
        path: path.to_owned(),
        stored: element.stored.clone(),
        fortran: false,
        chunks: if let Layout::Chunked(chunking) = &layout { Some(chunking.shape.clone()) } else { None },
        deflate: pipeline.deflate_level(),
        shuffle: pipeline.shuffles(),
        unlimited: max_shape.first() == Some(&u64::MAX),
        shape,
    };
    let fill = fill.filter(|value| value.len() == element.size && !value.is_empty());
    Ok(Description { info, element, layout, pipeline, fill, max_shape })
}

fn arrange(source: &Source, layout: &DataLayout, shape: &[u64], element: usize, object: &Object) -> Layout {
    match layout {
        DataLayout::Compact { data } => Layout::Compact(data.clone()),
        DataLayout::Contiguous { address, .. } if source.is_undefined(*address) => Layout::Unwritten,
        DataLayout::Contiguous { address, size } => Layout::Contiguous(*address, *size),
        DataLayout::Chunked { address, dims, chunk_indexing, .. } => {
            let mut dims: Vec<u64> = dims.iter().map(|&d| u64::from(d)).collect();
            // The layout message adds the element size as a last axis.
            dims.truncate(shape.len());
            if dims.len() != shape.len() {
                return Layout::Elsewhere(format!("chunks of shape {dims:?} for {} axes", shape.len()));
            }
            match Chunking::new(*address, dims, element, chunk_indexing.clone(), object) {
                Ok(chunking) => Layout::Chunked(chunking),
                Err(reason) => Layout::Elsewhere(reason),
            }
        }
    }
}

/// Bytes of a shape, if they can be counted in 63 bits.
pub(super) fn bytes_of(shape: &[u64], element: usize) -> Option<u64> {
    let bytes = shape.iter().filter(|&&d| d != 0).try_fold(element as u64, |n, &d| n.checked_mul(d))?;
    if bytes > i64::MAX as u64 {
        return None;
    }
    Some(if shape.contains(&0) { 0 } else { bytes })
}
