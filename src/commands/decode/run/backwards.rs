//! The way back through the recording: smoother, estimates, the most likely sequence.

use super::super::budget::IN_FLIGHT;
use super::super::keeping::KeepingBack;
use super::super::options::Save;
use super::super::passes_chain;
use super::super::passes_filter::Forward;
use super::super::passes_likelihood::Value;
use super::super::passes_smooth::{
    self, Again, Block, Estimates, Estimator, Posteriors, Smoothing, backwards, most_likely_sequence,
};
use super::super::picture::Picture;
use super::super::results::{ResultFile, Variable};
use super::super::store::RowStore;
use super::super::walks;
use super::Decode;
use crate::commands::keep::Keeper;
use crate::error::Result;
use crate::pipeline::run::{Buffers, run as stream};
use std::sync::atomic::Ordering;

impl Decode<'_> {
    /// Smoother, estimates, writing, block after block from the end.
    pub(super) fn backwards<T: Value>(
        &self,
        forward: &Forward<T>,
        (results, picture): (&mut ResultFile, &mut Picture),
        keeper: &mut Keeper<'_>,
    ) -> Result<()> {
        let (chain, recorder) = (&self.decoding.chain, self.context.recorder);
        let save = &self.prepared.options.save;
        let centers = self.prepared.model.grid.interior_centers();
        let sink = Posteriors {
            estimator: Estimator {
                chain,
                centers: &centers,
                axes: self.prepared.model.axes(),
                estimates: Estimates {
                    map: save.contains(&Save::Map),
                    mean: save.contains(&Save::Mean),
                    hpd: save.contains(&Save::Hpd),
                },
            },
            results,
            onlooker: picture.onlooker(),
        };
        let buffers = Buffers {
            input: (0..IN_FLIGHT).map(|_| Block::default()).collect(),
            output: (0..IN_FLIGHT).map(|_| Vec::new()).collect(),
        };
        let rows = self.decoding.time.len();
        let keeps = self.prepared.options.resume;
        let mut sink = KeepingBack::new(sink, keeper, (chain.states().columns(), keeps));
        let (done, known) = recorder.time("resume", || sink.replay(backwards(rows, forward.block)))?;
        if done > 0 {
            tracing::info!("resuming the way back at time bin {}", rows as u64 - done);
            recorder.advance(done);
            self.resumed_back.fetch_add(done, Ordering::Relaxed);
        }
        let rows_of_a_block = (forward.block.min(rows), true);
        let device = passes_chain::open(&self.plan.backend, chain, rows_of_a_block, recorder)?;
        let mut again = Again::new(chain, forward, device.is_some());
        let smoothing = Smoothing::new(chain, forward, (known, device), recorder);
        let left = backwards(rows, forward.block).skip_while(|block| block.end + done > rows as u64);
        stream(passes_smooth::STAGES, left, (&mut again, &smoothing, &mut sink), buffers, self.pool, recorder)
    }

    pub(super) fn viterbi<T: Value>(&self, forward: &Forward<T>, results: &mut ResultFile) -> Result<()> {
        let chain = &self.decoding.chain;
        let steps =
            walks::steps(&self.prepared.model, self.prepared.options.movement_var, self.context.level);
        let shape = (self.decoding.time.len(), chain.states().columns());
        let mut pointers = RowStore::new(shape, self.plan.held, &self.plan.output)?;
        let found = most_likely_sequence((chain, &steps), forward, &mut pointers, self.context.recorder)?;
        results.write_bins(Variable::ViterbiBin, 0, &found)
    }
}
