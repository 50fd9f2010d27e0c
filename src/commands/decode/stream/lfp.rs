//! One channel of local field potential out of a recording.
//!
//! `--lfp DATASET` names (n) or (n, channels) numbers; `DATASET,CHANNEL` picks a column. Times are
//! those of NWB: `starting_time` with its attribute `rate`, or `timestamps`, beside the dataset;
//! else the dataset's own attributes `rate` and `starting_time`, else the configured rate from the
//! recording's time 0 on.

use super::super::numbers::{Numbers, number_of};
use super::super::reading::Reader;
use super::super::tree::Folder;
use super::source::Lfp;
use crate::error::{Error, Result};
use crate::io::{self, Container, InputSpec};

/// Reads it; `rate` is the configured one, and `memory` what it may take, bytes.
///
/// # Errors
/// The dataset is not there, is no field potential, or has times that are not even.
pub fn read(input: &InputSpec, name: &str, rate: f64, memory: u64) -> Result<Lfp> {
    let container: Box<dyn Container> = match Folder::holds(&input.path) {
        true => Box::new(Folder::open(&input.path)?),
        false => io::open(&input.path)?,
    };
    let mut reader = Reader::new(container.as_ref(), (memory, None))?;
    let (path, channel) = match name.rsplit_once(',').map(|(path, channel)| (path, channel.parse::<usize>()))
    {
        Some((path, Ok(channel))) => (path, Some(channel)),
        _ => (name, None),
    };
    let path = path.trim_matches('/');
    let data = reader.require(path, "name a dataset of field potential with --lfp")?;
    let values = column(&mut reader, &data, channel)?;
    let (start, rate) = times(&mut reader, path, &data, rate)?;
    Ok(Lfp { start, rate, values })
}

fn column(reader: &mut Reader, data: &Numbers, channel: Option<usize>) -> Result<Vec<f32>> {
    let (width, channel) = match (&data.shape[..], channel) {
        ([_] | [_, 1], None | Some(0)) => (1, 0),
        ([_, width], Some(channel)) if (channel as u64) < *width => (*width as usize, channel),
        ([_, width], None) => {
            let expected = "one channel: --lfp DATASET,CHANNEL, counted from 0";
            return Err(data.wrong(format!("{width} channels"), expected));
        }
        (shape, Some(channel)) => {
            return Err(data.wrong(format!("shape {shape:?}"), format!("more than {channel} channels")));
        }
        (shape, None) => {
            return Err(data.wrong(format!("shape {shape:?}"), "(n) or (n, channels)"));
        }
    };
    reader.take(data.rows().saturating_mul(4), &data.place)?;
    // Probes have hundreds of channels: of each block only the one asked for is kept.
    let (mut values, mut block) = (Vec::new(), Vec::new());
    data.each_block(0..data.rows(), &mut |_, bytes| {
        block.resize(bytes.len() / data.dtype.size(), 0.0);
        data.convert(bytes, &mut block);
        values.extend(block.iter().skip(channel).step_by(width).map(|&value| value as f32));
        Ok(())
    })?;
    Ok(values)
}

/// Start and rate.
fn times(reader: &mut Reader, path: &str, data: &Numbers, configured: f64) -> Result<(f64, f64)> {
    let beside = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let starting = format!("{beside}starting_time");
    if let Some(numbers) = reader.numbers(&starting)?
        && let Some(rate) = number_of(&reader.attributes(&starting), "rate")
    {
        let start = reader.values(&numbers)?.first().copied().unwrap_or(0.0);
        return checked(data, start, rate);
    }
    if let Some(numbers) = reader.numbers(&format!("{beside}timestamps"))? {
        let times = reader.times(&numbers)?;
        return even(&numbers, &times, data.rows());
    }
    let own = reader.attributes(path);
    let start = number_of(&own, "starting_time").unwrap_or(0.0);
    checked(data, start, number_of(&own, "rate").unwrap_or(configured))
}

fn checked(data: &Numbers, start: f64, rate: f64) -> Result<(f64, f64)> {
    match rate > 0.0 && rate.is_finite() && start.is_finite() {
        true => Ok((start, rate)),
        false => Err(data.wrong(
            format!("a start at {start} s and a rate of {rate}"),
            "finite seconds, and samples per second above 0",
        )),
    }
}

/// Start and rate of times that are even: a filter knows no other.
fn even(numbers: &Numbers, times: &[f64], samples: u64) -> Result<(f64, f64)> {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Err(numbers.wrong("no times", "one for each sample"));
    };
    if times.len() as u64 != samples || times.len() < 2 {
        return Err(
            numbers.wrong(format!("{} times", times.len()), format!("{samples}, one for each sample"))
        );
    }
    let step = (last - first) / (times.len() - 1) as f64;
    let off = |(at, time): (usize, &f64)| (time - first - at as f64 * step).abs() > 0.5 * step;
    match times.iter().enumerate().position(off) {
        None if step > 0.0 => Ok((first, 1.0 / step)),
        at => {
            let at = at.unwrap_or(0);
            let found = format!("sample {at} at {} s", times[at]);
            Err(numbers.wrong(found, format!("even steps of {step} s; give a part without gaps")))
        }
    }
}

/// `--lfp` of a stream of records: the channel of its field potential events.
///
/// # Errors
/// [`Error::Usage`] for anything but a channel.
pub fn channel(name: &str) -> Result<u16> {
    name.trim().parse().map_err(|_| {
        Error::usage(format!("--lfp {name}: a stream of records has channels 0 to 65535, expected a number"))
    })
}
