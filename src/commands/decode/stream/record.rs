//! The fixed bytes of a tick's record (spec decode 8.3).
//!
//! Little-endian and packed: what [`Field`]s name, one behind the other. Records of a run with
//! `--lfp` end with one more byte, whether a ripple was on.

use super::engine::{SLOTS, Shape, TickRecord};

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Byte.
    U8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// Double precision.
    F64,
}

impl Code {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Code::U8 => 1,
            Code::I32 => 4,
            Code::I64 | Code::F64 => 8,
        }
    }

    /// As numpy spells it.
    pub fn numpy(self) -> &'static str {
        match self {
            Code::U8 => "|u1",
            Code::I32 => "<i4",
            Code::I64 => "<i8",
            Code::F64 => "<f8",
        }
    }
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub code: Code,
    /// Lengths of its axes; none for a single value.
    pub shape: Vec<usize>,
    /// Where it begins.
    pub offset: usize,
}

impl Field {
    /// Its bytes.
    pub fn size(&self) -> usize {
        self.code.size() * self.shape.iter().product::<usize>()
    }
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// In order.
    pub fields: Vec<Field>,
    /// Bytes of a record.
    pub size: usize,
    ripple: bool,
}

impl Layout {
    /// Records of an engine of `shape`, with the byte of the ripple detector or without.
    pub fn new(shape: &Shape, ripple: bool) -> Self {
        let mut layout = Layout { fields: Vec::new(), size: 0, ripple };
        let mut add = |name, code, shape: &[usize]| {
            let field = Field { name, code, shape: shape.to_vec(), offset: layout.size };
            layout.size += field.size();
            layout.fields.push(field);
        };
        add("rank", Code::I32, &[]);
        add("tick", Code::I64, &[]);
        add("lb", Code::I64, &[]);
        add("ub", Code::I64, &[]);
        add("posterior", Code::F64, &[shape.states, shape.bins]);
        add("likelihood", Code::F64, &[shape.bins]);
        add("velocity", Code::F64, &[]);
        add("cred_int_post", Code::I32, &[]);
        add("cred_int_lk", Code::I32, &[]);
        add("enc_cred_intervals", Code::I32, &[SLOTS]);
        add("enc_argmaxes", Code::I32, &[SLOTS]);
        add("spike_count", Code::I32, &[]);
        if ripple {
            add("ripple", Code::U8, &[]);
        }
        layout
    }

    /// Appends the bytes of `record`.
    pub fn pack(&self, record: &TickRecord, bytes: &mut Vec<u8>) {
        bytes.extend(record.rank.to_le_bytes());
        for time in [record.tick, record.lower, record.upper] {
            bytes.extend(time.to_le_bytes());
        }
        for value in record.posterior.iter().chain(&record.likelihood) {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(record.velocity.to_le_bytes());
        let [credible, best] = [&record.encoder_credible, &record.encoder_best];
        let counts = [record.credible_posterior, record.credible_likelihood];
        for value in counts.iter().chain(credible).chain(best).chain([&record.spikes]) {
            bytes.extend(value.to_le_bytes());
        }
        if self.ripple {
            bytes.push(record.ripple);
        }
    }

    /// The type of a record as numpy's header of an array file has it.
    pub fn numpy(&self) -> String {
        let axes = |shape: &[usize]| match shape {
            [] => String::new(),
            [one] => format!(", ({one},)"),
            more => format!(", ({})", more.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let field = |f: &Field| format!("('{}', '{}'{})", f.name, f.code.numpy(), axes(&f.shape));
        format!("[{}]", self.fields.iter().map(field).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_bytes_its_fields_say() {
        let centers = vec![vec![0.5; 41]];
        let shape = Shape { states: 3, bins: 41, state_names: vec![String::new(); 3], centers };
        let mut record = TickRecord::new(&shape);
        (record.rank, record.tick, record.spikes, record.ripple) = (7, 1 << 40, 9, 1);
        record.posterior[122] = 0.25;
        record.encoder_best[9] = 40;
        for ripple in [false, true] {
            let layout = Layout::new(&shape, ripple);
            assert_eq!(layout.size, 28 + 8 * 41 * 4 + 8 + 4 * 23 + usize::from(ripple));
            let mut bytes = Vec::new();
            layout.pack(&record, &mut bytes);
            assert_eq!(bytes.len(), layout.size);
            let at = |name: &str| {
                let field = layout.fields.iter().find(|field| field.name == name).unwrap();
                &bytes[field.offset..field.offset + field.size()]
            };
            assert_eq!(at("tick"), (1i64 << 40).to_le_bytes());
            assert_eq!(at("posterior")[8 * 122..], 0.25f64.to_le_bytes());
            assert_eq!(at("enc_argmaxes")[36..], 40i32.to_le_bytes());
            assert_eq!(at("spike_count"), 9i32.to_le_bytes());
        }
        let text = Layout::new(&shape, true).numpy();
        assert!(text.starts_with("[('rank', '<i4'), ('tick', '<i8'), "), "{text}");
        assert!(text.contains("('posterior', '<f8', (3, 41)), ('likelihood', '<f8', (41,))"), "{text}");
    }
}
